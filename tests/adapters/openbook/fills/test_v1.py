"""Our fills of version 1: from the ring of events, and from the crank's logs where the ring forgot."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from solders.token import ID as TOKEN_PROGRAM
from tests.rigs.desk import MAKER, TAKER
from tests.rigs.desk_v1 import DeskV1

from bmv.adapters.openbook.book import Lots, Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.fills.fill import Flow, Logged, OwnFill, Read, flow_of
from bmv.adapters.openbook.fills.v1 import MarkV1, MissingMoney, OwnFillsV1, held
from bmv.adapters.openbook.v1 import instructions as does
from bmv.adapters.openbook.v1 import keys as by
from bmv.adapters.openbook.v1.bodies import NewOrder, OrderType, SelfTrade
from bmv.adapters.openbook.v1.events import EVENT, EVENTS, EventQueue
from bmv.adapters.openbook.v1.instructions import PROGRAM_ID
from bmv.adapters.solana.pubsub import Logs
from bmv.ports.errors import DataError

RING = 128  # Events, the fewest that the program takes.
SMALL = (EVENTS + 7 + EVENT.itemsize * RING + 7) // 8 * 8 + 4
LOTS = Lots(100_000, 10, 9, 6)


class Table:
    """A desk whose trader `us` reads his fills; every call is a transaction in a slot of its own."""

    def __init__(self, us: int = MAKER) -> None:
        self.desk = DeskV1(event_q=SMALL)
        self.us, self.slot = us, 1
        self.logs: list[Logged] = []
        self.start = self.desk.wallets(us)
        self.reader = self.at(OwnFillsV1.begin(self.own, LOTS, 1, self.queue, self.held))

    def at(self, mark: MarkV1) -> OwnFillsV1:
        return OwnFillsV1(self.own, LOTS, mark)

    @property
    def own(self):  # type: ignore[no-untyped-def]
        return self.desk.open_orders[self.us]

    @property
    def queue(self) -> EventQueue:
        return self.desk.queue

    @property
    def held(self):  # type: ignore[no-untyped-def]
        return held(self.desk.account(self.us), *self.desk.wallets(self.us))

    def must(self, call: does.AnyInstruction) -> None:
        """Carry out a call that must succeed."""
        outcome = self.desk.run(call)
        assert outcome.error is None, outcome
        self.slot += 1
        lines = (f"Program {PROGRAM_ID} invoke [1]", *outcome.logs, f"Program {PROGRAM_ID} success")
        self.logs.append(Logged(self.slot, Logs(f"signature {self.slot}", False, lines)))

    def place(self, trader: int, side: Side, price: int, size: int, client_id: int = 0, **more: Any) -> None:
        settings: dict[str, Any] = {
            "side": side,
            "limit_price": price,
            "max_coin_qty": size,
            "max_native_pc_qty_including_fees": 2 * price * size * 10 + 10,
            "self_trade_behavior": SelfTrade.CANCEL_PROVIDE,
            "order_type": OrderType.POST_ONLY,
            "client_order_id": client_id,
        }
        keys = self.desk._keys(trader, side)
        self.must(does.NewOrderV3(keys=keys, order=NewOrder(**settings | more)))

    def take(self, trader: int, side: Side, price: int, size: int, client_id: int = 99) -> None:
        self.place(trader, side, price, size, client_id, order_type=OrderType.IMMEDIATE_OR_CANCEL)

    def crank(self, limit: int = 13, traders: Sequence[int] = (MAKER, TAKER)) -> None:
        keys = by.CrankKeys.of(self.desk.market, [self.desk.open_orders[trader] for trader in traders])
        self.must(does.ConsumeEvents(keys=keys, limit=limit))

    def crank_all(self) -> None:
        while self.queue.count:
            self.crank()

    def overrun(self) -> None:
        """Let more happen than the ring holds, none of it to us."""
        other = 1 - self.us
        for _ in range(RING // 2 + 10):
            self.place(other, Side.BID, 1, 1, 77)
            assert self.desk.cancel(other, [77]) is None
            self.crank_all()

    def read(self, logs: Sequence[Logged] | None = None) -> Read:
        return self.reader.read(self.slot, self.queue, self.logs if logs is None else logs)

    def check(self) -> MissingMoney | None:
        return self.reader.check(self.held)

    def settled(self) -> Flow:
        """Crank and settle with our own wallet as the referrer; return what our wallets gained. No order rests."""
        self.crank_all()
        market = self.desk.market
        keys = by.SettleKeys(
            market=market.own_address,
            open_orders=self.own,
            owner=self.desk.owners[self.us],
            coin_vault=market.coin_vault,
            pc_vault=market.pc_vault,
            coin_wallet=self.desk.base[self.us],
            pc_wallet=self.desk.quote[self.us],
            vault_signer=self.desk.signer,
            token_program=TOKEN_PROGRAM,
            referrer=self.desk.quote[self.us],
        )
        self.must(does.SettleFunds(keys=keys))
        base, quote = self.desk.wallets(self.us)
        return Flow(base - self.start[0], quote - self.start[1])


def flow(fills: Sequence[OwnFill]) -> Flow:
    """Return what fills must have moved."""
    moved = flow_of(fills, LOTS)
    return Flow(moved.base, moved.quote + moved.share)


@pytest.mark.parametrize("looks", ["each", "last"])
@pytest.mark.parametrize("us", [MAKER, TAKER])
@pytest.mark.parametrize("side", Side)
def test_fills_of_several_orders_are_told_once_and_their_money_is_right(us: int, side: Side, looks: str) -> None:
    table = Table(us)
    for at in range(3):
        table.place(MAKER, side, 1_013 + (at if side is Side.ASK else -at), 7 + at, client_id=1 + at)
    fills: list[OwnFill] = []
    for size in (3, 3, 9, 9):
        table.take(TAKER, Side(1 - side), 1_100 if side is Side.ASK else 900, size)
        fills += table.read().fills if looks == "each" else ()
        table.crank(2)
    fills += table.read().fills
    table.crank_all()
    fills += table.read().fills

    best = [1_013 + (at if side is Side.ASK else -at) for at in range(3)]
    sizes = [(best[0], 3), (best[0], 3), (best[0], 1), (best[1], 8), (best[2], 9)]
    assert [(fill.price, fill.size) for fill in fills] == sizes
    assert {fill.side for fill in fills} == {side if us == MAKER else Side(1 - side)}
    assert all(fill.maker is (us == MAKER) for fill in fills)
    assert len({fill.seq for fill in fills}) == len(fills)
    assert table.check() is None
    assert table.settled() == flow(fills)
    assert table.read().fills == ()
    assert table.check() is None


def test_a_takers_price_is_the_trades_and_not_his_limit() -> None:
    table = Table(TAKER)
    table.place(MAKER, Side.ASK, 100, 5)
    table.take(TAKER, Side.BID, 110, 5)

    (fill,) = table.read().fills

    assert (fill.price, fill.order_id >> 64) == (100, 110)
    assert fill.fee - fill.share == fill.fee // 2


def test_an_order_that_is_used_up_is_said_to_be_out() -> None:
    table = Table(MAKER)
    table.place(MAKER, Side.BID, 100, 5)
    table.take(TAKER, Side.ASK, 100, 2)
    table.take(TAKER, Side.ASK, 100, 3)

    assert [fill.out for fill in table.read().fills] == [False, True]


def test_a_fill_that_the_ring_shows_and_a_log_tells_is_told_once() -> None:
    """The log of it comes while events are missing, so that logs are looked at."""
    table = Table(MAKER)
    table.place(MAKER, Side.BID, 100, 50, client_id=5)
    table.take(TAKER, Side.ASK, 100, 3)
    seen = table.read().fills  # It waits for the crank: a log is yet to come.
    table.take(TAKER, Side.ASK, 100, 3)  # Nobody will see this one in the ring, word for word like the first.
    table.crank_all()
    table.overrun()
    table.take(TAKER, Side.ASK, 100, 3)  # The ring still shows this one, cranked,
    table.crank_all()
    table.take(TAKER, Side.ASK, 100, 4)  # and this one, which waits.
    read = table.read()
    table.crank_all()
    rest = table.read().fills

    assert [fill.size for fill in seen] == [3]
    assert read.missed > 0
    assert [fill.size for fill in read.fills] == [3, 3, 4]
    assert rest == ()
    assert len({fill.seq for fill in seen + read.fills}) == 4
    assert table.check() is None


def test_what_was_overwritten_and_is_not_in_the_logs_is_missed_to_the_unit() -> None:
    table = Table(MAKER)
    table.place(MAKER, Side.BID, 100, 50)
    table.take(TAKER, Side.ASK, 100, 30)
    table.crank_all()
    table.overrun()

    read = table.read(logs=[])

    assert read.fills == ()
    assert read.missed > 0
    rebate = 5  # 2 bps of it, and a hair less: so the program counts.
    assert table.check() == MissingMoney(30 * LOTS.base_lot, -100 * 30 * LOTS.quote_lot + rebate)

    table.reader = table.at(table.reader.settle(1).mark)
    assert [fill.size for fill in table.read().fills] == [30]
    assert table.check() is None


def test_deposits_and_settlements_are_no_fills() -> None:
    table = Table(MAKER)
    table.place(MAKER, Side.BID, 100, 50, 3)
    table.place(MAKER, Side.ASK, 200, 50, 4)
    assert table.desk.cancel(MAKER, [3]) is None
    table.read()

    assert table.check() is None
    table.settled()
    table.read()
    assert table.check() is None


@pytest.mark.parametrize("behavior", [SelfTrade.CANCEL_PROVIDE, SelfTrade.DECREMENT_TAKE])
def test_meeting_ourselves_is_no_fill(behavior: SelfTrade) -> None:
    table = Table(MAKER)
    table.place(MAKER, Side.BID, 100, 7, 5)
    table.place(MAKER, Side.ASK, 100, 7, 6, self_trade_behavior=behavior, order_type=OrderType.IMMEDIATE_OR_CANCEL)

    assert table.read().fills == ()
    assert table.check() is None
    assert table.settled() == Flow()


def test_fills_before_the_beginning_are_not_told_and_not_missed() -> None:
    table = Table(MAKER)
    table.place(MAKER, Side.BID, 100, 7)
    table.take(TAKER, Side.ASK, 100, 3)
    table.reader = table.at(OwnFillsV1.begin(table.own, LOTS, table.slot, table.queue, table.held))
    table.crank_all()
    table.overrun()

    assert table.read().fills == ()
    assert table.check() is None


def test_a_queue_that_went_back_is_refused_until_the_fork_is_told() -> None:
    table = Table(MAKER)
    table.place(MAKER, Side.BID, 100, 7)
    before, slot = table.queue, table.slot
    table.read()
    table.take(TAKER, Side.ASK, 100, 3)
    seen = table.read().fills

    with pytest.raises(Malformed):
        table.reader.read(table.slot + 1, before)

    assert table.reader.undo(slot) == seen
    assert table.reader.read(table.slot + 1, before).fills == ()


def test_a_mark_is_the_same_read_back_and_another_is_refused() -> None:
    table = Table(MAKER)
    table.place(MAKER, Side.BID, 100, 7, 2**64 - 1)
    table.take(TAKER, Side.ASK, 100, 3)
    table.read()
    mark = table.reader.mark
    rows = json.loads(json.dumps(mark.to_json()))

    assert mark.waiting
    assert MarkV1.from_json(rows, table.own) == mark
    for at in range(len(rows)):
        for wrong in (None, "x", 1.5, [[1]], {}, [["x"] * 9], [[2] * 9]):
            with pytest.raises(DataError):
                MarkV1.from_json([*rows[:at], wrong, *rows[at + 1 :]], table.own)
