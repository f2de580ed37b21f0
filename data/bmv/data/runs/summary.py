"""The figures of a run, as they stand in `summary.json`, whichever world made it."""

from collections.abc import Sequence
from typing import NamedTuple, NotRequired, TypedDict, cast

from bmv.data.runs.contracts import units_of
from bmv.data.runs.numbers import Json
from bmv.data.runs.outcome import Outcome
from bmv.data.runs.statistics.participation import participation_warnings
from bmv.data.runs.statistics.stats import breaker_warnings, statistics
from bmv.data.runs.statistics.tape_fit import fit_warnings
from bmv.ports.market import SPOT

VERSION = 1  # Of summary and manifest; another one is another program's.
LIVE = "live"  # What drove the core where orders were real.


class Summary(TypedDict):
    """What a run came to: money in decimal strings of quote (of base, where contracts are inverse), times in ns UTC."""

    version: int
    symbol: str
    units: NotRequired[str]  # Of contracts alone: what sizes and money are counted in.
    venue: str
    engine: str
    events: int  # Rows of the tape.
    trades: int
    quotes: int
    depths: int
    orders: int
    fills: int
    digest: str
    pnl: dict[str, str]  # `net` is the sum of the others, exactly.
    net_vs_hold: str
    max_drawdown: float | None  # A fraction.
    sharpe: float | None
    sortino: float | None
    first_ns: int
    last_ns: int
    load_seconds: float
    engine_seconds: float
    events_per_second: int | None
    statistics: Json
    quality: Json
    warnings: list[str]
    bracket: NotRequired[Json]
    chain: NotRequired[Json]  # Of a live run alone: what the chain was paid, and at which rate.


class Quality(NamedTuple):
    """What the reading of the market data says of it.

    Args:
        figures: Counts of bad and odd rows, as JSON.
        warnings: In words, the gravest first.
        grave: How many of the warnings stand before all others of the run.
    """

    figures: Json
    warnings: Sequence[str]
    grave: int


def summary_of(outcome: Outcome, config: Json, engine: str, quality: Quality, warnings: Sequence[str] = ()) -> Summary:
    """Return the summary of a run.

    Args:
        outcome: What the run left in memory.
        config: The resolved configuration, nested as in its file, with every key that has a default.
        engine: What drove the core: `fused`, `reference`, `paper` or `live`.
        quality: What is known of its market data.
        warnings: Of what the run was made with.
    """
    o, stats = outcome, statistics(outcome, config)
    of_tape, of_run = list(quality.warnings[: quality.grave]), breaker_warnings(o)
    if engine != LIVE:  # Of a market that we truly trade in our own orders are a part: it answers, and prints are ours.
        of_tape = [*fit_warnings(stats["fit"]), *of_tape]
        of_run = [*of_run, *participation_warnings(stats["participation"])]
    units = {} if o.market.contract == SPOT else {"units": units_of(o.market.symbol, o.market.contract)}
    summary = {
        "version": VERSION,
        "symbol": o.market.symbol,
        **units,
        "venue": config["market"]["venue"],
        "engine": engine,
        **o.counts,  # From `events` to `fills`.
        "digest": o.digest,
        "pnl": {name: money_text(o, quanta) for name, quanta in o.pnl.items()},
        "net_vs_hold": money_text(o, o.net_vs_hold),
        "max_drawdown": stats["drawdown"]["max"],
        "sharpe": stats["ratios"].get("sharpe"),
        "sortino": stats["ratios"].get("sortino"),
        "first_ns": o.first_ns,
        "last_ns": o.last_ns,
        "load_seconds": round(o.load_seconds, 6),
        "engine_seconds": round(o.engine_seconds, 6),
        "events_per_second": round(o.counts["events"] / o.engine_seconds) if o.engine_seconds > 0 else None,
        "statistics": stats,
        "quality": quality.figures,
        "warnings": [*of_tape, *warnings, *of_run, *quality.warnings[quality.grave :]],
    }
    return cast(Summary, summary)


def money_text(outcome: Outcome, quanta: int) -> str:
    """Return an amount of quanta as a decimal string, exactly."""
    return format(outcome.market.money(quanta), "f")
