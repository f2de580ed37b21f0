"""What a rotation has done: lines of JSON in the folder of wallets, each on the disk before anything follows it.

They lie with the keys and not in the store of sessions. A rotation is about keys: it belongs to no session, may be for
a key that never traded, and has to go on when the store, which may be a database elsewhere, can't be reached. What is
to be done next is always read from the chain; a diary says to which key, and which transactions were sent for it.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from time import time_ns
from typing import Any, NamedTuple

from bmv.adapters.solana.wallet.folder import make_folder, wallets_path
from bmv.data.files.user_folders import make_private
from bmv.data.files.writing import sync_folder
from bmv.ports.errors import DataError, Refused, UsageError

FOLDER = "rotations"  # In that of the wallets.
BEGUN, SENT, STEP, DONE = "begun", "sent", "step", "done"


class Change(NamedTuple):
    """Which key takes whose place.

    Args:
        old, new: Addresses, in base58.
        market: On which market.
        wallet: File of the new key.
    """

    old: str
    new: str
    market: str
    wallet: str


class Diary:
    """The lines of one old key; they are written by one process at a time.

    Args:
        path: Of the file.
        handle: Open for appending, and locked.
    """

    def __init__(self, path: Path, handle: int, change: Change) -> None:
        self.path, self._handle, self.change = path, handle, change

    def __repr__(self) -> str:
        return f"<Diary {self.path}>"

    def sent(self, what: str, signature: str) -> None:
        """Note what is about to be sent."""
        self._write(SENT, {"what": what, "signature": signature})

    def step(self, name: str) -> None:
        """Note that a step begins; the one before is done."""
        self._write(STEP, {"name": name})

    def done(self) -> None:
        """Note that nothing is left to do."""
        self._write(DONE, {})

    def _write(self, kind: str, more: dict[str, str]) -> None:
        write_line(self._handle, {"ts_ns": time_ns(), "kind": kind, **more})


@contextmanager
def open_diary(change: Change) -> Iterator[Diary]:
    """Open the diary of an old key; `Refused` where another process rotates it, or it goes to another one."""
    path = diary_path(change.old)
    handle = _open(path)
    try:
        try:
            flock(handle, LOCK_EX | LOCK_NB)
        except OSError:
            raise Refused(f"{path}: another process rotates {change.old} now") from None
        last = unfinished(path)
        if last is not None and (last.new, last.market) != (change.new, change.market):
            raise Refused(
                f"{change.old} is being rotated to {last.new} ({last.wallet}) on market {last.market}, and that is not "
                "done: finish it first"
            )
        _end_torn_line(handle)
        if last is None:
            row = {"old": change.old, "new": change.new, "market": change.market, "wallet": change.wallet}
            write_line(handle, {"ts_ns": time_ns(), "kind": BEGUN, **row})
        yield Diary(path, handle, change)
    finally:
        os.close(handle)


def diary_path(old: str) -> Path:
    """Return where the diary of an old key lies."""
    return wallets_path() / FOLDER / f"{old}.jsonl"


def unfinished(path: Path) -> Change | None:
    """Return the rotation that a diary has begun and not ended; None: there is none."""
    found: Change | None = None
    for row in read_diary(path):
        if row["kind"] == BEGUN:
            found = Change(row["old"], row["new"], row["market"], row["wallet"])
        elif row["kind"] == DONE:
            found = None
    return found


def unfinished_to(new: str) -> Change | None:
    """Return the rotation to a key that is not ended, whichever key it began with."""
    folder = wallets_path() / FOLDER
    changes = (unfinished(path) for path in sorted(folder.glob("*.jsonl")))
    return next((one for one in changes if one is not None and one.new == new), None)


def read_diary(path: Path) -> list[dict[str, Any]]:  # Any: JSON.
    """Return the lines of a diary; a last one that was torn off says nothing, for nothing followed it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    lines = [line for line in text.split("\n")[:-1] if line]
    try:
        return [json.loads(line) for line in lines if line.endswith("}")]
    except ValueError:
        raise DataError(f"{path}: is no diary of a rotation") from None


def write_line(handle: int, row: dict[str, Any]) -> None:
    """Write a line, and return when it is on the disk."""
    os.write(handle, json.dumps(row).encode() + b"\n")
    os.fsync(handle)


def _open(path: Path) -> int:
    make_folder()
    try:
        make_private(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        sync_folder(path.parent)
    except OSError as error:
        raise UsageError(f"{path}: can't be written: {error.strerror}") from None
    return handle


def _end_torn_line(handle: int) -> None:
    """Put an end to a line that a killed process left half done, so that the next begins for itself."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        os.write(handle, b"\n")
