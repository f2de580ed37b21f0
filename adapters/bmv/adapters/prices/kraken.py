"""Kraken, spot: the channel `ticker` of its websocket, version 2, at every change of the best bid and ask.

Its prices are JSON numbers. Without `event_trigger` it tells trades only. After the public documentation
(docs.kraken.com/exchange/api-reference/spot-websocket-v2/ticker).
"""

import json

from bmv.adapters.prices.quote import Message, MessageError, Pair, Quote
from bmv.adapters.prices.reading import expect, field, price, read_json, rfc3339_ns, table, words
from bmv.adapters.prices.venue import Venue

NAME = "kraken"
OTHERS = ("heartbeat", "status")


def decode(message: str | bytes, pair: Pair, symbol: str) -> Message:
    """Return the quote of a snapshot or an update."""
    record = table(read_json(message), "message")
    if "method" in record:
        if record.get("success") is False:
            raise MessageError(f"it refuses: {words(record.get('error'))}")
        return None
    if field(record, "channel") in OTHERS:
        return None
    expect(record, "channel", "ticker")
    if field(record, "type") not in ("snapshot", "update"):
        raise MessageError(f"type: expected snapshot or update, found {words(record['type'])}")
    rows = field(record, "data")
    if not isinstance(rows, list) or len(rows) != 1:
        raise MessageError("data: expected a list of one quote")
    row = table(rows[0], "data")
    expect(row, "symbol", symbol)
    at_ns = rfc3339_ns(row, "timestamp") if "timestamp" in row else None
    return Quote(NAME, pair, price(row, "bid"), price(row, "ask"), at_ns)


def greeting(symbol: str) -> tuple[str, ...]:
    """Return what subscribes to quotes of `symbol`; heartbeats come by themselves."""
    params = {"channel": "ticker", "symbol": [symbol], "event_trigger": "bbo"}
    return (json.dumps({"method": "subscribe", "params": params}),)


KRAKEN = Venue(
    name=NAME,
    transport="websocket",
    url="wss://ws.kraken.com/v2",
    symbol=str,
    endpoint=lambda url, symbol: url,
    greeting=greeting,
    decode=decode,
)
