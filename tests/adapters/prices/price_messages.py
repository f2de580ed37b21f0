"""One good message of each venue, and what it says."""

from dataclasses import dataclass
from decimal import Decimal

from exchange import binance, coinbase, coingecko, kraken, pyth

from bmv.adapters.prices.quote import Message, Pair, Quote
from bmv.adapters.prices.venues import VENUES

SOL_USD, SOL_USDT = Pair("SOL", "USD"), Pair("SOL", "USDT")
SOL_FEED = "ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d"
NOON = "2026-11-29T12:00:00.123456Z"
NOON_S = 1_795_953_600
NOON_NS = NOON_S * 1_000_000_000


@dataclass(frozen=True)
class Case:
    """A message and its meaning.

    Args:
        quote: What it says.
        symbol: What the venue calls the pair.
        message: As it is sent.
        written: Bid and ask as they stand in it.
    """

    quote: Quote
    symbol: str
    message: str
    written: tuple[str, str]

    @property
    def venue(self) -> str:
        return self.quote.venue

    def decode(self, message: str | bytes) -> Message:
        """What the venue's decoder makes of any message where this pair was asked for."""
        return VENUES[self.venue].decode(message, self.quote.pair, self.symbol)


BID, ASK = Decimal("150.10"), Decimal("150.11")
CASES = [
    Case(Quote("binance", SOL_USDT, BID, ASK, None, 400900217), "SOLUSDT", binance("SOLUSDT", "150.10", "150.11", 400900217), ('"150.10"', '"150.11"')),
    Case(Quote("coinbase", SOL_USD, BID, ASK, NOON_NS + 123_456_000, 90), "SOL-USD", coinbase("SOL-USD", "150.10", "150.11", 90, NOON), ('"150.10"', '"150.11"')),
    Case(Quote("kraken", SOL_USD, BID, ASK, NOON_NS + 123_456_000), "SOL/USD", kraken("SOL/USD", "150.10", "150.11", NOON), ("150.10", "150.11")),
    Case(Quote("coingecko", SOL_USD, BID, BID, NOON_NS), "solana", coingecko("solana", "150.10", NOON_S), ("150.10", "150.10")),
    Case(Quote("pyth", SOL_USD, BID, ASK, NOON_NS), SOL_FEED, pyth(SOL_FEED, "15010500000", "500000", NOON_S), ('"15010500000"', '"500000"')),
]  # fmt: skip
