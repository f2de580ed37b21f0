"""The instrument, and its units: how many ticks, lots and quanta a price, a size and an amount of money are.

Prices are counted in ticks, sizes in lots, and money in *quanta*: the largest amount of quote in which both half a
tick times a lot and the venue's smallest step of quote are whole. Half ticks, because the mid of two prices may lie
between two ticks.

Where sizes are contracts, a lot is a number of them. A linear contract is so much base, and its money is that of so
much base. An inverse one is worth so much quote whatever the price, and pays in base: `N` contracts of `size` quote
gain `N · size · (1/bought − 1/sold)`. The money of an inverse market is base, in quanta of `COIN_STEP`, and a
lot is worth, at a price of `m` half ticks, `half / (divisor · m)` of them.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor, gcd
from typing import Literal

PRICE_TICKS_MAX = 2**40
SIZE_LOTS_MAX = 2**40
COIN_STEP = Fraction(1, 10**8)  # The quantum of an inverse market: exchanges book coins to eight places.
NOTIONAL_MAX = 2**61  # Largest price times size, in quanta, that a row or an order may have.


@dataclass(frozen=True, slots=True)
class Contract:
    """What a unit of size is.

    Args:
        size: Base in one (linear), or quote (inverse).
        payoff: `linear`: worth `size · price` quote. `inverse`: worth `size / price` base, and paid in base.
    """

    size: Decimal = Decimal(1)
    payoff: Literal["linear", "inverse"] = "linear"

    @property
    def inverse(self) -> bool:
        return self.payoff == "inverse"


SPOT = Contract()  # A unit of size is a unit of base.


@dataclass(frozen=True, slots=True)
class Market:
    """One instrument of one venue.

    Args:
        symbol: Name of the instrument, as the venue writes it.
        tick_size: Smallest step of price, in quote per base.
        lot_size: Smallest step of size, in base.
        quote_step: Smallest step of quote that the venue books; not looked at where money is base.
        contract: What a unit of size is.
    """

    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    quote_step: Decimal = Decimal("0.000001")
    contract: Contract = SPOT

    @property
    def quantum(self) -> Fraction:
        """The unit of money, in quote; of an inverse market in base.

        >>> Market("SOL/USDC", Decimal("0.01"), Decimal("0.001")).quantum
        Fraction(1, 1000000)
        """
        if self.contract.inverse:
            return COIN_STEP
        half = self._half_tick_lot
        step = Fraction(self.quote_step)
        return Fraction(
            gcd(half.numerator * step.denominator, step.numerator * half.denominator),
            half.denominator * step.denominator,
        )

    @property
    def half(self) -> int:
        """Quanta in half a tick times one lot; of an inverse market `divisor` times those in a lot at half a tick.

        >>> Market("SOL/USDC", Decimal("0.01"), Decimal("0.001")).half
        5
        """
        if self.contract.inverse:
            return self._quanta_at_half_a_tick.numerator
        return int(self._half_tick_lot / self.quantum)

    @property
    def divisor(self) -> int:
        """What the value of an inverse market's lot is divided by, beside the price; 0: the market is linear.

        >>> swap = Market("BTC-USD", Decimal("0.5"), Decimal(1), contract=Contract(Decimal(100), "inverse"))
        >>> swap.half, swap.divisor  # At 50,000, 200,000 half ticks, a contract is worth 0.002 coins.
        (40000000000, 1)
        """
        return self._quanta_at_half_a_tick.denominator if self.contract.inverse else 0

    @property
    def _half_tick_lot(self) -> Fraction:
        """Quote in half a tick times one lot."""
        return Fraction(self.tick_size) * Fraction(self.lot_size) * Fraction(self.contract.size) / 2

    @property
    def _quanta_at_half_a_tick(self) -> Fraction:
        """Quanta that a lot of an inverse market is worth at a price of half a tick."""
        return Fraction(self.lot_size) * Fraction(self.contract.size) * 2 / Fraction(self.tick_size) / COIN_STEP

    def lots(self, size: Decimal) -> Fraction:
        """Return `size` (base) in lots, exactly; a fraction where it does not lie on the grid.

        >>> Market("SOL/USDC", Decimal("0.01"), Decimal("0.001")).lots(Decimal("0.0025"))
        Fraction(5, 2)
        """
        return Fraction(size) / Fraction(self.lot_size)

    def quanta(self, money: Decimal) -> Fraction:
        """Return `money` (quote; base where inverse) in quanta, exactly; a fraction where the venue books no finer."""
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
