"""The reference run: the engine against the simulated venue, through the ports, one event at a time.

What comes next is the earliest of four: a row of the tape, an intent arriving at the venue, a report reaching us, the
engine's own wake. At equal time in that order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bmv.adapters.sim.clock import SimClock
from bmv.adapters.sim.exchange import SimExchange
from bmv.backtest import recorder
from bmv.backtest.eviction import Drained, drain, drain_all
from bmv.backtest.ledger import Record
from bmv.core.engine import Engine
from bmv.core.state import FAR_NS
from bmv.core.tell import tell
from bmv.ports.market_data import Columns, Tape
from bmv.ports.messages import Event, Kind
from bmv.ports.storage import Journal

Row = tuple[int, ...]
Progress = Callable[[int], None]  # Called with the number of rows told since the last call.
Sink = Callable[[Drained], None]  # Takes the rows of the record that nothing will change any more.


@dataclass(slots=True)
class World:
    """Everything that takes part in a reference run."""

    engine: Engine
    exchange: SimExchange
    clock: SimClock
    record: Record
    journal: Journal
    sink: Sink

    def tell(self, event: Event) -> None:
        """Tell the engine, and write down what it asks for."""
        tell(self.engine, self.exchange, self.journal, event)
        recorder.enter(self.engine.state, self.record, self.engine.said)

    def pass_time(self, now_ns: int) -> None:
        """Let time pass until `now_ns` with everything as it stands."""
        self.clock.advance(now_ns)
        if recorder.steps_left(self.record) < recorder.ROWS_PER_ARRIVAL or not recorder.sample_fits(
            self.record, now_ns
        ):
            self.drain()
        recorder.advance(self.engine.params, self.engine.state, self.exchange.sim.venue, self.record, now_ns)

    def book(self, first: int) -> None:
        """Write down what the venue has reported since `first`."""
        recorder.book(self.engine.params, self.engine.state, self.exchange.sim.venue, self.record, first)

    def drain(self) -> None:
        """Hand over the rows that nothing will change any more."""
        self.sink(drain(self.record))


def run(world: World, tape: Tape, progress: Progress) -> None:
    """Let a tape happen to the world, from its seed to the last report."""
    for ts_ns, _, _, price, size, *_ in _rows(tape.seed(int(world.engine.params.history_ns))):
        world.engine.seed(ts_ns, price, size)
    for columns in tape.batches():
        for row in _rows(columns):
            _live_until(world, row[0])
            _happen(world, row)
        world.drain()
        progress(len(columns.ts_ns))
    _close(world)
    world.sink(drain_all(world.record))


def _rows(columns: Columns) -> Iterator[Row]:
    return zip(*(column.tolist() for column in columns), strict=True)


def _live_until(world: World, row_ns: int) -> None:
    """Let everything happen that comes before the row of the tape at `row_ns`."""
    exchange, engine = world.exchange, world.engine
    while True:
        arrival_ns, report_ns = exchange.next_arrival_ns, exchange.next_report_ns
        now_ns = min(arrival_ns, report_ns, engine.state.wake_ns)
        if row_ns <= now_ns:
            return
        world.pass_time(now_ns)
        if arrival_ns == now_ns:
            first = exchange.reports_made
            exchange.arrive()
            world.book(first)
        elif report_ns == now_ns:
            world.tell(exchange.deliver())
        else:
            world.record.timers += 1
            world.tell(Event(Kind.TIMER.value, now_ns))


def _happen(world: World, row: Row) -> None:
    """Let one row of the tape happen at the venue, and tell it."""
    world.pass_time(row[0])
    first = world.exchange.reports_made
    event = world.exchange.row(*row)
    world.book(first)
    recorder.count(world.exchange.sim.venue, world.record, event.kind, event.side, event.price, event.size)
    world.tell(event)
    recorder.mark(world.engine.params, world.engine.state, world.record, world.exchange.sim.venue.mid2)


def _close(world: World) -> None:
    """Deliver the reports that are on their way; nothing new is asked for, and nothing more arrives at the venue."""
    world.engine.state.closed = 1
    recorder.finish(world.engine.params, world.engine.state, world.exchange.sim.venue, world.record)
    while world.exchange.next_report_ns != FAR_NS:
        world.clock.advance(world.exchange.next_report_ns)
        world.tell(world.exchange.deliver())
