"""Our fills of version 2: seen on the heap, logged, or both, and told once."""

import json
from collections.abc import Iterable, Sequence

import pytest
from tests.rigs.desk import MAKER, TAKER, Ask
from tests.rigs.desk_v2 import DeskV2

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.fills.fill import Flow, Logged, OwnFill, Read, flow_of
from bmv.adapters.openbook.fills.v2 import MarkV2, MissingVolume, OwnFillsV2
from bmv.adapters.openbook.v2.codes import Build, PlaceOrderType, SelfTradeBehavior
from bmv.adapters.openbook.v2.heap import EventHeap
from bmv.adapters.openbook.v2.instructions import Known
from bmv.adapters.openbook.v2.logs import TotalOrderFillEvent, read_lines
from bmv.adapters.openbook.v2.market import PROGRAM_ID
from bmv.adapters.openbook.v2.orders import CancelAllOrders
from bmv.adapters.sandbox.double import Outcome
from bmv.adapters.solana.pubsub import Logs
from bmv.ports.errors import DataError

BUILDS = list(Build)
OTHER = 2  # A second maker, or a second taker.


def lines_of(outcome: Outcome) -> tuple[str, ...]:
    """Return the log's lines of a transaction that is one call of the program."""
    return (f"Program {PROGRAM_ID} invoke [1]", *outcome.logs, f"Program {PROGRAM_ID} success")


class Table:
    """A desk whose trader `us` reads his fills; every call is a transaction in a slot of its own."""

    def __init__(self, us: int, build: Build = Build.V1_7, **market: int) -> None:
        self.desk = DeskV2(build, 3, **{"maker_fee": -200, "taker_fee": 400, **market})
        self.us, self.slot = us, 1
        self.logs: list[Logged] = []
        self.start = self.desk.wallets(us)
        self.reader = self.at(
            OwnFillsV2.begin(self.desk.market, self.desk.read_market(), self.own, 1, self.heap, self.desk.account(us))
        )

    def at(self, mark: MarkV2) -> OwnFillsV2:
        return OwnFillsV2(self.desk.market, self.desk.read_market(), self.own, mark)

    @property
    def own(self):  # type: ignore[no-untyped-def]
        return self.desk.open_orders[self.us]

    @property
    def heap(self) -> EventHeap:
        return EventHeap.decode(bytes(self.desk.states[self.desk.heap].data))

    def must(self, known: Known) -> Outcome:
        """Carry out a call that must succeed."""
        outcome = self.desk.must(known)
        self.slot += 1
        self.logs.append(Logged(self.slot, Logs(f"signature {self.slot}", False, lines_of(outcome))))
        return outcome

    def rest(self, trader: int, side: Side, price: int, size: int, client_id: int = 0) -> None:
        self.must(self.desk.order(trader, self.desk.args(Ask(side, price, size, client_id))))

    def take(self, trader: int, side: Side, price: int, size: int, makers: Sequence[int] = (), **more: int) -> Outcome:
        """Let a trader take; he settles with the makers whose accounts he passes along."""
        settings = {"order_type": PlaceOrderType.IMMEDIATE_OR_CANCEL, "client_order_id": 99, **more}
        args = self.desk.args(Ask(side, price, size, post_only=False), **settings)
        return self.must(self.desk.order(trader, args, makers))

    def crank(self, traders: Sequence[int] = (MAKER, TAKER, OTHER)) -> None:
        self.must(self.desk.consuming(traders))

    def read(self, logs: Iterable[Logged] | None = None) -> Read:
        logs = self.logs if logs is None else logs
        return self.reader.read(self.slot, self.heap, self.desk.account(self.us), logs)

    def check(self) -> MissingVolume | None:
        return self.reader.check(self.desk.account(self.us))

    def settled(self) -> Flow:
        """Cancel all, crank, settle with our own wallet as the referrer; return what our wallets gained."""
        self.crank()
        self.must(CancelAllOrders(side_option=None, limit=255, **self.desk.cancelling(self.us)))
        self.must(self.desk.settling(self.us, referrer_account=self.desk.quote[self.us]))
        base, quote = self.desk.wallets(self.us)
        return Flow(base - self.start[0], quote - self.start[1])

    def flow(self, fills: Iterable[OwnFill]) -> Flow:
        """Return what fills must have moved."""
        flow = flow_of(fills, self.desk.read_market().lots())
        return Flow(flow.base, flow.quote + flow.share)


