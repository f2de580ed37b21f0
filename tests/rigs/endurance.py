"""Sessions for a long time: whether memory, tasks, threads and files stay as they were, and how soon they answer.

    python -m tests.rigs.endurance paper [--minutes 60] [--speed 20]
    python -m tests.rigs.endurance live [--minutes 30] [--venue openbook-v1|openbook-v2]

`paper` trades a made-up tape again and again at a multiple of its pace; `live` trades on a sandbox, which is another
process. What they take is counted once a minute, oftener where they are short. It ends with 1 where memory grows, by a
line through its counts without the first third, or where there are more tasks, threads or files at the end.
"""

import argparse
import asyncio
import gc
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from math import log2
from pathlib import Path
from typing import NamedTuple

from bmv.adapters.cli.main import main as bmv
from bmv.adapters.config import load
from bmv.adapters.config.compile import market as market_of
from bmv.adapters.parquet.tape import ParquetTape
from bmv.core.engine import Engine
from bmv.live.decider import decider_of
from bmv.live.demo import sandbox
from bmv.live.eventloop import loop_name, run
from bmv.live.journal import begin_session
from bmv.live.opening import open_minutes, session_market
from bmv.live.session import Session
from bmv.live.stores import open_sessions
from bmv.live.tape import TapeClock, play, rows_of
from bmv.live.trading import Asked, trade_live
from bmv.live.wiring import SessionContainer, trade_on_paper
from bmv.ports.messages import Event

PAGE = os.sysconf("SC_PAGE_SIZE")
ROWS = 200_000  # Of the tape that is played again and again.
BARE_ROWS = 50_000
COUNTS_MIN = 12
GROWTH_MAX = 0.05  # Of memory, and
GROWTH_MAX_MB = 8.0  # so much at least: an allocator takes and gives in such pieces.
MORE_MAX = 2  # Tasks, threads or files more than there were: some come and go.
STEPS = 8  # Of a time's doubling.
GAP_NS = 10**9  # Between the end of the tape and its next beginning.
CONFIG = """
version = 1
[market]
symbol = "SOL/USDC"
tick_size = "0.01"
lot_size = "0.001"
maker_fee_bps = -2
taker_fee_bps = 4
[pivot]
window_s = 30
history_s = 600
[grid.bid]
levels = 3
first_bps = 2
step_bps = 2
total_size = "3"
[grid.ask]
levels = 3
first_bps = 2
step_bps = 2
total_size = "3"
[inventory]
start_base = "100"
start_quote = "20000"
max_position = "5"
[requote]
threshold_bps = 2
max_age_s = 20
fill_delay_s = 0.5
"""


class Taken(NamedTuple):
    """What a process takes at a moment: seconds since the start, MB, and how many of each."""

    second: float
    mb: float
    tasks: int
    threads: int
    files: int


@dataclass
class Times:
    """How long things took, by eighths of doublings: as much memory for many as for few."""

    counts: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[int(STEPS * log2(max(seconds * 1e9, 1.0)))] += 1

    def share(self, part: float) -> float:
        """Return the microseconds that a part of all was not above.

        >>> times = Times()
        >>> for us in (1, 1, 1, 1000):
        ...     times.add(us / 1e6)
        >>> round(times.share(0.5)), round(times.share(0.99))
        (1, 1049)
        """
        seen, total = 0, sum(self.counts.values())
        for step in sorted(self.counts):
            seen += self.counts[step]
            if seen >= part * total:
                return float(2 ** ((step + 1) / STEPS) / 1000)
        return 0.0

    def __str__(self) -> str:
        return f"p50 {self.share(0.5):.0f} µs, p99 {self.share(0.99):.0f} µs of {sum(self.counts.values()):,}"


@dataclass
class Watcher:
    """Counts what a session takes, and how long it takes from an event to the intents that answer it."""

    seconds: float
    counts: list[Taken] = field(default_factory=list)
    answers: Times = field(default_factory=Times)

    @contextmanager
    def __call__(self, session: Session) -> Iterator[None]:
        """Watch a session while it trades."""
        loop = session.parts.loop
        before = loop.timed

        def timed(seconds: float, intents: int) -> None:
            before(seconds, intents)
            if intents:
                self.answers.add(seconds)

        loop.timed = timed
        watching = asyncio.ensure_future(self._watch())
        try:
            yield
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        began, every_s = time.monotonic(), min(60.0, self.seconds / COUNTS_MIN)
        print(f"{loop_name()}\n{'minute':>8} {'MB':>8} {'tasks':>6} {'threads':>8} {'files':>6}", flush=True)
        for number in count(1):
            await asyncio.sleep(max(0.0, began + number * every_s - time.monotonic()))
            self.counts.append(taken(time.monotonic() - began))
            one = self.counts[-1]
            print(
                f"{one.second / 60:8.1f} {one.mb:8.1f} {one.tasks:6} {one.threads:8} {one.files:6}  {self.answers}",
                flush=True,
            )


