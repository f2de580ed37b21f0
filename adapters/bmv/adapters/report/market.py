"""A market on a terminal, and as JSON."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import zip_longest

from bmv.adapters.openbook.book import Level, Lots
from bmv.adapters.openbook.inspection.fit import exact
from bmv.adapters.openbook.inspection.records import Asset, Backlog, BookSide, Finding, Inspection, Trade
from bmv.adapters.report.market_text import UNKNOWN, WORDS, even, second_text, spread_text, waiting_text
from bmv.adapters.report.tables import Column, printable, say, say_table
from bmv.adapters.solana.errors import Json
from bmv.adapters.solana.programs import Deployment
from bmv.ports.errors import BmvError, ConfigError, DataError, Refused

KINDS: dict[type[BmvError], str] = {Refused: "safety", DataError: "data", ConfigError: "config"}
HANGING = " " * 10  # Below the words of a line that has a name.
BOOK = [Column("bids"), Column("size"), Column("price"), Column("price"), Column("size"), Column("asks")]
TRADES = [Column("taker", "left"), Column("price"), Column("size"), Column("time", "left")]


def say_market(inspection: Inspection, deployment: Deployment) -> None:
    """Print a market; what is wrong with it is not among it."""
    for name, text in _facts(inspection, deployment):
        say(f"{name:<10}{text}", HANGING)
    _say_book(inspection)
    _say_trades(inspection)
    for note in inspection.notes:
        say(f"note      {note}", HANGING)


def market_json(inspection: Inspection, deployment: Deployment, findings: Sequence[Finding]) -> Json:
    """Return a market as JSON: prices, sizes and fees are texts of exact decimals, times seconds of the chain."""
    lots = inspection.lots
    return {
        "ok": not findings,
        "findings": findings_json(findings),
        "venue": inspection.venue,
        "address": str(inspection.address),
        "name": inspection.name,
        "slot": inspection.slot,
        "unix_timestamp": inspection.unix_timestamp,
        "program": _program_json(inspection, deployment),
        "base": _asset_json(inspection.base),
        "quote": _asset_json(inspection.quote),
        "tick_size": None if lots is None else exact(lots.tick),
        "lot_size": None if lots is None else exact(lots.lot),
        "min_size": None if lots is None else exact(lots.lot),
        "maker_fee_bps": _plain(inspection.maker_fee_bps),
        "taker_fee_bps": _plain(inspection.taker_fee_bps),
        "bids": _side_json(inspection.bids, lots),
        "asks": _side_json(inspection.asks, lots),
        "trades": _trades_json(inspection.trades, lots),
        "trades_note": inspection.trades_note,
        "volume_native": inspection.volume,
        "backlog": _backlog_json(inspection.backlog),
        "notes": list(inspection.notes),
    }


def findings_json(findings: Sequence[Finding]) -> Json:
    """Return findings as JSON."""
    return [{"kind": KINDS[finding.error], "text": finding.text} for finding in findings]


def _facts(inspection: Inspection, deployment: Deployment) -> Iterator[tuple[str, str]]:
    name = f"{printable(inspection.name)} on " if inspection.name else ""
    yield "market", f"{name}{inspection.venue}"
    yield "address", str(inspection.address)
    yield "slot", f"{inspection.slot}, the chain's clock at {second_text(inspection.unix_timestamp)}"
    yield "program", str(inspection.program)
    yield "", _changes(deployment)
    if deployment.code_sha256 is not None:
        yield "code", f"{deployment.code_bytes:,} bytes, sha256"
        yield "", deployment.code_sha256
    for what, asset in (("base", inspection.base), ("quote", inspection.quote)):
        yield what, f"{asset.mint}, {UNKNOWN if asset.decimals is None else asset.decimals} decimals"
        yield "", _holdings(asset)
    lots = inspection.lots
    yield "tick", UNKNOWN if lots is None else f"{exact(lots.tick)} quote per base"
    yield "lot", UNKNOWN if lots is None else f"{exact(lots.lot)} base, and the smallest order"
    yield "fees", f"maker {_plain(inspection.maker_fee_bps)} bps, taker {_plain(inspection.taker_fee_bps)} bps"
    if inspection.volume is not None:
        yield "volume", f"{_amount(inspection.volume, inspection.quote.decimals)} quote since the market was made"
    yield "crank", waiting_text(inspection.backlog, inspection.unix_timestamp)


def _changes(deployment: Deployment) -> str:
    if deployment.unknown:
        return f"since when and whose: {UNKNOWN}; {deployment.unknown}"
    slot = "at a slot that is unknown" if deployment.slot is None else f"at slot {deployment.slot}"
    may = f"{deployment.authority} may change it" if deployment.upgradeable else "nobody may change it"
    return f"last deployed {slot}; {may}"


def _holdings(asset: Asset) -> str:
    held = UNKNOWN if asset.held is None else _amount(asset.held, asset.decimals)
    return f"vault {asset.vault} holds {held}, the market owes {_amount(asset.owed, asset.decimals)}"


def _amount(native: int, decimals: int | None) -> str:
    if decimals is None:
        return f"{native:,} native units"
    return f"{Decimal(exact(Fraction(native, 10**decimals))):,f}"


def _plain(fee: Decimal) -> str:
    return exact(Fraction(fee))


def _say_book(inspection: Inspection) -> None:
    bids, asks, lots = inspection.bids, inspection.asks, inspection.lots
    if bids is None or asks is None or lots is None:
        say(f"book      {UNKNOWN}")
        return
    spread = spread_text(_best(bids), _best(asks), lots)
    say(f"book      {_count(bids, 'bids')}, {_count(asks, 'asks')}{spread and f', {spread}'}", HANGING)
    rows = [(*_cells(bid, lots), *reversed(_cells(ask, lots))) for bid, ask in zip_longest(bids.levels, asks.levels)]
    if rows:
        say_table(BOOK, rows)


def _count(side: BookSide, what: str) -> str:
    pegged = f" ({side.pegged:,} at the oracle's price)" if side.pegged else ""
    return f"{side.orders:,} {what}{pegged}"


def _best(side: BookSide) -> int | None:
    return side.levels[0].price_lots if side.levels else None


def _cells(level: Level | None, lots: Lots) -> tuple[str, str, str]:
    """Return orders, size and price of a level, from the outside to the inside of the book."""
    if level is None:
        return "", "", ""
    return (
        str(level.orders),
        even(lots.size(level.size_lots), lots.lot),
        even(lots.price(level.price_lots), lots.tick),
    )


def _say_trades(inspection: Inspection) -> None:
    trades, lots = inspection.trades, inspection.lots
    if trades is None or lots is None:
        say(f"trades    {UNKNOWN}")
        return
    say(f"trades    {'the last ' if trades else ''}{len(trades)}; {inspection.trades_note}", HANGING)
    if trades:
        say_table(TRADES, [_trade_row(trade, lots) for trade in trades])


def _trade_row(trade: Trade, lots: Lots) -> tuple[str, str, str, str]:
    time = "-" if trade.unix_timestamp is None else second_text(trade.unix_timestamp)
    price, size = lots.price(trade.price_lots), lots.size(trade.size_lots)
    return WORDS[trade.taker], even(price, lots.tick), even(size, lots.lot), time


def _program_json(inspection: Inspection, deployment: Deployment) -> Json:
    return {
        "address": str(inspection.program),
        "deployed_slot": deployment.slot,
        "upgradeable": deployment.upgradeable,
        "authority": None if deployment.authority is None else str(deployment.authority),
        "code_sha256": deployment.code_sha256,
        "code_bytes": deployment.code_bytes,
        "unknown": deployment.unknown or None,
    }


def _asset_json(asset: Asset) -> Json:
    return {
        "mint": str(asset.mint),
        "decimals": asset.decimals,
        "vault": str(asset.vault),
        "held_native": asset.held,
        "owed_native": asset.owed,
        "freezer": None if asset.freezer is None else str(asset.freezer),
    }


def _side_json(side: BookSide | None, lots: Lots | None) -> Json:
    if side is None or lots is None:
        return None
    return {"orders": side.orders, "pegged": side.pegged, "levels": [_level_json(level, lots) for level in side.levels]}


def _level_json(level: Level, lots: Lots) -> Json:
    price, size = exact(lots.price(level.price_lots)), exact(lots.size(level.size_lots))
    return {"price": price, "size": size, "orders": level.orders}


def _trades_json(trades: Sequence[Trade] | None, lots: Lots | None) -> Json:
    if trades is None or lots is None:
        return None
    return [
        {
            "taker": WORDS[trade.taker],
            "price": exact(lots.price(trade.price_lots)),
            "size": exact(lots.size(trade.size_lots)),
            "unix_timestamp": trade.unix_timestamp,
        }
        for trade in trades
    ]


def _backlog_json(backlog: Backlog | None) -> Json:
    if backlog is None:
        return None
    return {"events": backlog.events, "capacity": backlog.capacity, "oldest_unix_timestamp": backlog.oldest}
