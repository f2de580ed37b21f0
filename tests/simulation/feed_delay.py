"""What a feed that is late does, beside an entry latency that is longer by as much: how many fills differ.

    python tests/simulation/feed_delay.py 200

runs every recorded tape with trades twice, on the span that the audit takes, with so many milliseconds of delay: once put
into the entry latency, as docs/simulation.md says, and once with rows that happen at the venue at their time and reach
the engine later. Everything else is the reference run.
"""

import os
import sys
import tomllib
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from markets import RECORDED, Recorded

from bmv.adapters.config import Config
from bmv.backtest.run import World
from bmv.backtest.wiring import BacktestContainer, Data
from bmv.core.state import FAR_NS
from bmv.ports.market_data import Tape
from bmv.ports.messages import Event, Kind

TICKS = Path(os.environ.get("BMV_TICKS") or Path(__file__).resolve().parents[3] / "shared" / "ticks")
MS = 1_000_000
SAMPLE_NS = 60_000 * MS


def fills(market: Recorded, entry_ms: int, feed_ms: int) -> int:
    """Return how many fills a run has."""
    settings: dict[str, Any] = tomllib.loads(market.config("back", entry_latency_ms=str(entry_ms)), parse_float=Decimal)
    start_ns, end_ns = market.span_ns
    paths: list[Data] = [TICKS / f"{market.file}.parquet"]
    c = BacktestContainer(config=Config(**settings), paths=paths, sample_ns=SAMPLE_NS)
    c.start_ns.override(start_ns)
    c.end_ns.override(end_ns)
    world = c.world()
    _run(world, c.tape(), feed_ms * MS)
    return int(world.record.fills)


def _run(world: World, tape: Tape, delay_ns: int) -> None:
    for row in zip(*(column.tolist() for column in tape.seed(int(world.engine.params.history_ns))), strict=True):
        world.engine.seed(row[0], row[3], row[4])
    late = deque[Event]()
    for columns in tape.batches():
        for row in zip(*(column.tolist() for column in columns), strict=True):
            _live_until(world, row[0], late)
            world.pass_time(row[0])
            first = world.exchange.reports_made
            event = world.exchange.row(*row)
            world.book(first)
            late.append(event._replace(ts_ns=row[0] + delay_ns))
            if delay_ns == 0:
                world.tell(late.popleft())
        world.drain()


def _live_until(world: World, row_ns: int, late: deque[Event]) -> None:
    while True:
        times = (
            world.exchange.next_arrival_ns,
            late[0].ts_ns if late else FAR_NS,
            world.exchange.next_report_ns,
            world.engine.state.wake_ns,
        )
        now_ns = min(times)
        if row_ns <= now_ns:
            return
        world.pass_time(now_ns)
        what = times.index(now_ns)
        if what == 0:
            first = world.exchange.reports_made
            world.exchange.arrive()
            world.book(first)
        else:
            world.tell(_heard(world, what, now_ns, late))


def _heard(world: World, what: int, now_ns: int, late: deque[Event]) -> Event:
    if what == 1:
        return late.popleft()
    return world.exchange.deliver() if what == 2 else Event(Kind.TIMER, now_ns)


def main(delay_ms: int) -> None:
    """Print the fills of both on every tape."""
    print(f"| tape | fills, {delay_ms} ms more of entry latency | fills, feed {delay_ms} ms late | difference |")
    print("|---|--:|--:|--:|")
    for market in RECORDED:
        if market.trades:
            entry, feed = fills(market, 40 + delay_ms, 0), fills(market, 40, delay_ms)
            print(f"| {market.file} | {entry} | {feed} | {(feed - entry) / max(1, entry):+.1%} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
