"""Many seeds, each in a process of its own that begins with the same ground: nothing of one is left for the next."""

import os
import pickle
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from multiprocessing.connection import Connection, Pipe, wait

from tests.simulation.live.seed import Report, hand_of, play
from tests.simulation.live.town import Ground, make_ground

LATE = (
    "anyio._backends._asyncio",
    "bmv.adapters.report.market_text",
    "bmv.adapters.sqlite.runs",
    "bmv.adapters.sqlite.upkeep",
    "bmv.live.doctor.checks.endpoints",
    "bmv.live.doctor.checks.market",
    "bmv.live.doctor.checks.stores",
    "bmv.live.doctor.probe.market",
    "bmv.live.doctor.probe.socket",
    "bmv.live.doctor.probe.stores",
    "bmv.live.doctor.version_one",
    "certifi",
    "h11",
    "httpcore",
    "polars",
)  # Imported when they are needed: here once, and not in the process of each seed.
CPU_S_MAX = 60.0  # Of a seed, which takes about two.
GROUNDS = ("openbook-v2 alpenglow", "openbook-v1 alpenglow", "openbook-v2 tower")
DEALT = (0, 0, 1, 0, 0, 2, 0, 1, 0, 0)  # Which of them a seed is played on, over and over.


@cache
def ground_of(seed: int) -> Ground:
    """Return what a seed is played on; not in this process, which others are made of."""
    for name in LATE:
        import_module(name)
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]  # Else httpcore looks for it at every call.
    return _ground(GROUNDS[DEALT[seed % len(DEALT)]])


@cache
def _ground(name: str) -> Ground:
    return make_ground(*name.split())


@dataclass
class Table:
    """What came of many seeds."""

    reports: list[Report] = field(default_factory=list)

    @property
    def wrong(self) -> dict[int, list[str]]:
        """What is wrong, by seed."""
        return {report.seed: report.wrong for report in self.reports if report.wrong}

    @property
    def fired(self) -> Counter[str]:
        """How often each fault struck."""
        return sum((report.fired for report in self.reports), Counter[str]())

    @property
    def virtual_s(self) -> float:
        """How long all seeds lasted in their own time."""
        return sum(report.virtual_s for report in self.reports)


def run(
    seeds: Sequence[int],
    jobs: int = 1,
    hands: Callable[[int], Sequence[str]] = hand_of,
    before: Callable[[], None] = lambda: None,
    say: Callable[[str], None] | None = None,
) -> Iterator[Report]:
    """Play seeds, several at once, and yield what came of each as it ends.

    Args:
        hands: Which faults a seed is dealt.
        before: Called in the process of each seed before it begins: what is planted there is gone with it.
        say: Hears what happens; None: nobody does.
    """
    waiting, playing = list(seeds), dict[Connection, int]()
    while waiting or playing:
        while waiting and len(playing) < jobs:
            seed = waiting.pop(0)
            playing[_begin(seed, hands(seed), before, say)] = seed
        for ready in wait(list(playing)):
            assert isinstance(ready, Connection)
            seed = playing.pop(ready)
            try:
                yield pickle.loads(ready.recv_bytes())
            except EOFError:
                yield Report(seed, [f"the simulation itself: its process died, or took more than {CPU_S_MAX:.0f} s"])
            ready.close()
            os.wait()


def _begin(seed: int, hand: Sequence[str], before: Callable[[], None], say: Callable[[str], None] | None) -> Connection:
    ground = ground_of(seed)
    ours, theirs = Pipe(duplex=False)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        theirs.close()
        return ours
    signal.setitimer(signal.ITIMER_PROF, CPU_S_MAX)  # Ends the process: what goes in circles at one instant never does.
    began_s = time.process_time()
    try:
        before()
        report = Report(seed)
        try:
            report = play(ground, seed, hand, say or (lambda line: None))
            report.cpu_s = time.process_time() - began_s
        except BaseException:
            report.wrong.append(f"the simulation itself: {traceback.format_exc()}")
        theirs.send_bytes(pickle.dumps(report))
    finally:
        sys.stdout.flush()
        os._exit(0)
