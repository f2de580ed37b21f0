"""Accounts put together slot by slot, from notifications that come late, twice, out of order, or not at all.

The rules, each against something that nodes do:

* What an account was is kept by slot. A lower slot never overwrites a higher one, and what is told again of the same
  slot does.
* The chain's clock changes in every bank, so it is watched beside the accounts: when it is told for a later slot, what
  was told of the slot before is whole, and becomes a frame. Accounts of two slots are never mixed.
* A slot whose parent is not the slot before took its place: what came between them is undone, and the accounts are
  again what they were at the parent.
* A notification that is lost leaves no trace. So accounts are read now and then, and where what is read is not what
  was told, all frames since the last reading that agreed are in doubt.

Without I/O: what came in goes into `account`, `logs`, `slot` and `snapshot`; what it makes comes out of `take`. Source:
agave `rpc/src/rpc_subscriptions.rs`.
"""

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.solana.accounts import Snapshot
from bmv.adapters.solana.clock import CLOCK
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.lineage import Lineage
from bmv.adapters.solana.pubsub import Logs

STATES_KEPT = 256  # Of one account; more unfinished slots than that are no chain that lives.
SLOTS_REMEMBERED = 64  # For how many slots that are final a message that comes twice is known.
LOWER_SLOTS = 3  # Clocks in a row that rise from a slot seen before: no message held back, but the chain itself.


class Frame(NamedTuple):
    """The accounts at the end of a slot, and what transactions logged in it.

    Args:
        parent: The slot that it follows; None if nobody told.
        fresh: Whether slots before it were not seen, so that nothing may be said of what happened since the last frame.
        received_ns: When the last of it came in.
    """

    slot: int
    parent: int | None
    fresh: bool
    accounts: Mapping[Pubkey, Account | None]
    logs: tuple[Logs, ...]
    received_ns: int


class Undone(NamedTuple):
    """Frames of slots after `after` are of a fork that is given up."""

    after: int
    why: str


class Doubted(NamedTuple):
    """Something was not told of a slot after `after` and up to `until`: frames of these may be wrong or too few."""

    after: int
    until: int
    why: str


class LateLogs(NamedTuple):
    """Logs of a slot whose frame was taken already."""

    slot: int
    logs: Logs


Made = Frame | Undone | Doubted | LateLogs


class WentBack(EndpointError):
    """Slot numbers that were used before are used again.

    Args:
        why: In words.
        undone_from: The first of them, where that slot was final; None: what was final stays.
    """

    def __init__(self, why: str, undone_from: int | None) -> None:
        super().__init__(why)
        self.undone_from = undone_from


class _State(NamedTuple):
    slot: int
    account: Account | None
    read: bool  # By a snapshot; else it was notified.


