"""Events in: everything the world tells us, in the order we came to know it."""

from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple, Protocol

from numpy import int64
from numpy.typing import NDArray

from bmv.ports.messages import Event

Column = NDArray[int64]
UNSTAMPED = 0  # A slot or a time of arrival that nobody noted: no row is of slot 0, and none arrived in 1970.


class Columns(NamedTuple):
    """Rows of a tape, column by column, each `(n,)` int64, in the order of the file.

    `kind` is a :class:`~bmv.ports.messages.Kind` of 1 to 3. What a kind does not use is 0; a side of the book that
    is absent has price 0 and size 0; a size that was not recorded is `UNRECORDED`.
    """

    ts_ns: Column
    kind: Column
    side: Column
    price: Column
    size: Column
    bid: Column
    bid_size: Column
    ask: Column
    ask_size: Column


class Stamps(NamedTuple):
    """What a recorder knows of rows beside what they say, each `(n,)` int64; `UNSTAMPED` where it does not.

    Nothing is decided by them: a run reads `Columns` alone.

    Args:
        slot: The slot of the chain that a row is of.
        received_ns: When the row reached the recorder, by its own clock (nanoseconds UTC).
    """

    slot: Column
    received_ns: Column


class Tape(Protocol):
    """Market data that has already happened, whole rows of which every one is good."""

    def seed(self, history_ns: int) -> Columns:
        """Return the trades of the last `history_ns` before the first event, oldest first; called once, first."""
        ...

    def batches(self) -> Iterator[Columns]:
        """Yield the rows to be told, in order; times never go back, within a batch or between two."""
        ...


class Feed(Protocol):
    """Market data that is happening."""

    def events(self) -> AsyncIterator[Event]:
        """Yield events as they arrive; ends when the feed is closed."""
        ...
