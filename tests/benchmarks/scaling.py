"""`make scaling`: how time grows with events, with orders and with open inventory; draws docs/images/scaling.svg.

Each time is the least of several runs, because whatever else the machine does only ever adds to it.
"""

import sys
from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

import numpy as np
import polars as pl
from chart import Chart, Line, draw
from loops import maker, nobody, prepared
from tapes import DAY_ROWS, TapeInMemory, columns, lake

from bmv.adapters.bookkeeping.tables import Memory, outcome
from bmv.adapters.config import Config
from bmv.adapters.config.schema import Risk
from bmv.backtest.api import Backtest
from bmv.backtest.fused import Fused
from bmv.data.runs.outcome import Outcome
from bmv.data.runs.statistics.roundtrips import round_trips
from bmv.data.runs.statistics.stats import statistics
from bmv.data.ticks.synth.synth import SOL_USDC
from bmv.ports.market_data import Columns
from bmv.ports.messages import Kind

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "scaling.svg"
EVENTS = [10_000, 31_623, 100_000, 316_228, 1_000_000, 3_162_278, DAY_ROWS]
AGES_S = [80, 25, 8, 2.5, 0.8, 0.25, 0.08]  # Of an order at the most; on 1 M events some 1,000 to 1 M orders.
NEVER_S = 86_400
FILLS = [1_000, 3_162, 10_000, 31_623, 100_000, 316_228, 1_000_000]
TURNS = 5
ALONE = "events alone"
NS_PER_MS = 1_000_000


class Job(NamedTuple):
    """One point of a line."""

    name: str
    size: int
    measure: Callable[[], float]  # Returns seconds.


def main() -> None:
    """Measure all three, print the numbers and draw them."""
    told = columns(DAY_ROWS)
    charts = [over_events(told), over_orders(told), over_inventory()]
    for chart in charts:
        print(chart)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(draw(charts), "utf-8")
    print(PICTURE)


def over_events(told: Columns) -> Chart:
    """The day cut short: in memory, and from Parquet to a run folder without its HTML."""
    jobs = list[Job]()
    for rows in EVENTS:
        tape = first(told, rows)
        jobs.append(Job("Parquet to folder", rows, partial(to_folder, rows)))
        jobs.append(Job("the loop", rows, partial(run, maker(), tape)))
    return Chart("events", measured(jobs))


def over_orders(told: Columns) -> Chart:
    """The same million events, and ever more orders; what the events take without them is taken away."""
    tape = first(told, 1_000_000)
    jobs = [Job(ALONE, 0, partial(run, impatient(NEVER_S), tape))]
    for age_s in AGES_S:
        config = impatient(age_s)
        orders = int(made(config, tape)[0].record.orders)
        jobs.append(Job("tables, statistics", orders, partial(evaluate, config, tape)))
        jobs.append(Job("the loop, less events", orders, partial(run, config, tape)))
    alone, *lines = measured(jobs)
    _, events_s = alone.points[0]
    loop = lines[-1]
    # Where there are few orders, the noise of a million events may be more than all of them.
    loop.points[:] = [(orders, seconds - events_s) for orders, seconds in loop.points if seconds > 1.02 * events_s]
    return Chart("orders", lines)


def over_inventory() -> Chart:
    """A market that only falls, where each row fills a bid and nothing is ever sold again; then all of it sold at once."""
    config, jobs = buyer(), list[Job]()
    for fills in FILLS:
        tape = falling(fills)
        both = there_and_back(config, tape)
        jobs.append(Job("tables, statistics", fills, partial(evaluate, config, tape)))
        jobs.append(Job("the loop", fills, partial(run, config, tape)))
        jobs.append(Job("matching all lots", fills, partial(timed, partial(round_trips, both))))
    return Chart("fills that stay open", measured(jobs))


def measured(jobs: list[Job]) -> list[Line]:
    """Return the least time of each job, by name; all are done in turns, so that a busy moment spoils one turn alone."""
    seconds = [inf] * len(jobs)
    for turn in range(1 + TURNS):
        for at, job in enumerate(jobs):
            spent = job.measure()
            seconds[at] = min(seconds[at], spent) if turn else inf  # The first is for the caches.
            print(".", end="", file=sys.stderr, flush=True)
    lines = dict[str, Line]()
    for job, least in zip(jobs, seconds, strict=True):
        lines.setdefault(job.name, Line(job.name, [])).points.append((job.size, least))
    return list(lines.values())


