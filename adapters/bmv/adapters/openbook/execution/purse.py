"""How much transactions may cost in a day, and how much SOL must be left: cancels may always be paid for."""

from dataclasses import dataclass, field

from bmv.data.journal.spending import DAY_NS, MINUTE_NS, Spending


@dataclass(slots=True)
class Purse:
    """What was spent on fees in the last 24 hours, and what may be. Times are ns UTC of a clock that never goes back.

    Args:
        day_max: Lamports that placing may bring a day's costs to; None: any.
        floor: Lamports below which nothing is placed.
        spending: What was spent, by this process and those before it.
    """

    day_max: int | None = None
    floor: int = 0
    spending: Spending = field(default_factory=Spending)

    def inherit(self, spending: Spending, now_ns: int) -> None:
        """Go on from what earlier processes spent, as the journal tells it.

        Their clock may have been ahead of ours: what they date later than now counts as spent now, so that it holds
        placing back for a day and no longer.
        """
        last = now_ns // MINUTE_NS
        self.spending = Spending(alive={name: (min(at, last), cost) for name, (at, cost) in spending.alive.items()})
        for minute, lamports in spending.minutes.items():
            self.spending.add(min(minute, last), lamports)

    def spend(self, signature: str, now_ns: int, lamports: int) -> None:
        """Note what a transaction can cost, when it is kept: it may land from then on."""
        self.spending.forget(now_ns - DAY_NS)
        self.spending.keep(signature, now_ns, lamports)

    def end(self, signature: str, landed: bool) -> None:
        """Note the end of a transaction: one that never landed cost nothing."""
        self.spending.end(signature, landed)

    def spent(self, now_ns: int, span_ns: int = DAY_NS) -> int:
        """Return lamports of the last 24 hours, or of a shorter time, and up to a minute more."""
        return self.spending.since(now_ns - span_ns)

    def allows(self, now_ns: int, lamports: int, held: int) -> bool:
        """Whether something may be placed for so many lamports, by a wallet that holds so many."""
        within = self.day_max is None or self.spent(now_ns) + lamports <= self.day_max
        return within and held - lamports >= self.floor
