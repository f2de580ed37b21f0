"""The starter configuration: every key one is likely to turn, with its unit and why one would."""

import json
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

from bmv.ports.errors import DataError

LEVELS = 3
COMMENT_COLUMN = 28
SIDE_QUOTE = 1000  # Worth of one side of the grid in a starter, quote.


@dataclass(frozen=True, slots=True)
class Guess:
    """What a starter assumes about a market, and from which source it has that."""

    symbol: str
    tick: Decimal
    lot: Decimal
    price: Decimal
    source: str


EXAMPLE = Guess("SOL/USDC", Decimal("0.01"), Decimal("0.001"), Decimal(200), "an example: check it against your venue")


def guess(tape: Path) -> Guess:
    """Return symbol, tick, lot and price level of a tape: from its metadata, else its folder and its numbers.

    A folder is no more than a guess at the symbol: a lake writes SOL/USDC as SOL-USDC there.
    """
    import polars as pl  # Heavy, and only a starter made from a tape needs it.

    from bmv.adapters.parquet.infer import infer_steps
    from bmv.adapters.parquet.source import find, form_of
    from bmv.data.parquet import readable

    tick, lot = infer_steps(tape)
    first = find([tape])[0]
    with readable(first):
        symbol = pl.read_parquet_metadata(first).get("bmv.symbol") or first.parent.name or first.stem
        lake = form_of(first, pl.read_parquet_schema(first))
        shown = pl.coalesce("price", "bid", "ask").cast(pl.Float64)
        level = pl.scan_parquet(first, glob=False).select(shown.filter(shown > 0).median()).collect().item()
    if level is None:
        raise DataError(f"{first}: expected at least one price above 0, found none")
    price = Decimal(str(level)) * (tick if lake else 1)
    found = f"found in the numbers of {first.name}: check it against your venue"
    source = f"read from {first.name}" if lake else found
    return Guess(symbol, tick, lot, price, source)


def text(market: Guess) -> str:
    """Return the starter for `market`: a grid worth about 1000 quote a side, and five times that to begin with."""
    size = _in_lots(SIDE_QUOTE / market.price, market.lot, LEVELS)
    filled = TEMPLATE.format(
        symbol=json.dumps(market.symbol, ensure_ascii=False),
        tick=f"{market.tick:f}",
        lot=f"{market.lot:f}",
        source=" ".join(market.source.split()),
        levels=LEVELS,
        size=f"{size:f}",
        base=f"{size * 5:f}",
        quote=f"{_in_lots(size * 5 * market.price, Decimal(1), 1):f}",
        limit=f"{size * 3:f}",
    )
    return "".join(map(_aligned, filled.splitlines(keepends=True)))


def _aligned(line: str) -> str:
    """Put the comment behind a value where all the others stand."""
    value, mark, comment = line.partition("  #")
    return f"{value.rstrip():<{COMMENT_COLUMN}}{mark.strip()}{comment}" if mark and value.strip() else line


def _in_lots(size: Decimal, lot: Decimal, least: int) -> Decimal:
    """Round up to two figures and to whole lots, enough for levels that double `least` times."""
    coarse = Decimal(1).scaleb(size.adjusted() - 1)
    rounded = (size / coarse).to_integral_value(ROUND_CEILING) * coarse
    lots = max((rounded / lot).to_integral_value(ROUND_CEILING), Decimal(2) ** least)
    return lots * lot


TEMPLATE = """\
# A configuration of bmv. Today it is backtested; the same file will trade for real.
# `bmv config check FILE` finds mistakes, `bmv config show FILE` prints every key there is,
# docs/configuration.md explains each. Distances in bps are 1/10,000 of the pivot.
version = 1

[market]
symbol = {symbol}
tick_size = "{tick}"        # quote per base; {source}
lot_size = "{lot}"          # base; the same
# min_size = "{lot}"        # base; smallest order the venue takes
maker_fee_bps = 0           # bps; negative is a rebate. Fees have no default: look up yours.
taker_fee_bps = 4           # bps
venue = "sim"               # sim, openbook-v1 or openbook-v2

[pivot]                     # The price the grid is anchored to: a lively tape pulls it to the present.
window_s = 300              # s; short window: shorter follows faster and churns more
history_s = 86400           # s; long window, filled from trades before the start

[grid.bid]                  # Each side has its own ladder.
levels = {levels}           # orders
first_bps = 10              # bps from the centre to the nearest order: under your costs you pay to trade
step_bps = 10               # bps between the first two levels
step_ratio = 1.5            # each further step is this many times the one before
total_size = "{size}"       # base, all levels together
size_ratio = 2              # each level is this many times the nearer one's size

[grid.ask]
levels = {levels}
first_bps = 10
step_bps = 10
step_ratio = 1.5
total_size = "{size}"
size_ratio = 2

[inventory]
start_base = "{base}"       # base held at the start of a simulation
start_quote = "{quote}"     # quote held at the start of a simulation
# target = "{base}"         # base wanted; start_base if absent
max_position = "{limit}"    # base; furthest from the target, either way
price_skew_bps = 5          # bps the centre moves against a full inventory
size_skew = 0.5             # share by which a full inventory shrinks the side that would add to it

[requote]                   # Slower keeps its place in the queue, faster is picked off less.
threshold_bps = 5           # bps the centre must move
tolerance_bps = 1           # bps; an order this close stays
tolerance_size = 0.1        # fraction; a size this close stays
min_interval_ms = 500       # ms between two requotes
# max_age_s = 600           # s; older orders are placed anew
fill_delay_s = 1            # s after a fill before its level is placed anew

[risk]                      # An absent limit is off.
# max_open_orders = 24      # orders; the venue's cap if absent
# max_orders_per_minute = 600
max_last_trade_bps = 500    # bps; furthest an order may be from the last trade
stale_after_s = 60          # s; older market data is not quoted on

[risk.breaker]              # An absent tier is off.
warn_pct = 2                # % under the peak of equity: a warning
reduce_pct = 4              # %: only orders that shrink the inventory
halt_pct = 6                # %: cancel everything, until an operator re-arms
# daily_pct = 5             # % under the day's first equity
# max_loss = "100"          # quote since the start
on_halt = "cancel"          # or "flatten": also trade back to the target
flatten_bps = 50            # bps beyond the touch that a flattening order may go

[simulation]
entry_latency_ms = 200      # ms from a decision to the venue; or {{model="random", median_ms=150, p99_ms=800}}
response_latency_ms = 200   # ms from the venue to us; or {{model="recorded", file="latency.csv"}}
queue = "back"              # front (hopeful), power, log, back (careful)
fill_on_quotes = true       # whether a quote through our price fills without a print
seed = 1

[data]
max_bad_share = 0.01        # fraction of bad rows above which a tape is refused
equity_sample_s = 1         # s between two rows of equity

# [storage]
# ticks = "lake"            # what a run reads without --data
"""
