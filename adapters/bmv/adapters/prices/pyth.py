"""Pyth, by Hermes: a price of many publishers with the confidence they have in it. Good for a veto, never for a price.

The band of that confidence is taken as bid and ask: one that is wide is refused as a wide spread is. Since 26 August
2026 it answers to a key only. After the public documentation (docs.pyth.network, `/v2/updates/price/latest`).
"""

import re
from decimal import Decimal
from urllib.parse import quote

from bmv.adapters.prices.quote import Message, MessageError, Pair, Quote
from bmv.adapters.prices.reading import Json, field, read_json, seconds_ns, table, words
from bmv.adapters.prices.venue import Venue

NAME = "pyth"
FEEDS = {  # The feeds' ids, as docs.pyth.network lists them.
    "BTC/USD": "e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43",
    "ETH/USD": "ff61491a931112ddf1bd8147cd1b641375f79f5825126d665480874634fd0ace",
    "SOL/USD": "ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d",
    "USDC/USD": "eaa020c61cc479712813461ce153894a96a6c00b21ed0cfc2798d1f9a9e9c94a",
    "USDT/USD": "2b89b9dc8fdf9f34709a5b106b472f0f39bb6ca9ce04b0fd7f2e971688e2e53b",
}
MANTISSA = re.compile(r"[0-9]{1,19}")


def decode(message: str | bytes, pair: Pair, symbol: str) -> Message:
    """Return the band of a feed as a quote."""
    rows = field(table(read_json(message), "answer"), "parsed")
    if not isinstance(rows, list) or len(rows) != 1:
        raise MessageError("parsed: expected a list of one price")
    row = table(rows[0], "parsed")
    if _id(str(field(row, "id"))) != _id(symbol):
        raise MessageError(f"id: expected {symbol}, found {words(row['id'])}")
    update = table(field(row, "price"), "price")
    mid, band = _scaled(update, "price"), _scaled(update, "conf")
    if band > mid:
        raise MessageError("conf: expected a band that ends above 0")
    return Quote(NAME, pair, mid - band, mid + band, seconds_ns(update, "publish_time"))


def _id(feed: str) -> str:
    """Return the id of a feed without the prefix that it has in some places."""
    return feed.removeprefix("0x")


def _scaled(update: dict[str, Json], name: str) -> Decimal:
    """Return a mantissa times ten to the power of `expo`, exactly."""
    value, exponent = field(update, name), field(update, "expo")
    if not isinstance(value, str) or not MANTISSA.fullmatch(value):
        raise MessageError(f"{name}: expected a text of digits, found {words(value)}")
    if isinstance(exponent, bool) or not isinstance(exponent, int) or not -18 <= exponent <= 0:
        raise MessageError(f"expo: expected a whole number from -18 to 0, found {words(exponent)}")
    return Decimal(value).scaleb(exponent)


PYTH = Venue(
    name=NAME,
    transport="polling",
    url="https://pyth.dourolabs.app/hermes",
    symbol=lambda pair: FEEDS.get(str(pair)),
    endpoint=lambda url, symbol: (
        f"{url.rstrip('/')}/v2/updates/price/latest?ids%5B%5D=0x{quote(_id(symbol))}&parsed=true"
    ),
    decode=decode,
    max_age_s=30.0,
    poll_s=5.0,  # Thirty calls in ten seconds are allowed.
    key_header=lambda url, key: {"Authorization": f"Bearer {key}"},
    key_variable="BMV_PYTH_KEY",
)
