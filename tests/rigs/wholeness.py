"""What a run, a sweep and an export leave when their writer is killed at random moments, or their disk is full.

`make rigs` runs all of it and prints a table: 50 kills of each, and disks of 20 sizes. Each thing must be whole or not
there; a sweep that was broken off must go on to the same trials. The suite runs the same with a few kills and sizes.
"""

import argparse
import contextlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "docs" / "examples" / "demo.toml"
ROWS = 4_000
SIDES = ("2", "3")  # First levels, in bps: two runs that differ, one of which is to replace the other.
SWEEP = "grid.bid.first_bps,grid.ask.first_bps=2:8:1"


class Kind(NamedTuple):
    """Something that is written, by its parts in `writer.py`.

    Args:
        name: Its name there.
        stands: Whether an older one stands there already.
        state: Says what is in a folder: "old", "new", "nothing", or for a sweep "begun"; raises where it is half of one.
    """

    name: str
    stands: bool
    state: Callable[[Path, "Place"], str]


class Place(NamedTuple):
    """Where a rig works, and what whole things are like."""

    folder: Path
    lake: Path

    @property
    def whole(self) -> Path:
        """What an undisturbed writer leaves."""
        return self.folder / "whole"


def state_of_run(folder: Path, place: Place) -> str:
    """Return which run stands in a folder; raise where it is none, or parts of one."""
    from bmv.adapters.report.report import _torn
    from bmv.data.runs import folder as runs

    here = folder / "out"
    if not here.exists():
        return "nothing"
    assert sorted(path.name for path in here.iterdir()) == sorted(runs.FILES), sorted(here.iterdir())
    run = runs.read(here)
    assert not _torn(run), _torn(run)
    assert (here / runs.REPORT).read_text("utf-8").rstrip().endswith("</html>"), "the report is cut off"
    known = {str(bps): runs.read(place.whole / f"run-{bps}") for bps in SIDES}
    for bps, other in known.items():
        if run.manifest == other.manifest:
            assert run.summary["digest"] == other.summary["digest"]
            assert run.config == other.config
            assert run.orders.equals(other.orders)
            assert run.fills.equals(other.fills)
            assert run.equity.equals(other.equity)
            return "new" if bps == SIDES[0] else "old"
    raise AssertionError("a run of another manifest")


def state_of_sweep(folder: Path, place: Place) -> str:
    """Return how far the sweep in a folder is; one that has begun is gone on with, and must come out as the whole one."""
    from bmv.backtest.sweep import api
    from bmv.backtest.sweep.trials import reading

    here = folder / "out"
    if not here.exists():
        return "nothing"
    found = "new" if (here / reading.SUMMARY).exists() else "begun"
    if found == "begun":
        api.run(here, api.load_plan(here), workers=1)
    sweep, other = reading.read(here), reading.read(place.whole / "sweep")
    assert sweep.trials.equals(other.trials), "other trials"
    assert sweep.equity.keys() == other.equity.keys(), "not all of the best sets"
    assert (here / reading.PAGE).read_text("utf-8").rstrip().endswith("</html>"), "the report is cut off"
    assert (here / reading.BEST).read_bytes() == (place.whole / "sweep" / reading.BEST).read_bytes()
    return found


def state_of_export(folder: Path, place: Place) -> str:
    """Return which file stands there."""
    here = folder / "out.csv"
    if not here.exists():
        return "nothing"
    if here.read_bytes() == (place.whole / "export.csv").read_bytes():
        return "new"
    assert here.read_text() == "old\n", "half of a file"
    return "old"


KINDS = {
    "run": Kind("run", False, state_of_run),
    "run over a run": Kind("run", True, state_of_run),
    "sweep": Kind("sweep", False, state_of_sweep),
    "export": Kind("export", False, state_of_export),
    "export over a file": Kind("export", True, state_of_export),
}


