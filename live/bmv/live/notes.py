"""What a session's journal says beside events and intents: how its engine began, and what changed it meanwhile.

Together with the events they are all that the decisions came from: told again, in order, the same engine says the same.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from bmv.core.standing import Standing
from bmv.data.journal.legacy import LEGACY_FILL, LegacyFill, read_legacy_fill
from bmv.ports.errors import DataError
from bmv.ports.messages import Event
from bmv.ports.storage import Note, Word

OPENING = "opening"  # How the session began.
SEED = "seed"  # Trades from before it, which the pivot knows.
SETTING = "set"  # A key of the configuration that changed.
CLOSED = "closed"  # From here on nothing is asked for.
STANDING = "standing"  # How the breaker stands: what the next session goes on from.
HOLDING = "holding"  # What the engine knows that is held: what the chain must say.
ACCOUNT = "account"  # Ours at the venue, of which fills and holdings are told.
CHAIN = "chain"  # When its cluster restarted last, by its slot.
ACCEPTED = "accepted"  # An operator said that the chain is right where the journal said otherwise.
GUARD = "guard"  # What stood in front of the wire.
COMMANDED = "commanded"  # Whose word a command was.
RECEIPT = "receipt"  # How the session ended.

FORMAT = 1
SEEDS = 1_000  # Trades in a note.


@dataclass(frozen=True, slots=True)
class Opening:
    """How a session began.

    Args:
        mode: `paper` or `live`.
        market: `VENUE/SYMBOL`.
        code: Version of the program.
        config: The resolved configuration, as TOML without secrets.
        strategy: What tells a user's strategy from others; None: the pivot grid.
        standing: How the breaker of the session before stood; None: it began anew.
        rows: Where the market's rows came from: `feed`, or the paths of a tape.
    """

    mode: str
    market: str
    code: str
    config: str
    strategy: Mapping[str, Any] | None = None  # Any: it is JSON.
    standing: Standing | None = None
    rows: str = "feed"

    def note(self, ts_ns: int) -> Note:
        """Return it as it is kept."""
        row = asdict(self) | {"format": FORMAT, "standing": self.standing and list(self.standing)}
        return Note(ts_ns, OPENING, _text(row))


def read_opening(words: Iterable[Word]) -> Opening:
    """Return how a session began; `DataError` where its words do not say so, or another version wrote them."""
    for word in words:
        if isinstance(word, Event):
            break
        if isinstance(word, Note) and word.topic == OPENING:
            return _opening(word)
    raise DataError("the session does not say how it began: a process was killed first, or something else wrote it")


def _opening(note: Note) -> Opening:
    row = _row(note)
    if row.pop("format", None) != FORMAT:
        raise DataError(f"the session was written in another format than {FORMAT}: another version of bmv wrote it")
    try:
        standing = row.pop("standing")
        return Opening(**row, standing=None if standing is None else Standing(*map(int, standing)))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the opening of a session can't be read: {error}") from None


def seed_notes(ts_ns: int, trades: Iterable[tuple[int, int, int]]) -> Iterator[Note]:
    """Yield the notes of trades (time in ns, price in ticks, size in lots) that were known before the first event."""
    page = list[tuple[int, int, int]]()
    for trade in trades:
        page.append(trade)
        if len(page) == SEEDS:
            yield Note(ts_ns, SEED, _text(page))
            page = []
    if page:
        yield Note(ts_ns, SEED, _text(page))


def read_seed(note: Note) -> list[tuple[int, int, int]]:
    """Return the trades of such a note; `DataError` where it is none."""
    try:
        return [(int(ts_ns), int(price), int(size)) for ts_ns, price, size in json.loads(note.text)]
    except (TypeError, ValueError) as error:
        raise DataError(f"trades of a journal can't be read: {error}") from None


def setting_note(ts_ns: int, key: str, value: str) -> Note:
    """Return the note of a key that changes now."""
    return Note(ts_ns, SETTING, _text([key, value]))


def read_setting(note: Note) -> tuple[str, str]:
    """Return key and value of such a note; `DataError` where it is none."""
    try:
        key, value = json.loads(note.text)
    except (TypeError, ValueError) as error:
        raise DataError(f"a setting of a journal can't be read: {error}") from None
    return str(key), str(value)


def standing_note(ts_ns: int, standing: Standing) -> Note:
    """Return how the breaker stands now."""
    return Note(ts_ns, STANDING, _text(list(standing)))


def read_standing(words: Iterable[Word]) -> Standing | None:
    """Return how the breaker stood last, by the words of a session; None where it never valued anything."""
    standing: Standing | None = None
    for word in words:
        if isinstance(word, Note) and word.topic == OPENING:
            standing = _opening(word).standing
        elif isinstance(word, Note) and word.topic == STANDING:
            try:
                standing = Standing(*map(int, json.loads(word.text)))
            except (TypeError, ValueError) as error:
                raise DataError(f"the standing of a breaker can't be read: {error}") from None
    return standing


class Holding(NamedTuple):
    """What is held: lots of base, quanta of quote."""

    position: int
    cash: int

    def note(self, ts_ns: int) -> Note:
        """Return it as it is kept."""
        return Note(ts_ns, HOLDING, _text(list(self)))

    def after(self, fill: LegacyFill, half: int) -> "Holding":
        """Return what is held after a fill of an order of an earlier session.

        Args:
            half: Quanta in half a tick times one lot.
        """
        paid = fill.side * 2 * half * fill.price * fill.size
        return Holding(self.position + fill.side * fill.size, self.cash - paid - fill.fee)


def read_holding(words: Iterable[Word], half: int) -> Holding | None:
    """Return what was held last by the words of a session, fills of earlier orders included; None: it never says."""
    holding: Holding | None = None
    for word in words:
        if not isinstance(word, Note):
            continue
        if word.topic == HOLDING:
            try:
                holding = Holding(*map(int, json.loads(word.text)))
            except (TypeError, ValueError) as error:
                raise DataError(f"what a session held can't be read: {error}") from None
        elif word.topic == LEGACY_FILL and holding is not None:
            holding = holding.after(read_legacy_fill(word), half)
    return holding


def account_note(ts_ns: int, account: str) -> Note:
    """Return the note of our account at the venue, in base58."""
    return Note(ts_ns, ACCOUNT, account)


def read_account(words: Iterable[Word]) -> str | None:
    """Return the account that a session was of; None: it does not say."""
    found = [word.text for word in words if isinstance(word, Note) and word.topic == ACCOUNT]
    return found[-1] if found else None


def chain_note(ts_ns: int, restart_slot: int) -> Note:
    """Return the note of when the chain's cluster restarted last."""
    return Note(ts_ns, CHAIN, str(restart_slot))


def read_chain(words: Iterable[Word]) -> int | None:
    """Return the slot of the restart that a session knew of; None: it does not say."""
    found = [word.text for word in words if isinstance(word, Note) and word.topic == CHAIN]
    return int(found[-1]) if found and found[-1].isdecimal() else None


def said_note(ts_ns: int, topic: str, **what: object) -> Note:
    """Return a note for people and for metrics, which decides nothing."""
    return Note(ts_ns, topic, _text(what))


def read_said(note: Note) -> dict[str, Any]:  # Any: it is JSON.
    """Return what such a note says; `DataError` where it says nothing."""
    return _row(note)


def _row(note: Note) -> dict[str, Any]:  # Any: it is JSON.
    try:
        row = json.loads(note.text)
    except ValueError as error:
        raise DataError(f"a note on {note.topic} can't be read: {error}") from None
    if not isinstance(row, dict):
        raise DataError(f"a note on {note.topic} can't be read: expected an object")
    return row


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, default=str)
