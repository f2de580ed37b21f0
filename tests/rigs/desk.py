"""What the venue's contract asks of a market to try it on: two traders, a book, a crank. Each version has its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bmv.adapters.openbook.book import RestingOrder, Side
from bmv.ports.venue import Capabilities

MAKER, TAKER = 0, 1


@dataclass(frozen=True)
class Ask:
    """An order that is asked for.

    Args:
        expiry: In the venue's unit; None: none.
    """

    side: Side
    price_lots: int
    size_lots: int
    client_order_id: int = 0
    post_only: bool = True
    expiry: int | None = None


class Desk(Protocol):
    """A market with two traders. What fails is returned, as words; None: it worked."""

    capabilities: Capabilities
    now: int  # In the venue's unit of time.

    def place(self, trader: int, order: Ask) -> str | None: ...
    def replace(self, trader: int, orders: Sequence[Ask]) -> str | None: ...
    def cancel(self, trader: int, client_order_ids: Sequence[int]) -> str | None: ...
    def crank(self, traders: Sequence[int] = (MAKER, TAKER)) -> int: ...
    def free_slots(self, trader: int) -> int: ...
    def orders(self, trader: int) -> list[RestingOrder]: ...
    def wallets(self, trader: int) -> tuple[int, int]: ...
    def base_total(self, trader: int) -> int: ...
