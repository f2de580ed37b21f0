"""The journal of a sweep: a line a trial in the form of Optuna's journals, and of 100,000 trials nothing in memory.

Optuna's own journal keeps every trial that it wrote or read as objects, some 20 kB each. Here it hears of the study,
and of the first trial that it writes, which it must have heard of; the others stay in the file, and are read there when
they are asked for.
"""

import json
import os
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROW, NUMBER = "row", "trial"  # Attributes of a trial: all of it, packed; its number.
NOWHERE = -1
SYNC_S = 0.1  # A trial is written when it ends, and on the disk after so long; it takes some ms to have it there.

Log = dict[str, Any]  # Any: it is JSON. A line of the journal.


class Lines:
    """What Optuna's `JournalStorage` writes into and reads from.

    There is no lock of the file: whoever leads a sweep holds its folder already.
    """

    def __init__(self, path: str) -> None:
        self._starts = array("q")  # Where the line of each trial begins, by its number, bytes; NOWHERE: there is none.
        self._trials = 0
        self._end = 0  # How far the file was read or written, bytes.
        self._own = 0  # Trials written by this process,
        self._heard = 0  # and of these heard by Optuna: the first one.
        self._synced, self._dirty = 0.0, False
        self._out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._in = Path(path).open("rb")  # noqa: SIM115  # It is closed with this object.

    def __repr__(self) -> str:
        return f"<Lines of {len(self):,} trials>"

    def __len__(self) -> int:
        return self._trials

    def __contains__(self, trial: int) -> bool:
        return trial < len(self._starts) and self._starts[trial] != NOWHERE

    def __iter__(self) -> Iterator[int]:
        return (trial for trial, start in enumerate(self._starts) if start != NOWHERE)

    def __getitem__(self, trial: int) -> str:
        """Return a trial, packed."""
        self._in.seek(self._starts[trial])
        packed: str = json.loads(self._in.readline())["user_attrs"][ROW]
        return packed

    def read_logs(self, log_number_from: int) -> Iterator[Log]:
        """Yield what was written since the last call: no trial but the first of our own."""
        self._in.seek(self._end)
        for line in iter(self._in.readline, b""):
            log = json.loads(line)
            trial = self._is_trial(log)
            self._end += len(line)
            if trial and self._heard == self._own:
                continue
            self._heard += trial
            yield log

    def append_logs(self, logs: list[Log]) -> None:
        """Write lines down; on the disk they are after `SYNC_S` at the next call, or when `sync` returns."""
        for log in logs:
            line = json.dumps(log, separators=(",", ":")).encode() + b"\n"
            written = os.write(self._out, line)
            while written < len(line):  # A disk that is full takes a part, and says so the next time.
                written += os.write(self._out, line[written:])
            self._dirty = True
            if self._is_trial(log):
                self._own += 1
                if self._heard:
                    self._heard, self._end = self._own, self._end + len(line)
        if time.monotonic() - self._synced > SYNC_S:
            self.sync()

    def sync(self) -> None:
        """Have everything that was written on the disk."""
        if self._dirty:
            os.fsync(self._out)
            self._synced, self._dirty = time.monotonic(), False

    def close(self) -> None:
        """Let go of the file; nothing can be read any more."""
        try:
            self.sync()
        finally:
            os.close(self._out)
            self._in.close()

    def _is_trial(self, log: Log) -> bool:
        """Tell whether a log that begins at `_end` is a trial, and note where it is."""
        attributes = log.get("user_attrs", {})
        if ROW not in attributes:
            return False
        trial = int(attributes[NUMBER])
        self._starts.extend([NOWHERE] * (trial + 1 - len(self._starts)))
        self._trials += self._starts[trial] == NOWHERE
        self._starts[trial] = self._end
        return True
