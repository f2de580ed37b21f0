"""What makers and takers do on a market of either version."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Lots, RestingOrder, Side
from bmv.adapters.sandbox.wallets import Trader

BASE_DECIMALS, QUOTE_DECIMALS = 9, 6
MAKER_FEE_BPS, TAKER_FEE_BPS = -2, 4  # OpenBook v1's, and what v2's market is made with.


class Order(NamedTuple):
    """An order to place: price in ticks, size in lots."""

    side: Side
    price: int
    size: int


class Market(Protocol):
    """A market, and the instructions of those who trade on it. Nothing here is sent.

    The sandbox's flow of orders calls it once a slot, and reads the chain as it is then: a fork needs no repair.
    """

    @property
    def address(self) -> Pubkey:
        """Address of the market's account."""
        ...

    @property
    def lots(self) -> Lots:
        """Units of prices and sizes."""
        ...

    @property
    def sides(self) -> frozenset[Pubkey]:
        """Accounts of the two sides of the book, which all who trade here write to."""
        ...

    def account_of(self, trader: Trader) -> Pubkey:
        """Return the address of a trader's account here."""
        ...

    def accounts_of(self, trader: Trader) -> tuple[Sequence[Keypair], Sequence[Instruction]]:
        """Return what opens a trader's account here, and who else signs for it."""
        ...

    def book(self, side: Side) -> list[RestingOrder]:
        """Return the orders of a side as the chain has them now, best first."""
        ...

    def requote(self, trader: Trader, orders: Sequence[Order], number: int) -> Sequence[Instruction]:
        """Return what replaces all orders of a maker; `number` is never used twice."""
        ...

    def take(self, trader: Trader, order: Order, number: int, direct: bool) -> Sequence[Instruction]:
        """Return what takes from the book at once, and never rests.

        Args:
            trader: Who takes.
            order: His limit and size.
            number: Never used twice.
            direct: Whether to pass the makers' accounts, where a version knows that.
        """
        ...

    def settle(self, trader: Trader) -> Sequence[Instruction]:
        """Return what pays out what is free in a trader's account here."""
        ...

    def crank(self) -> Sequence[Instruction]:
        """Return what settles the oldest fills; nothing where there are none."""
        ...
