"""What a backtest hands back: tables, a summary, figures, and the run folder they are kept in."""

import os
import platform
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from bmv.adapters import config as configuration
from bmv.adapters.config import Config
from bmv.adapters.parquet.tape import ParquetTape
from bmv.backtest.delays import recorded_delays
from bmv.data.files.hash import sha256
from bmv.data.runs.folder import VERSION, Run, RunFiles, refuse_unwritable, save
from bmv.data.runs.numbers import Json, finite
from bmv.data.runs.outcome import Outcome, described
from bmv.data.runs.product import product_hash
from bmv.data.runs.summary import Quality, Summary, money_text, summary_of
from bmv.ports.errors import DataError, UsageError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PACKAGES = ("bmv", "dependency-injector", "numba", "numpy", "polars", "pydantic")


class Result:
    """One run, done. The tables are Polars frames: `.to_pandas()` turns one into pandas'."""

    def __init__(
        self,
        config: Config,
        outcome: Outcome,
        engine: str,
        tape: ParquetTape,
        again: Callable[[str], Outcome],
        strategy: Json | None,
        warnings: Sequence[str] = (),
        two_beginnings: Callable[[], tuple[str, str]] | None = None,
    ) -> None:
        self.config = config
        self.outcome = outcome
        self.engine = engine
        self._tape = tape
        self._again = again
        self._strategy = strategy  # Its identity; None for the pivot grid.
        self._warnings = warnings  # Of what it was run with.
        self._two_beginnings = two_beginnings

    @property
    def orders(self) -> pl.DataFrame:
        """Every order, in the order of their ids."""
        return self.outcome.orders

    @property
    def fills(self) -> pl.DataFrame:
        """Every fill, by the venue's time."""
        return self.outcome.fills

    @property
    def equity(self) -> pl.DataFrame:
        """What was owned, every `equity_sample_s` of tape time."""
        return self.outcome.equity

    @property
    def digest(self) -> str:
        """The fingerprint of every event heard and every intent said."""
        return self.outcome.digest

    @cached_property
    def summary(self) -> Summary:
        """The figures of the run, as they stand in `summary.json`."""
        told = self._tape.quality.as_dict()
        quality = Quality(told, told.pop("warnings"), self._tape.quality.grave)
        return summary_of(self.outcome, self.config.model_dump(mode="json"), self.engine, quality, self._warnings)

    @cached_property
    def bracket(self) -> Json:
        """The same run first and last in every queue, and between them the run itself where it is neither.

        Our place in the queue lies between the two, and as a rule the volume that we trade does. Their number of fills
        need not, for a lucky place fills an order at once that another fills in pieces; nor need the profit: each fill
        changes what is decided after it.
        """
        own = self.config.simulation.queue
        return {queue: self._bound(queue) for queue in ("front", *({own} - {"front", "back"}), "back")}

    def _bound(self, queue: str) -> Json:
        own = self.config.simulation.queue == queue
        o = self.outcome if own else self._again(queue)
        return {
            "own": own,
            "net": money_text(o, o.pnl["net"]),
            "volume": float(o.fills["size"].sum()),
            "fills": o.counts["fills"],
            "max_drawdown": finite(o.equity["drawdown"].max()),
            "digest": o.digest,
        }

    def _not_reproducible(self) -> list[str]:
        """Return the warning that the strategy does not do the same twice, if the beginning of the tape shows it."""
        if self._strategy is None or self._two_beginnings is None:
            return []
        try:
            one, two = self._two_beginnings()
        except DataError:  # The beginning alone can't be run, such as for its share of bad rows.
            return []
        return [] if one == two else [not_reproducible("the beginning of the ticks", one, two)]

    def figures(self) -> "dict[str, Figure]":
        """Return the report's figures, ready for a notebook."""
        from bmv.adapters.report import figures

        run = Run(
            self.summary.copy(),
            self.config.model_dump(mode="json"),
            self._config_text(),
            self.manifest(),
            self.orders,
            self.fills,
            self.equity,
        )
        return figures.figures(run)

    def manifest(self) -> Json:
        """Return what this result was made of: code, data and configuration by hash, versions, machine."""
        return {
            "version": VERSION,
            "code": product_hash(),
            "config": configuration.digest(self.config),
            "strategy": self._strategy,
            "latencies": {_way(key): sha256(file) for key, file in recorded_delays(self.config).items()},
            "data": self._tape.manifest(),
            "engine": self.engine,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": {name: version(name) for name in PACKAGES},
        }

    def save(self, folder: str | Path, report: bool = True) -> Path:
        """Write the run folder and return its path: it is whole or not there, and an older run in it is replaced.

        Other files in the folder stay.
        """
        if not isinstance(folder, str | os.PathLike):
            raise UsageError(f"folder: expected the path of one, found {configuration.a_kind(folder)}")
        folder = Path(folder)
        refuse_unwritable(folder)  # Before the bracket, which takes two runs more.
        manifest = self.manifest()  # Refuses ticks that are not those that were recorded.
        summary = self.summary.copy()
        if report:
            summary["bracket"] = self.bracket
        if report or self.config.strategy:  # A function is not called more often than its user knows.
            summary["warnings"] = [*self._not_reproducible(), *summary["warnings"]]
        files = RunFiles(manifest, self._config_text(), summary, self.orders, self.fills, self.equity)
        save(folder, files, _page if report else None)
        return folder

    def _config_text(self) -> str:
        """Return the configuration as TOML without secrets; what it can't name stands above it."""
        text = configuration.dump(configuration.masked(self.config))
        if self._strategy is None or self.config.strategy:
            return text
        name = " ".join(described(self._strategy).split())
        return f"# A Python function decided: {name}.\n# This file can't name it, and alone would run the grid.\n{text}"

    def __repr__(self) -> str:
        return f"<Result {self.outcome!r}>"


def _page(run: Run) -> str:
    from bmv.adapters.report import report  # Brings Plotly, which a run without a report has no need of.

    return report.render(run)


def _way(key: str) -> str:
    """Return which way a delay is, of its key.

    >>> _way("simulation.entry_latency_ms")
    'entry'
    """
    return key.rpartition(".")[2].removesuffix("_latency_ms")


def not_reproducible(what: str, one: str, two: str) -> str:
    """Say of a strategy that it does not do the same twice.

    Args:
        what: What was run twice.
        one: Digest of the first run.
        two: Digest of the second.
    """
    return (
        f"the strategy is not reproducible: {what}, run twice, came out otherwise (digests {one} and {two}); does it "
        "draw random numbers without a seed, look at a clock, or remember another run?"
    )
