"""How a word of a journal is written down, and how each is chained to the one before it.

A word is a JSON array on one line: a letter for its sort, then its fields in order; fields at the end that have their
default are left out, so that a field which a later version adds leaves the old lines as they are. The hash of a word is
SHA-256 over the hash before it and its line. A session begins with the hash of its name, so that the words of one can't
pass for those of another. A changed, lost, doubled or moved word breaks the chain; the words cut off at the end are
missed because a store keeps the head apart.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from operator import index
from typing import Any, NamedTuple

from bmv.ports.errors import DataError
from bmv.ports.messages import Event, Intent
from bmv.ports.storage import Head, Note, Word

SORTS: dict[str, type[Word]] = {"e": Event, "i": Intent, "n": Note}
LETTERS = {sort: letter for letter, sort in SORTS.items()}
ENCODER = json.JSONEncoder(separators=(",", ":"))  # In ASCII, which every database takes.


class Link(NamedTuple):
    """A word as it is kept: its line, the hash of the word before it, and its own."""

    body: str
    prev: bytes
    hash: bytes


def beginning(session: str) -> Head:
    """Return the head of a session that has no words."""
    return Head(0, hashlib.sha256(f"bmv journal 1\n{session}".encode()).digest())


def line(word: Word) -> str:
    """Return `word` as it is written down.

    >>> line(Intent(1, 1_756_857_600_000_000_000, 7, 1, 20_000, 5))
    '["i",1,1756857600000000000,7,1,20000,5]'
    """
    fields: list[Any] = list(word)  # Any: whole numbers, and the text of a note.
    defaults = word._field_defaults
    names = list(word._fields)
    while names and names[-1] in defaults and fields[-1] == defaults[names[-1]]:
        names.pop()
        fields.pop()
    return ENCODER.encode([LETTERS[type(word)], *(each if isinstance(each, str) else index(each) for each in fields)])


def word(body: str) -> Word:
    """Return the word that was written as `body`; `DataError` if it is none.

    >>> word('["i",1,1756857600000000000,7]').level
    -1
    """
    try:
        letter, *fields = json.loads(body)
        return SORTS[letter](*fields)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"no word of a journal: {body[:80]} ({error})") from None


def chained(words: Iterable[Word], prev: bytes) -> list[Link]:
    """Return `words` as they continue a session whose last word has the hash `prev`."""
    links = []
    for each in words:
        body = line(each)
        links.append(Link(body, prev, following(prev, body)))
        prev = links[-1].hash
    return links


def following(prev: bytes, body: str) -> bytes:
    """Return the hash of the word `body` after one with the hash `prev`."""
    return hashlib.sha256(prev + body.encode()).digest()


def fresh(kept: Sequence[str], words: Sequence[Word]) -> Sequence[Word] | None:
    """Return those of `words` that come after the lines `kept` of the same numbers; None where the two differ."""
    known = words[: len(kept)]
    return words[len(known) :] if [line(each) for each in known] == list(kept[: len(known)]) else None


class Check:
    """Goes along a chain as it is kept and raises `DataError` at the first word that it belies."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.head = beginning(session)

    def take(self, seq: int, link: Link) -> None:
        """Look at the next word."""
        if seq != self.head.words:
            raise DataError(f"session {self.session}: after word {self.head.words - 1} comes word {seq}")
        if link.prev != self.head.hash or link.hash != following(link.prev, link.body):
            raise DataError(f"session {self.session}: word {seq} was changed, or one before it: the chain is broken")
        self.head = Head(seq + 1, link.hash)

    def end(self, kept: Head) -> Head:
        """Compare with the head that was kept apart, and return it."""
        if kept != self.head:
            raise DataError(
                f"session {self.session}: {self.head.words} words are there, expected {kept.words}: some were cut off"
            )
        return kept
