"""The starter configuration: every key one is likely to turn, with its unit and why one would."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

from bmv.ports.errors import DataError

LEVELS = 3
COMMENT_COLUMN = 28
BLANK = "Fees have no default: look up yours and fill both in."
GIVEN = "Fees have no default: are these yours?"
CONTRACT = 100  # Quote in one contract, where a tape does not say how much it is.
SIDE_QUOTE = 1000  # Worth of one side of the grid in a starter, quote.


@dataclass(frozen=True, slots=True)
class Guess:
    """What a starter assumes about a market, and from which source it has that; a fee of None is not known.

    `terms` is what the tape says of its contracts (see :mod:`bmv.data.ticks.contracts`); empty: its sizes are coins.
    """

    symbol: str
    tick: Decimal
    lot: Decimal
    price: Decimal
    source: str
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    terms: Mapping[str, str] = field(default_factory=dict)

    def charging(self, maker: Decimal | None, taker: Decimal | None) -> "Guess":
        """Return the same market with fees (bps); None leaves one as it is."""
        return replace(
            self,
            maker_fee=self.maker_fee if maker is None else maker,
            taker_fee=self.taker_fee if taker is None else taker,
        )

    def blank_fees(self) -> list[str]:
        """Return the keys of the fees that are not known."""
        fees = {"maker_fee_bps": self.maker_fee, "taker_fee_bps": self.taker_fee}
        return [key for key, fee in fees.items() if fee is None]


EXAMPLE = Guess("SOL/USDC", Decimal("0.01"), Decimal("0.001"), Decimal(200), "an example: check it against your venue")
MADE_UP_FEES = Decimal(0), Decimal(4)  # Of a market that is made up: maker and taker, bps.


def example(tick: Decimal | None = None, lot: Decimal | None = None) -> Guess:
    """Return a market to begin with where no tape is named; steps that are given win."""
    return replace(EXAMPLE, tick=tick or EXAMPLE.tick, lot=lot or EXAMPLE.lot)


def guess(tape: Path, tick: Decimal | None = None, lot: Decimal | None = None) -> Guess:
    """Return symbol, tick, lot and price level of a tape: as given, else from its metadata, else from its numbers.

    A folder is no more than a guess at the symbol: a lake writes SOL/USDC as SOL-USDC there. `DataError` where the tape
    is of several markets, or records no sizes and no lot is given.
    """
    import polars as pl  # Heavy, and only a starter made from a tape needs it.

    from bmv.adapters.parquet.source import find, form_of
    from bmv.data.files.pages import refuse_odd_pages
    from bmv.data.files.parquet import readable
    from bmv.data.ticks.contracts import terms_in
    from bmv.data.ticks.lake.lake import refuse_many

    files = find([tape])
    first = files[0]
    refuse_many(tape, files)
    refuse_odd_pages(first)
    with readable(first):
        words = pl.read_parquet_metadata(str(first))
        symbol = words.get("bmv.symbol") or first.parent.name or first.stem
        lake = form_of(first, pl.read_parquet_schema(str(first)))
        shown = pl.coalesce("price", "bid", "ask").cast(pl.Float64)
        level = pl.scan_parquet(str(first), glob=False).select(shown.filter(shown > 0).median()).collect().item()
    if level is None:
        raise DataError(f"{first}: expected at least one price above 0, found none")
    own_tick, own_lot = _steps(tape, files, lake, tick, lot)
    price = Decimal(str(level)) * (own_tick if lake else 1)
    found = f"found in the numbers of {first.name}: check it against your venue"
    source = f"read from {first.name}" if lake else "as given" if tick and lot else found
    made_up = words.get("bmv.source", "").startswith("synthetic")
    maker, taker = MADE_UP_FEES if made_up else (None, None)
    return Guess(symbol, tick or own_tick, lot or own_lot, price, source, maker, taker, terms_in(words))


def _steps(
    tape: Path, files: list[Path], lake: bool, tick: Decimal | None, lot: Decimal | None
) -> tuple[Decimal, Decimal]:
    """Return tick and lot of the tape itself; in units, those given stand in for what its numbers don't tell."""
    from bmv.data.ticks.steps import ROWS_LOOKED_AT, UNKNOWN, find_steps

    form, given = ("lake", UNKNOWN) if lake else ("floats", (tick, lot))
    own = find_steps(files, given, form=form, rows_max=ROWS_LOOKED_AT)
    if own.tick is None:
        raise DataError(f"{tape}: its prices lie on no decimal grid; give --tick-size")
    if own.lot is None:
        raise DataError(f"{tape}: records no sizes, so they can't tell the lot size; give --lot-size")
    return own.tick, own.lot


