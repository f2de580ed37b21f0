"""`make scaling`: how time grows with events, with orders and with open inventory; draws docs/images/scaling.svg.

Each time is the least of several runs, because whatever else the machine does only ever adds to it.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import polars as pl
from chart import Chart, Line, Point, draw
from loops import maker, nobody, prepared
from tapes import DAY_ROWS, TapeInMemory, columns, lake

from bmv.adapters.config import Config
from bmv.adapters.config.schema import Risk
from bmv.backtest.api import Backtest
from bmv.backtest.fused import Fused
from bmv.backtest.outcome import Outcome
from bmv.backtest.roundtrips import round_trips
from bmv.backtest.stats import statistics
from bmv.backtest.tables import Memory, outcome
from bmv.data.synth import SOL_USDC
from bmv.ports.market_data import Columns
from bmv.ports.messages import Kind

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "scaling.svg"
EVENTS = [10_000, 31_623, 100_000, 316_228, 1_000_000, 3_162_278, DAY_ROWS]
AGES_S = [80, 25, 8, 2.5, 0.8, 0.25, 0.08]  # Of an order at the most; on 1 M events some 1,000 to 1 M orders.
NEVER_S = 86_400
FILLS = [1_000, 3_162, 10_000, 31_623, 100_000, 316_228, 1_000_000]
ROUNDS = 5
NS_PER_MS = 1_000_000


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
    loop, whole = list[Point](), list[Point]()
    for rows in EVENTS:
        tape = first(told, rows)
        loop.append((rows, least(lambda tape=tape: run(maker(), tape)[1])))
        whole.append((rows, least(lambda rows=rows: to_folder(rows))))
    return Chart("events", [line("Parquet to run folder", whole), line("the loop", loop)])


def over_orders(told: Columns) -> Chart:
    """The same million events, and ever more orders; what the events take without them is taken away."""
    tape = first(told, 1_000_000)
    events_alone = least(lambda: run(impatient(NEVER_S), tape)[1])
    loop, rest = list[Point](), list[Point]()
    for age_s in AGES_S:
        config = impatient(age_s)
        orders = int(run(config, tape)[0].record.orders)
        loop.append((orders, least(lambda config=config: run(config, tape)[1]) - events_alone))
        rest.append((orders, least(lambda config=config: evaluate(config, *made(config, tape)))))
    return Chart("orders", [line("the loop, less its events", loop), line("tables and statistics", rest)])


def over_inventory() -> Chart:
    """A market that only falls, where each row fills a bid and nothing is ever sold again."""
    loop, rest, trips = list[Point](), list[Point](), list[Point]()
    for fills in FILLS:
        config, tape = buyer(), falling(fills)
        loop.append((fills, least(lambda config=config, tape=tape: run(config, tape)[1])))
        rest.append((fills, least(lambda config=config, tape=tape: evaluate(config, *made(config, tape)))))
        bought = outcome_of(config, *made(config, tape)).fills
        assert bought["side"].min() == 1
        assert abs(len(bought) - fills) < 10
        sold = bought.with_columns(side=-pl.col("side"), ts_ns=pl.col("ts_ns") + bought["ts_ns"].max())
        both = pl.concat([bought, sold])
        trips.append((fills, least(lambda both=both: timed(lambda: round_trips(both)))))
    return Chart(
        "lots of open inventory",
        [line("tables and statistics", rest), line("the loop", loop), line("matching all lots", trips)],
    )


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


def run(config: Config, tape: Columns) -> tuple[Fused, float]:
    """Run the compiled loop on a tape in memory; return it, and the seconds it took."""
    loop = prepared(config)
    return loop, timed(lambda: loop.run(TapeInMemory(tape), nobody))


def made(config: Config, tape: Columns) -> tuple[Fused, Memory]:
    """Run the compiled loop on a tape in memory; return it, and the rows it left."""
    rows = Memory()
    loop = prepared(config, sink=rows)
    loop.run(TapeInMemory(tape), nobody)
    return loop, rows


def outcome_of(config: Config, loop: Fused, rows: Memory) -> Outcome:
    """Return what a run leaves."""
    return outcome(SOL_USDC, loop.params, loop.state, loop.record, rows.whole(), (0.0, 0.0))


def evaluate(config: Config, loop: Fused, rows: Memory) -> float:
    """Return the seconds from the rows of a run to its statistics."""
    return timed(lambda: statistics(outcome_of(config, loop, rows), config.model_dump(mode="json")))


def to_folder(rows: int) -> float:
    """Return the seconds from Parquet to run folder of a day of so many rows, in a process that is warm."""
    tape = lake(rows)
    with TemporaryDirectory() as folder:
        return timed(lambda: Backtest(maker(), tape).run().save(folder, report=False))


def timed(function: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = perf_counter()
    function()
    return perf_counter() - started


def least(measure: Callable[[], float]) -> float:
    """Return the least of several measurements, after one that does not count."""
    return min(seconds for seconds in list(_again(measure))[1:])


def _again(measure: Callable[[], float]) -> Iterator[float]:
    for _ in range(1 + ROUNDS):
        yield measure()
        print(".", end="", file=sys.stderr, flush=True)


def line(name: str, points: list[Point]) -> Line:
    """Return a line of a chart, without points that the events' share has swallowed."""
    return Line(name, [(size, seconds) for size, seconds in points if seconds > 0])


if __name__ == "__main__":
    main()
