"""A line of a recorder of Binance's websockets: when it arrived and what it says, each field judged as it is taken."""

import json
import re
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from bmv.data.ticks.calendar import NS_PER, unit_of_number
from bmv.data.ticks.importers.form import SHOWN
from bmv.data.ticks.importers.packed import text_of
from bmv.data.ticks.importers.resync import Level
from bmv.data.ticks.importers.text import pieces
from bmv.ports.errors import DataError

DECIMAL = re.compile(r"^-?\d+(\.\d*)?([eE][+-]?\d+)?$")
WHOLE_MAX = 2**63
QUOTE = {"u", "s", "b", "B", "a", "A"}  # A best quote of spot, which has no name.
ANSWER = {"result", "code"}  # Of the venue to a request; it says nothing of a market.
Told = Mapping[str, Any]  # Any: it is JSON.


class Message(NamedTuple):
    """One line: its number, when it arrived (nanoseconds UTC), its stream if it names one, and what it says."""

    path: Path
    line: int
    received_ns: int
    stream: str
    told: Told

    def wrong(self, what: str) -> DataError:
        return DataError(f"{self.path}, line {self.line}: {what}")

    def _cell(self, name: str) -> Any:  # Any: it is JSON.
        if name not in self.told:
            raise self.wrong(f"a message {self.event} without '{name}'")
        return self.told[name]

    @property
    def event(self) -> str:
        """What the message is, by its own word or its fields; empty for an answer that says nothing of a market."""
        if "e" in self.told:
            return word(self.told["e"])
        if self.told.keys() >= QUOTE:
            return "bookTicker"
        if "lastUpdateId" in self.told:
            return "snapshot"
        return "" if self.told.keys() & ANSWER else "without a name"

    def whole(self, name: str) -> int:
        """Return a number of changes, or a time."""
        found = self._cell(name)
        if type(found) is not int or not 0 <= found < WHOLE_MAX:
            raise self.wrong(f"'{name}' is {shown(found)}; it should be a whole number")
        return found

    def time(self, *names: str) -> int:
        """Return the time in the first of those fields that is there, in nanoseconds."""
        name = next((name for name in names if name in self.told), names[-1])
        number = self.whole(name)
        unit = unit_of_number(number)
        if unit is None:
            raise self.wrong(f"'{name}' is {number}; it should be a time since 1970, from 1998 to 2059")
        return number * NS_PER[unit]

    def number(self, name: str) -> float:
        """Return a price or a size."""
        return self._number(name, self._cell(name))

    def truth(self, name: str) -> bool:
        """Return a yes or no."""
        found = self._cell(name)
        if type(found) is not bool:
            raise self.wrong(f"'{name}' is {shown(found)}; it should be true or false")
        return found

    def levels(self, bids: str, asks: str) -> list[Level]:
        """Return levels of both sides."""
        return [*self._levels(bids, 1), *self._levels(asks, -1)]

    def _levels(self, name: str, side: int) -> Iterator[Level]:
        found = self._cell(name)
        if type(found) is not list:
            raise self.wrong(f"'{name}' is no list of levels")
        for level in found:
            if type(level) is not list or len(level) < 2:
                raise self.wrong(f"'{name}' has {shown(level)}; each level should be a price and a size")
            yield side, self._number(name, level[0]), self._number(name, level[1])

    def _number(self, name: str, found: Any) -> float:  # Any: it is JSON.
        text = found if type(found) is str else str(found) if type(found) in (int, float) else ""
        number = float(text) if DECIMAL.match(text) else float("nan")
        if not isfinite(number):
            raise self.wrong(f"'{name}' has {shown(found)}; it should be a decimal number")
        return number


def word(found: object) -> str:
    """Return what should be a word, as far as an error shows it."""
    return "".join(one for one in str(found)[:SHOWN] if one.isprintable())


def shown(found: object) -> str:
    """Return a value of JSON as an error shows it; a line may have a megabyte.

    >>> shown("cheap"), len(shown("9" * 1000))
    ("'cheap'", 61)
    """
    text = repr(found)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def messages(path: Path, unpacked_max: int | None) -> Iterator[Message]:
    """Yield the lines of a file; `DataError` names the first that is not a time and a JSON."""
    with text_of(path, unpacked_max) as text:
        for first, piece in pieces(path, text):
            for line, told in enumerate(piece.splitlines(), first):
                if told.strip():
                    yield _message(path, line, told)


def _message(path: Path, line: int, told: bytes) -> Message:
    time, _, body = told.partition(b" ")
    number = int(time) if time.isdigit() and len(time) < 20 else 0
    unit = unit_of_number(number)
    if unit is None:
        begins = shown(time[:20].decode(errors="replace"))
        raise DataError(
            f"{path}, line {line}: begins with {begins}; it should be the time at which the message came, in ns"
        )
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, line {line}: after the time stands no JSON that can be read: {error}") from error
    stream = ""
    if isinstance(found, dict) and "data" in found:
        stream, found = word(found.get("stream", "")), found["data"]
    if not isinstance(found, dict):
        raise DataError(f"{path}, line {line}: after the time stands no message, which would be an object of JSON")
    return Message(path, line, number * NS_PER[unit], stream, found)
