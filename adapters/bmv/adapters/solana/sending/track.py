"""What becomes of an attempt, by what nodes say: pure, so that every rule stands in one table of cases.

A node is asked for the newest final height and slot first, and for statuses after that. Of a node whose statuses are of
a slot before that final one nothing follows: it lags. Of one that is there, "not found" above the last valid height is
the end: what is not in that chain by then can never enter it. A node without a history knows 300 slots: a valid height
lasts 150 blocks, so it may be believed for a while after that, and no longer. Where no node's history reaches back,
look after look, the attempt is forgotten: over, and nobody knows how.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from bmv.adapters.solana.errors import Json
from bmv.adapters.solana.sending.attempt import Attempt, Fate, State
from bmv.adapters.solana.sending.blockhash import LIFE_BLOCKS

FINALIZED = "finalized"
REMEMBERED = 100  # Blocks behind the last valid height for which a node without history still knows what landed.
LOOKS = 20  # In which no node remembered, before an attempt is forgotten; each time another node is asked.


class Status(NamedTuple):
    """A transaction as a node sees it.

    Args:
        slot: Of its block.
        commitment: How firm that block is.
        error: Why it failed; None: it did not.
    """

    slot: int
    commitment: str
    error: Json


class Look(NamedTuple):
    """What one node knows, asked in this order.

    Args:
        final_height: Height of the newest final block.
        final_slot: Its slot.
        slot: The newest slot of the bank by which statuses were answered, after that.
        first: The oldest slot of the history that it looked through; None: it looked through the newest blocks only.
    """

    final_height: int
    final_slot: int
    slot: int
    first: int | None = 0

    @property
    def lags(self) -> bool:
        """Whether its statuses are older than what was asked before."""
        return self.slot < self.final_slot


@dataclass(slots=True)
class Track:
    """An attempt, and what is known of it.

    Args:
        attempt: The bytes.
        fate: What is known; an attempt of an earlier process begins as UNKNOWN.
        send: Whether to send it, or only to see what becomes of it.
        since: The oldest slot in which it may have landed; None: nobody was asked yet.
        dim: In how many looks a node found nothing whose history does not reach back to when it may have landed.
    """

    attempt: Attempt
    fate: Fate
    send: bool = True
    since: int | None = None
    dim: int = 0

    def __repr__(self) -> str:
        return f"<Track {self.fate.state} {self.attempt!r}>"

    def hear(self, look: Look, status: Status | None) -> bool:
        """Take in what a node says; return whether that is news.

        Whatever is not final may vanish again, and then the attempt is on its way as before.
        """
        if self.fate.ended or (status is None and look.lags):
            return False
        before = self.fate
        self.fate = self._missing(look) if status is None else self._found(status)
        return self.fate != before

    def _found(self, status: Status) -> Fate:
        if status.commitment != FINALIZED:
            state = State.LANDED
        else:
            state = State.FINALIZED if status.error is None else State.FAILED
        return replace(self.fate, state=state, slot=status.slot, error=status.error, commitment=status.commitment)

    def _missing(self, look: Look) -> Fate:
        over, since = look.final_height - self.attempt.last_height, self.landed_since(look)
        reaches = look.first is not None and look.first <= since
        state, slot = self.fate.state, None
        if over > 0 and (reaches or over <= REMEMBERED):
            state = State.EXPIRED
        elif over > 0 and self.dim >= LOOKS:
            state, slot = State.FORGOTTEN, look.final_slot
        elif self.fate.sent or state is State.UNKNOWN:
            state = State.SENT
        self.dim += over > 0
        return replace(self.fate, state=state, slot=slot, error=None, commitment="")

    def landed_since(self, look: Look) -> int:
        """Return the oldest slot in which it may have landed, by the first look at it."""
        if self.since is None:  # Of every two slots, one at least has a block.
            over = look.final_height - self.attempt.last_height
            self.since = max(look.final_slot - 2 * max(over + LIFE_BLOCKS, 0), 0)
        return self.since

    def is_missed(self, look: Look, status: Status | None) -> bool:
        """Whether a look says that it never landed, and can't any more."""
        return status is None and not look.lags and look.final_height > self.attempt.last_height

    def lose_sight(self) -> bool:
        """Note that no node can be asked; return whether that is news."""
        if self.fate.ended or self.fate.state is State.UNKNOWN:
            return False
        self.fate = replace(self.fate, state=State.UNKNOWN)
        return True

    def wants_sending(self, height: int) -> bool:
        """Whether to send it again: it is in no block, and a block of that height still takes it."""
        waits = self.fate.state in (State.COMMITTED, State.SENT, State.UNKNOWN)
        return self.send and waits and height <= self.attempt.last_height

    def note_sent(self, way: str) -> None:
        """Note that it was handed to a way."""
        state = State.SENT if self.fate.state is State.COMMITTED else self.fate.state
        self.fate = replace(self.fate, state=state, sent=self.fate.sent + 1).handing(way)