@contextlib.contextmanager
def place(rows: int = ROWS) -> Iterator[Place]:
    """Give a place in which whole things stand, for as long as it is needed."""
    from bmv.data.ticks.synth.synth import synth

    before = os.environ.get("BMV_TRIALS")
    with tempfile.TemporaryDirectory(prefix="bmv-rig-") as name:
        folder = Path(name)
        os.environ["BMV_TRIALS"] = str(folder / "trials.sqlite")
        synth(folder / "lake", seed=5, rows=rows)
        there = Place(folder, folder / "lake")
        there.whole.mkdir()
        for bps in SIDES:
            write(["run", str(there.whole / f"run-{bps}"), str(there.lake), bps])
        write(["sweep", str(there.whole / "sweep"), str(there.lake), SWEEP])
        write(["export", str(there.whole / "export.csv"), str(there.lake), "-"])
        try:
            yield there
        finally:
            if before is None:
                del os.environ["BMV_TRIALS"]
            else:
                os.environ["BMV_TRIALS"] = before


def prepare(words: list[str]) -> Callable[[], object]:
    """Do all that comes before something is written, and return what writes it."""
    kind, out, lake, how = words
    if kind == "run":
        from bmv.adapters.config import load
        from bmv.backtest import Backtest

        result = Backtest(load(DEMO, [f"grid.bid.first_bps={how}"]), lake).run()
        _ = result.summary, result.bracket
        return lambda: result.save(out)
    if kind == "sweep":
        from bmv.adapters.config import load
        from bmv.backtest.sweep import api

        plan = api.make_plan(load(DEMO), [how], [lake])

        def sweep() -> None:
            api.begin(Path(out), plan)
            api.run(Path(out), plan, workers=1)

        return sweep
    from bmv.data.ticks.export import export

    return lambda: export(Path(lake), Path(out), whole=False, overwrite=True)


def write(words: list[str]) -> None:
    """Write something, as the killed writers would have."""
    prepare(words)()


class Writers:
    """Processes that write, each a fork of one that has loaded all there is to load, so that they begin at once."""

    def __init__(self) -> None:
        words = [sys.executable, __file__, "--serve"]
        self._server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._server.stdin
        assert self._server.stdout
        self._ask, self._answers = self._server.stdin, self._server.stdout

    def begin(self, words: list[str]) -> int:
        """Let a process prepare; return its number when it begins to write."""
        print(json.dumps(words), file=self._ask, flush=True)
        return int(self._answers.readline())

    def wait(self) -> None:
        """Wait for the end of that process."""
        assert self._answers.readline() == "ended\n"

    def close(self) -> None:
        """End them all."""
        self._ask.close()
        self._server.wait()
        self._answers.close()


def serve() -> None:
    """Be the process that the writers are forks of; it runs nothing itself, so that it has no thread to lose."""
    from plotly.offline import get_plotlyjs

    import bmv.adapters.report.report
    import bmv.backtest.sweep.api
    import bmv.backtest.sweep.show.page
    import bmv.data.ticks.export  # noqa: F401  # All for the forks.
    from bmv.backtest.fused import machine_code

    get_plotlyjs()
    machine_code()
    for line in sys.stdin:
        writer = os.fork()
        if not writer:
            run = prepare(json.loads(line))
            print(os.getpid(), flush=True)
            run()
            os._exit(0)
        os.waitpid(writer, 0)
        print("ended", flush=True)


def killed(kind: Kind, there: Place, writers: Writers, kills: int, seed: int) -> Counter[str]:
    """Kill a writer with -9 so many times, each at a random moment of its writing; return what was found."""
    from bmv.data.files.writing import remove_drafts

    dice, found, longest_s = random.Random(seed), Counter[str](), 0.0
    for number in range(-1, kills):
        folder = Path(tempfile.mkdtemp(dir=there.folder))
        out = folder / ("out.csv" if kind.name == "export" else "out")
        if kind.stands and kind.name == "run":
            shutil.copytree(there.whole / f"run-{SIDES[1]}", out)
        elif kind.stands:
            out.write_text("old\n")
        how = {"run": SIDES[0], "sweep": SWEEP}.get(kind.name, "-")
        writer = writers.begin([kind.name, str(out), str(there.lake), how])
        started = time.perf_counter()
        if number >= 0:  # The first one is not killed, and measured.
            time.sleep(dice.random() * 1.1 * longest_s)
            with contextlib.suppress(ProcessLookupError):  # It has ended by then.
                os.kill(writer, signal.SIGKILL)
        writers.wait()
        longest_s = longest_s or time.perf_counter() - started
        state = kind.state(folder, there)
        assert not (kind.stands and state == "nothing"), "neither the old one nor the new one"
        assert number >= 0 or state == "new"
        if number >= 0:
            found[state] += 1
        remove_drafts(folder)  # As the next writer does.
        left = [path.name for path in folder.iterdir() if path != out]
        assert not left, left
        shutil.rmtree(folder)
    return found


