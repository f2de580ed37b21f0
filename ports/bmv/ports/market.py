"""The instrument, and its units: how many ticks, lots and quanta a price, a size and an amount of money are.

Prices are counted in ticks, sizes in lots, and money in *quanta*: the largest amount of quote in which both half a
tick times a lot and the venue's smallest step of quote are whole. Half ticks, because the mid of two prices may lie
between two ticks.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor, gcd

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

    def lots(self, size: Decimal) -> Fraction:
        """Return `size` (base) in lots, exactly; a fraction where it does not lie on the grid.

        >>> Market("SOL/USDC", Decimal("0.01"), Decimal("0.001")).lots(Decimal("0.0025"))
        Fraction(5, 2)
        """
        return Fraction(size) / Fraction(self.lot_size)

    def quanta(self, money: Decimal) -> Fraction:
        """Return `money` (quote) in quanta, exactly; a fraction where it is finer than the venue books."""
        return Fraction(money) / self.quantum

    def to_lots(self, size: Decimal) -> int:
        """Return `size` (base) in whole lots, rounded towards zero."""
        return int(self.lots(size))

    def to_quanta(self, money: Decimal) -> int:
        """Return `money` (quote) in whole quanta, rounded down."""
        return floor(self.quanta(money))

    def money(self, quanta: int) -> Decimal:
        """Return `quanta` as an exact amount of quote.

        >>> Market("SOL/USDC", Decimal("0.01"), Decimal("0.001")).money(-1500000)
        Decimal('-1.5')
        """
        amount = quanta * self.quantum
        return Decimal(amount.numerator) / Decimal(amount.denominator)