def taken(second: float) -> Taken:
    """Return what this process takes now."""
    gc.collect()
    mb = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6
    tasks, files = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
    return Taken(second, mb, tasks, threading.active_count(), files)


def verdict(counts: Sequence[Taken]) -> list[str]:
    """Return what has grown, in words; nothing where all stayed as it was."""
    late = counts[len(counts) // 3 :]
    if len(late) < 3:
        return [f"only {len(counts)} counts were made: give it more time"]
    wrong, grown = list[str](), growth([one.second for one in late], [one.mb for one in late])
    if grown > max(GROWTH_MAX * late[0].mb, GROWTH_MAX_MB):
        wrong.append(f"memory grew by {grown:.1f} MB in {(late[-1].second - late[0].second) / 60:.1f} minutes")
    half = len(late) // 2
    for name in ("tasks", "threads", "files"):
        before, after = (max(getattr(one, name) for one in part) for part in (late[:half], late[half:]))
        if after > before + MORE_MAX:
            wrong.append(f"{name}: {before} at most before, {after} later")
    return wrong


def growth(seconds: Sequence[float], values: Sequence[float]) -> float:
    """Return by how much the line through some values rises from the first to the last.

    >>> growth([0, 1, 2], [5, 6, 7])
    2.0
    """
    mean_s, mean = sum(seconds) / len(seconds), sum(values) / len(values)
    over = sum((s - mean_s) * (v - mean) for s, v in zip(seconds, values, strict=True))
    return over / sum((s - mean_s) ** 2 for s in seconds) * (seconds[-1] - seconds[0])


def looped(rows: Callable[[], Iterator[Event]], span_ns: int) -> Iterator[Event]:
    """Yield the rows of a tape again and again, each time later by its span."""
    for lap in count():
        for row in rows():
            yield row._replace(ts_ns=row.ts_ns + lap * span_ns)


def bare(engine: Engine, rows: Iterator[Event]) -> Times:
    """Return how long the engine alone takes to answer, in a loop that does nothing else."""
    times = Times()
    for row, _ in zip(rows, range(BARE_ROWS), strict=False):
        began = time.perf_counter()
        said = engine.on(row)
        if said:
            times.add(time.perf_counter() - began)
    return times


async def paper(folder: Path, seconds: float, speed: float) -> Watcher:
    """Trade a tape again and again on paper, with a journal, for so many seconds."""
    path, watch = folder / "bmv.toml", Watcher(seconds)
    path.write_text(CONFIG)
    config = load(path)
    tape = ParquetTape([folder / "lake"], market_of(config))
    first_ns, last_ns = tape.ends()
    print(f"bare loop: {bare(decider_of(config).engine(), rows_of(tape))}")
    async with open_sessions("sqlite:sessions.sqlite", folder) as store:
        begun = await begin_session(store, "tape/soak", first_ns)
        c = SessionContainer(mode="paper", config=config, journal=begun.journal, clock=TapeClock(first_ns, speed))
        trade_on_paper(c)
        open_minutes(begun, "paper", session_market(config), config, None, "looped", [], first_ns)
        session = c.session()
        rows = looped(lambda: rows_of(tape), last_ns - first_ns + GAP_NS)
        with watch(session):
            asyncio.get_running_loop().call_later(seconds, session.ask_stop)
            await session.trade(lambda: play(c.loop(), rows, c.clock(), c.minutes().commit), ends=True)
    print(f"{session.parts.loop.told:,} events told")
    return watch


def live(folder: Path, seconds: float, venue: str) -> Watcher:
    """Trade on a sandbox for so many seconds."""
    watch = Watcher(seconds)
    with sandbox(venue, folder) as config:
        assert bmv(["chain", "setup", config, "--yes"]) == 0
        near = ("grid.bid.first_bps=3", "grid.ask.first_bps=3", "requote.threshold_bps=3")
        asked = Asked(Path(config), load(Path(config), near), folder / "run", report=False, seconds=seconds)
        page = run(trade_live(asked, None, watch, print, shadow=False, accept=False))
    print(f"{page['session']}: {page['receipt']['why']}")
    return watch


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["paper", "live"])
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--speed", type=float, default=20)
    parser.add_argument("--venue", default="openbook-v2", choices=["openbook-v1", "openbook-v2"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bmv-soak-") as made:
        folder = Path(made)
        if asked.what == "paper":
            assert bmv(["data", "synth", str(folder / "lake"), "--seed", "3", "--rows", str(ROWS)]) == 0
            watch = run(paper(folder, 60 * (asked.minutes or 60), asked.speed))
        else:
            watch = live(folder, 60 * (asked.minutes or 30), asked.venue)
    wrong = verdict(watch.counts)
    print(f"{asked.what}: from an event to its intents {watch.answers}; {'; '.join(wrong) or 'nothing grew'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
