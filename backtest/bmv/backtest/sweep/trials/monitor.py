"""Who hears how a sweep goes on."""

from bmv.backtest.sweep.trials.row import TrialRow
from bmv.backtest.sweep.trials.summary import SweepSummary


class Monitor:
    """Hears of a sweep, in this order; this one does nothing with it, others take over what they care for."""

    def begun(self, planned: int, known: int, events: int) -> None:
        """Hear that the tapes are read.

        Args:
            planned: Sets that the sampler is to propose.
            known: Trials of an earlier run that are there already; they are heard of once more.
            events: Rows that one set is told.
        """

    def trial(self, row: TrialRow) -> None:
        """Hear that a trial has ended."""

    def searched(self, seconds: float) -> None:
        """Hear that all trials have ended; what is left is to judge them."""

    def ended(self, summary: SweepSummary) -> None:
        """Hear what the sweep came to."""
