"""The same run, compiled: :mod:`~bmv.backtest.run` and :func:`~bmv.core.tell.tell` with nothing in between.

Nothing is decided here. Whatever this loop and the reference run disagree about is a bug in this file, and
``tests/parity`` looks for it, word by word, through the digest.

Machine code is kept between runs in a folder named by a hash of everything it is made of (see
:mod:`bmv.backtest.codecache`), because Numba's own cache looks at this file only and would go stale when a verb in
another one changes.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple, cast

from numba import from_dtype, types, uintp

from bmv.adapters.bookkeeping.books import Sink
from bmv.adapters.bookkeeping.eviction import drain, drain_all
from bmv.adapters.bookkeeping.ledger import Record
from bmv.adapters.bookkeeping.recorder import (
    ROWS_PER_ARRIVAL,
    advance,
    book,
    count,
    enter,
    finish,
    mark,
    sample_fits,
    steps_left,
)
from bmv.adapters.sim.arrival import arrive
from bmv.adapters.sim.exchange import TooManyReports
from bmv.adapters.sim.in_flight import deliver, report_room, send
from bmv.adapters.sim.matching import happen_depth, happen_quote, happen_trade
from bmv.adapters.sim.params import VenueParams
from bmv.adapters.sim.venue import REPORTS_PER_ARRIVAL, REPORTS_PER_ROW, Sim, Venue
from bmv.adapters.strategy import plugin
from bmv.backtest import codecache
from bmv.backtest.run import Progress
from bmv.core.engine import Strategy, endow, step
from bmv.core.history import History, seed
from bmv.core.kernel import inlined, kernel
from bmv.core.params import COMPILED, Params
from bmv.core.pivot import room
from bmv.core.record import compiled, layout
from bmv.core.state import FAR_NS, State, fresh
from bmv.ports.market_data import Columns, Tape
from bmv.ports.messages import Event, Kind

_TIMER = Kind.TIMER.value
_QUOTE = Kind.QUOTE.value
_TRADE = Kind.TRADE.value
_DEPTH = Kind.DEPTH.value

TAPE_OVER, NEED_ROOM = range(2)

_I8 = types.int64
_STATE: Any = from_dtype(layout(State))  # Any: Numba is hardly typed.
_PARAMS = from_dtype(layout(Params))
STRATEGY = types.FunctionType(_I8(_PARAMS, _STATE, _STATE.typeof("memory"), _STATE.typeof("wanted")))
CALLBACK = types.FunctionType(plugin.CALL)
_RUN = cast(Any, types).UniTuple(_I8, 2)(
    _PARAMS,
    _STATE,
    from_dtype(layout(VenueParams)),
    from_dtype(layout(Venue)),
    from_dtype(layout(Record)),
    *([types.Array(_I8, 1, "C", readonly=True)] * 9),  # Columns that lie as a reader holds them; others pass too.
    _I8,
    STRATEGY,
    CALLBACK,
)


@inlined
def _tell(params: Params, state: State, sim: Sim, record: Record, event: Event, compiled: Any, called: Any) -> None:
    n = step(params, state, event, compiled, called)
    if n > 0:
        enter(state, record, n)
        send(sim, state.intents, n, event.ts_ns)


@inlined
def _book_row(
    params: Params, state: State, sim: Sim, record: Record, first: int, kind: int, side: int, price: int, size: int
) -> None:
    """Write down a row, and what it did at the venue since its report number `first`."""
    if sim.venue.reports_head != first:
        book(params, state, sim.venue, record, first)
    count(sim.venue, record, kind, side, price, size)


@kernel
def _tell_apart(
    params: Params, state: State, sim: Sim, record: Record, event: Event, compiled: Any, called: Any
) -> None:
    """Tell an event that is neither a quote nor a print: the seldom ones share one copy of the code."""
    _tell(params, state, sim, record, event, compiled, called)


@kernel
def _between(params: Params, state: State, sim: Sim, record: Record, now_ns: int, compiled: Any, called: Any) -> None:
    """Let the one thing happen that comes next and is no row of the tape: an arrival, a report or a wake."""
    venue = sim.venue
    if venue.next_arrival_ns == now_ns:
        first = venue.reports_head
        arrive(sim)
        book(params, state, venue, record, first)
        return
    if venue.next_report_ns == now_ns:
        event = deliver(venue)
    else:
        record.timers += 1
        event = Event(_TIMER, now_ns, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    _tell_apart(params, state, sim, record, event, compiled, called)


@kernel
def _steps_left(state: State, venue: Venue, record: Record) -> int:
    """Return how many rows every table can surely take."""
    return min(min(steps_left(record), report_room(venue) // REPORTS_PER_ROW), room(state) - 1)


def _run(
    params: Any,
    state: Any,
    venue_params: Any,
    venue: Any,
    record: Any,
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
    sim = Sim(venue_params, venue)
    rows = len(ts_ns)
    left = 0
    while i < rows:
        at = uintp(i)  # An index without a sign is not looked at for counting from the end.
        row_ns = ts_ns[at]
        now_ns = min(row_ns, venue.next_arrival_ns, venue.next_report_ns, state.wake_ns)
        if left < ROWS_PER_ARRIVAL:
            left = _steps_left(state, venue, record)
        if left < ROWS_PER_ARRIVAL or not sample_fits(record, now_ns):
            return NEED_ROOM, i
        advance(params, state, venue, record, now_ns)
        if now_ns < row_ns:
            _between(params, state, sim, record, now_ns, strategy, called)
            left -= ROWS_PER_ARRIVAL
            continue
        left -= 1
        first = venue.reports_head
        # All of the row is read before its kind is known: loads that wait for a branch which can't be foreseen wait
        # for memory too.
        row_side, row_price, row_size = side[at], price[at], size[at]
        row_bid, row_bid_size, row_ask, row_ask_size = bid[at], bid_size[at], ask[at], ask_size[at]
        row_kind = kind[at]
        if row_kind == _QUOTE:
            quote = happen_quote(sim, now_ns, row_bid, row_bid_size, row_ask, row_ask_size)
            _book_row(params, state, sim, record, first, _QUOTE, 0, 0, 0)
            _tell(params, state, sim, record, quote, strategy, called)
        elif row_kind == _TRADE:
            trade = happen_trade(sim, now_ns, row_side, row_price, row_size)
            _book_row(params, state, sim, record, first, _TRADE, row_side, row_price, row_size)
            _tell(params, state, sim, record, trade, strategy, called)
        else:
            change = happen_depth(sim, now_ns, row_side, row_price, row_size)
            _book_row(params, state, sim, record, first, _DEPTH, 0, 0, 0)
            _tell_apart(params, state, sim, record, change, strategy, called)
        mark(params, state, record, venue.mid2)
        i += 1
    return TAPE_OVER, i


def _no_verb(params: Any, state: Any, memory: Any, wanted: Any) -> int:
    """Stand where a compiled strategy would, for runs that have none."""
    return -1


class Code(NamedTuple):
    """The loop as machine code, and what stands where a compiled strategy would. Any: Numba is hardly typed."""

    run: Any
    no_verb: Any


PARTS = (
    codecache.Part(_run, _RUN, {"error_model": "numpy", "nogil": True}),
    codecache.Part(_no_verb, STRATEGY.signature, {}),
)
_loading = Lock()
_loaded = list[Code]()


def machine_code() -> Code:
    """Load the loop, or compile it, which takes half a minute; once a process, whoever asks first."""
    with _loading:
        if not _loaded:
            _loaded.append(Code(*codecache.machine_code(PARTS)))
        return _loaded[0]


def compiled_verb(strategy: Strategy, spelling: str) -> Any:  # Any: as above.
    """Return a marked strategy as machine code that the loop calls."""
    return plugin.compile_verb(strategy, STRATEGY.signature, spelling)


def _decider(strategy: Strategy, params: Params, state: State) -> Callable[[], int]:
    """Return what the loop calls for a decision. It holds no reference to the loop, so that the loop is freed."""
    return lambda: strategy(params, state, state.memory, state.wanted)


def _no_call() -> int:
    raise AssertionError("nobody decides in plain Python")


NOBODY = plugin.Callback(_no_call)  # For runs in which nobody is called.


class Fused:
    """The world of a fused run: the records that the compiled loop works on.

    Args:
        sink: Takes the rows of the record that nothing will change any more.
        strategy: The user's verb, if `params.strategy` says that there is one.
        spelling: How the configuration names it.
        verb: The same as machine code, where it was compiled before.
    """

    def __init__(
        self,
        params: Params,
        sim: Sim,
        record: Record,
        sink: Sink,
        strategy: Strategy | None = None,
        spelling: str = "",
        verb: Any = None,  # Any: Numba is hardly typed.
    ) -> None:
        self.params = params
        self.sim = sim
        self.record = record
        self.state = fresh()
        self._history = History(self.state)
        self._sink = sink
        self._loop: Any = None  # Any: machine code, once it runs.
        self._callback = NOBODY if strategy is None else plugin.Callback(_decider(strategy, params, self.state))
        self._verb: Any = None  # Any: as above. None: nothing was compiled for this run.
        if params.strategy == COMPILED and strategy is not None:
            self._verb = verb or compiled_verb(strategy, spelling)
        endow(params, self.state)

    def run(self, tape: Tape, progress: Progress) -> None:
        """Let a tape happen, from its seed to the last report."""
        code = machine_code()
        self._loop, self._verb = code.run, self._verb or code.no_verb
        self._seed(tape.seed(int(self.params.history_ns)))
        for columns in tape.batches():
            self._happen(columns)
            self._drain()
            progress(len(columns.ts_ns))
        self._close()
        self._sink(drain_all(self.record))

    def _seed(self, trades: Columns) -> None:
        for ts_ns, price, size in zip(trades.ts_ns.tolist(), trades.price.tolist(), trades.size.tolist(), strict=True):
            seed(self.params, self.state, self._history, ts_ns, price, size)

    def _happen(self, columns: Columns) -> None:
        row = 0
        while row < len(columns.ts_ns):
            over, row = self._run_from(row, columns)
            self._callback.check()
            if over == NEED_ROOM:
                self._make_room()

    def _run_from(self, row: int, columns: Columns) -> tuple[int, int]:
        try:
            return cast(
                tuple[int, int],
                self._loop(
                    compiled(self.params),
                    compiled(self.state),
                    compiled(self.sim.params),
                    compiled(self.sim.venue),
                    compiled(self.record),
                    *columns,
                    row,
                    self._verb,
                    self._callback,
                ),
            )
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if self.params.strategy != COMPILED:
                raise
            raise plugin.StrategyError.compiled(error) from error

    def _make_room(self) -> None:
        """Free or lengthen whatever is too short for the next step."""
        if report_room(self.sim.venue) < REPORTS_PER_ARRIVAL:
            raise TooManyReports
        self._drain()
        self._history.make_room()
        left = _steps_left(self.state, self.sim.venue, self.record)
        assert left >= ROWS_PER_ARRIVAL, "the loop would ask for the same room for ever"

    def _drain(self) -> None:
        self._sink(drain(self.record))

    def _close(self) -> None:
        """Deliver the reports that are on their way; nothing new is asked for, nothing more arrives at the venue."""
        self.state.closed = 1
        finish(self.params, self.state, self.sim.venue, self.record)
        while self.sim.venue.next_report_ns != FAR_NS:
            event = Event(*map(int, deliver(self.sim.venue)))
            step(self.params, self.state, event, _never, _never)


def _never(*_: Any) -> int:
    raise AssertionError("a closed engine decides nothing")
