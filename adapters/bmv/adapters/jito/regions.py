"""Which region of an engine to send to: the quickest by measured time, of those that answer."""

from collections.abc import Iterable
from dataclasses import dataclass, field

NEWEST = 0.3  # Of the time that counts, so much is the last answer's.
COOL_S, COOL_S_MAX = 1.0, 30.0  # For how long a region is left alone that fails, doubled each time.


@dataclass(slots=True)
class Region:
    """One region. Times are seconds of a clock that never goes back.

    Args:
        name: As the configuration calls it.
        answer_s: How long it takes to answer; None: not measured.
        failures: In a row.
        open_s: It is left alone until then.
    """

    name: str
    answer_s: float | None = None
    failures: int = 0
    open_s: float = 0.0

    def note_answer(self, seconds: float) -> None:
        """Learn how long an answer took."""
        old = seconds if self.answer_s is None else self.answer_s
        self.answer_s = old + NEWEST * (seconds - old)
        self.failures = 0

    def note_failure(self, now_s: float) -> None:
        """Learn that there was no answer."""
        self.failures += 1
        self.open_s = now_s + min(COOL_S * 2 ** min(self.failures - 1, 10), COOL_S_MAX)

    def note_limit(self, now_s: float, wait_s: float) -> None:
        """Learn that it wants to be left alone."""
        self.open_s = max(self.open_s, now_s + wait_s)


@dataclass(slots=True)
class Regions:
    """The regions of one engine.

    Args:
        names: In the order of the configuration.
    """

    names: Iterable[str]
    each: dict[str, Region] = field(init=False)

    def __post_init__(self) -> None:
        self.each = {name: Region(name) for name in self.names}
        assert self.each, "an engine without a region"

    def choose(self, now_s: float) -> Region | None:
        """Return the region to send to; None: all want to be left alone. One that was never measured comes first."""
        free = [region for region in self.each.values() if now_s >= region.open_s]
        return min(free, key=lambda region: -1.0 if region.answer_s is None else region.answer_s, default=None)
