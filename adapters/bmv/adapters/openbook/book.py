"""An order book as both versions show it: orders (level 3), levels (level 2), and the units of their numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from itertools import groupby

from solders.pubkey import Pubkey


class Side(IntEnum):
    """As both programs number it."""

    BID = 0
    ASK = 1


@dataclass(frozen=True, slots=True)
class RestingOrder:
    """One order of a book (level 3).

    Args:
        order_id: The venue's, unique in its market; both its key in the book and its place in the queue of its price.
        price_lots: Price, in ticks (quote lots a base lot).
        size_lots: What is left of it, in base lots.
        owner: The account at the venue (OpenOrders), not the wallet behind it.
        owner_slot: Its slot in that account.
        client_order_id: What its owner calls it; 0: nothing.
        own: Whether it is one of ours.
        expires: Unix second from which it can't be matched any more; None: never.
        pegged: Whether its price follows the oracle; `price_lots` is then what it was at the read.
    """

    order_id: int
    side: Side
    price_lots: int
    size_lots: int
    owner: Pubkey
    owner_slot: int
    client_order_id: int
    own: bool = False
    expires: int | None = None
    pegged: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """All orders at one price (level 2).

    Args:
        price_lots: Price, in ticks.
        size_lots: Sum of what is left of its orders, in base lots.
        orders: How many they are.
        own_lots: How much of `size_lots` is ours.
    """

    price_lots: int
    size_lots: int
    orders: int
    own_lots: int = 0


def to_levels(orders: Iterable[RestingOrder]) -> list[Level]:
    """Sum up `orders` of one side, sorted by price, price by price.

    >>> owner = Pubkey.default()
    >>> to_levels([RestingOrder(n, Side.BID, 15, 10 * n, owner, 0, 0, own=n == 2) for n in (1, 2)])
    [Level(price_lots=15, size_lots=30, orders=2, own_lots=20)]
    """
    levels = []
    for price, group in groupby(orders, key=lambda order: order.price_lots):
        at = list(group)
        own = sum(order.size_lots for order in at if order.own)
        levels.append(Level(price, sum(order.size_lots for order in at), len(at), own))
    return levels


@dataclass(frozen=True, slots=True)
class Lots:
    """The units of a market: what its whole numbers are in the units that people read, exactly.

    Args:
        base_lot: Native units of base in a lot.
        quote_lot: Native units of quote in a quote lot.
        base_decimals: Native units in one base are 10 to this.
        quote_decimals: Native units in one quote are 10 to this.
    """

    base_lot: int
    quote_lot: int
    base_decimals: int
    quote_decimals: int

    def __post_init__(self) -> None:
        if self.base_lot <= 0 or self.quote_lot <= 0:
            raise ValueError(f"lots must be above 0, not {self.base_lot} and {self.quote_lot}")

    @property
    def tick(self) -> Fraction:
        """Quote per base in one tick.

        >>> Lots(100_000_000, 100, 9, 6).tick  # SOL/USDC: a tick of a thousandth.
        Fraction(1, 1000)
        """
        return Fraction(self.quote_lot * 10**self.base_decimals, self.base_lot * 10**self.quote_decimals)

    @property
    def lot(self) -> Fraction:
        """Base in one lot."""
        return Fraction(self.base_lot, 10**self.base_decimals)

    def price(self, price_lots: int) -> Fraction:
        """Return `price_lots` in quote per base."""
        return price_lots * self.tick

    def size(self, size_lots: int) -> Fraction:
        """Return `size_lots` in base."""
        return size_lots * self.lot

    def price_lots(self, price: Fraction | Decimal | int) -> Fraction:
        """Return `price` (quote per base) in ticks, exactly; a fraction where it does not lie on the grid.

        >>> Lots(100_000_000, 100, 9, 6).price_lots(Decimal("150.0005"))
        Fraction(300001, 2)
        """
        return Fraction(price) / self.tick

    def size_lots(self, size: Fraction | Decimal | int) -> Fraction:
        """Return `size` (base) in lots, exactly; a fraction where it does not lie on the grid."""
        return Fraction(size) / self.lot

    def native_quote(self, price_lots: int, size_lots: int) -> int:
        """Return what `size_lots` cost at `price_lots`, in native units of quote, fees apart."""
        return price_lots * size_lots * self.quote_lot
