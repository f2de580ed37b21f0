"""Coinbase Exchange: the channel `ticker`, with the best bid and ask at every match, and a heartbeat each second.

After the public documentation of its websocket feed (docs.cdp.coinbase.com/exchange/websocket-feed/channels). What it
sells under -USDC is its book in dollars.
"""

import json

from bmv.adapters.prices.quote import Message, MessageError, Pair, Quote
from bmv.adapters.prices.reading import expect, field, price, read_json, rfc3339_ns, table, whole, words
from bmv.adapters.prices.venue import Venue

NAME = "coinbase"
OTHERS = ("subscriptions", "heartbeat", "status")
OWN_USDC_BOOKS = ("USDT", "EURC")


def decode(message: str | bytes, pair: Pair, symbol: str) -> Message:
    """Return the quote of a `ticker`."""
    record = table(read_json(message), "message")
    kind = field(record, "type")
    if kind == "error":
        raise MessageError(f"it refuses: {words(record.get('reason') or record.get('message'))}")
    if kind in OTHERS:
        return None
    expect(record, "type", "ticker")
    expect(record, "product_id", symbol)
    bid, ask = price(record, "best_bid"), price(record, "best_ask")
    return Quote(NAME, pair, bid, ask, rfc3339_ns(record, "time"), whole(record, "sequence"))


def greeting(symbol: str) -> tuple[str, ...]:
    """Return what subscribes to quotes of `symbol`, and to heartbeats, without which a quiet channel is closed."""
    return (json.dumps({"type": "subscribe", "product_ids": [symbol], "channels": ["ticker", "heartbeat"]}),)


def objection(pair: Pair) -> str:
    """Return why it has no book of `pair`, if that is known."""
    if pair.quote == "USDC" and pair.base not in OWN_USDC_BOOKS:
        return f"its book in USDC is that in dollars; say {pair.base}/USD"
    return ""


COINBASE = Venue(
    name=NAME,
    transport="websocket",
    url="wss://ws-feed.exchange.coinbase.com",
    symbol=lambda pair: f"{pair.base}-{pair.quote}",
    endpoint=lambda url, symbol: url,
    greeting=greeting,
    decode=decode,
    objection=objection,
)
