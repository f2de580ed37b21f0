"""A market followed over one connection to one node, without the connection: messages in, words out.

Whoever owns the connection hands over what comes in, asks now and then whether it is silent, reads the accounts when
they are wanted, and passes on what `take` gives. When anything here raises `Broken`, the connection is worth nothing
any more: what was told and is not final is taken back, and another connection begins anew.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import Protocol

from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.feed import words
from bmv.adapters.openbook.feed.sequence import Missed
from bmv.adapters.openbook.feed.words import Cause, Doubted, Levels, Print, Traded, Word
from bmv.adapters.solana import frames
from bmv.adapters.solana.accounts import Snapshot, read_account
from bmv.adapters.solana.clock import CLOCK, SLOWEST_SLOT_NS, read_unix_timestamp
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.frames import Frames, WentBack
from bmv.adapters.solana.lineage import Lineage
from bmv.adapters.solana.pubsub import Confirmed, Logs, Notified, RequestRefused, SlotSeen, read_logs, read_message

SLOT_TIMES = 64  # Of which the median counts.
SLOTS_AHEAD = 1_000  # Of the newest that the clock was told of; what is farther is no slot of this chain.
CLOCK_BACK_S, CLOCK_AHEAD_S = 60, 600  # How far the chain's clock may go between two slots that follow one another.


class Broken(EndpointError):
    """A connection can't be relied on any more.

    Args:
        cause: By name.
        why: In words.
        undone_from: The first slot that was final and is not any more, where that is why.
    """

    def __init__(self, cause: Cause, why: str, undone_from: int | None = None) -> None:
        super().__init__(why)
        self.cause, self.undone_from = cause, undone_from


class Venue(Protocol):
    """What a version of OpenBook reads from a market's accounts and logs."""

    keys: list[Pubkey]
    left_out: str  # Why orders that can be matched are not in the book, as a clause; "": none are left out.

    def book(self, accounts: Mapping[Pubkey, Account | None], now: int) -> tuple[Levels, Levels]:
        """Return bids and asks that can be matched at second `now` of the chain; Malformed where there is no book."""
        ...

    def traded(self, slot: int, accounts: Mapping[Pubkey, Account | None], logs: Iterable[Logs], fresh: bool) -> Traded:
        """Return what was traded since the last frame; where this one is `fresh`, slots between the two are missing."""
        ...

    def late(self, slot: int, logs: Logs) -> tuple[Print, ...]:
        """Return what was traded by a transaction of a slot that was told of already."""
        ...

    def missed(
        self, slot: int, accounts: Mapping[Pubkey, Account | None], traded: Traded, fresh: bool
    ) -> Missed | None:
        """Return of which slots something was never told, as the accounts show; None where nothing is missing."""
        ...

    def undo(self, after: int) -> None:
        """Forget what was read of slots after `after`."""
        ...

    def forget(self, before: int) -> None:
        """Forget what no fork can go back to."""
        ...

    def begin_anew(self) -> None:
        """Forget all: what was read, final or not, is not of this chain any more; what was lost can't be said."""
        ...


class Watched(Protocol):
    """An account of which nothing is read but that it changes."""

    def __call__(self, account: Account | None) -> None:
        """Raise Broken where the change means that nothing read before may be relied on."""
        ...


def give_up(venue: Venue, lineage: Lineage, undone_from: int | None = None) -> Doubted | None:
    """Take back what was read over a connection that is given up; return what was final and is not any more.

    Args:
        venue, lineage: Go back to the newest slot that is final, or begin anew.
        undone_from: The first slot that was final and is not any more; None: there is none.
    """
    root = lineage.root
    if undone_from is None:
        venue.undo(root)
        return None
    venue.begin_anew()
    lineage.begin_anew()
    return Doubted(undone_from - 1, max(undone_from, root), "the chain went back to before what was final")