class Frames:
    """Makes frames of what one connection tells.

    Args:
        keys: The accounts, the chain's clock not among them.
        lineage: Links between slots; kept beyond the connection by its owner.
    """

    def __init__(self, keys: Sequence[Pubkey], lineage: Lineage) -> None:
        self.keys = (*keys, CLOCK)
        self.lineage = lineage
        self.open: int | None = None  # The newest slot that the clock was told of.
        self.wants_snapshot = True
        self._states: dict[Pubkey, list[_State]] = {key: [] for key in self.keys}
        self._logs: dict[int, list[Logs]] = {}
        self._told: dict[int, set[str]] = {}  # Signatures by slot.
        self._made: deque[Made] = deque()
        self._taken: int | None = None  # Slot of the newest frame.
        self._fresh = True
        self._trusted = 0  # No frame is made of an earlier slot,
        self._distrusted = False  # nor of any before the accounts were read in that slot or later.
        self._agreed = 0  # Slot of the last snapshot that agreed with what was told.
        self._unchecked: list[int] = []  # Slots of snapshots that may yet disagree.
        self._undone: deque[tuple[int, int]] = deque(maxlen=64)  # After which slot, before which.
        self._lower: list[int] = []
        self._root = 0  # The newest final slot when the open one began; of a chain that went back it rises again.
        self._received_ns = 0

    def take(self) -> Iterator[Made]:
        """Yield what was made since the last call, in order."""
        while self._made:
            yield self._made.popleft()

    def slot(self, slot: int, parent: int, root: int) -> None:
        """Take in which slot follows which, and which is final."""
        self.lineage.note(slot, parent)
        self.lineage.note_root(root)
        if self._taken is not None and parent < self._taken < slot == self.open:
            self._undo(parent, slot)  # Its clock came first, and ended a slot of the other fork.

    def account(self, key: Pubkey, slot: int, account: Account | None, received_ns: int) -> None:
        """Take in an account at the end of `slot`; that of the clock may finish a frame, or tell that it `WentBack`."""
        self._received_ns = received_ns
        if key == CLOCK:
            self._tick(slot, account)
        elif not self._is_undone(slot) or not self._is_known(key, slot):
            self._put(key, _State(slot, account, read=False))

    def logs(self, slot: int, logs: Logs, received_ns: int) -> None:
        """Take in what a transaction of `slot` logged; told twice it counts once."""
        self._received_ns = received_ns
        told = self._told.setdefault(slot, set())
        if logs.signature in told:
            return
        told.add(logs.signature)
        if self._taken is not None and slot <= self._taken:
            self._made.append(LateLogs(slot, logs))
        else:
            self._logs.setdefault(slot, []).append(logs)

    def snapshot(self, snapshot: Snapshot) -> None:
        """Take in the accounts as they were read together."""
        if self._is_undone(snapshot.slot):
            return
        if self._distrusted and snapshot.slot >= self._trusted:
            self._trusted, self._distrusted = snapshot.slot, False
        self.wants_snapshot = self._distrusted
        for key in self.keys:
            if key != CLOCK:
                self._put_read(key, snapshot.slot, snapshot.accounts[key])
        insort(self._unchecked, snapshot.slot)

    def distrust(self, slot: int) -> None:
        """Make no frame until the accounts were read in `slot` or later: what was told of them is known to be wrong."""
        self._trusted = max(self._trusted, slot)
        self._distrusted = self.wants_snapshot = self._fresh = True

    def _put_read(self, key: Pubkey, slot: int, account: Account | None) -> None:
        states = self._states[key]
        place = bisect_right(states, slot, key=_slot_of)
        if place and states[place - 1].slot == slot:
            return  # It was notified at the end of that slot, and read perhaps in the middle.
        if place and states[place - 1].account == account:
            account = states[place - 1].account  # The same object, so that whoever decoded it need not again.
        states.insert(place, _State(slot, account, read=True))

    def _put(self, key: Pubkey, state: _State) -> None:
        states = self._states[key]
        place = bisect_right(states, state.slot, key=_slot_of)
        if place and states[place - 1].slot == state.slot:
            changed = states[place - 1].account != state.account
            states[place - 1] = state
        else:
            changed = not place or states[place - 1].account != state.account
            states.insert(place, state)
            del states[: max(len(states) - STATES_KEPT, 0)]
        if changed and self._taken is not None and state.slot <= self._taken:
            self._doubt(state.slot - 1, self._taken, "a notification came after its slot was over")

    def _tick(self, slot: int, account: Account | None) -> None:
        if self.open is not None and slot <= self.open:
            self._look_back(slot)
            return
        self._lower.clear()
        if self.open is not None:
            self._finish(self.open, slot)
        self.open, self._root = slot, self.lineage.root
        self._put(CLOCK, _State(slot, account, read=False))

    def _look_back(self, slot: int) -> None:
        """Tell a message that was held back, or came twice, from a chain that uses its numbers again."""
        if self._lower and slot <= self._lower[-1]:
            self._lower.clear()
        if slot != self.open:
            self._lower.append(slot)
        if len(self._lower) >= LOWER_SLOTS:
            first = self._lower[0]
            why = f"the chain went back: from slot {self.open} to {first}"
            raise WentBack(why, first if first <= self._root else None)

    def _finish(self, slot: int, following: int) -> None:
        """End a slot, since `following` has begun."""
        parent = self.lineage.parent(following)
        if parent is not None and parent < slot:
            self._undo(parent, following)
            return
        self._check(slot)
        trusted = slot >= self._trusted and not self._distrusted
        if trusted and all(self._state(key, slot) for key in self.keys):
            self._make(slot)
        else:
            self.wants_snapshot = self._fresh = True
        if following > slot + 1 and parent != slot:
            self._fresh = self.wants_snapshot = True

    def _make(self, slot: int) -> None:
        accounts = {key: state.account for key in self.keys if (state := self._state(key, slot))}
        logs = tuple(self._logs.pop(slot, ()))
        parent = self.lineage.parent(slot)
        if parent is None and self._taken == slot - 1:
            parent = self._taken
        self._made.append(Frame(slot, parent, self._fresh, accounts, logs, self._received_ns))
        for missed in [other for other in self._logs if other < slot]:
            del self._logs[missed]
        self._taken, self._fresh = slot, False
        self._forget()

    def _check(self, slot: int) -> None:
        """Compare the snapshots up to `slot` with what was told: all that was to be told of these has come."""
        while self._unchecked and self._unchecked[0] <= slot:
            read = self._unchecked.pop(0)
            if any(self._differs(key, read) for key in self.keys if key != CLOCK):
                self._doubt(self._agreed, read, "a notification was lost")
                self._fresh = True
            self._agreed = read - 1  # The slot itself may have gone on after it was read.

    def _differs(self, key: Pubkey, slot: int) -> bool:
        """Whether an account was read in `slot` as it had never been told."""
        states = self._states[key]
        place = bisect_right(states, slot, key=_slot_of) - 1
        if place < 1 or states[place].slot != slot or not states[place].read:
            return False
        return states[place].account != states[place - 1].account

    def _undo(self, parent: int, following: int) -> None:
        self._undone.append((parent, following))
        for states in self._states.values():
            states[:] = [state for state in states if not parent < state.slot < following]
        for by_slot in (self._logs, self._told):
            for slot in [slot for slot in by_slot if parent < slot < following]:
                del by_slot[slot]
        self._unchecked = [slot for slot in self._unchecked if not parent < slot < following]
        self._agreed = min(self._agreed, parent)
        if self._taken is not None and self._taken > parent:
            self._made.append(Undone(parent, "a fork"))
            self._taken = parent
        self.wants_snapshot = True

    def _doubt(self, after: int, until: int, why: str) -> None:
        self._made.append(Doubted(after, until, why))
        self.wants_snapshot = True

    def _is_undone(self, slot: int) -> bool:
        return any(after < slot < before for after, before in self._undone)

    def _is_known(self, key: Pubkey, slot: int) -> bool:
        states = self._states[key]
        return bool(states) and states[-1].slot > slot

    def _state(self, key: Pubkey, slot: int) -> _State | None:
        """Return what an account was at the end of `slot`, None if that was never told."""
        states = self._states[key]
        place = bisect_right(states, slot, key=_slot_of)
        return states[place - 1] if place else None

    def _forget(self) -> None:
        """Drop what no fork and no snapshot can ask for any more: all before the newest that is final."""
        for states in self._states.values():
            place = bisect_right(states, self.lineage.root, key=_slot_of)
            del states[: max(place - 2, 0)]
        for slot in [slot for slot in self._told if slot < self.lineage.root - SLOTS_REMEMBERED]:
            del self._told[slot]


def _slot_of(state: _State) -> int:
    return state.slot
