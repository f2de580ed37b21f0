"""What is kept: the journal of a session, ticks as they are recorded, and what a run knows of its orders and money."""

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from bmv.ports.market_data import Columns, Stamps
from bmv.ports.messages import Event, Intent


class Journal(Protocol):
    """Append-only: every event and every intent, in the order the engine heard and said them."""

    def event(self, event: Event) -> None:
        """Called before the engine hears `event`."""
        ...

    def intent(self, intent: Intent) -> None:
        """Called before `intent` is submitted: no order without a kept intent."""
        ...


class Ticks(NamedTuple):
    """Rows of one market as one recorder wrote them, numbered one by one, so that each is kept exactly once.

    Args:
        market: `VENUE/SYMBOL`.
        source: Name of the recorder; a name has one writer at a time.
        epoch: Grows with every start of that recorder.
        first_seq: Number of the first row within the epoch; the rows after it have the numbers after it.
        columns: The rows, in ticks and lots; times never fall within an epoch.
        stamps: Of each row its slot and the time of its arrival; None: nobody knows any of them.
    """

    market: str
    source: str
    epoch: int
    first_seq: int
    columns: Columns
    stamps: Stamps | None = None


class Gap(NamedTuple):
    """A hole in the record of a market: rows are missing after `from_ns` and before `to_ns` (nanoseconds UTC).

    Market, recorder, both times and cause make a gap the one it is; how large it is may be learnt later.

    Args:
        market: `VENUE/SYMBOL`.
        source: Name of the recorder.
        why: What the hole comes from, in words.
        rows: So many rows are missing; None: nobody knows.
        quanta: So much quote was traded in them, in the market's quanta; None: nobody knows.
    """

    market: str
    source: str
    from_ns: int
    to_ns: int
    why: str
    rows: int | None = None
    quanta: int | None = None


class TickStore(Protocol):
    """Ticks that arrive are kept; recorders and readers of a live process call it, off the trading loop."""

    async def append(self, ticks: Ticks) -> None:
        """Keep `ticks`; when it returns they survive a crash. What was kept before, by number, is not kept twice.

        `StorageError` where the store can't be reached within its deadline: nothing or all of it was kept, and the
        same call again is right in either case.
        """
        ...

    async def note_gap(self, gap: Gap) -> None:
        """Keep that something is missing. The same gap twice is one; of its size what is known first stays.

        `DataError` where its end is not after its start, or its size is negative.
        """
        ...

    def read(self, market: str, from_ns: int, to_ns: int) -> AsyncIterator[Columns]:
        """Yield the rows of `[from_ns, to_ns)`, in order of time, then of their arrival, in batches of bounded size."""
        ...

    async def gaps(self, market: str, from_ns: int, to_ns: int) -> Sequence[Gap]:
        """Return the holes that touch `[from_ns, to_ns)`, oldest first."""
        ...


class Note(NamedTuple):
    """What a session's record should have beside events and intents: a configuration, a signature, a reason.

    Args:
        ts_ns: When it was written (nanoseconds UTC).
        topic: What it is about, one word.
        text: The note itself; never a secret.
    """

    ts_ns: int
    topic: str
    text: str


Word = Event | Intent | Note


class Head(NamedTuple):
    """How far a session is kept: `words` of it, the last of which has this `hash` (32 bytes)."""

    words: int
    hash: bytes


class SessionStore(Protocol):
    """The journals of live sessions at rest, word by word, each chained to the one before it by a hash.

    A driver keeps what it heard and is about to say, and says it when `append` has returned. Of two writers who both
    believe that a session is theirs one is refused at the first word in which they differ.
    """

    async def append(self, session: str, first: int, words: Sequence[Word]) -> Head:
        """Keep `words`, of which the first is number `first` of the session; when it returns they survive a crash.

        Words that are kept already, with the same numbers, are not kept twice, so that the same call again is right
        when nobody knows what became of the first. A session begins with its word 0. `Refused` where a number is kept
        with another word, or lies beyond the end: somebody else writes, or words are missing; nothing was kept then.
        `StorageError` where the store can't be reached within its deadline, or is full.
        """
        ...

    async def head(self, session: str) -> Head:
        """Return how far `session` is kept; no words and the hash that the chain begins with, if it is not known."""
        ...

    def read(self, session: str, first: int = 0) -> AsyncIterator[Sequence[Word]]:
        """Yield the words from number `first` on, in order, in batches of bounded size."""
        ...

    async def verify(self, session: str) -> Head:
        """Read the whole of `session` and return its head; `DataError` names the first word that the chain belies."""
        ...

    async def sessions(self) -> Sequence[str]:
        """Return the names of the sessions that have words, in order."""
        ...


class Run(NamedTuple):
    """One start of the program in a market, and the handle by which it writes.

    Args:
        id: Number of the run in its store.
        epoch: Grows with every start in the same market and mode; who has not the highest is stale.
        session: Name of its journal.
        mode: `paper` or `live`.
        market: `VENUE/SYMBOL`.
        code: Version and commit that ran.
        config_sha256: SHA-256 of its configuration, 32 bytes.
        started_ns: When it began (nanoseconds UTC).
        ended_ns: When it ended; None: it goes on, or nobody could say any more.
        exit_code: What it ended with.
    """

    id: int
    epoch: int
    session: str
    mode: str
    market: str
    code: str
    config_sha256: bytes
    started_ns: int
    ended_ns: int | None = None
    exit_code: int | None = None


