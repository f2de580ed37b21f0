"""How much transactions may cost in a day, and how much SOL must be left: cancels may always be paid for."""

from dataclasses import dataclass, field

from bmv.data.journal.spending import DAY_NS, MINUTE_NS, Spending

HOUR_NS = 60 * MINUTE_NS


@dataclass(slots=True)
class Purse:
    """What was spent on fees in the last 24 hours, and what may be. Times are ns UTC of a clock that never goes back.

    Args:
        day_max, hour_max: Lamports that placing may bring the costs of 24 hours or of one hour to; None: any.
        tip_day_max, tip_hour_max: The same of tips alone; a cancel goes without a tip where its tip would be over it.
        floor: Lamports below which nothing is placed.
        spending: What was spent, by this process and those before it.
    """

    day_max: int | None = None
    floor: int = 0
    hour_max: int | None = None
    tip_day_max: int | None = None
    tip_hour_max: int | None = None
    spending: Spending = field(default_factory=Spending)

    def inherit(self, spending: Spending, now_ns: int) -> None:
        """Go on from what earlier processes spent, as the journal tells it.

        Their clock may have been ahead of ours: what they date later than now counts as spent now, so that it holds
        placing back for a day and no longer.
        """
        last = now_ns // MINUTE_NS
        self.spending = _until(spending, last)
        self.spending.tipped = _until(spending.tips, last)

    def spend(self, signature: str, now_ns: int, lamports: int, tip: int = 0) -> None:
        """Note what a transaction can cost, its tip included, when it is kept: it may land from then on."""
        self.spending.forget(now_ns - DAY_NS)
        self.spending.keep(signature, now_ns, lamports, tip)

    def end(self, signature: str, landed: bool, failed: bool = False) -> None:
        """Note the end of a transaction: one that never landed cost nothing, and one that failed no tip."""
        self.spending.end(signature, landed, failed)

    def spent(self, now_ns: int, span_ns: int = DAY_NS) -> int:
        """Return lamports of the last 24 hours, or of a shorter time, and up to a minute more."""
        return self.spending.since(now_ns - span_ns)

    def allows(self, now_ns: int, lamports: int, held: int, tips: int = 0) -> bool:
        """Whether something may be placed for so many lamports, tips included, by a wallet that holds so many."""
        room, tip_room = self.room(now_ns), self.tip_room(now_ns)
        within = (room is None or lamports <= room) and (tip_room is None or tips <= tip_room)
        return within and held - lamports >= self.floor

    def room(self, now_ns: int) -> int | None:
        """Return the lamports that placing may cost now; None: any number."""
        return _room(self.spending, now_ns, self.hour_max, self.day_max)

    def tip_room(self, now_ns: int) -> int | None:
        """Return the lamports that may be tipped now; None: any number."""
        tips = _room(self.spending.tips, now_ns, self.tip_hour_max, self.tip_day_max)
        rooms = [room for room in (tips, self.room(now_ns)) if room is not None]
        return min(rooms, default=None)


def _until(spending: Spending, last: int) -> Spending:
    """Return what was spent, nothing of it dated later than a minute."""
    alive = {name: (min(at, last), cost) for name, (at, cost) in spending.alive.items()}
    moved = Spending(alive=alive)
    for minute, lamports in spending.minutes.items():
        moved.add(min(minute, last), lamports)
    return moved


def _room(spending: Spending, now_ns: int, hour_max: int | None, day_max: int | None) -> int | None:
    """Return what is left of the narrower limit, 0 at least; None: nothing limits it."""
    spans = ((hour_max, HOUR_NS), (day_max, DAY_NS))
    left = [most - spending.since(now_ns - span_ns) for most, span_ns in spans if most is not None]
    return max(min(left), 0) if left else None
