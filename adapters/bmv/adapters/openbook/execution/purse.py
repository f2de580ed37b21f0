"""How much transactions may cost in a day, and how much SOL must be left: cancels may always be paid for."""

from collections import deque
from dataclasses import dataclass, field

DAY_S = 86_400.0


@dataclass(slots=True)
class Purse:
    """What was spent on fees in the last 24 hours. Times are seconds of a clock that never goes back.

    Args:
        day_max: Lamports that placing may bring a day's costs to; None: any.
        floor: Lamports below which nothing is placed.
    """

    day_max: int | None = None
    floor: int = 0
    _spent: deque[tuple[float, int]] = field(default_factory=deque)

    def spend(self, now_s: float, lamports: int) -> None:
        """Note what a transaction can cost, when it is kept: it may land from then on."""
        self._spent.append((now_s, lamports))

    def spent(self, now_s: float) -> int:
        """Return lamports of the last 24 hours."""
        while self._spent and self._spent[0][0] <= now_s - DAY_S:
            self._spent.popleft()
        return sum(lamports for _, lamports in self._spent)

    def allows(self, now_s: float, lamports: int, held: int) -> bool:
        """Whether something may be placed for so many lamports, by a wallet that holds so many."""
        within = self.day_max is None or self.spent(now_s) + lamports <= self.day_max
        return within and held - lamports >= self.floor
