"""Orders pegged to an oracle are shown at its price, or it is said how many are left out, and why."""

import struct
from dataclasses import replace

import pytest
from solders.account import Account
from solders.pubkey import Pubkey
from tests.rigs.desk import MAKER, Ask
from tests.rigs.desk_v2 import DeskV2

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.inspection.inspect import identify, inspect, keys
from bmv.adapters.openbook.inspection.records import Inspection
from bmv.adapters.openbook.v2 import funds, orders
from bmv.adapters.openbook.v2.codes import PlaceOrderType, SelfTradeBehavior
from bmv.adapters.solana.accounts import Snapshot
from bmv.adapters.solana.clock import CLOCK, SYSVARS

ORACLE = 10_000.0  # 100 lots.
STRANGER = Pubkey(bytes(range(32)))


def peg(desk: DeskV2, side: Side, offset: int, limit: int) -> None:
    """Place an order of ten lots so far from the oracle."""
    args = orders.PlaceOrderPeggedArgs(
        side=side,
        price_offset_lots=offset,
        peg_limit=limit,
        max_base_lots=10,
        max_quote_lots_including_fees=10**6,
        client_order_id=1,
        order_type=PlaceOrderType.LIMIT,
        expiry_timestamp=0,
        self_trade_behavior=SelfTradeBehavior.ABORT_TRANSACTION,
        limit=255,
    )
    desk.must(orders.PlaceOrderPegged(args=args, **desk.placing(MAKER, side)))


@pytest.fixture
def desk() -> DeskV2:
    """A market with a fixed bid at 98, pegged ones at 99 and 97, a fixed ask at 103 and a pegged one at 102."""
    desk = DeskV2(oracle=ORACLE, staleness=50)
    for side, price in ((Side.BID, 98), (Side.ASK, 103)):
        assert desk.place(MAKER, Ask(side, price, 10)) is None
    for side, offset, limit in ((Side.BID, -1, 105), (Side.BID, -3, 200), (Side.ASK, 2, 95)):
        peg(desk, side, offset, limit)
    return desk


def say(desk: DeskV2, price: float) -> None:
    """Let the oracle say another price."""
    assert desk.oracle is not None
    desk.must(funds.StubOracleSet(price=price, owner=desk.admin, oracle=desk.oracle))


def look(desk: DeskV2) -> Inspection:
    clock = bytes(32) + desk.now.to_bytes(8, "little")
    states = {key: Account(one.lamports, bytes(one.data), one.owner, False) for key, one in desk.states.items()}
    accounts: dict[Pubkey, Account | None] = {**states, CLOCK: Account(1, clock, SYSVARS, False)}
    identity = identify(desk.market, accounts[desk.market])
    return inspect(identity, Snapshot(desk.slot, {key: accounts.get(key) for key in keys(identity)}))


def prices(inspection: Inspection) -> list[list[int]]:
    """Return the prices of bids and asks, in lots, best first."""
    sides = [inspection.bids, inspection.asks]
    return [[level.price_lots for level in side.levels] for side in sides if side is not None]


def left_out(inspection: Inspection) -> list[str]:
    return [note for note in inspection.notes if "left out" in note]


def test_pegged_orders_stand_in_the_book_at_the_oracle_s_price(desk: DeskV2) -> None:
    inspection = look(desk)

    assert prices(inspection) == [[99, 98, 97], [102, 103]]
    assert [(side.orders, side.pegged) for side in (inspection.bids, inspection.asks) if side] == [(3, 2), (2, 1)]
    assert not left_out(inspection)
    assert inspection.findings == ()


def test_pegged_orders_beyond_their_limit_are_counted_as_left_out(desk: DeskV2) -> None:
    say(desk, 10_700.0)  # The better bid would be at 106, and goes to 105 at most.

    inspection = look(desk)

    assert prices(inspection)[0] == [104, 98]
    assert left_out(inspection) == [
        "bids: 1 of 2 pegged orders are left out: at the oracle's 107 lots they can't be matched"
    ]


def test_pegged_orders_may_cross_until_somebody_takes(desk: DeskV2) -> None:
    say(desk, 10_500.0)  # The bid goes along to 104, past the ask that stands at 103.

    inspection = look(desk)

    assert prices(inspection) == [[104, 102, 98], [103, 107]]
    assert inspection.findings == ()
    assert any("the best bid at 104 lots and the best ask at 103: pegged orders" in note for note in inspection.notes)


def spoil(desk: DeskV2, how: str) -> None:
    """Let the oracle be one that can't be read, or not be believed."""
    assert desk.oracle is not None
    oracle = desk.states[desk.oracle]
    if how == "gone":
        del desk.states[desk.oracle]
    elif how == "of another kind":
        desk.states[desk.oracle] = replace(oracle, data=bytearray(3_312), owner=STRANGER)
    elif how == "cut":
        desk.states[desk.oracle] = replace(oracle, data=oracle.data[:-1])
    elif how == "stale":
        desk.slot += 51
    elif how == "unsure":
        oracle.data[96:104] = struct.pack("<d", 1_500.0)
    elif how == "beyond lots":
        oracle.data[72:80] = struct.pack("<d", 1e300)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("gone", "there is no oracle"),
        ("of another kind", f"is of program {STRANGER}, whose prices are not read here"),
        ("cut", "is damaged: StubOracle has 208 bytes, not 207"),
        ("stale", "is stale: its price is of slot 1, and may be 50 old"),
        ("unsure", "less sure of the price than the market asks for"),
        ("beyond lots", "can't be counted in the market's lots"),
    ],
)
def test_without_a_price_it_is_said_how_many_orders_are_left_out_and_why(desk: DeskV2, how: str, why: str) -> None:
    spoil(desk, how)

    inspection = look(desk)

    assert prices(inspection) == [[98], [103]]
    assert [note.partition(": ")[2].partition(": ")[0] for note in left_out(inspection)] == [
        "2 of 2 pegged orders are left out",
        "1 of 1 pegged orders are left out",
    ]
    assert all(why in note for note in left_out(inspection))


def test_the_oracle_is_read_with_the_book(desk: DeskV2) -> None:
    state = desk.states[desk.market]

    asked = keys(identify(desk.market, Account(state.lamports, bytes(state.data), state.owner, False)))

    assert {desk.oracle, desk.bids, desk.asks} <= set(asked)