class Follow:
    """Makes words of what one connection says.

    Args:
        venue: Reads the market.
        lineage: Links between slots, kept beyond the connection.
        watched: Other accounts that are subscribed to, and what to make of a change.
        logs_of: The account whose transactions' logs are subscribed to.
    """

    def __init__(self, venue: Venue, lineage: Lineage, watched: Mapping[Pubkey, Watched], logs_of: Pubkey) -> None:
        self.venue, self.lineage, self.watched, self.logs_of = venue, lineage, watched, logs_of
        self.frames = Frames(venue.keys, lineage)
        self.slot = 0  # The newest that the chain's clock was told of.
        self._words: deque[Word] = deque()
        self._requests: dict[int, Pubkey | str] = {}  # By number of the request: what was subscribed to.
        self._subscribed: dict[int, Pubkey | str] = {}
        self._left_out = False
        self._second: int | None = None  # What the chain's clock said last.
        self._heard_ns: int | None = None  # When the clock was last told of a new slot.
        self._slot_times: deque[float] = deque(maxlen=SLOT_TIMES)

    @property
    def slot_ns(self) -> int:
        """How long a slot takes, by the last of them."""
        return int(median(self._slot_times)) if self._slot_times else SLOWEST_SLOT_NS

    @property
    def heard_ns(self) -> int | None:
        """When a new slot was last heard of; None: never."""
        return self._heard_ns

    @property
    def confirmed(self) -> bool:
        """Whether the node took every subscription."""
        return bool(self._subscribed) and not self._requests

    @property
    def wants_snapshot(self) -> bool:
        """Whether the accounts should be read at once."""
        return self.frames.wants_snapshot

    def ask(self, request: int, target: Pubkey | str) -> None:
        """Note that a subscription was asked for: to an account, or to "slot" or "logs"."""
        self._requests[request] = target

    def take(self) -> Iterator[Word]:
        """Yield what was made since the last call, in order."""
        self._work()
        while self._words:
            yield self._words.popleft()

    def hear(self, text: str | bytes, now_ns: int) -> None:
        """Take in a message; Broken where it can't be one, or says that what was told before is void."""
        try:
            message = read_message(text)
            if isinstance(message, Confirmed):
                self._subscribed[message.subscription] = self._requests.pop(message.request, "")
            elif isinstance(message, RequestRefused):
                raise Broken(Cause.CONNECTION, f"the node refuses a subscription: {message.message}")
            elif isinstance(message, SlotSeen):
                self._refuse_far(message.slot)
                self.frames.slot(message.slot, message.parent, message.root)
            elif isinstance(message, Notified):
                self._notified(message, now_ns)
        except ValueError as error:
            raise Broken(Cause.UNREADABLE, f"the node sends what can't be read: {error}") from None
        except WentBack as error:
            raise Broken(Cause.WENT_BACK, str(error), error.undone_from) from None

    def read(self, snapshot: Snapshot) -> None:
        """Take in the accounts as they were read."""
        self.frames.snapshot(snapshot)

    def note_root(self, root: int) -> None:
        """Take in the newest slot that is final."""
        self.lineage.note_root(root)

    def _notified(self, message: Notified, now_ns: int) -> None:
        self._refuse_far(message.slot)
        target = self._subscribed.get(message.subscription)
        if target == "logs":
            self.frames.logs(message.slot, read_logs(message.value), now_ns)
        elif isinstance(target, Pubkey):
            account = read_account(message.value)
            if target in self.watched:
                self.watched[target](account)
                return
            if target == CLOCK:
                self._beat(message.slot, now_ns)
            self.frames.account(target, message.slot, account, now_ns)

    def _refuse_far(self, slot: int) -> None:
        """Refuse a slot that can't be of this chain: a root that was believed once never goes back."""
        if self.slot and slot > self.slot + SLOTS_AHEAD:
            raise ValueError(f"slot {slot}, and the chain's clock is at {self.slot}")

    def _beat(self, slot: int, now_ns: int) -> None:
        """Measure how long slots take."""
        if slot <= self.slot:
            return
        if self._heard_ns is not None:
            self._slot_times.append((now_ns - self._heard_ns) / (slot - self.slot))
        self.slot, self._heard_ns = slot, now_ns

    def _work(self) -> None:
        for made in self.frames.take():
            if isinstance(made, frames.Frame):
                self._tell(made)
            elif isinstance(made, frames.Undone):
                self.venue.undo(made.after)
                self._words.append(made)
            elif isinstance(made, frames.Doubted):
                self._words.append(made)
            elif prints := self.venue.late(made.slot, made.logs):
                self._words.append(words.Late(made.slot, prints))

    def _check_clock(self, second: int) -> None:
        """Refuse a time that can't follow the last: one bogus second would put rows into another century."""
        last, self._second = self._second, second
        if last is not None and not -CLOCK_BACK_S <= second - last <= CLOCK_AHEAD_S:
            raise ValueError(f"the chain's clock says second {second}, and said {last} before")

    def _tell(self, frame: frames.Frame) -> None:
        clock = frame.accounts[CLOCK]
        try:
            if clock is None:
                raise ValueError("there is no clock")
            now = read_unix_timestamp(clock)
            self._check_clock(now)
            bids, asks = self.venue.book(frame.accounts, now)
            traded = self.venue.traded(frame.slot, frame.accounts, frame.logs, frame.fresh)
            missed = self.venue.missed(frame.slot, frame.accounts, traded, frame.fresh)
        except (ValueError, Malformed) as error:
            raise Broken(Cause.UNREADABLE, f"slot {frame.slot}: {error}") from None
        self.venue.forget(self.lineage.root)
        doubted = [] if missed is None else [Doubted(missed.after, missed.until, "a notification was lost")]
        if missed is not None and missed.book:
            self._words += doubted
            self.frames.distrust(self.slot)
            return
        if bids and asks and bids[0][0] >= asks[0][0]:
            why = f"slot {frame.slot}: bids at {bids[0][0]} and asks at {asks[0][0]} can't both stand"
            raise Broken(Cause.UNREADABLE, why)
        self._words.append(
            words.Update(
                slot=frame.slot,
                parent=frame.parent,
                fresh=frame.fresh,
                unix_timestamp=now,
                received_ns=frame.received_ns,
                bids=bids,
                asks=asks,
                traded=traded._replace(prints=()) if frame.fresh else traded,
            )
        )
        self._words += doubted
        self._note_left_out()

    def _note_left_out(self) -> None:
        """Say, when it begins, that orders are missing in the book."""
        why, before = self.venue.left_out, self._left_out
        self._left_out = bool(why)
        if why and not before:
            self._words.append(words.Notice(Cause.PEGGED, f"pegged orders are not in the book: {why}"))
