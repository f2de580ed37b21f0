"""Whether the machine's clock was set while we ran, and whether it is right since, by the chain's."""

from collections.abc import Callable

CLOCK_MAX_S = 30.0  # That two clocks may differ by: the chain's has whole seconds, and what it says is on its way.
SETTLED_S = 60.0  # For so long a clock that was set has to stand, where the chain's is no measure of it.

Heard = tuple[int, int]  # The chain's clock in seconds, and the session's as it was heard, ns UTC.


class Skew:
    """Compares three clocks: the machine's, which may be set; the session's, which goes on from its start; the chain's.

    A clock that was set is wrong until it is set back, or until the chain, heard after that, says that it is right now.
    A chain with a time of its own, such as a sandbox, says that of neither: there it has to stand for a while.

    Args:
        wall_ns: The machine's clock, ns UTC.
        now_ns: The session's, ns UTC.
        heard: Returns what the chain's said last; None: it was not heard.
    """

    def __init__(
        self, wall_ns: Callable[[], int], now_ns: Callable[[], int], heard: Callable[[], Heard | None]
    ) -> None:
        self._wall_ns, self._now_ns, self._heard = wall_ns, now_ns, heard
        self._usual_s = 0.0  # How far the machine's clock may rightly be ahead of the session's.
        self._found_s = 0.0  # How far it was when it was found to be set, and
        self._found_ns: int | None = None  # when that was; None: it is not.

    def why(self) -> str:
        """Return by how much the machine's clock was set; "" while it is as it should be."""
        now_ns = self._now_ns()
        ahead_s = (self._wall_ns() - now_ns) / 1e9
        if abs(ahead_s - self._usual_s) <= CLOCK_MAX_S:
            self._found_ns = None
            return ""
        if self._found_ns is None or abs(ahead_s - self._found_s) > 1.0:
            self._found_s, self._found_ns = ahead_s, now_ns
        elif self._is_right(ahead_s, self._found_ns, now_ns):
            self._usual_s, self._found_ns = ahead_s, None
            return ""
        return f"the machine's clock was set by {ahead_s - self._usual_s:+.0f} s while we ran{self._beside(ahead_s)}"

    def _is_right(self, ahead_s: float, since_ns: int, now_ns: int) -> bool:
        """Say whether the machine's clock, found to be set at `since_ns`, is right since."""
        heard = self._heard()
        if heard is None or heard[1] < since_ns:
            return False
        ours_s = heard[1] / 1e9 - heard[0]
        if abs(ours_s + ahead_s) <= CLOCK_MAX_S:
            return True
        return abs(ours_s + self._usual_s) > CLOCK_MAX_S and now_ns - since_ns > SETTLED_S * 1e9

    def _beside(self, ahead_s: float) -> str:
        heard = self._heard()
        return "" if heard is None else f", and is {heard[1] / 1e9 - heard[0] + ahead_s:+.0f} s ahead of the chain's"
