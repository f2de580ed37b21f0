"""A backtest as a library: a configuration and a tape in, a result out."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bmv.adapters.bookkeeping.tables import outcome
from bmv.adapters.config import Config, a_kind, configured
from bmv.adapters.config.compile import refuse_without_reference, to_ns
from bmv.adapters.parquet.tape import ParquetTape
from bmv.adapters.strategy import identity, plugin
from bmv.backtest.delays import delay_warnings
from bmv.backtest.result import Result
from bmv.backtest.wiring import BacktestContainer, Data, listed, named
from bmv.core.engine import Strategy
from bmv.core.state import W_SIDE, State
from bmv.data.files.path import is_url
from bmv.data.runs.numbers import SECOND, Json
from bmv.data.runs.outcome import Outcome
from bmv.ports.errors import DataError, UsageError
from bmv.ports.market_data import Columns

PARQUET = b"PAR1"  # How each such file begins.
BEGINNING = 20  # One part in so many of a tape's time shows whether a strategy does the same twice,
BEGINNING_MIN_NS = 600 * SECOND  # or this much of it.
EngineName = Literal["fused", "reference"]
ShareDone = Callable[[float], None]  # Called with the share done, 0 to 1.


class Backtest:
    """One run to be made: a configuration, and the tape that happens to it.

    To make one reads the configuration file, if it is given one; tape and strategy file are opened by `run`.

    Args:
        config: A configuration, the path of its file, or a mapping like the file's, judged by the same rules. Relative
            paths in a mapping are relative to the working directory.
        data: Parquet files or folders of them, in either form of the tick contract; or the URL of one market in
            Postgres, `postgresql://USER@HOST/DATABASE?market=VENUE/SYMBOL`. A `Recorded` of such a URL asks the
            database once for all runs that it is given to.
        start_ns: First instant of the run (ns UTC); earlier rows of the data seed the pivot.
        end_ns: End of the run, exclusive.
        engine: `fused`, compiled, or `reference`, through the ports; their results are the same word for word.
        strategy: Decides in place of what the configuration names: a function, compiled if it is marked `@kernel`, or
            `path.py:name`. A function is the same one in each run, those of the bracket included, so what it keeps
            elsewhere than in `memory` stays; a file is imported anew for each.

    Raises:
        UsageError: An argument is of no kind that is taken, or the compiler that `fused` needs is switched off.
        ConfigError: The configuration or the function can't be run; on `run`, when that is so of a strategy's file.
        DataError: On `run`, when the data can't be used.
    """

    def __init__(
        self,
        config: Config | Mapping[str, Any] | str | Path,  # Any: what TOML may hold.
        data: Iterable[Data] | Data,
        start_ns: int | None = None,
        end_ns: int | None = None,
        engine: EngineName = "fused",
        strategy: Strategy | str | None = None,
    ) -> None:
        if engine not in ("fused", "reference"):
            raise UsageError("engine: expected 'fused' or 'reference'")
        if engine == "fused":
            plugin.refuse_without_compiler(
                "the engine `fused`", ", or take the engine `reference` (slower, same result)"
            )
        _refuse_odd_window(start_ns, end_ns)
        self.config = _configured(config, strategy)
        self.engine = engine
        self.paths = listed(data)
        self.start_ns = start_ns
        self.end_ns = end_ns
        self._data = named(self.paths)
        self._function = None if strategy is None or isinstance(strategy, str) else plugin.fitting(strategy)
        refuse_without_reference(self.config)

    def run(self, progress: ShareDone | None = None) -> Result:
        """Let the tape happen, from the beginning each time; return what came of it."""
        if progress is not None and not callable(progress):
            raise UsageError(f"progress: expected a function of the share done, or None, found {a_kind(progress)}")
        _refuse_other_forms(self._data)
        strategy, known = self._strategy()
        c = BacktestContainer(
            config=self.config,
            paths=self._data,
            sample_ns=to_ns(self.config.data.equity_sample_s),
            start_ns=self.start_ns,
            end_ns=self.end_ns,
            strategy=plugin.counted(strategy),
            spelling=self.config.strategy or (identity.spelling(self._function) if self._function else ""),
        )
        tape = Watched(c.tape(), progress, self.config)
        made = _by_reference(c, tape) if self.engine == "reference" else _by_loop(c, tape)
        return Result(self.config, made, self.engine, c.tape(), self._again, known, tape.warnings, self._two_beginnings)

    def _strategy(self) -> tuple[Strategy | None, Json | None]:
        """Return the user's function, if one decides, and its identity.

        A file is imported anew, so that nothing a module remembers comes from another run.
        """
        if self._function is not None:
            return self._function, identity.of_function(self._function)
        if self.config.strategy:
            return plugin.load(self.config.strategy), identity.of_file(self.config.strategy)
        return None, None

    def _two_beginnings(self) -> tuple[str, str]:
        """Return the digests of two runs over the beginning of the tape; the faster engine makes both."""
        tape = BacktestContainer(
            config=self.config, paths=self._data, sample_ns=SECOND, start_ns=self.start_ns, end_ns=self.end_ns
        ).tape()
        first_ns, last_ns = tape.ends()
        end_ns = min(first_ns + max((last_ns - first_ns) // BEGINNING, BEGINNING_MIN_NS), last_ns) + 1
        engine: EngineName = "fused" if plugin.compiles() else "reference"
        strategy = self._function
        one, two = (Backtest(self.config, self._data, self.start_ns, end_ns, engine, strategy).run() for _ in range(2))
        return one.digest, two.digest

    def _again(self, queue: str) -> Outcome:
        """Return the same run under another queue model; both engines come to the same, so the faster one makes it."""
        simulation = self.config.simulation.model_copy(update={"queue": queue})
        config = self.config.model_copy(update={"simulation": simulation})
        engine: EngineName = "fused" if plugin.compiles() else "reference"
        return Backtest(config, self._data, self.start_ns, self.end_ns, engine, self._function).run().outcome

    def __repr__(self) -> str:
        return f"<Backtest {self.config.market.symbol} | {self.engine}>"


def _configured(config: object, strategy: object) -> Config:
    """Return the configuration of a run that `strategy` decides, if it is given.

    Where it is a function, the configuration names none: it would name one that did not run.
    """
    if strategy is None:
        return configured(config)
    if isinstance(strategy, str):
        return configured(config, [f"strategy={strategy}"])
    return configured(config, grid_optional=True).model_copy(update={"strategy": None})


def _refuse_odd_window(start_ns: object, end_ns: object) -> None:
    """Raise `UsageError` where an end of the run is no whole number (ns), or the end is not behind the start."""
    for name, value in (("start_ns", start_ns), ("end_ns", end_ns)):
        if value is not None and (isinstance(value, bool) or not hasattr(value, "__index__")):
            raise UsageError(
                f"{name}: expected a whole number of nanoseconds since 1970, UTC, or None, found {a_kind(value)}; of a "
                "datetime with its time zone, int(moment.timestamp()) * 10**9 is one"
            )
    if start_ns is not None and end_ns is not None and start_ns >= end_ns:  # type: ignore[operator]  # Looked at above.
        raise UsageError(f"start_ns, end_ns: expected the start before the end, found {start_ns} and {end_ns}")


def _refuse_other_forms(paths: Sequence[Data]) -> None:
    """Raise `DataError` where a file is no Parquet, such as CSV, and say what makes Parquet of it."""
    for path in paths:
        if not isinstance(path, str | Path) or is_url(path) or not os.path.isfile(path) or not os.access(path, os.R_OK):
            continue
        with open(path, "rb") as file:
            if file.read(len(PARQUET)) == PARQUET:
                continue
        raise DataError(
            f"{path}: cannot be read as Parquet. `bmv data import` takes CSV and other forms into a lake; "
            f"`bmv data convert {path} ticks.parquet` makes one file of Parquet of it"
        )


def _wanting(made: Outcome, state: State) -> Outcome:
    """Return `made`, with the sides that a strategy ever wrote among its counts: none means that it wanted nothing."""
    return replace(made, counts=made.counts | {"wanted_sides": int(np.count_nonzero(state.wanted[:, W_SIDE]))})


def _by_reference(c: BacktestContainer, tape: "Watched") -> Outcome:
    from bmv.backtest.run import run

    world = c.world()
    started = time.perf_counter()
    run(world, tape, tape.count)
    spent = time.perf_counter() - started
    made = outcome(c.market(), c.params(), world.engine.state, world.books.record, c.sink().whole(), tape.split(spent))
    return _wanting(made, world.engine.state)


def _by_loop(c: BacktestContainer, tape: "Watched") -> Outcome:
    loop = c.loop()
    started = time.perf_counter()
    loop.run(tape, tape.count)
    spent = time.perf_counter() - started
    made = outcome(c.market(), c.params(), loop.state, loop.record, c.sink().whole(), tape.split(spent))
    return _wanting(made, loop.state)


class Watched:
    """A tape that times its own reading, reports how far it has come, and is compared with the delays of the run."""

    def __init__(self, tape: ParquetTape, progress: ShareDone | None, config: Config) -> None:
        self.warnings: list[str] = []  # Of what it is run with.
        self._tape = tape
        self._progress = progress
        self._config = config
        self._rows = 0
        self._reading = 0.0

    def seed(self, history_ns: int) -> Columns:
        """Return the trades before the start; `DataError` where delays were recorded at another time than the rows."""
        started = time.perf_counter()
        rows = self._tape.seed(history_ns)
        self.warnings = delay_warnings(self._config, *self._tape.ends())
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

    def count(self, rows: int) -> None:
        """Hear that `rows` more have happened."""
        self._rows += rows
        if self._progress is not None:
            total = sum(span.stop - span.start for span in self._tape.window)
            self._progress(min(1.0, self._rows / total))

    def split(self, spent: float) -> tuple[float, float]:
        """Return `spent` seconds as those of reading and those of the engine."""
        return self._reading, spent - self._reading