def on_full_disks(kind: Kind, there: Place, sizes_kb: list[int]) -> Counter[str]:
    """Write on disks of some sizes; return what was found. Takes root, and leave to mount."""
    from bmv.ports.errors import BmvError

    found = Counter[str]()
    for size in sizes_kb:
        with small_disk(size) as disk:
            out = disk / ("out.csv" if kind.name == "export" else "out")
            how = {"run": SIDES[0], "sweep": SWEEP}.get(kind.name, "-")
            if kind.stands:
                try:
                    if kind.name == "run":
                        shutil.copytree(there.whole / f"run-{SIDES[1]}", out)
                    else:
                        out.write_text("old\n")
                except OSError:  # There is no room for an old one.
                    found["too small for an old one"] += 1
                    continue
            refusal = ""
            try:
                write([kind.name, str(out), str(there.lake), how])
            except BmvError as error:
                refusal = str(error)
            assert not refusal or re.fullmatch(".*: (No space left on device.*|the disk takes no more)", refusal), (
                refusal
            )
            left = [path.name for path in disk.iterdir() if path != out]
            assert not left, left
            if kind.name == "sweep" and refusal:
                subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
            state = kind.state(disk, there)
            assert (state == "new") == (not refusal), (state, refusal)
            assert not (kind.stands and state == "nothing"), "neither the old one nor the new one"
            found[state] += 1
    return found


@contextlib.contextmanager
def small_disk(size_kb: int) -> Iterator[Path]:
    """Give a file system of so many KB; `PermissionError` where none may be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="bmv-small-"))
    words = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "none", str(folder)]
    try:
        if subprocess.run(words, capture_output=True, check=False).returncode:
            raise PermissionError("no small file system can be mounted here: that takes root, and leave to mount")
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    finally:
        folder.rmdir()


def sizes(count: int) -> list[int]:
    """Return so many sizes of disks, KB, from nothing much to more than enough.

    >>> sizes(4)
    [16, 161, 1625, 16384]
    """
    return [int(16 * 1024 ** (n / (count - 1))) for n in range(count)]


def main() -> int:
    """Run everything, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="of each kind (default: 50)")
    parser.add_argument("--sizes", type=int, default=20, help="of disks (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: 1)")
    parser.add_argument("--only", choices=KINDS, action="append", help="one kind; may be repeated (default: all)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve()
        return 0
    rows = list[dict[str, object]]()
    with place() as there, contextlib.closing(Writers()) as writers:
        for name, kind in ((name, KINDS[name]) for name in given.only or KINDS):
            killings = killed(kind, there, writers, given.kills, given.seed)
            rows.append({"what": name, "trial": f"{given.kills} kills"} | killings)
            print(rows[-1], file=sys.stderr)
            try:
                with contextlib.redirect_stderr(io.StringIO()):
                    full = on_full_disks(kind, there, sizes(given.sizes))
            except PermissionError as error:
                print(error, file=sys.stderr)
                continue
            rows.append({"what": name, "trial": f"{given.sizes} full disks"} | full)
            print(rows[-1], file=sys.stderr)
    with pl.Config(tbl_rows=-1, tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True, tbl_cols=-1):
        print(pl.DataFrame(rows).fill_null(0))
    print("everything was whole or not there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
