"""The reference run: the engine against the simulated venue, through the ports, one event at a time.

What comes next, and in which order at equal time, is told in :mod:`bmv.adapters.bookkeeping.stage`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bmv.adapters.bookkeeping.books import Books
from bmv.adapters.bookkeeping.stage import Stage
from bmv.core.engine import Engine
from bmv.core.tell import tell
from bmv.ports.market_data import Columns, Tape
from bmv.ports.messages import Event, Kind
from bmv.ports.storage import Journal

Row = tuple[int, ...]
Progress = Callable[[int], None]  # Called with the number of rows told since the last call.


@dataclass(slots=True)
class World:
    """Everything that takes part in a reference run."""

    engine: Engine
    stage: Stage
    books: Books
    journal: Journal

    def tell(self, event: Event) -> None:
        """Tell the engine, and write down what it asks for."""
        tell(self.engine, self.stage, self.journal, event)
        self.stage.heard(event)


def run(world: World, tape: Tape, progress: Progress) -> None:
    """Let a tape happen to the world, from its seed to the last report."""
    for ts_ns, _, _, price, size, *_ in _rows(tape.seed(int(world.engine.params.history_ns))):
        world.engine.seed(ts_ns, price, size)
    for columns in tape.batches():
        for row in _rows(columns):
            _live_until(world, row[0])
            world.stage.pass_time(row[0])
            world.tell(world.stage.row(*row))
        world.books.drain()
        progress(len(columns.ts_ns))
    _close(world)
    world.books.close()


def _rows(columns: Columns) -> Iterator[Row]:
    return zip(*(column.tolist() for column in columns), strict=True)


def _live_until(world: World, row_ns: int) -> None:
    """Let everything happen that comes before the row of the tape at `row_ns`."""
    stage, engine = world.stage, world.engine
    while True:
        due_ns, wake_ns = stage.due_ns, engine.state.wake_ns
        if row_ns <= min(due_ns, wake_ns):
            return
        stage.pass_time(min(due_ns, wake_ns))
        event = stage.happen() if due_ns <= wake_ns else Event(Kind.TIMER.value, wake_ns)
        if event is not None:
            world.tell(event)


def _close(world: World) -> None:
    """Deliver the reports that are on their way; nothing new is asked for, and nothing more arrives at the venue."""
    world.engine.state.closed = 1
    world.books.finish()
    while world.stage.reporting:
        world.tell(world.stage.deliver_next())
