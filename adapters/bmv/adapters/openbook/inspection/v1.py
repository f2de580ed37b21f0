"""A market of version 1 looked at."""

from itertools import islice

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.inspection.assets import Claim, inspect_asset
from bmv.adapters.openbook.inspection.reading import Reading
from bmv.adapters.openbook.inspection.records import Asset, Backlog, BookSide, Inspection, Trade
from bmv.adapters.openbook.v1.accounts import AccountFlag, Market
from bmv.adapters.openbook.v1.events import EventQueue, Fill
from bmv.adapters.openbook.v1.fees import fees_bps
from bmv.adapters.openbook.v1.layout import BODY, HEAD
from bmv.adapters.openbook.v1.slab import Slab
from bmv.ports.errors import DataError, Refused

VENUE = "openbook-v1"
TRADES_NOTE = "from the ring of events, cranked or not; version 1 keeps no times"


def decode(data: bytes, address: Pubkey) -> Market:
    """Read the market's account; one that was closed is refused."""
    flags = int.from_bytes(data[BODY : BODY + 8], "little")
    if data[:BODY] == HEAD and flags & AccountFlag.MARKET and flags & AccountFlag.CLOSED:
        raise Refused(f"market {address}: is closed")
    return Market.decode(data, address)


def keys(market: Market) -> list[Pubkey]:
    """Return the accounts that belong to a market."""
    return [
        market.coin_mint,
        market.pc_mint,
        market.coin_vault,
        market.pc_vault,
        market.bids,
        market.asks,
        market.event_q,
    ]


def inspect(reading: Reading, address: Pubkey, market: Market, depth: int) -> Inspection:
    """Check a market and its accounts, and return what it is; `depth` levels and trades are shown."""
    _check_flags(reading, address, market)
    time = reading.clock()
    base, quote = _assets(reading, market)
    queue = reading.decoded("event queue", market.event_q, EventQueue.decode)
    maker, taker = fees_bps(address)
    lots = None
    if base.decimals is not None and quote.decimals is not None:
        lots = market.lots(base.decimals, quote.decimals)
    return Inspection(
        venue=VENUE,
        program=reading.program,
        address=address,
        name=None,
        slot=reading.snapshot.slot,
        unix_timestamp=time,
        base=base,
        quote=quote,
        lots=lots,
        maker_fee_bps=maker,
        taker_fee_bps=taker,
        bids=_side(reading, "bids", market.bids, Side.BID, depth),
        asks=_side(reading, "asks", market.asks, Side.ASK, depth),
        trades=None if queue is None else _trades(reading, queue, market, depth),
        trades_note=TRADES_NOTE,
        volume=None,
        backlog=None if queue is None else Backlog(events=queue.count, capacity=queue.capacity),
        notes=(),
        findings=(),
    )


def _check_flags(reading: Reading, address: Pubkey, market: Market) -> None:
    reading.refuse(market.disabled, f"market {address}: is disabled: no order is taken")
    permissioned = bool(market.account_flags & AccountFlag.PERMISSIONED)
    text = f"market {address}: is permissioned: {market.open_orders_authority} has to sign for every new account"
    reading.refuse(permissioned, text)


def _assets(reading: Reading, market: Market) -> tuple[Asset, Asset]:
    """Return both coins; a vault holds deposits, fees not yet swept and rebates not yet paid."""
    try:
        authority = market.vault_signer(reading.program)
    except Malformed as error:
        reading.note(Refused, str(error))
        authority = None
    base = Claim(
        what="base",
        mint=market.coin_mint,
        decimals=None,
        vault=market.coin_vault,
        authority=authority,
        owed=market.coin_deposits_total + market.coin_fees_accrued,
    )
    quote = Claim(
        what="quote",
        mint=market.pc_mint,
        decimals=None,
        vault=market.pc_vault,
        authority=authority,
        owed=market.pc_deposits_total + market.pc_fees_accrued + market.referrer_rebates_accrued,
    )
    return inspect_asset(reading, base), inspect_asset(reading, quote)


def _side(reading: Reading, what: str, key: Pubkey, side: Side, depth: int) -> BookSide | None:
    slab = reading.decoded(what, key, Slab.decode)
    if slab is None:
        return None
    if slab.side is not side:
        reading.note(DataError, f"{what} {key}: is the other side of a book")
        return None
    return BookSide(levels=tuple(slab.levels(depth)), orders=slab.leaf_count)


def _trades(reading: Reading, queue: EventQueue, market: Market, depth: int) -> tuple[Trade, ...] | None:
    """Return the newest trades; each is told by its maker's fill, whose price is that of the trade."""
    try:
        events, _ = queue.since(max(queue.seq_num - queue.capacity, 0))
        fills = (event for event in reversed(events) if isinstance(event, Fill) and event.maker)
        return tuple(_trade(fill, market) for fill in islice(fills, depth))
    except Malformed as error:
        reading.note(DataError, f"event queue {market.event_q}: {error}")
        return None


def _trade(fill: Fill, market: Market) -> Trade:
    taker = Side.ASK if fill.side is Side.BID else Side.BID
    price = fill.price_lots(market.coin_lot_size, market.pc_lot_size)
    return Trade(taker=taker, price_lots=price, size_lots=fill.native_coin // market.coin_lot_size)
