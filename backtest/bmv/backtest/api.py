"""A backtest as a library: a configuration and a tape in, a result out."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from bmv.adapters.config import Config, build, load
from bmv.adapters.config.compile import refuse_without_reference
from bmv.adapters.parquet.tape import ParquetTape
from bmv.backtest import identity, plugin
from bmv.backtest.numbers import Json
from bmv.backtest.outcome import Outcome
from bmv.backtest.result import Result
from bmv.backtest.tables import outcome
from bmv.backtest.wiring import BacktestContainer
from bmv.core.engine import Strategy
from bmv.ports.errors import UsageError
from bmv.ports.market_data import Columns

Engine = Literal["fused", "reference"]
Progress = Callable[[float], None]  # Called with the share done, 0 to 1.
NS_PER_S = 1_000_000_000
STAND_IN = "a.py:function"  # The name under which a file is checked whose strategy is a function without one.


class Backtest:
    """One run to be made: what is told to the core, and the tape that happens to it.

    Args:
        config: A configuration, or the path of its file.
        data: Parquet files or folders of them, in either form of the tick contract.
        start_ns: First instant of the run (ns UTC); earlier rows of the data seed the pivot.
        end_ns: End of the run, exclusive.
        engine: `fused`, compiled, or `reference`, through the ports; their results are the same word for word.
        strategy: Decides in place of what the configuration names: a function, compiled if it is marked `@kernel`, or
            `path.py:name`. A function is the same one in each run, those of the bracket included, so what it keeps
            elsewhere than in `memory` stays; a file is imported anew for each.

    Raises:
        ConfigError: The configuration or the strategy can't be run.
        DataError: On `run`, when the data can't be used.
    """

    def __init__(
        self,
        config: Config | str | Path,
        data: Sequence[str | Path] | str | Path,
        start_ns: int | None = None,
        end_ns: int | None = None,
        engine: Engine = "fused",
        strategy: Strategy | str | None = None,
    ) -> None:
        if engine not in ("fused", "reference"):
            raise UsageError(f"engine {engine!r}: expected 'fused' or 'reference'")
        self.config = _told(config, strategy)
        self.engine = engine
        self._function = None if isinstance(strategy, str) else strategy
        refuse_without_reference(self.config)
        paths = [Path(data)] if isinstance(data, str | Path) else [Path(path) for path in data]
        self.container = BacktestContainer(
            config=self.config,
            paths=paths,
            sample_ns=round(self.config.data.equity_sample_s * NS_PER_S),
            start_ns=start_ns,
            end_ns=end_ns,
        )
        self._strategy()

    def run(self, progress: Progress | None = None) -> Result:
        """Let the tape happen, from the beginning each time; return what came of it."""
        self.container.reset_singletons()
        strategy, known = self._strategy()
        tape = Watched(self.container.tape(), progress)
        if strategy is not None:
            self.container.strategy.override(strategy)
            self.container.params().strategy = plugin.kind(strategy)
        made = self._reference(tape) if self.engine == "reference" else self._fused(tape, known)
        return Result(self.config, made, self.engine, self.container.tape(), self._again, known)

    def _strategy(self) -> tuple[Strategy | None, Json | None]:
        """Return the user's function, and by what it is known again.

        A file is imported anew, so that nothing a module remembers comes from another run.
        """
        if self._function is not None:
            known = identity.of_function(self._function)
            return plugin.fitting(self._function, identity.spelt(known)), known
        if self.config.strategy:
            return plugin.load(self.config.strategy), identity.of_file(self.config.strategy)
        return None, None

    def _again(self, queue: str) -> Outcome:
        """Return the same run under another queue model."""
        simulation = self.config.simulation.model_copy(update={"queue": queue})
        config = self.config.model_copy(update={"simulation": simulation})
        c = self.container
        return Backtest(config, c.paths(), c.start_ns(), c.end_ns(), "fused", self._function).run().outcome

    def _reference(self, tape: "Watched") -> Outcome:
        from bmv.backtest.run import run

        c = self.container
        strategy = c.strategy()
        if strategy is not None:
            c.strategy.override(plugin.guarded(strategy))
        world = c.world()
        started = time.perf_counter()
        run(world, tape, tape.told)
        spent = time.perf_counter() - started
        rows = c.sink().whole()
        return outcome(c.market(), c.params(), world.engine.state, world.record, rows, tape.split(spent))

    def _fused(self, tape: "Watched", known: Json | None) -> Outcome:
        from bmv.backtest.fused import Fused

        c = self.container
        spelling = self.config.strategy or (identity.spelt(known) if known else "")
        loop = Fused(c.params(), c.venue(), c.record(), c.sink(), c.strategy(), spelling)
        started = time.perf_counter()
        loop.run(tape, tape.told)
        spent = time.perf_counter() - started
        return outcome(c.market(), c.params(), loop.state, loop.record, c.sink().whole(), tape.split(spent))

    def __repr__(self) -> str:
        return f"<Backtest {self.config.market.symbol} | {self.engine}>"


def _told(config: Config | str | Path, strategy: Strategy | str | None) -> Config:
    """Return the configuration of a run that `strategy` decides, if it is given.

    Where it is a function, the configuration names none: it would name one that did not run.
    """
    if strategy is None:
        return config if isinstance(config, Config) else load(config)
    name = strategy if isinstance(strategy, str) else STAND_IN
    if not isinstance(config, Config):
        config = load(config, [f"strategy={name}"])  # A file that leaves the grid out is good with a strategy only.
    elif isinstance(strategy, str):
        config = build(**config.model_dump(exclude_none=True) | {"strategy": strategy})
    return config if isinstance(strategy, str) else config.model_copy(update={"strategy": None})


class Watched:
    """A tape that times its own reading and tells how far it has come."""

    def __init__(self, tape: ParquetTape, progress: Progress | None) -> None:
        self._tape = tape
        self._progress = progress
        self._rows = 0
        self._reading = 0.0

    def seed(self, history_ns: int) -> Columns:
        """Return the trades before the start."""
        started = time.perf_counter()
        rows = self._tape.seed(history_ns)
        self._reading += time.perf_counter() - started
        return rows

    def batches(self) -> Iterator[Columns]:
        """Yield the rows."""
        batches = self._tape.batches()
        while True:
            started = time.perf_counter()
            columns = next(batches, None)
            self._reading += time.perf_counter() - started
            if columns is None:
                return
            yield columns

    def told(self, rows: int) -> None:
        """Hear that `rows` more were told."""
        self._rows += rows
        if self._progress is not None:
            total = sum(span.stop - span.start for span in self._tape.window)
            self._progress(min(1.0, self._rows / total))

    def split(self, spent: float) -> tuple[float, float]:
        """Return `spent` seconds as those of reading and those of the engine."""
        return self._reading, spent - self._reading
