"""Binance, spot: the stream `bookTicker`, which tells every change of the best bid and ask.

It has no time, but a number that grows with every change. After the public documentation (binance-spot-api-docs,
web-socket-streams.md): a connection lives 24 hours at the most, and its end is announced by `serverShutdown`.
"""

from urllib.parse import quote

from bmv.adapters.prices.quote import Farewell, Message, MessageError, Pair, Quote
from bmv.adapters.prices.reading import expect, field, price, read_json, table, whole, words
from bmv.adapters.prices.venue import Venue

NAME = "binance"


def decode(message: str | bytes, pair: Pair, symbol: str) -> Message:
    """Return the quote of a `bookTicker`, bare or from a combined stream.

    >>> decode('{"u":7,"s":"SOLUSDT","b":"150.10","B":"2","a":"150.11","A":"1"}', Pair("SOL", "USDT"), "SOLUSDT").bid
    Decimal('150.10')
    """
    record = table(read_json(message), "message")
    if "stream" in record and "data" in record:
        expect(record, "stream", f"{symbol.lower()}@bookTicker")
        record = table(record["data"], "data")
    if record.get("e") == "serverShutdown":
        return Farewell("the server shuts down")
    if "code" in record or "error" in record:
        raise MessageError(f"it refuses: {words(record.get('msg') or record.get('error'))}")
    if "result" in record and "id" in record:
        return None
    expect(record, "s", symbol)
    field(record, "u")
    return Quote(NAME, pair, price(record, "b"), price(record, "a"), None, whole(record, "u"))


BINANCE = Venue(
    name=NAME,
    transport="websocket",
    url="wss://stream.binance.com:9443",
    symbol=lambda pair: pair.base + pair.quote,
    endpoint=lambda url, symbol: f"{url.rstrip('/')}/ws/{quote(symbol.lower())}@bookTicker",
    decode=decode,
    silence_s=60.0,  # It has no heartbeat that a reader of messages would see.
    objection=lambda pair: "it has no dollars; say SOL/USDT or SOL/USDC" if pair.quote == "USD" else "",
)
