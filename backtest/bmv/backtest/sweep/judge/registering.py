"""What the register of trials hears of a sweep, and what it tells: how often these ticks were tried before."""

import time
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from bmv.adapters.sqlite.trials import OwnRegister
from bmv.adapters.sqlite.trials import Row as Entry
from bmv.backtest.sweep.judge.sharpe import sharpe
from bmv.backtest.sweep.trials.accounts import accounts
from bmv.backtest.sweep.trials.row import TrialRow
from bmv.data.files.user_folders import TRIALS
from bmv.ports.errors import BmvError

FLUSH_S = 5.0  # A kill loses what was tried in the last so many seconds, until the sweep is resumed.


UNCOUNTED = "earlier trials on these ticks are not counted"


class Tried(NamedTuple):
    """What the register knows of the ticks of a sweep.

    Args:
        ever: How many different sets were ever run on them, this sweep's included.
        sharpes: Sharpe ratios per period of what their quoting earned, as far as they are known.
        warning: Why the register could not be asked; empty if it could.
    """

    ever: int
    sharpes: NDArray[np.float64]
    warning: str = ""


class Entries:
    """Enters trials into the register as they end, so that a sweep that is broken off counts as well.

    Args:
        data: What identifies the files of the sweep.
        config: Digest of its configuration, which with its set tells a trial that did not come to a digest.
    """

    def __init__(self, data: Sequence[str], config: str) -> None:
        self._data, self._config = list(data), config
        self._register = OwnRegister()
        self._waiting, self._known = list[Entry](), dict[str, float | None]()
        self._flushed, self._warning = time.monotonic(), ""

    def __call__(self, row: TrialRow) -> None:
        """Hear of a trial that has ended; one that could not be run was none."""
        if row["state"] == "invalid" and not row["digest"]:
            return
        ratio = _ratio(row) if row["state"] == "complete" else None
        name = row["digest"] or self._name(row)
        self._known[name] = ratio
        self._waiting.append((name, ratio, "sweep"))
        if time.monotonic() - self._flushed > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Write down what was heard; where it can't be written, the sweep goes on and says so at its end."""
        waiting, self._waiting, self._flushed = self._waiting, [], time.monotonic()
        if not waiting or self._warning:
            return
        try:
            self._register.add(self._data, waiting)
        except BmvError as error:
            self._warning = f"{UNCOUNTED}: {error}; {TRIALS} names another place"

    def tried(self) -> Tried:
        """Return what the register knows of these ticks; what this sweep did where it can't be asked."""
        self.flush()
        if not self._warning:
            try:
                ever, sharpes = self._register.count(self._data), self._register.sharpes(self._data)
                return Tried(ever, sharpes, f"{UNCOUNTED}: {self._register.note}" if self._register.note else "")
            except BmvError as error:
                self._warning = f"{UNCOUNTED}: {error}; {TRIALS} names another place"
        own = [ratio for ratio in self._known.values() if ratio is not None]
        return Tried(len(self._known), np.array(own, np.float64), self._warning)

    def _name(self, row: TrialRow) -> str:
        """Return what stands for the digest of a run that was given up: its set, under its configuration."""
        told = orjson.dumps([self._config, row["set"]], option=orjson.OPT_SORT_KEYS)
        return f"unfinished-{sha256(told).hexdigest()[:16]}"


def _ratio(row: TrialRow) -> float | None:
    """Return the Sharpe ratio of what quoting earned, per period."""
    return sharpe(accounts([row["returns"]], [row["held"]], [row["mids"]]).quoting()[:, 0])
