"""What the feed shows of a side of version 2 is what the book's own reader shows, order by order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.account import Account
from solders.pubkey import Pubkey
from tests.rigs.feed import Line
from tests.rigs.recording import Truth

from bmv.adapters.openbook.book import Side, to_levels
from bmv.adapters.openbook.feed import v2
from bmv.adapters.openbook.feed.words import Cause, Notice, Update
from bmv.adapters.openbook.v2.bookside import BOOK_SIDE_SIZE, DISCRIMINATOR, FIXED, ORACLE_PEGGED, BookSide
from bmv.adapters.openbook.v2.levels import matchable
from bmv.adapters.openbook.v2.market import Market
from bmv.adapters.openbook.v2.oracle import StubOracle, oracle_price_lots
from bmv.adapters.sandbox.openbook_v2.tree import Leaf, Trees
from bmv.adapters.sandbox.wiring import Settings, make_world
from bmv.adapters.solana.clock import CLOCK, SYSVARS

SECONDS = st.sampled_from([0, 0, 1, 5, 60])
ORDERS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 50), SECONDS, st.integers(90, 110)), max_size=30)


def side_of(side: Side, orders: list[tuple[int, int, int, int]]) -> BookSide:
    """Return a side with orders of price, size, seconds to live and second of placing."""
    data = bytearray(BOOK_SIDE_SIZE)
    data[:8], data[312] = DISCRIMINATOR, side
    for number, (price, size, seconds, placed) in enumerate(orders, 1):
        sequence = number if side is Side.ASK else number ^ (2**64 - 1)
        Trees(data).insert(FIXED, Leaf(0, seconds, price << 64 | sequence, bytes(32), size, placed, -1, number))
    return BookSide.decode(bytes(data))


@given(ORDERS, st.sampled_from(list(Side)), st.integers(85, 180))
def test_levels_and_their_end_are_those_of_the_orders(
    orders: list[tuple[int, int, int, int]], side: Side, now: int
) -> None:
    book = side_of(side, orders)

    until, levels = v2._matchable(book.rows(FIXED), now)

    alive = matchable(book, now)
    assert levels == tuple((level.price_lots, level.size_lots) for level in to_levels(alive))
    assert until == min((order.expires for order in alive if order.expires), default=v2.NEVER)
    if until < v2.NEVER:
        assert len(matchable(book, until)) < len(alive)


def test_an_order_that_expired_on_a_fork_that_was_given_up_stands_again() -> None:
    key, side = Pubkey.default(), v2._Side(Pubkey.default(), Side.BID)
    data = bytearray(BOOK_SIDE_SIZE)
    data[:8], data[312] = DISCRIMINATOR, Side.BID
    Trees(data).insert(FIXED, Leaf(0, 5, 7 << 64 | 1, bytes(32), 3, 100, -1, 1))
    accounts = {key: Account(1, bytes(data), key)}

    assert side.levels(accounts, 105) == ()
    assert side.levels(accounts, 104) == ((7, 3),)


MARKET, ORACLE = Pubkey([3] * 32), Pubkey([4] * 32)


@pytest.fixture
def market() -> Market:
    """A market of the sandbox that follows an oracle."""
    world = make_world(Settings(venue="openbook-v2"))
    account = world.chain.account(world.market.address)
    assert account is not None
    return replace(Market.decode(account.data), oracle_a=ORACLE)


def accounts_of(
    market: Market, price: float, fixed: dict[Side, int], pegged: dict[Side, int], slot: int = 7
) -> dict[Pubkey, Account | None]:
    """Return a market's accounts: an order at each fixed price, and one at each offset from the oracle's."""
    clock = slot.to_bytes(8, "little") + bytes(32)
    stub = StubOracle(MARKET, MARKET, price, 0, 5, 0.0, bytes(104))
    found: dict[Pubkey, Account | None] = {
        MARKET: Account(1, market.encode(), MARKET),
        CLOCK: Account(1, clock, SYSVARS),
        ORACLE: Account(1, stub.encode(), MARKET),
    }
    for side, key in ((Side.BID, market.bids), (Side.ASK, market.asks)):
        data = bytearray(BOOK_SIDE_SIZE)
        data[:8], data[312] = DISCRIMINATOR, side
        sequence = 1 if side is Side.ASK else 2**64 - 2
        Trees(data).insert(FIXED, Leaf(0, 0, fixed[side] << 64 | sequence, bytes(32), 10, 90, -1, 1))
        for number, (place, offset) in enumerate(pegged.items(), 2):
            if place is side:
                sequence = number if side is Side.ASK else number ^ (2**64 - 1)
                key_data = (offset + (1 << 63)) << 64 | sequence
                Trees(data).insert(ORACLE_PEGGED, Leaf(0, 0, key_data, bytes(32), 3, 90, -1, number))
        found[key] = Account(1, bytes(data), MARKET)
    return found


FIXED_AT = {Side.BID: 14_900, Side.ASK: 15_100}


def test_pegged_orders_stand_where_the_oracle_says_and_move_with_it(market: Market) -> None:
    venue = v2.MarketV2(MARKET, market, MARKET)
    assert ORACLE in venue.keys
    pegged = {Side.BID: -50, Side.ASK: 50}
    at = oracle_price_lots(market, 150.0)
    assert at is not None

    bids, asks = venue.book(accounts_of(market, 150.0, FIXED_AT, pegged), 100)

    assert bids == ((at - 50, 3), (14_900, 10))
    assert asks == ((at + 50, 3), (15_100, 10))
    later = oracle_price_lots(market, 150.2)
    assert later is not None
    assert venue.book(accounts_of(market, 150.2, FIXED_AT, pegged), 100)[0][0] == (later - 50, 3)


def test_a_pegged_order_that_its_oracle_moved_across_the_book_is_left_out(market: Market) -> None:
    venue = v2.MarketV2(MARKET, market, MARKET)

    bids, asks = venue.book(accounts_of(market, 152.0, FIXED_AT, {Side.BID: -50, Side.ASK: 50}), 100)

    assert bids == ((14_900, 10),)
    assert asks == ((15_100, 10), (oracle_price_lots(market, 152.0) + 50, 3))  # type: ignore[operator]


def test_an_oracle_that_nobody_here_reads_is_named_and_a_stale_one_has_no_price(market: Market) -> None:
    venue = v2.MarketV2(MARKET, market, MARKET)
    accounts = accounts_of(market, 150.0, FIXED_AT, {Side.BID: -50})

    assert venue.book(accounts | {ORACLE: Account(1, bytes(300), MARKET)}, 100)[0] == ((14_900, 10),)
    assert "whose prices are not read here" in venue.left_out
    assert len(venue.book(accounts, 100)[0]) == 2
    assert venue.left_out == ""

    strict = replace(market, oracle_config=replace(market.oracle_config, max_staleness_slots=1))
    assert venue.book(accounts_of(strict, 150.0, FIXED_AT, {Side.BID: -50}), 100)[0] == ((14_900, 10),)
    assert venue.left_out == ""


def test_a_feed_says_once_that_pegged_orders_are_left_out(market: Market) -> None:
    world = make_world(Settings(venue="openbook-v2"))
    foreign = accounts_of(market, 150.0, FIXED_AT, {Side.BID: -50}) | {ORACLE: Account(1, bytes(300), MARKET)}
    for key in (market.bids, ORACLE):
        world.chain.put(key, foreign[key])
    old = world.chain.account(world.market.address)
    assert old is not None
    world.chain.put(world.market.address, Account(old.lamports, market.encode(), old.owner))
    line = Line(world, Truth(world), 1)

    for _ in range(20):
        line.step()

    (notice,) = [word for word in line.told if isinstance(word, Notice)]
    assert notice.cause is Cause.PEGGED
    assert notice.text.startswith(f"pegged orders are not in the book: the oracle {ORACLE} is of program {MARKET}")
    assert len([word for word in line.told if isinstance(word, Update)]) > 10
