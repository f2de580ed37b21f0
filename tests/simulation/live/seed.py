"""One seed: a town, processes that trade in it, a hand of faults, and at the end everything well again and looked at."""

import asyncio
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulation.live.faults import KINDS, Play
from tests.simulation.live.loop import SimLoop, machine
from tests.simulation.live.network import Network
from tests.simulation.live.overseer import Overseer
from tests.simulation.live.town import Ground, Instance, Town

from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.live.control.protocol import Request
from bmv.ports.messages import Tier

HAND = 5  # Kinds of fault in a seed.
SPAN_S = 15.0  # In which they begin, from when somebody trades.
STRIKE_S = 600.0  # Before which each of them is over.
AGAIN_S = 120.0  # After the last fault, a process quotes or says why not: a blockhash's life, and some.
STOP_S, SOON_S = (
    200.0,
    15.0,
)  # To stop, however bad it was before, and when all is well: cancelled and paid out, both final.
OPERATOR_S = 6.0


@dataclass
class Report:
    """What came of a seed."""

    seed: int
    wrong: list[str] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)  # How processes ended.
    counts: Counter[str] = field(default_factory=Counter)  # What there was of words, transactions and fills.
    heads: dict[str, str] = field(default_factory=dict)  # Of each session: the hash that all its words lead to.
    virtual_s: float = 0.0
    steps: int = 0
    cpu_s: float = 0.0


def hand_of(seed: int) -> list[str]:
    """Return the faults of a seed: dealt from decks of all kinds, so that each is dealt about equally often.

    >>> sum((hand_of(seed) for seed in range(len(KINDS))), []).count("kill")
    5
    """
    names, dealt = sorted(KINDS), list[str]()
    for place in range(seed * HAND, (seed + 1) * HAND):
        deck = list(names)
        random.Random(f"deck {place // len(names)}").shuffle(deck)
        dealt.append(deck[place % len(names)])
    return dealt


@contextmanager
def elsewhere() -> Iterator[None]:
    """Work in an empty folder, in memory where there is such a place."""
    memory = Path("/dev/shm")
    os.environ["SSL_CERT_FILE"] = str(Path(__file__).parent / "certificate.pem")  # A client reads all there are.
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="bmv-sim-", dir=memory if memory.is_dir() else None) as name:
        os.chdir(name)
        try:
            yield
        finally:
            os.chdir(before)


def play(ground: Ground, seed: int, hand: Sequence[str], say: Callable[[str], None] = lambda line: None) -> Report:
    """Play a seed on a ground of its own, and return what came of it."""
    report = Report(seed)
    with elsewhere():
        loop = SimLoop(seed)
        with machine(loop, ground.chain.ledger.open.parent_ns):
            Network(loop, random.Random(f"network {seed}"))
            try:
                loop.run_until_complete(_played(ground, loop, seed, hand, say, report))
            except Exception as error:
                report.wrong.append(f"the simulation itself: {error!r}")
                raise
        report.virtual_s, report.steps = loop.time() - 1_000.0, loop.steps
    return report


async def _played(
    ground: Ground, loop: SimLoop, seed: int, hand: Sequence[str], say: Callable[[str], None], report: Report
) -> None:
    town = Town(ground, loop, seed, say)
    overseer = Overseer(town)
    await town.open()
    report.fired = town.fired
    run = _Run(town, overseer, Play(town, overseer, town.diced("faults")))
    await run.go(hand)
    report.wrong = await overseer.check()
    report.ended = Counter(instance.how for instance in town.instances)
    await _count(report, town)