def first(told: Columns, rows: int) -> Columns:
    """Return the first rows of a tape."""
    return Columns(*(column[:rows] for column in told))


def falling(rows: int) -> Columns:
    """Return a tape of one trade and of quotes each a tick lower than the one before, ten a second."""
    zero = np.zeros(rows + 2, np.int64)
    bid = rows + 1_000_000 - np.arange(rows + 2)
    kind = np.full(rows + 2, Kind.QUOTE.value)
    ts_ns = np.arange(rows + 2) * 100 * NS_PER_MS
    told = Columns(ts_ns, kind, zero, zero.copy(), zero.copy(), bid, zero + 5000, bid + 1, zero + 5000)
    for name, value in {"kind": Kind.TRADE, "side": 1, "price": bid[1], "size": 1}.items():
        getattr(told, name)[1] = value
    for name in ("bid", "bid_size", "ask", "ask_size"):
        getattr(told, name)[1] = 0
    return told


def impatient(age_s: float) -> Config:
    """Return the maker without limits, too far away to be filled, who places each order anew at the age of `age_s`."""
    sets = ["requote.threshold_bps=5000", "requote.min_interval_ms=20", f"requote.max_age_s={age_s}"]
    sets += ["grid.bid.first_bps=500", "grid.ask.first_bps=500"]
    return maker(sets).model_copy(update={"risk": Risk()})


def buyer() -> Config:
    """Return a maker with one bid at the touch, placed anew at once, and more than enough money."""
    sets = ["grid.bid.levels=1", "grid.bid.first_bps=0", "grid.bid.total_size=0.01", "grid.ask.levels=0"]
    sets += ["inventory.start_base=0", "inventory.start_quote=1000000000", "inventory.max_position=100000"]
    sets += ["inventory.price_skew_bps=0", "inventory.size_skew=0", "pivot.history_s=2000000"]
    sets += ["requote.threshold_bps=0", "requote.min_interval_ms=0", "requote.fill_delay_s=0"]
    sets += ["simulation.entry_latency_ms=0", "simulation.response_latency_ms=0", "data.equity_sample_s=60"]
    return maker(sets).model_copy(update={"risk": Risk()})


def there_and_back(config: Config, tape: Columns) -> pl.DataFrame:
    """Return the fills of a run that only bought, and the same lots sold afterwards."""
    bought = outcome_of(*made(config, tape)).fills
    assert bought["side"].min() == 1
    assert len(tape.ts_ns) - len(bought) < 10
    sold = bought.with_columns(side=-pl.col("side"), ts_ns=pl.col("ts_ns") + bought["ts_ns"].max())
    return pl.concat([bought, sold])


def run(config: Config, tape: Columns) -> float:
    """Return the seconds of the compiled loop on a tape in memory."""
    loop = prepared(config)
    return timed(lambda: loop.run(TapeInMemory(tape), nobody))


def made(config: Config, tape: Columns) -> tuple[Fused, Memory]:
    """Run the compiled loop on a tape in memory; return it, and the rows it left."""
    rows = Memory()
    loop = prepared(config, sink=rows)
    loop.run(TapeInMemory(tape), nobody)
    return loop, rows


def outcome_of(loop: Fused, rows: Memory) -> Outcome:
    """Return what a run leaves."""
    return outcome(SOL_USDC, loop.params, loop.state, loop.record, rows.whole(), (0.0, 0.0))


def evaluate(config: Config, tape: Columns) -> float:
    """Return the seconds from the rows of a run to its statistics."""
    left = made(config, tape)
    return timed(lambda: statistics(outcome_of(*left), config.model_dump(mode="json")))


def to_folder(rows: int) -> float:
    """Return the seconds from Parquet to run folder of a tape of so many rows, in a process that is warm."""
    tape = lake(rows)
    with TemporaryDirectory() as folder:
        return timed(lambda: Backtest(maker(), tape).run().save(folder, report=False))


def timed(function: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = perf_counter()
    function()
    return perf_counter() - started


if __name__ == "__main__":
    main()
