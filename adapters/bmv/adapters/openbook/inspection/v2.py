"""A market of version 2 looked at."""

from collections.abc import Iterator
from decimal import Decimal

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side, to_levels
from bmv.adapters.openbook.inspection import oracle
from bmv.adapters.openbook.inspection.assets import Claim, inspect_asset
from bmv.adapters.openbook.inspection.reading import Reading
from bmv.adapters.openbook.inspection.records import Backlog, BookSide, Inspection, Trade
from bmv.adapters.openbook.v2 import bookside
from bmv.adapters.openbook.v2.heap import MAX_NUM_EVENTS, EventHeap, FillEvent
from bmv.adapters.openbook.v2.levels import live, matchable
from bmv.adapters.openbook.v2.market import Market, market_authority
from bmv.ports.errors import DataError

VENUE = "openbook-v2"
MILLIONTHS_A_BP = 100
TRADES_NOTE = (
    "only fills that wait for the crank; those that are cranked, and those whose taker passed the makers' accounts, "
    "are in no account and show in the logs"
)


def decode(data: bytes, address: Pubkey) -> Market:
    """Read the market's account."""
    return Market.decode(data)


def keys(market: Market) -> list[Pubkey]:
    """Return the accounts that belong to a market."""
    return [
        market.base_mint,
        market.quote_mint,
        market.market_base_vault,
        market.market_quote_vault,
        market.bids,
        market.asks,
        market.event_heap,
        *oracle.keys(market),
    ]


def inspect(reading: Reading, address: Pubkey, market: Market, depth: int) -> Inspection:
    """Check a market and its accounts, and return what it is; `depth` levels and trades are shown."""
    time = reading.clock()
    _check_terms(reading, address, market, time)
    heap = reading.decoded("event heap", market.event_heap, EventHeap.decode)
    events = None if heap is None else [event for _, event in heap.events()]
    fills = [event for event in reversed(events or ()) if isinstance(event, FillEvent)][:depth]
    notes = list(_notes(market))
    return Inspection(
        venue=VENUE,
        program=reading.program,
        address=address,
        name=market.name.rstrip(b"\0").decode("utf-8", "replace") or None,
        slot=reading.snapshot.slot,
        unix_timestamp=time,
        base=inspect_asset(reading, _base(market)),
        quote=inspect_asset(reading, _quote(market)),
        lots=market.lots(),
        maker_fee_bps=Decimal(market.maker_fee) / MILLIONTHS_A_BP,
        taker_fee_bps=Decimal(market.taker_fee) / MILLIONTHS_A_BP,
        bids=_side(reading, notes, Side.BID, market, time, depth),
        asks=_side(reading, notes, Side.ASK, market, time, depth),
        trades=None if events is None else tuple(map(_trade, fills)),
        trades_note=TRADES_NOTE,
        volume=market.maker_volume,
        backlog=None
        if events is None
        else Backlog(
            events=len(events), capacity=MAX_NUM_EVENTS, oldest=min((event.timestamp for event in events), default=None)
        ),
        notes=tuple(notes),
        findings=(),
    )


def _check_terms(reading: Reading, address: Pubkey, market: Market, time: int | None) -> None:
    what = f"market {address}:"
    expired = time is not None and market.is_expired(time)
    reading.refuse(expired, f"{what} has expired at second {market.time_expiry}: no order is taken")
    admin = market.open_orders_admin
    reading.refuse(admin is not None, f"{what} has an openOrdersAdmin, {admin}, who has to sign every order")
    authority, bump = market_authority(address, reading.program)
    wrong = (market.market_authority, market.bump) != (authority, bump)
    reading.refuse(wrong, f"{what} names {market.market_authority} as its authority, and {authority} is")


def _notes(market: Market) -> Iterator[str]:
    """Yield what a maker should know of the terms."""
    if market.consume_events_admin is not None:
        yield f"only {market.consume_events_admin} may crank: fills are booked when it does"
    if market.close_market_admin is not None:
        yield f"{market.close_market_admin} may end the market at any time"
    if market.time_expiry:
        yield f"the market ends at second {market.time_expiry} of the chain's clock"
    if market.oracle_a is not None:
        yield f"orders may be pegged to the oracle {market.oracle_a}"


def _base(market: Market) -> Claim:
    return Claim(
        what="base",
        mint=market.base_mint,
        decimals=market.base_decimals,
        vault=market.market_base_vault,
        authority=market.market_authority,
        owed=market.base_deposit_total,
    )


def _quote(market: Market) -> Claim:
    return Claim(
        what="quote",
        mint=market.quote_mint,
        decimals=market.quote_decimals,
        vault=market.market_quote_vault,
        authority=market.market_authority,
        owed=market.quote_deposit_total,
    )


def _side(
    reading: Reading, notes: list[str], side: Side, market: Market, time: int | None, depth: int
) -> BookSide | None:
    """Return one side as it can be matched at the chain's time, and note what of its pegged orders is left out."""
    what, key = ("bids", market.bids) if side is Side.BID else ("asks", market.asks)
    book = reading.decoded(what, key, bookside.BookSide.decode)
    if book is None or time is None:
        return None
    if book.side is not side:
        reading.note(DataError, f"{what} {key}: is the other side of a book")
        return None
    price = oracle.oracle_price(reading, market)
    orders = matchable(book, time, price if isinstance(price, int) else None)
    shown, pegged = sum(order.pegged for order in orders), len(live(book, bookside.ORACLE_PEGGED, time))
    if pegged > shown:
        reason = price if isinstance(price, str) else f"at the oracle's {price} lots they can't be matched"
        notes.append(f"{what}: {pegged - shown} of {pegged} pegged orders are left out: {reason}")
    return BookSide(levels=tuple(to_levels(orders)[:depth]), orders=len(orders), pegged=shown)


def _trade(fill: FillEvent) -> Trade:
    return Trade(taker=fill.taker_side, price_lots=fill.price, size_lots=fill.quantity, unix_timestamp=fill.timestamp)
