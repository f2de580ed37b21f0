"""The ledger of every set ever tried, which survives sessions: how many draws the best of them was the best of.

Whoever sweeps the same days again and again finds something in the end. Statistics can only make up for that if they
know of all the trials, those of last week included.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from bmv.adapters.sqlite.file import Busy, Form, transaction
from bmv.data.files.user_folders import TRIALS, moved, notice, private_folder, trials_path
from bmv.ports.errors import ConfigError, DataError, StorageError

Done = TypeVar("Done")
Source = Literal["sweep", "backtest"]
Row = tuple[str, float | None, Source]  # Digest of a set, its Sharpe ratio per period if known, where it was run.

TABLES = """
-- One row for each choice of files that was ever run, named by a hash of their names.
create table data (id integer primary key, name text not null unique);
create table file (name text, data integer references data, primary key (name, data)) without rowid;
create table trial (data integer references data, digest text, sharpe real, source text not null,
                    primary key (data, digest)) without rowid;
"""
FORM = Form(name="a register of trials", application=0x626D760B, steps=(TABLES,))

ON_SHARED = "data in (select data from file where name in (select value from json_each(?)))"


class Register:
    """Keeps trials in the SQLite file at `path`, which the first use makes; any number of processes may add at once.

    A trial is a set on some data. What it is run on is told by its files (their sha256, or the names of tapes), since
    paths move; data that has one file in common with other data shares its trials.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"<Register {self.path}>"

    def add(self, data: Sequence[str], rows: Iterable[Row]) -> None:
        """Keep the trials `rows`, all or none; one that is kept already counts once, and its latest known ratio stays.

        Args:
            data: What identifies each file that the trials ran on; the order is of no matter.
            rows: Digest of the set, Sharpe ratio per period or None, and `sweep` or `backtest`.
        """
        files = sorted(set(data))
        if not files:
            raise DataError(f"{self.path}: trials on no data: expected at least one file or tape")
        name = hashlib.sha256("\n".join(files).encode()).hexdigest()
        trials = [(digest, _finite(sharpe), source) for digest, sharpe, source in rows]
        with transaction(self.path, FORM) as kept:
            kept.execute("insert into data (name) values (?) on conflict do nothing", (name,))
            (number,) = kept.execute("select id from data where name = ?", (name,)).fetchone()
            links = [(file, number) for file in files]
            kept.executemany("insert into file (name, data) values (?, ?) on conflict do nothing", links)
            kept.executemany(
                "insert into trial (data, digest, sharpe, source) values (?, ?, ?, ?) on conflict do update"
                " set sharpe = coalesce(excluded.sharpe, sharpe)",
                [(number, *trial) for trial in trials],
            )

    def count(self, data: Sequence[str]) -> int:
        """Return how many different sets were ever run on data that shares a file with `data`."""
        with transaction(self.path, FORM) as kept:
            query = f"select count(distinct digest) from trial where {ON_SHARED}"
            return int(kept.execute(query, (_listed(data),)).fetchone()[0])

    def sharpes(self, data: Sequence[str]) -> NDArray[np.float64]:
        """Return the known Sharpe ratios of those sets (n,), per period, in the order of their digests.

        One a set: of a set that ran on several such data, that of the data added last. Ratios compare only where
        periods are about equally long; who cuts the same data into another number of them mixes scales.
        """
        with transaction(self.path, FORM) as kept:
            # With max(), SQLite takes the other columns from the row that has it.
            query = f"select sharpe, max(data) from trial where {ON_SHARED} and sharpe is not null"
            found = kept.execute(f"{query} group by digest order by digest", (_listed(data),)).fetchall()
        return np.array([sharpe for sharpe, _ in found], np.float64)


class OwnRegister:
    """The register of this user; where that can't be written, a private one is, and a line says so.

    `note` says it too, once it is so: what the other register knows is not counted.
    """

    def __init__(self) -> None:
        self.register = Register(trials_path())
        self.note = ""

    def __repr__(self) -> str:
        return f"<OwnRegister {self.register.path}>"

    def add(self, data: Sequence[str], rows: Iterable[Row]) -> None:
        """Keep trials, as :meth:`Register.add` does."""
        kept = list(rows)
        self._done(lambda register: register.add(data, kept))

    def count(self, data: Sequence[str]) -> int:
        """Return how many sets were ever run, as :meth:`Register.count` does."""
        return self._done(lambda register: register.count(data))

    def sharpes(self, data: Sequence[str]) -> NDArray[np.float64]:
        """Return their ratios, as :meth:`Register.sharpes` does."""
        return self._done(lambda register: register.sharpes(data))

    def _done(self, work: Callable[[Register], Done]) -> Done:
        try:
            if str(self.register.path).startswith("~"):
                raise ConfigError(f"{self.register.path}: no home folder is known")
            return work(self.register)
        except (ConfigError, StorageError) as error:
            private = None if self.note or isinstance(error, Busy) else private_folder()
            if private is None:
                raise
            return self._elsewhere(Register(private / "trials.sqlite"), work, error)

    def _elsewhere(self, other: Register, work: Callable[[Register], Done], error: Exception) -> Done:
        try:
            done = work(other)
        except (ConfigError, StorageError, DataError):
            raise error from None
        self.note = moved(self.register.path, str(error).removeprefix(f"{self.register.path}: "), other.path, TRIALS)
        self.register = other
        notice(self.note)
        return done


def _finite(sharpe: float | None) -> float | None:
    return float(sharpe) if sharpe is not None and isfinite(sharpe) else None


def _listed(data: Sequence[str]) -> str:
    """Return `data` as the JSON array that a query takes: SQLite bounds the number of its parameters."""
    return json.dumps(list(data))
