"""The record of a sweep: every trial that has ended, in Optuna's storage, so that its tools can read it too.

Only the process that leads a sweep writes, one trial with one line; a trial whose line is not whole was not run.
"""

import base64
import fcntl
import os
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import optuna
import orjson
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from bmv.adapters.postgres.dsn import is_database, masked, silenced
from bmv.backtest.sweep.trials.journal import NUMBER, ROW, Lines
from bmv.backtest.sweep.trials.objectives import Objective
from bmv.backtest.sweep.trials.row import TrialRow, aims
from bmv.backtest.sweep.trials.space import Axis
from bmv.data.runs.folder import JOURNAL
from bmv.ports.errors import BmvError, StorageError, UsageError

__all__ = ["JOURNAL", "STATES", "Study", "leading"]

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "invalid": TrialState.FAIL}


class Study:
    """Trials that have ended, by their number.

    Args:
        url: A folder's journal file, or `postgresql://…` for Optuna's tables there.
        name: Name of the study in its storage.
    """

    def __init__(self, url: str, name: str, axes: Sequence[Axis], objectives: Sequence[Objective]) -> None:
        self.url = url
        self._axes = axes
        self._distributions = {axis.key: _distribution(axis) for axis in axes}
        self._lines = None if is_database(url) else Lines(url)
        directions = [StudyDirection.MAXIMIZE if each.large else StudyDirection.MINIMIZE for each in objectives]
        with _asking(url):
            self._storage = _database(url) if self._lines is None else _journal(self._lines)
            self._study = optuna.create_study(
                study_name=name, storage=self._storage, directions=directions, load_if_exists=True
            )
            known = [] if self._lines is not None else self._study.get_trials(deepcopy=False)
        self._rows = {int(trial.user_attrs[NUMBER]): str(trial.user_attrs[ROW]) for trial in known}

    def __repr__(self) -> str:
        return f"<Study {self._study.study_name}: {len(self):,} trials>"

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, trial: int) -> bool:
        return trial in self._kept

    def __getitem__(self, trial: int) -> TrialRow:
        return _opened(self._kept[trial])

    @property
    def _kept(self) -> "Lines | dict[int, str]":
        """The trials, packed, by their number."""
        return self._rows if self._lines is None else self._lines

    def close(self) -> None:
        """Have all of it on the disk, and let go of the storage."""
        if self._lines is not None:
            self._lines.close()
        if isinstance(self._storage, RDBStorage):
            self._storage.remove_session()
            self._storage.engine.dispose()

    def rows(self) -> Iterator[TrialRow]:
        """Yield the trials by their number."""
        return (self[trial] for trial in sorted(self._kept))

    def add(self, row: TrialRow) -> None:
        """Keep a trial; on the disk soon after. One that is there already stays as it is."""
        trial = int(row["trial"])
        if trial in self:
            return
        packed = base64.b64encode(zlib.compress(orjson.dumps(row), 6)).decode()
        state = STATES[row["state"]]
        values = aims(row) if state == TrialState.COMPLETE else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = create_trial(
                state=state,
                values=values,
                params={axis.key: row["set"][axis.key] for axis in self._axes},
                distributions=self._distributions,
                user_attrs={NUMBER: trial, "digest": row["digest"], "net": row["figures"].get("net"), ROW: packed},
            )
        try:
            with _asking(self.url):
                self._study.add_trial(made)
        except OSError as error:
            raise StorageError(f"{self.url}: trial {trial} can't be written: {error.strerror}") from None
        if self._lines is None:
            self._rows[trial] = packed


def _opened(packed: str) -> TrialRow:
    row: TrialRow = orjson.loads(zlib.decompress(base64.b64decode(packed)))
    return row


def _database(url: str) -> BaseStorage:
    try:
        return RDBStorage(f"postgresql+psycopg://{url.partition('://')[2]}")
    except ImportError as error:
        raise UsageError("a study in Postgres needs psycopg: pip install 'bmv[sweeps-postgres]'") from error


def _journal(lines: Lines) -> BaseStorage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of what is experimental: it is pinned, and tested here.
        return JournalStorage(cast(Any, lines))  # Any: it is a backend by its methods.


@contextmanager
def _asking(url: str) -> Iterator[None]:
    """Say of a database that it does not do what it is asked, whatever the words of the libraries between."""
    try:
        yield
    except Exception as error:
        if isinstance(error, BmvError) or not is_database(url):
            raise
        raise StorageError(f"{masked(url)}: {type(error).__name__}: {silenced(error, url)}") from None


def _distribution(axis: Axis) -> BaseDistribution:
    """Return the axis with its real values, as the tools that draw a study want them."""
    if axis.values and not axis.ordered:
        return CategoricalDistribution(list(axis.values))
    low, high = axis.ends
    if axis.whole:
        return IntDistribution(int(low), int(high))
    return FloatDistribution(float(low), float(high))


@contextmanager
def leading(folder: Path) -> Iterator[None]:
    """Be the only process that leads the sweep in `folder`; `StorageError` while another one does.

    What a killed one left half written at the end of the journal is cut off first.
    """
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StorageError(f"{folder}: another process runs this sweep at the moment") from None
        _cut_half_a_line(folder / JOURNAL)
        yield


def _cut_half_a_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65_536)
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                end = start + at + 1
                break
            end = start
        file.truncate(end)
