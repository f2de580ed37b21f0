"""A record beside the market that was made up after it, figure by figure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from bmv.data.ticks.synth.facts import facts
from bmv.data.ticks.synth.markouts import HORIZONS_S, Band, markouts
from bmv.ports.market import Market

OFF = 0.5  # A fact of the made-up market that differs by more than this share of the record's is marked.


class Fact(NamedTuple):
    """One figure of the record, and of the market made up after it."""

    record: float | None
    made_up: float | None
    off: bool

    @property
    def mark(self) -> str:
        """What the table says of it."""
        return f"more than {100 * OFF:.0f} % off" if self.off else ""


class Markout(NamedTuple):
    """What prints of the record are worth to a maker some time later, and those of the market made up after it; bps."""

    horizon_s: int
    record: float | None
    made_up: float | None
    low: float | None
    high: float | None
    within: bool | None

    @property
    def mark(self) -> str:
        """What the table says of it."""
        return (
            "" if self.within is None else f"{'within' if self.within else 'OUTSIDE'} {self.low:.2f} .. {self.high:.2f}"
        )


class Comparison(NamedTuple):
    """A record beside the market made up after it."""

    facts: Mapping[str, Fact]
    markouts: Sequence[Markout]

    def as_dict(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return all of it as JSON-able values."""
        return {
            "facts": {name: fact._asdict() for name, fact in self.facts.items()},
            "markouts": [markout._asdict() for markout in self.markouts],
        }

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return a line for each figure: its name, the record's, that of the made-up market, and what is off."""
        named: list[tuple[str, Fact | Markout]] = [(name.replace("_", " "), fact) for name, fact in self.facts.items()]
        named += [(f"markout {after.horizon_s} s bps", after) for after in self.markouts]
        return [(name, _number(each.record), _number(each.made_up), each.mark) for name, each in named]


def compare(record: pl.DataFrame, files: Sequence[Path], market: Market) -> Comparison:
    """Measure the good rows of a record, in the lake's form, and the files of the market made up after it."""
    made = pl.concat([pl.read_parquet(file) for file in files])
    real, synthetic = asdict(facts(record, market)), asdict(facts(made, market))
    prints, alike = markouts(record), markouts(made)
    bands = prints.bands(int(made["ts_ns"][-1] - made["ts_ns"][0]))
    return Comparison(
        {name: Fact(real[name], synthetic[name], _off(real[name], synthetic[name])) for name in real},
        [_markout(*after) for after in zip(HORIZONS_S, prints.means(), alike.means(), bands, strict=True)],
    )


def _off(real: float | None, made: float | None) -> bool:
    """Say whether a fact is far from that of the record; one that the record has not can't be."""
    return real is not None and (made is None or bool(abs(made - real) > OFF * abs(real)))


def _markout(horizon_s: int, real: float | None, made: float | None, band: Band | None) -> Markout:
    if band is None:
        return Markout(horizon_s, real, made, None, None, None)
    return Markout(horizon_s, real, made, *band, made is not None and band.low <= made <= band.high)


def _number(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.4g}"
