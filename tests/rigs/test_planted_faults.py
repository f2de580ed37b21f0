"""Five mistakes that cost money elsewhere, each put into the execution: the rig finds every one of them."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from random import Random

from tests.rigs.anew import carry_anew
from tests.rigs.trader import LIFE_S, Trader
from tests.rigs.trading import FAULTS, Alter, Sessions, trade

from bmv.adapters.openbook.execution.carrier import Carrier, Load
from bmv.adapters.openbook.execution.executor import Manners
from bmv.adapters.openbook.execution.reading import FillsV2
from bmv.adapters.openbook.fills.fill import OwnFill
from bmv.adapters.openbook.fills.history import read_history
from bmv.adapters.openbook.fills.v2 import OwnFillsV2
from bmv.adapters.openbook.planning.plan import Part
from bmv.adapters.openbook.seat.desk import DeskSnapshot
from bmv.adapters.openbook.v2.fills import Fill
from bmv.adapters.openbook.v2.heap import EventHeap
from bmv.adapters.openbook.v2.market import Market
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount
from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.wiring import Settings
from bmv.adapters.solana.endpoints import Endpoints
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import Rpc
from bmv.adapters.solana.sending.attempt import Attempt, Fate
from bmv.adapters.solana.sending.courier import Courier, Habits
from bmv.adapters.solana.sending.track import Track
from bmv.adapters.solana.sending.watch import look_at
from bmv.data.journal.attempts import ATTEMPT, Fated
from bmv.ports.errors import StorageError
from bmv.ports.storage import Head, Note, Word

SPEED = 10
SLOT_S = 0.2 / SPEED
SEEDS = range(1, 7)
LAZY = 8  # Slots from crank to crank: a fill lies on the heap for a while.
FORKS = (Fault("fork", 0.4), Fault("drop_transaction", 0.3), Fault("late_transaction", 0.6, blocks=30))


def verdict(
    seed: int,
    faults: Sequence[Fault],
    alter: Alter = lambda trader: None,
    sends_by: type[Courier] = Courier,
    changes: int = 8,
    slots_cranked: int = 1,
) -> list[str]:
    """Return what the rig finds wrong, also where it could not go on."""
    manners = Manners(life_s=LIFE_S, look_s=0.4 / SPEED, crank_s=3 / SPEED)
    settings = Settings(venue="openbook-v2", seed=seed, speed=SPEED)
    try:
        return asyncio.run(trade(settings, manners, changes, faults, alter, sends_by, slots_cranked))
    except (AssertionError, TimeoutError) as error:
        return [f"{type(error).__name__}: {error}"]


def caught(find: Callable[[int], list[str]]) -> list[str]:
    """Return what is found with the first seed with which anything is."""
    for seed in SEEDS:
        if wrong := find(seed):
            print(f"seed {seed}: {wrong[:3]}")
            return wrong
    return []


def put(carrier: type[Carrier]) -> Alter:
    """Return what gives a trader another sort of carrier."""

    def alter(trader: Trader) -> None:
        kept = trader.executor.carrier
        trader.executor.carrier = carrier(**{field.name: getattr(kept, field.name) for field in fields(kept)})

    return alter


# 1. Sent before it was kept.


class Failing(Sessions):
    """A store that every other attempt finds out of reach, for twenty slots."""

    def __init__(self, kept: Sessions) -> None:
        self.words = kept.words
        self._dice, self._back_s = Random(1), 0.0

    async def append(self, session: str, first: int, words: Sequence[Word]) -> Head:
        now_s = time.monotonic()
        fresh = now_s > self._back_s + 20 * SLOT_S
        if fresh and any(isinstance(w, Note) and w.topic == ATTEMPT for w in words) and self._dice.random() < 0.5:
            self._back_s = now_s + 20 * SLOT_S
        if now_s < self._back_s:
            raise StorageError("the store can't be reached")
        return await super().append(session, first, words)


class SendsFirst(Carrier):
    """Hands bytes to nodes, and keeps them then."""

    async def _keep(self, attempt: Attempt, part: Part, load: Load) -> bool:
        await asyncio.gather(*(way.send(attempt, time.monotonic) for way in self.courier.ways))
        return await super()._keep(attempt, part, load)


def failing(alter: Alter = lambda trader: None) -> Alter:
    def both(trader: Trader) -> None:
        assert isinstance(trader.journal.store, Sessions)
        trader.journal.store = Failing(trader.journal.store)
        alter(trader)

    return both


def test_what_is_sent_before_it_is_kept_is_caught() -> None:
    assert verdict(1, (), failing()) == []

    wrong = caught(lambda seed: verdict(seed, (), failing(put(SendsFirst))))

    assert any("landed and was not kept" in words for words in wrong)


# 2. Other bytes for what an endpoint refused.


class BuildsAnew(Carrier):
    """Signs the same orders once more, with another blockhash, where a node refuses them; both are kept and sent."""

    async def _keep(self, attempt: Attempt, part: Part, load: Load) -> bool:
        kept = await super()._keep(attempt, part, load)
        if kept and part.places:
            asyncio.get_running_loop().create_task(self._again(attempt, part, load))
        return kept

    async def _again(self, attempt: Attempt, part: Part, load: Load) -> None:
        while attempt.signature not in self.courier._tracks:
            await asyncio.sleep(0)
        while not self.courier._tracks[attempt.signature][0].fate.refused:
            await asyncio.sleep(SLOT_S / 4)
            if attempt.signature not in self.courier._tracks:
                return
        await carry_anew(self, attempt, part, load, SLOT_S)


REFUSES = (Fault("refuse", 0.5, methods=["sendTransaction"], seconds=5 * SLOT_S),)


def test_new_bytes_for_what_an_endpoint_refused_are_caught() -> None:
    assert verdict(1, REFUSES) == []

    wrong = caught(lambda seed: verdict(seed, REFUSES, put(BuildsAnew)))

    assert any("was placed by" in words for words in wrong)


# 3. A time-out taken for a rejection.


class GivesUp(Carrier):
    """Takes what has not ended within six slots for rejected."""

    async def follow(
        self,
        attempt: Attempt,
        landed: "asyncio.Future[bool] | None" = None,
        fate: Fate | None = None,
        send: bool = True,
        part: Part | None = None,
    ) -> None:
        try:
            async with asyncio.timeout(6 * SLOT_S):
                await super().follow(attempt, landed, fate, send, part)
        except TimeoutError:
            self.alive.pop(attempt.signature, None)
            self.ledger.note(Fated(attempt.signature, "expired", {}).note(self.now_ns()))
            self.orders.lose(attempt.signature)
            if landed is not None and not landed.done():
                landed.set_result(False)


LATE = (Fault("drop_transaction", 0.3), Fault("late_transaction", blocks=60))


def test_a_time_out_taken_for_a_rejection_is_caught() -> None:
    assert verdict(1, LATE) == []

    wrong = caught(lambda seed: verdict(seed, LATE, put(GivesUp)))

    assert any("is told expired, and landed" in words for words in wrong)


# 4. A fill counted from log and heap.


class CountsBoth(OwnFillsV2):
    """Takes a log for a new fill also where the fill lay on the heap at the look before."""

    def _new(
        self, slot: int, before: Sequence[Fill], waiting: Sequence[Fill], logged: Sequence[tuple[int, Fill]]
    ) -> list[tuple[int, Fill]]:
        come = Counter(waiting) - Counter(before)
        return [*logged, *((slot, fill) for fill in come.elements())]


class ReadsBoth(FillsV2):
    """Reads heap and logs at each look, and checks no sum."""

    async def read(self, rpc: Rpc, desk: DeskSnapshot) -> Sequence[OwnFill] | None:
        assert isinstance(desk.queue, EventHeap)
        assert isinstance(desk.account, OpenOrdersAccount)
        market = self._places[1]
        logs = await read_history(rpc, market, self.slot, known=self._known[market])
        self._reader.read(desk.slot, desk.queue, desk.account, logs)
        return self._reader.settle(desk.slot).fills


def read_by(reader: type[OwnFillsV2]) -> Alter:
    def alter(trader: Trader) -> None:
        house = trader.executor.house
        assert isinstance(house.fills, FillsV2)
        assert isinstance(house.market, Market)
        seat, mark = house.seat, house.fills._reader.mark
        fills = ReadsBoth(seat, reader(seat.market, house.market, seat.open_orders, mark, seat.program))
        trader.executor.house = replace(house, fills=fills)

    return alter


def test_a_fill_counted_from_log_and_heap_is_caught() -> None:
    assert verdict(3, (), read_by(OwnFillsV2), changes=12, slots_cranked=LAZY) == []

    wrong = caught(lambda seed: verdict(seed + 2, (), read_by(CountsBoth), changes=12, slots_cranked=LAZY))

    assert any(words in " ".join(wrong) for words in ("fills of no order", "more fills than it has", "changed by"))


# 5. A block that may vanish taken for final.


class LooksOften(Courier):
    """Looks twenty times as often, so that it sees blocks that vanish."""

    def __init__(self, endpoints: Endpoints, rpc: Rpc, habits: Habits | None = None) -> None:
        habits = habits or Habits()
        super().__init__(endpoints, rpc, replace(habits, look_s=habits.look_s / 20))


class BelievesAnyBlock(LooksOften):
    """Takes what any block shows for final."""

    async def _look(self, tracks: list[Track]) -> None:
        try:
            look, statuses = await look_at(self.reader(), tracks)
        except EndpointError:
            return
        self._seen_s, self.height = self._clock(), max(self.height, look.final_height)
        firm = [None if status is None else status._replace(commitment="finalized") for status in statuses]
        self._tell(track for track, status in zip(tracks, firm, strict=True) if track.hear(look, status))


def test_a_block_that_may_vanish_taken_for_final_is_caught() -> None:
    assert verdict(1, FORKS, sends_by=LooksOften) == []

    wrong = caught(lambda seed: verdict(seed, FORKS, sends_by=BelievesAnyBlock))

    assert any("is told finalized in slot" in words for words in wrong)


# And beside them all, the honest one.


def test_nothing_is_found_where_no_fault_is_planted() -> None:
    assert verdict(1, FAULTS) == []
