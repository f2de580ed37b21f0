"""The one place where a price from elsewhere becomes whole ticks."""

from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from bmv.adapters.prices.consensus import NoPrice, ReferencePrice, Why
from bmv.ports.market import PRICE_TICKS_MAX, Market


class Ticks(NamedTuple):
    """A price in whole ticks: the mid to the nearest, the bid down, the ask up. All are 0 where there is no price."""

    mid: int = 0
    bid: int = 0
    ask: int = 0


NONE = Ticks()


def in_ticks(price: ReferencePrice | NoPrice, market: Market) -> Ticks:
    """Return a price in ticks of `market`, whose quote it has to be in; `NONE` where there is none, or it fits no tick.

    >>> from decimal import Decimal
    >>> price = ReferencePrice(Fraction(10013, 100), Fraction(10011, 100), Fraction(10015, 100), (), Fraction(0), 0)
    >>> in_ticks(price, Market("SOL/USDC", Decimal("0.1"), Decimal("0.1")))
    Ticks(mid=1001, bid=1001, ask=1002)
    """
    if isinstance(price, NoPrice):
        return NONE
    tick = Fraction(market.tick_size)
    ticks = Ticks(floor(price.mid / tick + Fraction(1, 2)), floor(price.bid / tick), ceil(price.ask / tick))
    return ticks if ticks.bid >= 1 and ticks.ask <= PRICE_TICKS_MAX else NONE


def unfit(price: ReferencePrice, market: Market) -> NoPrice:
    """Return why a price that fits no tick is none."""
    return NoPrice(
        Why.TICKS, f"{float(price.mid):g} is not between 1 and {PRICE_TICKS_MAX} ticks of {market.tick_size:f}"
    )
