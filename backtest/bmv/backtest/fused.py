"""The same run, compiled: :mod:`~bmv.backtest.run` and :func:`~bmv.core.tell.tell` with nothing in between.

Nothing is decided here. Whatever this loop and the reference run disagree about is a bug in this file, and
``tests/parity`` looks for it, word by word, through the digest.

Machine code is kept between runs in a folder named by a hash of everything it is made of (see
:mod:`bmv.backtest.codecache`), because Numba's own cache looks at this file only and would go stale when a verb in
another one changes.
"""

from typing import Any

import numpy as np
from numba import from_dtype, njit, types
from numpy import int64

from bmv.adapters.sim.matching import (
    REPORTS_PER_STEP,
    Sim,
    arrive,
    deliver,
    happen,
    next_arrival_ns,
    next_report_ns,
    report_room,
    send,
    widen_reports,
)
from bmv.adapters.sim.params import Latencies, VenueParams
from bmv.adapters.sim.venue import Venue
from bmv.backtest import codecache, plugin, recorder
from bmv.backtest.recorder import Record, Tally, advance, book, count, enter, finish, has_room, mark
from bmv.backtest.run import Progress, Sink
from bmv.core.engine import Strategy, endow, step, widen
from bmv.core.kernel import kernel
from bmv.core.params import COMPILED, Params
from bmv.core.pivot import forget, learn, room
from bmv.core.record import Table, compiled, layout
from bmv.core.state import FAR_NS, State, fresh
from bmv.ports.market_data import Columns, Tape
from bmv.ports.messages import Event, Kind

_TIMER = Kind.TIMER.value
_TRADE = Kind.TRADE.value

TAPE_OVER, NEED_ROOM = range(2)

codecache.use()

_I8 = types.int64
_COLUMN = types.Array(_I8, 1, "C")
_TABLE = types.Array(_I8, 2, "C")
_FLOATS = types.Array(types.float64, 1, "C")
_STATE = from_dtype(layout(State))
_PARAMS = from_dtype(layout(Params))
STRATEGY = types.FunctionType(_I8(_PARAMS, _STATE, _STATE.typeof("memory"), _STATE.typeof("wanted")))
CALLBACK = types.FunctionType(plugin.CALL)
_RUN = types.Tuple((_I8, _I8))(
    _PARAMS,
    _STATE,
    _TABLE,
    from_dtype(layout(VenueParams)),
    *([_COLUMN, _TABLE] * 2),
    from_dtype(layout(Venue)),
    _TABLE,
    from_dtype(layout(Tally)),
    _TABLE,
    _FLOATS,
    _TABLE,
    _TABLE,
    _FLOATS,
    *([_COLUMN] * 9),
    _I8,
    STRATEGY,
    CALLBACK,
)


@kernel
def _tell(
    params: Params, state: State, history: Table, sim: Sim, record: Record, event: Event, compiled: Any, called: Any
) -> None:
    n = step(params, state, history, event, compiled, called)
    if n > 0:
        enter(state, record, n)
        send(sim, state.intents, n, event.ts_ns)


