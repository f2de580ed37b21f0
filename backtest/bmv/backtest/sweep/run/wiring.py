"""One run of a sweep, put together: a backtest whose tape lies in memory and whose record is summed up, not kept."""

from functools import lru_cache
from typing import Any, NamedTuple

from bmv.adapters.bookkeeping import ledger
from bmv.adapters.bookkeeping.ledger import Record
from bmv.adapters.config import Config, compile
from bmv.adapters.sim.venue import Sim, Venue, opened
from bmv.adapters.strategy import plugin
from bmv.backtest.fused import Fused
from bmv.backtest.sweep.run.arena import Arena
from bmv.backtest.sweep.run.sums import Sums
from bmv.backtest.sweep.tapes.shared import Prepared, SharedTape
from bmv.core.engine import Strategy
from bmv.core.params import Params


class Parts(NamedTuple):
    """What a run is made of, as :class:`~bmv.backtest.wiring.BacktestContainer` would make it."""

    params: Params
    record: Record
    sink: Sums
    tape: SharedTape
    loop: Fused


def put_together(
    config: Config,
    prepared: Prepared,
    strategy: Strategy | None = None,
    verb: Any = None,  # Any: machine code of the strategy, compiled once for all runs.
    arena: Arena | None = None,
) -> Parts:
    """Return the parts of one run.

    A container would be copied for each run, which takes longer than running a short tape.

    Args:
        arena: Where the tables lie; the parts that were put together in it before are lost. None: in fresh memory.
    """
    arena = arena or Arena()
    strategy = plugin.counted(strategy)
    params = compile.params(config, prepared.market, plugin.kind(strategy))
    venue_params = compile.venue(config, prepared.market)
    venue = Sim(venue_params, arena.like(_fresh_venue(venue_params.seed)))
    record = arena.like(ledger.opened(params, compile.to_ns(config.data.equity_sample_s)))
    sink = Sums()
    loop = Fused(params, venue, record, sink, strategy, config.strategy or "", verb)
    return Parts(params, record, sink, SharedTape(prepared), loop)


@lru_cache(maxsize=1)
def _fresh_venue(seed: int) -> Venue:
    """Return a venue that nothing has happened at, to be copied from."""
    return opened(seed)