class OrderState(StrEnum):
    """Where an order is on its way, which it goes once; the last four are ends."""

    INTENDED = "intended"  # Decided, and nobody outside knows.
    SENT = "sent"
    RESTING = "resting"
    UNKNOWN = "unknown"  # Sent, and nobody can tell yet; it counts as resting until somebody can.
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Order(NamedTuple):
    """An order of ours as it now is. What the chain says of it may be None: what was known before stays then.

    Args:
        run: The run that asked for it; whoever comes after it may tell how it went on.
        id: Our number of it, within that run.
        side: 1 bid, -1 ask.
        price: Ticks.
        size: Lots asked for.
        level: Level of the grid, 0 nearest; -1: not of the grid.
        tif: A `Tif`.
        decided_ns: Time of the event decided upon.
        state: Where it is on its way.
        filled: Lots traded so far.
        reason: A `Reason`, when it was rejected.
        accepted_ns: When it came to rest, the venue's time.
        done_ns: When it ended, the venue's time; None as long as it has not.
        client_id: Its number in what was sent, unsigned, 64 bits.
        venue_id: Its number at the venue, unsigned, 128 bits.
        slot: Where the chain said so last, unsigned, 64 bits.
    """

    run: int
    id: int
    side: int
    price: int
    size: int
    level: int
    tif: int
    decided_ns: int
    state: OrderState
    filled: int = 0
    reason: int = 0
    accepted_ns: int | None = None
    done_ns: int | None = None
    client_id: int | None = None
    venue_id: int | None = None
    slot: int | None = None


class Fill(NamedTuple):
    """A trade of an order of ours.

    Args:
        run: The run that asked for the order.
        order: Our number of the order.
        seq: Number of the fill within its order, from 0.
        venue_ns: When it happened at the venue.
        known_ns: When we learnt of it.
        price: Ticks.
        size: Lots.
        fee: Quanta of quote, positive when we pay.
        liquidity: A `Liquidity`.
        slot: Where it lies on the chain, unsigned, 64 bits.
        signature: Of the transaction that it lies in.
    """

    run: int
    order: int
    seq: int
    venue_ns: int
    known_ns: int
    price: int
    size: int
    fee: int
    liquidity: int
    slot: int | None = None
    signature: str | None = None


class Balance(NamedTuple):
    """What we hold of an asset, in its smallest unit (`raw`, unsigned, 64 bits), as of a slot of the chain."""

    ts_ns: int
    asset: str
    raw: int
    slot: int | None = None


class BreakerChange(NamedTuple):
    """The circuit breaker went to `tier` (`armed`, `warn`, `reduce` or `halt`); `peak` and `equity` in quanta."""

    ts_ns: int
    tier: str
    peak: int
    equity: int
    why: str


class OperatorCommand(NamedTuple):
    """What an operator said: `code` is a `Command`."""

    ts_ns: int
    operator: str
    code: int
    argument: str = ""


class Changes(NamedTuple):
    """What a run keeps at once: all of it or nothing.

    Args:
        number: Of the batch within the run, from 0, one by one.
        orders: Orders that are new or went on; of one order several steps, in order.
        fills: Trades; the order of each is kept, or stands in `orders`.
        balances: What we hold, where it was told.
        breaker: Changes of the breaker, in order.
        commands: What operators said, in order.
    """

    number: int
    orders: Sequence[Order] = ()
    fills: Sequence[Fill] = ()
    balances: Sequence[Balance] = ()
    breaker: Sequence[BreakerChange] = ()
    commands: Sequence[OperatorCommand] = ()


class RunStore(Protocol):
    """What live sessions know at a glance, without reading a journal: runs, orders, fills, balances, breaker, commands.

    One run of a market and mode writes: the newest. A process that was thought dead and goes on is refused, at every
    store, from the moment its successor has begun. The journal remains the truth; this is what is looked up.
    """

    async def begin(
        self, session: str, mode: str, market: str, code: str, config_sha256: bytes, started_ns: int
    ) -> Run:
        """Begin a run with the next epoch of its market and mode; every older run is stale when this returns.

        The same call again returns the same run. `Refused` where the session has had another run. `StorageError` as
        everywhere here: the store can't be reached within its deadline, or is full; the same call again is right.
        """
        ...

    async def keep(self, run: Run, changes: Changes) -> None:
        """Keep `changes`; when it returns they survive a crash.

        The batch that was kept last is not kept twice, so that the same call again is right when nobody knows what
        became of the first. `Refused`, and nothing kept: the run is stale or has ended, batches are missing, another
        batch is kept with that number, or an order would leave its way. `DataError` for what no column takes.
        """
        ...

    async def end(self, run: Run, ended_ns: int, exit_code: int) -> None:
        """Keep how `run` ended, stale or not; `Refused` where it has ended otherwise."""
        ...

    async def runs(self) -> Sequence[Run]:
        """Return all runs in the order of their starts."""
        ...

    async def open_orders(self, market: str, mode: str) -> Sequence[Order]:
        """Return the orders whose end nobody knows, of whichever run, by run and number: whoever starts has to ask."""
        ...

    def orders(self, run: Run) -> AsyncIterator[Sequence[Order]]:
        """Yield the orders that `run` asked for, by number, in batches of bounded size."""
        ...

    def fills(self, run: Run) -> AsyncIterator[Sequence[Fill]]:
        """Yield the trades of those orders, by order and number, in batches of bounded size."""
        ...

    async def balances(self, run: Run) -> Sequence[Balance]:
        """Return the last that `run` kept of each asset, by the asset's name."""
        ...

    async def breaker(self, market: str, mode: str) -> BreakerChange | None:
        """Return the last change of the breaker, of whichever run; None if there was none: it is armed."""
        ...

    async def commands(self, run: Run) -> Sequence[OperatorCommand]:
        """Return what operators said while `run` wrote, in order."""
        ...