@pytest.mark.parametrize("build", BUILDS)
def test_a_fill_that_lies_on_the_heap_and_is_logged_later_is_told_once(build: Build) -> None:
    table = Table(MAKER, build)
    table.rest(MAKER, Side.BID, 100, 7, client_id=5)
    table.read()
    table.take(TAKER, Side.ASK, 100, 3)
    on_heap = table.read()
    table.crank()
    logged = table.read()

    (fill,) = on_heap.fills
    assert (fill.side, fill.price, fill.size, fill.client_id, fill.maker) == (Side.BID, 100, 3, 5, True)
    assert fill.order_id >> 64 == 100
    assert logged.fills == ()
    assert any("ConsumeEvents" in line for line in table.logs[-1].logs.lines)  # Or nothing was to be passed over.
    assert table.check() is None


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("makers", [(), (MAKER,)], ids=["to the heap", "at once"])
@pytest.mark.parametrize("looks", ["each", "last"])
def test_every_way_of_a_fill_is_told_once_and_its_money_is_right(
    build: Build, makers: Sequence[int], looks: str
) -> None:
    table = Table(MAKER, build)
    table.rest(MAKER, Side.BID, 1_013, 70, client_id=5)
    fills: list[OwnFill] = []
    for size in (3, 7, 7, 11):
        table.take(TAKER, Side.ASK, 1_000, size, makers)
        fills += table.read().fills if looks == "each" else ()
        table.crank()
    fills += table.read().fills

    assert [(fill.price, fill.size) for fill in fills] == [(1_013, 3), (1_013, 7), (1_013, 7), (1_013, 11)]
    assert all(fill.order_id >> 64 == 1_013 for fill in fills)
    assert len({(fill.seq, fill.nth) for fill in fills}) == 4
    assert table.check() is None
    assert table.settled() == table.flow(fills)