@njit(_RUN, cache=True, error_model="numpy")
def _run(
    params: Any,
    state: Any,
    history: Any,
    venue_params: Any,
    entry_quantiles: Any,
    entry_recorded: Any,
    response_quantiles: Any,
    response_recorded: Any,
    venue: Any,
    reports: Any,
    tally: Any,
    orders: Any,
    order_pivots: Any,
    fills: Any,
    equity: Any,
    equity_pivots: Any,
    ts_ns: Any,
    kind: Any,
    side: Any,
    price: Any,
    size: Any,
    bid: Any,
    bid_size: Any,
    ask: Any,
    ask_size: Any,
    i: int,
    strategy: Any,
    called: Any,
) -> tuple[int, int]:
    """Run from row `i` until the rows are over or a table is full; return which, and the next row."""
    latencies = Latencies(entry_quantiles, entry_recorded, response_quantiles, response_recorded)
    sim = Sim(venue_params, latencies, venue, reports)
    record = Record(tally, orders, order_pivots, fills, equity, equity_pivots)
    rows = len(ts_ns)
    while i < rows:
        arrival_ns = next_arrival_ns(venue)
        report_ns = next_report_ns(venue, reports)
        now_ns = min(arrival_ns, min(report_ns, state.wake_ns))
        row_ns = ts_ns[i]
        if row_ns <= now_ns:
            now_ns = row_ns
        if (
            not has_room(record, REPORTS_PER_STEP, now_ns)
            or report_room(sim) < REPORTS_PER_STEP
            or room(state, history) < 2
        ):
            return NEED_ROOM, i
        advance(params, state, venue, record, now_ns)
        if row_ns == now_ns:
            first = venue.reports_head
            event = happen(
                sim, now_ns, kind[i], side[i], price[i], size[i], bid[i], bid_size[i], ask[i], ask_size[i]
            )
            if venue.reports_head != first:
                book(params, sim, record, first)
            count(tally, event.kind)
            mark(params, state, record, venue.mid2)
            i += 1
        elif arrival_ns == now_ns:
            first = venue.reports_head
            arrive(sim)
            book(params, sim, record, first)
            continue
        elif report_ns == now_ns:
            event = deliver(sim)
        else:
            tally.timers += 1
            event = Event(_TIMER, now_ns, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        _tell(params, state, history, sim, record, event, strategy, called)
    return TAPE_OVER, i


@njit(STRATEGY.signature, cache=True)
def _no_verb(params: Any, state: Any, memory: Any, wanted: Any) -> int:
    """Stand where a compiled strategy would, for runs that have none."""
    return -1


class Fused:
    """The world of a fused run: the records and tables that the compiled loop works on.

    Args:
        strategy: The user's verb, if `params.strategy` says that there is one.
        spelling: How the configuration names it.
    """

    def __init__(
        self, params: Params, sim: Sim, record: Record, strategy: Strategy | None = None, spelling: str = ""
    ) -> None:
        self.params = params
        self.sim = sim
        self.record = record
        self.state = fresh()
        self.history = np.zeros((1 << 16, 3), int64)
        self._strategy = strategy
        self._callback = plugin.Callback(self._decide)
        self._verb = _no_verb
        if params.strategy == COMPILED and strategy is not None:
            self._verb = plugin.compile_verb(strategy, STRATEGY.signature, spelling)
        endow(params, self.state)

    def _decide(self) -> int:
        assert self._strategy is not None
        return self._strategy(self.params, self.state, self.state.memory, self.state.wanted)

    def run(self, tape: Tape, sink: Sink, progress: Progress) -> None:
        """Let a tape happen, from its seed to the last report."""
        self._seed(tape.seed(int(self.params.history_ns)))
        for columns in tape.batches():
            self._happen(columns)
            sink(recorder.settle(self.record, recorder.first_open(self.state)))
            progress(len(columns.ts_ns))
        self._close()
        sink(recorder.settle(self.record, self.state.next_order))

    def _seed(self, trades: Columns) -> None:
        for ts_ns, price, size in zip(
            trades.ts_ns.tolist(), trades.price.tolist(), trades.size.tolist(), strict=True
        ):
            if room(self.state, self.history) < 2:
                self.history = widen(self.state, self.history)
            forget(self.params, self.state, self.history, ts_ns)
            learn(self.params, self.state, self.history, ts_ns, price, size)

    def _happen(self, columns: Columns) -> None:
        row = 0
        while row < len(columns.ts_ns):
            over, row = _run(
                compiled(self.params),
                compiled(self.state),
                self.history,
                compiled(self.sim.params),
                *self.sim.latencies,
                compiled(self.sim.venue),
                self.sim.reports,
                compiled(self.record.tally),
                *self.record[1:],
                *columns,
                row,
                self._verb,
                self._callback,
            )
            self._callback.check()
            if over == NEED_ROOM:
                self._make_room(int(columns.ts_ns[row]))

    def _make_room(self, row_ns: int) -> None:
        """Lengthen whatever might be short for the next step, which is not later than `row_ns`."""
        self.record = recorder.widen(self.record, REPORTS_PER_STEP, row_ns)
        if report_room(self.sim) < REPORTS_PER_STEP:
            self.sim = widen_reports(self.sim)
        if room(self.state, self.history) < 2:
            self.history = widen(self.state, self.history)

    def _close(self) -> None:
        """Deliver the reports that are on their way; nothing new is asked for, and nothing more arrives at the venue."""
        self.state.closed = 1
        finish(self.state, self.record)
        while next_report_ns(self.sim.venue, self.sim.reports) != FAR_NS:
            event = Event(*map(int, deliver(self.sim)))
            step(self.params, self.state, self.history, event, _never, _never)


def _never(*_: Any) -> int:
    raise AssertionError("a closed engine decides nothing")
