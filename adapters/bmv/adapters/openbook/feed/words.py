"""What a market's feed says."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from bmv.adapters.openbook.book import Side
from bmv.adapters.solana.frames import Doubted as Doubted  # Both say of updates what they say of frames.
from bmv.adapters.solana.frames import Undone as Undone
from bmv.ports.market import PRICE_TICKS_MAX, SIZE_LOTS_MAX


def is_sane(price: int, size: int) -> bool:
    """Whether a level can be counted with: nobody means an order of more, and nothing here could keep it."""
    return price <= PRICE_TICKS_MAX and size <= SIZE_LOTS_MAX


Levels = tuple[tuple[int, int], ...]  # (price in ticks, size in lots), best first.


class Print(NamedTuple):
    """A maker's order met by a taker: price in ticks, size in lots."""

    taker: Side
    price: int
    size: int


class Traded(NamedTuple):
    """What was traded, as far as a version of the venue tells.

    Args:
        prints: Since the slot before, in order.
        quote: Native quote ever traded; only differences mean something.
        lost: Rises where something was lost for good: events that the venue overwrote before anybody read them, or what
            the chain took back though it was final. What was traded between two of different `lost` is unknown.
        events: Number of the next event, where the venue numbers them; else 0.
    """

    prints: tuple[Print, ...]
    quote: int
    lost: int = 0
    events: int = 0


class Cause(StrEnum):
    """Why a feed is down, or should not be relied on."""

    START = "start"  # It has not been up yet.
    CONNECTION = "connection"  # The endpoint can't be reached, or broke off.
    SILENT = "silent"  # It is connected and tells nothing, while another endpoint goes on.
    HALTED = "halted"  # Nor does the chain go on at another endpoint.
    STALE = "stale"  # Nothing is told, and no other endpoint could be asked.
    LAGGING = "lagging"  # It tells a past that another endpoint has left behind.
    WENT_BACK = "went back"  # Slot numbers were used again.
    ANOTHER_CHAIN = "another chain"  # The endpoint is of another chain than the one that was followed.
    RESTARTED = "restarted"  # The cluster restarted.
    PROGRAM = "program"  # The program was deployed anew.
    PEGGED = "pegged"  # Orders follow a price that can't be read; the feed goes on without them.
    UNREADABLE = "unreadable"  # What came in is no account, log or notification that can be.


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A market at the end of a slot, as one node had it before the slot was final.

    Args:
        slot: The slot, and the one that it follows; None if nobody told.
        fresh: Whether slots before it were not seen: `traded.prints` is empty then, and says nothing of them.
        unix_timestamp: What the chain's clock said to the slot's programs.
        received_ns: When the last of it came in.
        bids, asks: What could be matched.
        traded: What was traded in the slot, and ever.
    """

    slot: int
    parent: int | None
    fresh: bool
    unix_timestamp: int
    received_ns: int
    bids: Levels
    asks: Levels
    traded: Traded


class Late(NamedTuple):
    """What was traded in a slot whose update was told already."""

    slot: int
    prints: tuple[Print, ...]


class Up(NamedTuple):
    """The feed is up: `endpoint`, the rule of finality there, and the first slot that it knows of."""

    endpoint: str
    consensus: str
    slot: int


class Down(NamedTuple):
    """The feed is down; updates that are not final are taken back."""

    cause: Cause
    why: str


class Notice(NamedTuple):
    """What an operator should know; the feed goes on."""

    cause: Cause
    text: str


Word = Update | Late | Undone | Doubted | Up | Down | Notice