def test_twins_that_nothing_tells_apart_are_both_told() -> None:
    """Settled at once, in one second, by one taker, under one number."""
    table = Table(MAKER)
    table.rest(MAKER, Side.BID, 100, 50, client_id=5)
    table.take(TAKER, Side.ASK, 100, 3, (MAKER,))
    first = table.read().fills
    table.take(TAKER, Side.ASK, 100, 3, (MAKER,))
    table.take(TAKER, Side.ASK, 100, 3)  # The third goes to the heap, under the same number.
    second = table.read().fills
    table.crank()
    third = table.read().fills

    assert [(fill.size, fill.nth) for fill in first + second] == [(3, 0), (3, 1), (3, 2)]
    assert len({fill.seq for fill in first + second}) == 1
    assert third == ()
    assert table.check() is None


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("makers", [(), (MAKER, OTHER), (OTHER,)], ids=["to the heap", "at once", "in part"])
def test_a_taker_pays_one_fee_for_his_order_rounded_once(build: Build, makers: Sequence[int]) -> None:
    table = Table(TAKER, build)
    for at in range(6):
        table.rest((MAKER, OTHER)[at % 2], Side.ASK, 301 + at, 1)
    total = table.take(TAKER, Side.BID, 400, 6, makers)
    if makers == (OTHER,):
        table.crank()  # Before anybody looked.
    fills = table.read().fills

    (said,) = [log for log in read_lines(lines_of(total), PROGRAM_ID) if isinstance(log, TotalOrderFillEvent)]
    assert sorted((fill.price, fill.maker, fill.side) for fill in fills) == [
        (301 + at, False, Side.BID) for at in range(6)
    ]
    assert sum(fill.fee for fill in fills) == said.fees < sum(-(-fill.price * 10 * 400 // 10**6) for fill in fills)
    assert table.check() is None
    assert table.settled() == table.flow(fills)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize(
    ("maker_fee", "taker_fee"), [(0, 0), (-200, 400), (-400, 400), (333, 1_000), (50_000, 100_000)]
)
@pytest.mark.parametrize("side", Side)
def test_money_is_right_to_the_last_unit_whatever_the_fees(
    build: Build, maker_fee: int, taker_fee: int, side: Side
) -> None:
    for us in (MAKER, TAKER):
        table = Table(us, build, maker_fee=maker_fee, taker_fee=taker_fee, base_lot_size=7, quote_lot_size=3)
        for at in range(4):
            price = 777 + (at if side is Side.ASK else -at)
            table.rest(MAKER, side, price, 5 + at, client_id=1 + at)
        price = 1_000 if side is Side.ASK else 700
        fills = []
        for size in (3, 9, 2):
            table.take(TAKER, Side(1 - side), price, size, (MAKER,) if size == 9 else ())
            fills += table.read().fills

        assert sum(fill.size for fill in fills) == 14
        assert table.settled() == table.flow(fills)
        assert table.read().fills == ()
        assert table.check() is None


def test_a_maker_gets_half_of_a_takers_fee_as_rebate_and_a_taker_pays_the_other_half() -> None:
    """4 bps less what comes back to our own wallet as the referrer's: 2 bps."""
    table = Table(TAKER)
    table.rest(MAKER, Side.ASK, 10_000, 1_000)
    table.take(TAKER, Side.BID, 10_000, 1_000)
    (fill,) = table.read().fills

    quote = 10_000 * 1_000 * 10
    assert fill.fee == quote * 4 // 10_000
    assert fill.fee - fill.share == quote * 2 // 10_000


@pytest.mark.parametrize("behavior", [SelfTradeBehavior.CANCEL_PROVIDE, SelfTradeBehavior.DECREMENT_TAKE])
def test_meeting_ourselves_moves_no_money(behavior: SelfTradeBehavior) -> None:
    table = Table(MAKER)
    table.rest(MAKER, Side.BID, 100, 7, client_id=5)
    table.take(MAKER, Side.ASK, 100, 3, self_trade_behavior=behavior)
    fills = table.read().fills

    decremented = behavior is SelfTradeBehavior.DECREMENT_TAKE
    assert [(fill.maker, fill.fee) for fill in fills] == ([(True, 0), (False, 0)] if decremented else [])
    assert table.settled() == Flow() == table.flow(fills)
    assert table.read().fills == ()
    assert table.check() is None


@pytest.mark.parametrize("us", [MAKER, TAKER])
def test_a_log_that_is_lost_is_missed_to_the_unit(us: int) -> None:
    table = Table(us)
    table.rest(MAKER, Side.BID, 100, 70, client_id=5)
    table.take(TAKER, Side.ASK, 100, 3, (MAKER,))
    lost = table.logs.pop()
    table.take(TAKER, Side.ASK, 90, 2, (MAKER,))
    fills = table.read().fills

    assert [fill.size for fill in fills] == [2]
    gone = 100 * 3 * 10
    assert table.check() == (MissingVolume(gone, 0) if us == MAKER else MissingVolume(0, gone))

    table.reader = table.at(table.reader.settle(1).mark)
    again = table.read([*table.logs[:1], lost, *table.logs[1:]])

    assert [fill.size for fill in again.fills] == [3, 2]
    assert table.check() is None


def test_logs_that_are_cut_off_are_counted_and_missed_to_the_unit() -> None:
    table = Table(MAKER)
    table.rest(MAKER, Side.BID, 100, 70)
    table.take(TAKER, Side.ASK, 100, 3, (MAKER,))
    slot, logs = table.logs.pop()
    at = next(number for number, line in enumerate(logs.lines) if line.startswith("Program data"))
    table.logs.append(Logged(slot, Logs(logs.signature, False, (*logs.lines[:at], "Log truncated"))))

    read = table.read()

    assert read == Read((), 1)
    assert table.check() == MissingVolume(3_000, 0)


def test_logs_told_twice_or_of_slots_before_the_mark_tell_nothing_new() -> None:
    table = Table(MAKER)
    table.rest(MAKER, Side.BID, 100, 70)
    table.take(TAKER, Side.ASK, 100, 3, (MAKER,))

    twice = table.read([*table.logs, *table.logs])
    table.slot += 1

    assert len(twice.fills) == 1
    assert table.read().fills == ()


def test_what_a_failed_transaction_logged_did_not_happen() -> None:
    table = Table(MAKER)
    table.rest(MAKER, Side.BID, 100, 70)
    table.take(TAKER, Side.ASK, 100, 3, (MAKER,))
    slot, logs = table.logs[-1]
    table.logs.append(Logged(slot, Logs("another", True, logs.lines)))

    assert len(table.read().fills) == 1


def test_a_line_that_another_program_wrote_is_no_fill() -> None:
    table = Table(MAKER)
    table.rest(MAKER, Side.BID, 100, 70)
    table.take(TAKER, Side.ASK, 100, 3, (MAKER,))
    slot, logs = table.logs[-1]
    liar = str(table.desk.admin)
    lines = tuple(line.replace(str(PROGRAM_ID), liar) for line in logs.lines)
    table.logs.append(Logged(slot, Logs("another", False, lines)))

    assert len(table.read().fills) == 1


def test_an_order_that_may_be_one_of_two_has_no_id() -> None:
    """Batches number their orders by place, so that another may stand in the same slot, at the same price."""
    table = Table(MAKER)
    table.rest(MAKER, Side.BID, 100, 3)
    table.read()
    table.take(TAKER, Side.ASK, 100, 3, (MAKER,))
    table.rest(MAKER, Side.BID, 100, 3)
    (fill,) = table.read().fills

    assert fill.order_id == 0


def test_fills_before_the_beginning_are_not_told() -> None:
    table = Table(MAKER)
    table.rest(MAKER, Side.BID, 100, 70)
    table.take(TAKER, Side.ASK, 100, 3)
    mark = OwnFillsV2.begin(
        table.desk.market, table.desk.read_market(), table.own, table.slot, table.heap, table.desk.account(MAKER)
    )
    table.reader = table.at(mark)
    table.crank()

    assert table.read().fills == ()
    assert table.check() is None


def test_a_mark_is_the_same_read_back_and_another_is_refused() -> None:
    table = Table(MAKER)
    table.rest(MAKER, Side.BID, 100, 70, client_id=2**64 - 1)
    table.take(TAKER, Side.ASK, 100, 3)
    table.read()
    mark = table.reader.mark
    rows = json.loads(json.dumps(mark.to_json()))

    assert MarkV2.from_json(rows) == mark
    assert mark.waiting
    assert mark.places
    for at in range(len(rows)):
        for wrong in (None, "x", 1.5, [], [[1]], {}, [["x"] * 11], [[2] * 11]):
            if wrong == [] and at in (1, 2):
                continue
            with pytest.raises(DataError):
                MarkV2.from_json([*rows[:at], wrong, *rows[at + 1 :]])


def test_a_fork_takes_its_fills_back_and_final_ones_stay() -> None:
    table = Table(MAKER)
    table.rest(MAKER, Side.BID, 100, 70)
    table.take(TAKER, Side.ASK, 100, 3)
    first = table.read().fills
    table.take(TAKER, Side.ASK, 100, 4)
    second = table.read().fills

    kept = table.reader.settle(table.slot - 1)
    gone = table.reader.undo(table.slot - 1)

    assert kept.fills == first
    assert gone == second
    assert table.reader.mark == kept.mark
    assert table.read().fills == second
    with pytest.raises(Malformed, match="final"):
        table.reader.undo(kept.mark.slot - 1)
