"""One benchmark being taken: its times go to pytest-benchmark, and what they mean in one line to the end of the session."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Times(NamedTuple):
    """Seconds of one call, over several rounds."""

    median: float
    best: float


class Stopwatch:
    """Times calls, keeps facts beside the times, says lines.

    Args:
        benchmark: pytest-benchmark's fixture, which is not typed.
        say: Takes a line that is printed at the end of the session.
    """

    def __init__(self, benchmark: Any, say: Callable[[str], None]) -> None:
        self._benchmark = benchmark
        self.say = say

    def time(self, function: Callable[[T], object], made: Callable[[], T], rounds: int) -> Times:
        """Time `function` of what `made` returns, which is made anew for each round; one more round warms up."""
        self._benchmark.pedantic(function, setup=lambda: ((made(),), {}), rounds=rounds, warmup_rounds=1)
        stats = self._benchmark.stats.stats
        return Times(stats.median, stats.min)

    def note(self, **facts: float) -> None:
        """Keep facts beside the times, in what `--benchmark-json` writes."""
        self._benchmark.extra_info.update(facts)

    def tell_speed(self, times: Times, events: int, more: str = "") -> None:
        """Say and keep how many events a second the times mean."""
        self.note(events_per_second=round(events / times.median))
        self.say(f"{_short(events / times.median)} events/s (best {_short(events / times.best)}){more}")


def _short(number: float) -> str:
    return f"{number / 1e6:.1f} M" if number >= 1e6 else f"{number:,.0f}"
