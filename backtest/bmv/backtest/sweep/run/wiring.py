"""The container of one run of a sweep: a backtest whose tape lies in memory and whose record is summed up, not kept."""

from typing import Any

from dependency_injector import containers, providers

from bmv.backtest.fused import Fused
from bmv.backtest.sweep.run.sums import Sums
from bmv.backtest.sweep.tapes.shared import Prepared, SharedTape
from bmv.backtest.wiring import BacktestContainer


@containers.copy(BacktestContainer)
class TrialContainer(BacktestContainer):
    """As :class:`BacktestContainer`, but for the tape and the sink."""

    prepared = providers.Dependency[Prepared](instance_of=Prepared)
    tape: Any = providers.Singleton(SharedTape, prepared)  # Any: in place of a tape of another class.
    sink: Any = providers.Singleton(Sums)  # Any: as above.
    verb = providers.Object[Any](None)  # Any: machine code of the strategy, compiled once for all runs.
    loop = providers.Singleton(
        Fused,
        BacktestContainer.params,
        BacktestContainer.venue,
        BacktestContainer.record,
        sink,
        BacktestContainer.strategy,
        BacktestContainer.spelling,
        verb,
    )
