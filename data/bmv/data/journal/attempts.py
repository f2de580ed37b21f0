"""What a journal keeps of transactions: each attempt before it is sent, and what became of it, as notes.

Whoever starts after a crash reads here which signed bytes may still land, and what they carry.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from bmv.ports.errors import DataError
from bmv.ports.storage import Note, Word

ATTEMPT, FATE = "attempt", "fate"  # Topics.
NUMBER = 0xFFFFFFFF  # Of an order within its session, in the number that a venue knows it by; above it the epoch.
ENDS = frozenset({"finalized", "failed", "expired", "forgotten"})
UNREADABLE = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
)  # Of JSON that is not ours.


@dataclass(frozen=True, slots=True)
class Attempted:
    """Signed bytes, and what they are to do.

    Args:
        signature: In base58.
        transaction: The bytes.
        last_height: The last block height at which they are valid.
        ways: Where they are sent, as it may be shown.
        epoch: Of the writer.
        urgent: Whether they only cancel.
        places: Of each order that they place, its number and the client id that it gets.
        cancels: Numbers of the orders that they cancel.
        lamports: The most that they can cost.
        tip: How many of those are a tip.
        tip_route: Whom the tip is for.
        priority: How many of those are paid for priority.
        units: Compute units asked for.
        purpose: What they are for, in a word.
        slot: The newest that was known when they were kept; 0: none was.
        next_tip: Lamports of the next higher tip, one step of the percentiles of what others tip; 0: there was none.
    """

    signature: str
    transaction: bytes
    last_height: int
    ways: tuple[str, ...]
    epoch: int
    urgent: bool
    places: tuple[tuple[int, int], ...]
    cancels: tuple[int, ...]
    lamports: int
    tip: int = 0
    tip_route: str = ""
    priority: int = 0
    units: int = 0
    purpose: str = ""
    slot: int = 0
    next_tip: int = 0

    def note(self, ts_ns: int) -> Note:
        """Return it as it is kept."""
        row = asdict(self) | {"transaction": b64encode(self.transaction).decode()}
        return Note(ts_ns, ATTEMPT, json.dumps(row, separators=(",", ":")))


class Fated(NamedTuple):
    """What was known of an attempt.

    Args:
        signature: Whose.
        state: A word such as "landed"; those of `ENDS` are final.
        more: What else was kept, by name: slot, commitment, error, how often it was sent, who refused it.
    """

    signature: str
    state: str
    more: dict[str, Any]  # Any: JSON.

    @property
    def failed(self) -> bool:
        """Whether it did nothing, in a block that was confirmed at least."""
        return "error" in self.more and self.more.get("commitment") != "processed"

    def note(self, ts_ns: int) -> Note:
        """Return it as it is kept."""
        row = {"signature": self.signature, "state": self.state, **self.more}
        return Note(ts_ns, FATE, json.dumps(row, separators=(",", ":")))


def read_attempt(note: Note) -> Attempted:
    """Return the attempt of a note; `DataError` where it is none."""
    try:
        row = json.loads(note.text)
        return Attempted(
            signature=_text(row["signature"]),
            transaction=b64decode(row["transaction"], validate=True),
            last_height=int(row["last_height"]),
            ways=tuple(_text(way) for way in row["ways"]),
            epoch=int(row["epoch"]),
            urgent=bool(row["urgent"]),
            places=tuple((int(number), int(client_id)) for number, client_id in row["places"]),
            cancels=tuple(int(number) for number in row["cancels"]),
            lamports=int(row["lamports"]),
            tip=int(row["tip"]),
            tip_route=_text(row["tip_route"]),
            priority=int(row["priority"]),
            units=int(row["units"]),
            purpose=_text(row["purpose"]),
            slot=int(row["slot"]),
            next_tip=int(row["next_tip"]),
        )
    except UNREADABLE as error:
        raise DataError(f"no attempt of a journal: {note.text[:80]} ({error})") from None


def read_fate(note: Note) -> Fated:
    """Return the fate of a note; `DataError` where it is none."""
    try:
        row = json.loads(note.text)
        return Fated(_text(row.pop("signature")), _text(row.pop("state")), row)
    except UNREADABLE as error:
        raise DataError(f"no fate of a journal: {note.text[:80]} ({error})") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, found {value!r:.40}")
    return value


class Told(NamedTuple):
    """Attempts as a journal leaves them.

    Args:
        attempts: All, by signature, in order.
        fates: The last of each that has one, by signature.
    """

    attempts: dict[str, Attempted]
    fates: dict[str, Fated]

    @property
    def alive(self) -> list[Attempted]:
        """Those whose end is not known: they may land, or have landed."""
        return [
            attempt
            for signature, attempt in self.attempts.items()
            if signature not in self.fates or self.fates[signature].state not in ENDS
        ]


def attempts_of(words: Iterable[Word]) -> Told:
    """Return what the words of a journal say of attempts."""
    told = Told({}, {})
    for word in words:
        if isinstance(word, Note) and word.topic == ATTEMPT:
            attempt = read_attempt(word)
            told.attempts[attempt.signature] = attempt
        elif isinstance(word, Note) and word.topic == FATE:
            fate = read_fate(word)
            told.fates[fate.signature] = fate
    return told