def text(market: Guess) -> str:
    """Return the starter for `market`: a grid worth about 1000 quote a side, and five times that to begin with."""
    if market.terms:
        size, quote = _of_contracts(market)
    else:
        size = _in_lots(SIDE_QUOTE / market.price, market.lot, LEVELS)
        quote = _in_lots(size * 5 * market.price, Decimal(1), 1)
    filled = TEMPLATE.format(
        symbol=json.dumps(market.symbol, ensure_ascii=False),
        maker=_fee("maker_fee_bps", market.maker_fee),
        taker=_fee("taker_fee_bps", market.taker_fee),
        tick=f"{market.tick:f}",
        lot=f"{market.lot:f}",
        source=" ".join(market.source.split()),
        fees=BLANK if market.blank_fees() else GIVEN,
        levels=LEVELS,
        size=f"{size:f}",
        base=f"{size * 5:f}",
        quote=f"{quote:f}",
        contract=_contract(market.terms),
        unit="contracts" if market.terms else "base",
        money="base" if market.terms else "quote",
        limit=f"{size * 3:f}",
    )
    return "".join(map(_aligned, filled.splitlines(keepends=True)))


def _of_contracts(market: Guess) -> tuple[Decimal, Decimal]:
    """Return the contracts of one side, and the base to begin with, five times what they are worth."""
    from bmv.data.ticks.contracts import SIZE

    each = Decimal(market.terms.get(SIZE, CONTRACT))
    size = _in_lots(SIDE_QUOTE / each, market.lot, LEVELS)
    return size, _in_lots(size * 5 * each / market.price, Decimal("0.00000001"), 1)


def _contract(terms: Mapping[str, str]) -> str:
    """Return the line that says what a unit of size is; an example, switched off, where sizes are coins."""
    if not terms:
        return '# contract = { size = "100", payoff = "inverse" }'
    from bmv.data.ticks.contracts import setting  # Brings frames along.

    return setting(terms)


def _fee(key: str, fee: Decimal | None) -> str:
    """Return the line of a fee; one that is not known is left to be filled in."""
    return f"# {key} =" if fee is None else f"{key} = {fee:f}"


def _aligned(line: str) -> str:
    """Put the comment behind a value where all the others stand."""
    value, mark, comment = line.partition("  #")
    column = max(COMMENT_COLUMN, len(value.rstrip()) + 2)
    return f"{value.rstrip():<{column}}{mark.strip()}{comment}" if mark and value.strip() else line


def _in_lots(size: Decimal, lot: Decimal, least: int) -> Decimal:
    """Round up to two figures and to whole lots, enough for levels that double `least` times."""
    coarse = Decimal(1).scaleb(size.adjusted() - 1)
    rounded = (size / coarse).to_integral_value(ROUND_CEILING) * coarse
    lots = max((rounded / lot).to_integral_value(ROUND_CEILING), Decimal(2) ** least)
    return lots * lot


TEMPLATE = """\
# A configuration of bmv: the same file is backtested, traded on paper, and traded for real.
# `bmv config check FILE` finds mistakes, `bmv config show FILE` prints every key there is,
# docs/configuration.md explains each. Distances in bps are 1/10,000 of the pivot.
version = 1

[market]
symbol = {symbol}
tick_size = "{tick}"        # quote per base; {source}
lot_size = "{lot}"          # {unit}; the same
# min_size = "{lot}"        # {unit}; smallest order the venue takes
{maker}                     # bps; negative is a rebate. {fees}
{taker}                     # bps
venue = "sim"               # sim, openbook-v1 or openbook-v2
{contract}  # What a unit of size is, if it is a contract.

[pivot]                     # The price the grid is anchored to: a lively tape pulls it to the present.
window_s = 300              # s; short window: shorter follows faster and churns more
history_s = 86400           # s; long window, filled from trades before the start

[grid.bid]                  # Each side has its own ladder.
levels = {levels}           # orders
first_bps = 10              # bps from the centre to the nearest order: under your costs you pay to trade
step_bps = 10               # bps between the first two levels
step_ratio = 1.5            # each further step is this many times the one before
total_size = "{size}"       # {unit}, all levels together
size_ratio = 2              # each level is this many times the nearer one's size

[grid.ask]
levels = {levels}
first_bps = 10
step_bps = 10
step_ratio = 1.5
total_size = "{size}"
size_ratio = 2

[inventory]
start_base = "{base}"       # {unit} held at the start of a simulation
start_quote = "{quote}"     # {money} held at the start of a simulation
# target = "{base}"         # {unit} wanted; start_base if absent
max_position = "{limit}"    # {unit}; furthest from the target, either way
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
# max_loss = "100"          # {money} since the start
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
