"""Binance's public archive: a zip and its checksum a day, market and kind, fetched politely and verified.

The layout is that of https://github.com/binance/binance-public-data. A download that was cut off goes on where it
stopped; a file takes its name only once its SHA-256 is the one that the archive states.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import httpx

from bmv.data.files.hash import sha256
from bmv.data.files.writing import sync, whole_file
from bmv.data.ticks.schema import writable
from bmv.ports.errors import BmvError, DataError, UsageError

URL = "https://data.binance.vision"
FOLDERS = {"spot": "spot", "um": "futures/um", "cm": "futures/cm"}
KINDS = ("trades", "aggTrades", "bookTicker")
TRIES = 5
TIMEOUT_S = 30.0
FIRST_WAIT_S = 1.0  # Before the second try; doubled before each later one.

State = Literal["fetched", "kept", "absent"]
Progress = Callable[[str, int, int], None]  # File, bytes there, bytes in all (0: not told).


class ArchiveError(BmvError):
    """The archive can't be reached, or answers with what can't be used; trying again later may help."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """One file of the archive: where it lies now, and whether it was fetched, kept from before, or is not there."""

    path: Path
    state: State


def names(symbol: str, kind: str, first: date, last: date) -> Iterator[str]:
    """Yield the names of the daily files from `first` to `last`, both included.

    >>> list(names("BTCUSDT", "trades", date(2025, 9, 3), date(2025, 9, 3)))
    ['BTCUSDT-trades-2025-09-03.zip']
    """
    if kind not in KINDS:
        raise UsageError(f"{kind}: expected one of {', '.join(KINDS)}")
    if last < first:
        raise UsageError(f"from {first} to {last}: expected a last day that is not before the first")
    for offset in range((last - first).days + 1):
        yield f"{symbol}-{kind}-{first + timedelta(offset)}.zip"


class Archive:
    """A way to the archive.

    Args:
        client: Makes the requests; closed by its owner.
        url: Where the archive is.
        pause_s: Rest between two files, so as not to be a burden.
        sleep: Waits; given by tests that can't.
    """

    def __init__(
        self, client: httpx.Client, url: str = URL, pause_s: float = 0.2, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._pause_s = pause_s
        self._sleep = sleep

    def __repr__(self) -> str:
        return f"<Archive {self._url}>"

    def fetch(
        self, market: str, symbol: str, kind: str, first: date, last: date, folder: Path, progress: Progress
    ) -> Iterator[Fetched]:
        """Yield the files of `[first, last]`, each once it lies in `folder`, whole and verified.

        `ArchiveError` when the archive can't be reached; the part that came stays, and is gone on with next time.
        """
        with writable(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names(symbol, kind, first, last)):
            if number:
                self._sleep(self._pause_s)
            where = f"{self._url}/data/{FOLDERS[market]}/daily/{kind}/{symbol}/{name}"
            with writable(folder / name):
                fetched = self._one(where, folder / name, progress)
            yield fetched

    def _one(self, where: str, path: Path, progress: Progress) -> Fetched:
        checksum = path.with_name(path.name + ".CHECKSUM")
        if path.exists() and checksum.exists() and sha256(path) == _stated(checksum.read_text(), path.name):
            return Fetched(path, "kept")
        answer = self._patiently(lambda: self._client.get(where + ".CHECKSUM"))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return Fetched(path, "absent")
        stated = _stated(_ok(answer).text, path.name)
        part = path.with_name(f".{path.name}.part")
        for _ in range(2):  # A part of an older version of the file is only found out by its sum: then all anew, once.
            self._patiently(lambda: self._stream(where, part, progress))
            if sha256(part) == stated:
                sync(part)
                part.replace(path)
                with whole_file(checksum) as half_done:  # Which also makes the name of the file beside it last.
                    half_done.write_text(answer.text)
                return Fetched(path, "fetched")
            part.unlink()
        raise DataError(f"{where}: its SHA-256 is not the {stated} that the archive states; nothing was kept")

    def _stream(self, where: str, part: Path, progress: Progress) -> httpx.Response:
        """Fetch what is missing of a file; a server that can't go on from the middle sends all of it."""
        there = part.stat().st_size if part.exists() else 0
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={there}-"} if there else {})}
        with self._client.stream("GET", where, headers=headers) as answer:
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return answer  # All of it is there already.
            if answer.status_code == httpx.codes.OK:
                there = 0
            elif answer.status_code != httpx.codes.PARTIAL_CONTENT:
                answer.read()
                return answer
            whole = there + int(answer.headers.get("Content-Length", 0))
            with part.open("ab" if there else "wb") as file:
                for chunk in answer.iter_raw():
                    file.write(chunk)
                    there += len(chunk)
                    progress(part.name[1:-5], there, whole)
        return answer

    def _patiently(self, call: Callable[[], httpx.Response]) -> httpx.Response:
        """Call until there is an answer that a later call would not better; wait as asked, or ever longer."""
        wait_s, why = FIRST_WAIT_S, ""
        for attempt in range(TRIES):
            if attempt:
                self._sleep(wait_s)
                wait_s *= 2
            try:
                answer = call()
            except httpx.TransportError as error:
                why = f"{type(error).__name__}: {error}".rstrip(": ")
                continue
            if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
                wait_s, why = max(wait_s, _asked_wait_s(answer)), "too many requests"
            elif answer.status_code >= 500:
                why = f"status {answer.status_code}"
            else:
                return answer
        raise ArchiveError(f"{self._url}: no answer in {TRIES} tries, the last: {why}; what came is kept, try again")


def _ok(answer: httpx.Response) -> httpx.Response:
    if answer.status_code != httpx.codes.OK:
        raise ArchiveError(f"{answer.url}: expected status 200, found {answer.status_code}")
    return answer


def _stated(text: str, name: str) -> str:
    """Return the SHA-256 in a checksum file, `HEX  NAME`."""
    words: Sequence[str] = text.split()
    if len(words) != 2 or len(words[0]) != 64 or words[1] != name:
        raise DataError(f"{name}.CHECKSUM: expected a SHA-256 and {name}, found {text[:100]!r}")
    return words[0].lower()


def _asked_wait_s(answer: httpx.Response) -> float:
    try:
        return min(300.0, float(answer.headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0
