"""What a machine of a cluster does for a sweep: it sees that its code is ours, gets the tapes, and runs sets over them.

Rows are pure functions of configuration, tape and set, so that nothing is remembered here from set to set. Files of the
user's, strategy and objectives, come as their text; in what is told of them they have their old paths.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any, NamedTuple, TypeVar

import numpy as np

from bmv.adapters.config import build
from bmv.backtest.sweep.api import make_plan
from bmv.backtest.sweep.plan import PACKAGES
from bmv.backtest.sweep.run.work import Task, Work
from bmv.backtest.sweep.tapes import tapes
from bmv.backtest.sweep.tapes.shared import Stretch
from bmv.backtest.sweep.trials.objectives import objectives_of
from bmv.backtest.sweep.trials.row import TrialRow
from bmv.backtest.sweep.trials.space import trading
from bmv.data.files.path import is_url
from bmv.data.files.user_folders import folder_for_code
from bmv.data.files.writing import whole_file
from bmv.ports.errors import BmvError, ConfigError, DataError

Table = dict[str, Any]  # Any: plain values, as a configuration has them.


T = TypeVar("T")


class File(NamedTuple):
    """A file of the user's, on its way.

    Args:
        path: As the configuration of the leader spells it.
        text: What is in it.
    """

    path: str
    text: bytes


class Load(NamedTuple):
    """What every worker is given beside the tapes.

    Args:
        table: The configuration, without what no run needs: no password travels.
        periods: Stretches of equal length for the returns.
        files: Those that strategy and objectives stand in.
        versions: Of what rows depend on beside our code.
        content: The hash of the tapes, where each node reads them itself; None where they are sent.
    """

    table: Table
    periods: int
    files: tuple[File, ...]
    versions: dict[str, str]
    content: str | None


def load_of(work: Work) -> Load:
    """Return what is sent of `work`, but for its tapes."""
    table = {**trading(work.base), "sweep": work.base.sweep.model_dump(exclude_none=True)}
    paths = dict.fromkeys(path for spelling in spellings(table) if (path := _split(spelling)[1]))
    files = tuple(File(path, _text(path)) for path in paths)
    sources = [name for tape in work.base.sweep.tapes for name in tape.data]
    content = content_hash(work.stretches) if sources and all(map(is_url, sources)) else None
    return Load(table, work.periods, files, versions(), content)


def versions() -> dict[str, str]:
    """Return the versions of what rows depend on beside our code."""
    return {"Python": python_version()} | {name: version(name) for name in PACKAGES}


def preparation() -> Callable[[str, Load], tuple[Any, str]]:
    """Return the first thing that a node does, as a function that can be called where our code is missing or another.

    What it says is the tapes, if the node reads them, and why it is of no use, or nothing.
    """

    def prepare(code: str, load: Any) -> tuple[Any, str]:  # Any: what `Load` is depends on the code.
        try:
            from bmv.data.runs.product import product_hash
        except ImportError as error:
            return None, f"bmv can't be imported there ({error}); install on each node what runs here"
        if product_hash() != code:
            return None, "its bmv is of another version than ours; install on each node what runs here"
        from bmv.backtest.sweep.cluster.node import made_ready

        return made_ready(*load)

    return prepare


def made_ready(*load: Any) -> tuple[list[Stretch] | None, str]:  # Any: the parts of a `Load`.
    """Compile what the workers of this node will call, and read the tapes if they were not sent."""
    given = Load(*load)
    for name, ours in given.versions.items():
        if (here := versions().get(name)) != ours:
            return None, f"it has {name} {here}, and here it is {ours}: rows could differ"
    from bmv.backtest.fused import machine_code

    machine_code()  # Compiled, or found compiled, once for all workers.
    return (None if given.content is None else _read(given)), ""


def _read(load: Load) -> list[Stretch]:
    plan = make_plan(build(**arrived(load)[0]))
    found = packed(tapes.read(plan.config, plan.axes, plan.splits))
    if content_hash(found) != load.content:
        raise DataError("a node of the cluster reads other rows from the tapes than this machine does")
    return found


class Worker:
    """Runs sets one after the other, in a process of its own.

    Args:
        parts: The tapes, in memory that all workers of a node share.
    """

    def __init__(self, load: Load, *parts: Sequence[Stretch]) -> None:
        os.environ.setdefault("POLARS_MAX_THREADS", "1")  # As many workers as CPUs: threads would stand in their way.
        self._load, self._stretches = load, [stretch for part in parts for stretch in part]
        self._names: Mapping[str, str] = {}
        self._work: Work | None = None

    def ready(self) -> None:
        """Load strategy, objectives and the loop; an error in them is the user's to see."""
        assert not any(stretch.prepared.rows.flags.writeable for stretch in self._stretches)
        table, self._names = arrived(self._load)
        objectives = table["sweep"]["objective"]
        self._work = self._renamed(
            lambda: Work(build(**table), self._stretches, objectives_of(objectives), self._load.periods)
        )

    def row(self, task: Task) -> TrialRow:
        """Return the row of a set."""
        work = self._work
        assert work is not None
        row = self._renamed(lambda: work.row(task))
        assert row is not None  # Nobody tells a worker to stop: it is killed.
        return row | {"reason": self._told(row["reason"])}

    def _renamed(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except BmvError as error:
            raise type(error)(self._told(str(error))) from None

    def _told(self, text: str) -> str:
        for here, there in self._names.items():
            text = text.replace(here, there)
        return text


def arrived(load: Load) -> tuple[Table, dict[str, str]]:
    """Write the user's files down; return the configuration that names them here, and what each is called there."""
    here = {file.path: str(_kept(file)) for file in load.files}
    table = {**load.table, "sweep": dict(load.table["sweep"])}
    if table.get("strategy"):
        table["strategy"] = _moved(table["strategy"], here)
    asked = table["sweep"]["objective"]
    table["sweep"]["objective"] = [_moved(each, here) for each in ([asked] if isinstance(asked, str) else asked)]
    return table, {place: path for path, place in here.items()}


def spellings(table: Table) -> list[str]:
    """Return what a configuration spells as `path.py:name`, and names of objectives that may be so."""
    asked = table["sweep"]["objective"]
    return [*([table["strategy"]] if table.get("strategy") else []), *([asked] if isinstance(asked, str) else asked)]


def _split(spelling: str) -> tuple[str, str, str]:
    """Return sign, path and name of a function in a file.

    >>> _split("-mine/figures.py:calm"), _split("net")
    (('-', 'mine/figures.py', 'calm'), ('', '', 'net'))
    """
    sign = "-" if spelling.startswith("-") else ""
    path, _, name = spelling.strip().removeprefix("-").rpartition(":")
    return (sign, path, name) if path.endswith(".py") else ("", "", spelling)


def _moved(spelling: str, here: Mapping[str, str]) -> str:
    sign, path, name = _split(spelling)
    return f"{sign}{here[path]}:{name}" if path else spelling


def _text(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: can't be read, so that it can't be sent to the nodes: {error.strerror}") from None


def _kept(file: File) -> Path:
    """Return where a file lies on this machine, written whole or not at all; its folder is named by its hash."""
    sent = folder_for_code("sent") or Path(tempfile.mkdtemp(prefix="bmv-sent-"))
    place = sent / sha256(file.text).hexdigest()[:32] / Path(file.path).name
    if not (place.is_file() and place.read_bytes() == file.text):
        with whole_file(place) as half_done:
            half_done.write_bytes(file.text)
    return place


def packed(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the same tapes with rows that lie in one piece: others would be copied by each process that maps them."""
    return [replace(s, prepared=replace(s.prepared, rows=np.ascontiguousarray(s.prepared.rows))) for s in stretches]


def content_hash(stretches: Sequence[Stretch]) -> str:
    """Return the hash of all that the tapes hold."""
    digest = sha256()
    for stretch in stretches:
        for column in (*stretch.prepared.rows, *stretch.prepared.seeds):
            digest.update(f"{len(column)}:".encode() + np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
