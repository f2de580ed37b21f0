"""What one message of a venue says: the best bid and ask of a pair, exactly, or that there is nothing to say."""

import re
from decimal import Decimal
from typing import NamedTuple

from bmv.ports.errors import BmvError

PAIR = re.compile(r"([A-Z0-9]{1,15})/([A-Z0-9]{1,15})")


class MessageError(BmvError):
    """A message that can't be used: no word of it is believed, nor the last price of the source that sent it."""


class Pair(NamedTuple):
    """What is priced, and in what: a price of SOL/USDT is in USDT for one SOL, and no price of SOL/USDC."""

    base: str
    quote: str

    @classmethod
    def read(cls, text: str) -> "Pair":
        """Return the pair that `text` names; `ValueError` where it names none.

        >>> Pair.read("SOL/USDT").quote
        'USDT'
        """
        match = PAIR.fullmatch(text)
        if match is None:
            raise ValueError(f"expected a pair such as SOL/USDT, found {text[:40]!r}")
        return cls(*match.groups())

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


class Quote(NamedTuple):
    """The best prices of one venue.

    Args:
        venue: Its name.
        pair: What the prices are of; they are in its quote, for one of its base.
        bid: 0: nobody bids. A source that has one price only gives it as both.
        ask: 0: nobody asks.
        venue_ns: When that was so, by the venue's clock (nanoseconds UTC); None: it does not say.
        sequence: Grows with every change at the venue; None: it does not say.
    """

    venue: str
    pair: Pair
    bid: Decimal
    ask: Decimal
    venue_ns: int | None = None
    sequence: int | None = None


class Farewell(NamedTuple):
    """The venue is about to close the connection: time for another one."""

    why: str


Message = Quote | Farewell | None
"""What a message comes to; None for what says nothing of prices, such as a heartbeat."""
