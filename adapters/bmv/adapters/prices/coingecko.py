"""CoinGecko: one price of a coin, made of many markets and up to a minute old. Good for a veto, never for a price.

After the public documentation (docs.coingecko.com, `/simple/price`). Without a key it answers a few times a minute.
"""

from urllib.parse import quote, urlsplit

from bmv.adapters.prices.quote import Message, MessageError, Pair, Quote
from bmv.adapters.prices.reading import field, price, read_json, seconds_ns, table, words
from bmv.adapters.prices.venue import Venue

NAME = "coingecko"
COINS = {"BTC": "bitcoin", "ETH": "ethereum", "SOL": "solana", "USDC": "usd-coin", "USDT": "tether"}
FIAT = ("USD", "EUR", "GBP", "JPY")


def decode(message: str | bytes, pair: Pair, symbol: str) -> Message:
    """Return the price of a coin as a quote without a spread."""
    record = table(read_json(message), "answer")
    if "error" in record or "status" in record:
        status = record.get("status")
        reason = status.get("error_message") if isinstance(status, dict) else record.get("error")
        raise MessageError(f"it refuses: {words(reason)}")
    coin = table(field(record, symbol), symbol)
    mid = price(coin, pair.quote.lower())
    return Quote(NAME, pair, mid, mid, seconds_ns(coin, "last_updated_at"))


def endpoint(url: str, symbol: str) -> str:
    """Return the address of the price of a coin in the moneys that a pair may be in."""
    moneys = "%2C".join(FIAT).lower()
    return (
        f"{url.rstrip('/')}/simple/price?ids={quote(symbol)}&vs_currencies={moneys}&include_last_updated_at=true"
        "&precision=full"
    )


def key_header(url: str, key: str) -> dict[str, str]:
    """Return the header of a key: those of paid plans belong to a host of their own."""
    paid = (urlsplit(url).hostname or "").startswith("pro-")
    return {"x-cg-pro-api-key" if paid else "x-cg-demo-api-key": key}


def objection(pair: Pair) -> str:
    """Return why it has no price of `pair`, if that is known."""
    return "" if pair.quote in FIAT else f"it prices in {', '.join(FIAT)}; say {pair.base}/USD"


COINGECKO = Venue(
    name=NAME,
    transport="polling",
    url="https://api.coingecko.com/api/v3",
    symbol=lambda pair: COINS.get(pair.base),
    endpoint=endpoint,
    decode=decode,
    max_age_s=180.0,  # Its cache is a minute old, and so is the price in it.
    poll_s=60.0,
    key_header=key_header,
    key_variable="BMV_COINGECKO_KEY",
    objection=objection,
)