class _Run:
    """Goes through a seed."""

    def __init__(self, town: Town, overseer: Overseer, hands: Play) -> None:
        self.town, self.overseer, self.hands = town, overseer, hands
        self.ending = False  # Nothing is started anew.

    async def go(self, hand: Sequence[str]) -> None:
        """Trade, let everything go wrong, then nothing more; see that it quotes again, and stop it."""
        town = self.town
        town.start()
        helpers = [asyncio.create_task(work()) for work in (self._supervise, self._operate)]
        await self.hands.trading(60.0)
        striking = [asyncio.create_task(self._strike(name)) for name in hand]
        for task, name in zip(striking, hand, strict=True):
            try:
                await task
            except TimeoutError:
                self.overseer.blame(f"fault {name} waited in vain: processes do not end")
        town.say("all is well again")
        await self._see_it_quote()
        self.ending = True
        for task in helpers:
            task.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        await self._stop()

    async def _strike(self, name: str) -> None:
        await asyncio.sleep(self.hands.dice.uniform(0, SPAN_S))
        self.town.say(f"fault {name}")
        async with asyncio.timeout(STRIKE_S):
            await KINDS[name].strike(self.hands)
        self.town.say(f"fault {name} is over")

    async def _supervise(self) -> None:
        """Start a process again when none is left, as a service manager does."""
        while True:
            for instance in [one for one in self.town.instances if one.lives]:
                await instance.gone.wait()
            await asyncio.sleep(self.hands.dice.uniform(0.5, 2))
            if not any(one.lives for one in self.town.instances) and not self.ending:
                self.town.start()

    async def _operate(self) -> None:
        """Look now and then, as an operator does, and let go on what waits for one."""
        while True:
            await asyncio.sleep(OPERATOR_S)
            newest = self.town.newest
            status = await self._status(newest)
            if status is None:
                continue
            if status["breaker"] == Tier.HALT.name.lower():
                await self.town.ask(newest, Request("rearm"))
            elif status["state"] == "paused" or status["wrong"]:
                await self.town.ask(newest, Request("resume"))

    async def _status(self, instance: Instance) -> dict[str, object] | None:
        if not instance.lives or instance.process.stopped or instance.process not in self.town.network.here:
            return None
        found: dict[str, object] | None = await self.town.ask(instance, Request("status"), 3.0)
        return found

    async def _see_it_quote(self) -> None:
        """Wait until a process quotes, with orders on the chain."""
        town, end_s = self.town, self.town.loop.time() + AGAIN_S
        status: dict[str, object] | None = None
        while town.loop.time() < end_s:
            await asyncio.sleep(0.5)
            if not self.overseer.witness.resting():
                continue
            status = await self._status(town.newest)
            if status is not None and status["state"] == "quoting" and not status["why"]:
                town.say("it quotes again")
                return
        self.overseer.blame(f"nobody quotes {AGAIN_S:.0f} s after the last fault: {status}, {town.newest.how}")

    async def _stop(self) -> None:
        """Stop whoever trades: nothing of ours is left, or he says so."""
        began_s = self.town.loop.time()
        for instance in [one for one in self.town.instances if one.lives]:
            if instance.session is not None:
                instance.session.ask_stop(why="the end")
            try:
                async with asyncio.timeout(STOP_S):
                    await instance.gone.wait()
            except TimeoutError:
                self.overseer.blame(f"process {instance.process.name} does not end within {STOP_S:.0f} s")
                continue
            if (took_s := self.town.loop.time() - began_s) > SOON_S + 2 * self.town.final_s:
                self.overseer.blame(f"process {instance.process.name} took {took_s:.0f} s to stop, nothing being wrong")
            if instance.page is not None and not instance.page["receipt"].get("cleared"):
                self.overseer.blame(f"process {instance.process.name} ended, and orders may rest: {instance.page}")


async def _count(report: Report, town: Town) -> None:
    store = SqliteSessions("journal.sqlite")
    for name in await store.sessions():
        report.heads[name] = (await store.head(name)).hash.hex()
    await store.close()
    report.counts["words"] = sum(map(len, town.kept.words.values()))
    report.counts["transactions"] = len(town.kept.attempts)
    report.counts["sessions"] = len(town.kept.words)
