"""The instrument, and the one place where units become whole numbers and back.

Prices are counted in ticks, sizes in lots, and money in *quanta*: the largest amount of quote in which both half a
tick times a lot and the venue's smallest step of quote are whole. Half ticks, because the mid of two prices may lie
between two ticks.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import gcd

INT64_MAX = 2**63 - 1
PRICE_TICKS_MAX = 2**40
SIZE_LOTS_MAX = 2**40
NOTIONAL_MAX = 2**61  # Largest price times size, in quanta, that a row or an order may have.


@dataclass(frozen=True, slots=True)
class Market:
    """One instrument of one venue.

    Args:
        symbol: Name of the instrument, as the venue writes it.
        tick_size: Smallest step of price, in quote per base.
        lot_size: Smallest step of size, in base.
        quote_step: Smallest step of quote that the venue books.
    """

    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    quote_step: Decimal = Decimal("0.000001")

    @property
    def quantum(self) -> Fraction:
        """The unit of money, in quote.

        >>> Market("SOL/USDC", Decimal("0.01"), Decimal("0.001")).quantum
        Fraction(1, 1000000)
        """
        half = Fraction(self.tick_size) * Fraction(self.lot_size) / 2
        step = Fraction(self.quote_step)
        return Fraction(
            gcd(half.numerator * step.denominator, step.numerator * half.denominator),
            half.denominator * step.denominator,
        )

    @property
    def half(self) -> int:
        """Quanta in half a tick times one lot.

        >>> Market("SOL/USDC", Decimal("0.01"), Decimal("0.001")).half
        5
        """
        return int(Fraction(self.tick_size) * Fraction(self.lot_size) / 2 / self.quantum)

    def to_ticks(self, price: Decimal) -> int:
        """Return `price` (quote per base) in ticks; `ValueError` when it does not lie on the grid."""
        return _whole(Fraction(price) / Fraction(self.tick_size), f"price {price}", f"tick size {self.tick_size}")

    def to_lots(self, size: Decimal) -> int:
        """Return `size` (base) in whole lots, rounded towards zero."""
        lots = Fraction(size) / Fraction(self.lot_size)
        return int(lots)

    def to_quanta(self, money: Decimal) -> int:
        """Return `money` (quote) in whole quanta, rounded down."""
        return int(Fraction(money) / self.quantum // 1)

    def money(self, quanta: int) -> Decimal:
        """Return `quanta` as an exact amount of quote.

        >>> Market("SOL/USDC", Decimal("0.01"), Decimal("0.001")).money(-1500000)
        Decimal('-1.5')
        """
        amount = quanta * self.quantum
        return Decimal(amount.numerator) / Decimal(amount.denominator)


def _whole(value: Fraction, what: str, of_what: str) -> int:
    if value.denominator != 1:
        raise ValueError(f"{what} is not a whole multiple of {of_what}")
    return value.numerator
