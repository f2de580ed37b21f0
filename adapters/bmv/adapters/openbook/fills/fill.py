"""A fill of ours, and what it moves: the words that both versions share."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from bmv.adapters.openbook.book import Lots, Side
from bmv.adapters.solana.pubsub import Logs


class OwnFill(NamedTuple):
    """One match that an order of ours was part of. Money is native quote.

    Slot, seq, nth and maker together name it: no two fills of ours on one market have them alike.

    Args:
        slot: In which it happened; where it was seen on queue or heap, at the latest.
        seq: The venue's own number of it. Version 1: of the event. Version 2: of the heap (v1.7), where fills that were
            settled at once share the number of the next that is not; or of the taker's order (master).
        nth: Which of our fills with this number it is, from 0.
        order_id: The venue's; 0: unknown, as a taker's is on version 2.
        client_id: What we called the order.
        side: Ours.
        price: In ticks, at which it was traded; never a taker's limit.
        size: In lots.
        fee: What the venue books for it: positive, we pay; negative, a rebate.
        share: What of that fee is paid to our referrer at the next settlement, which is us if we name ourselves.
        maker: Whether our order rested.
        out: Whether our order ended with it, as far as the source says.
    """

    slot: int
    seq: int
    nth: int
    order_id: int
    client_id: int
    side: Side
    price: int
    size: int
    fee: int
    share: int
    maker: bool
    out: bool


class Read(NamedTuple):
    """What one look came to.

    Args:
        fills: Those of ours that were not told before, in order.
        missed: What could not be seen: on version 1 events that were overwritten, on version 2 transactions whose logs
            are not whole. There may have been fills of ours among them; `check` knows.
    """

    fills: tuple[OwnFill, ...]
    missed: int


class Logged(NamedTuple):
    """What a transaction logged, and in which slot."""

    slot: int
    logs: Logs


@dataclass(frozen=True, slots=True)
class Flow:
    """What fills move, in native units, to us or (below 0) away.

    Args:
        base: Base.
        quote: Quote, after fees and rebates.
        share: Quote that comes on top at settlement, if our own quote wallet is named as the referrer.
    """

    base: int = 0
    quote: int = 0
    share: int = 0

    def __add__(self, other: "Flow") -> "Flow":
        """Return what both move."""
        return Flow(self.base + other.base, self.quote + other.quote, self.share + other.share)


def flow_of(fills: Iterable[OwnFill], lots: Lots) -> Flow:
    """Return what fills move in all.

    >>> fill = OwnFill(1, 1, 0, 0, 7, Side.BID, 150, 3, -2, 0, maker=True, out=False)
    >>> flow_of([fill, fill._replace(side=Side.ASK)], Lots(1000, 10, 9, 6))
    Flow(base=0, quote=4, share=0)
    """
    return sum((_flow(fill, lots) for fill in fills), Flow())


def _flow(fill: OwnFill, lots: Lots) -> Flow:
    sign = 1 if fill.side is Side.BID else -1
    return Flow(
        sign * fill.size * lots.base_lot, -sign * lots.native_quote(fill.price, fill.size) - fill.fee, fill.share
    )
