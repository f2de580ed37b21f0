"""From the record's whole numbers to the frames that a run leaves: units in, `_ticks` and `_lots` beside them."""

from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from numpy import float64, int64
from numpy.typing import NDArray

from bmv.adapters.bookkeeping import ledger as r
from bmv.adapters.bookkeeping.eviction import Drained
from bmv.adapters.bookkeeping.ledger import Record
from bmv.core.accounting import gain, worth, worth_if_known
from bmv.core.digest import text
from bmv.core.params import Params
from bmv.core.state import NEVER_NS, TRIP_CAUSE, TRIP_EQUITY, TRIP_NS, TRIP_TIER, TRIPS_MAX, State
from bmv.data.runs.columns import CAUSE, DONE, LIQUIDITY, MARKOUTS, REASON, scaled
from bmv.data.runs.outcome import Outcome
from bmv.ports.market import Market
from bmv.ports.messages import Cause, Refusal

STRETCH = {"from_ns": r.S_FROM_NS, "to_ns": r.S_TO_NS, "prints": r.S_MET, "sided": r.S_SIDED}
STRETCH |= {"outside": r.S_OUTSIDE, "wrong_side": r.S_WRONG}  # Columns of `Outcome.stretches`.


class Memory:
    """A sink that keeps the rows of a run in memory, as they were handed over."""

    def __init__(self) -> None:
        self.parts: list[Drained] = []

    def __call__(self, rows: Drained) -> None:
        """Keep `rows`."""
        self.parts.append(rows)

    def whole(self) -> Drained:
        """Hand over all rows so far, each table in one piece, and keep none: they weigh."""
        tables = [list(pieces) for pieces in zip(*self.parts, strict=True)]
        self.parts.clear()
        return Drained(*(_joined(pieces) for pieces in tables))


def _joined(pieces: list[NDArray[Any]]) -> NDArray[Any]:
    """Return the pieces as one table, and let go of them."""
    table = np.concatenate(pieces)
    pieces.clear()
    return table


def outcome(
    market: Market, params: Params, state: State, record: Record, rows: Drained, seconds: tuple[float, float]
) -> Outcome:
    """Put together what a run leaves; `seconds` are those of loading and of the engine."""
    t = record
    equity = equity_table(market, rows.equity, rows.equity_pivots, rows.equity_volumes)
    pnl = profit(params, record)
    return Outcome(
        market=market,
        orders=orders_table(market, rows.orders, rows.order_pivots),
        fills=fills_table(market, rows.fills),
        equity=equity,
        breaker=breaker_table(market, state),
        counts=counts(state, record),
        refusals={code.name.lower(): int(n) for code, n in zip(Refusal, state.refusals, strict=False) if n},
        pnl=pnl,
        net_vs_hold=pnl["net"] - held(params, t),
        digest=text(state.digest),
        times=times(record),
        fit={name: int(getattr(t, name)) for name in ("levels_passed", "past_stale")},
        stretches=pl.DataFrame({name: t.stretches[: t.n_stretches, column] for name, column in STRETCH.items()}),
        sums=sums(market, record),
        first_ns=int(t.first_ns),
        last_ns=int(t.last_ns),
        load_seconds=seconds[0],
        engine_seconds=seconds[1],
    )


def profit(params: Params, record: Record) -> dict[str, int]:
    """Return the parts of the profit in quanta; they sum to the change of equity, which is asserted."""
    t = record
    start = t.start_cash + worth_if_known(params.half, params.divisor, t.start_position, t.start_mid2)
    net = t.cash + worth_if_known(params.half, params.divisor, t.position, t.mid2) - start
    assert net == t.spread + t.inventory + t.fees, "the parts of the profit do not sum to the change of equity"
    parts = {"spread": int(t.spread), "inventory": int(t.inventory), "fees": int(t.fees), "tips": 0, "rounding": 0}
    return {"net": int(net), **parts}


def held(params: Params, record: Record) -> int:
    """Return what the position of the start would have gained, in quanta."""
    if record.start_mid2 == 0:
        return 0
    return int(gain(params.half, params.divisor, record.start_position, record.start_mid2, record.mid2))


def counts(state: State, record: Record) -> dict[str, int]:
    """Return how many there were of each thing."""
    t = record
    names = ("trades", "quotes", "depths", "timers", "orders", "fills", "cancels", "rejected")
    events = int(t.trades + t.quotes + t.depths)
    return {"events": events} | {name: int(getattr(t, name)) for name in names} | {"requotes": int(state.requotes)}


def times(record: Record) -> dict[str, int]:
    """Return for how many ns of tape time each thing held."""
    t = record
    names = ("pivot", "two_sided", "bid_at_touch", "ask_at_touch", "both_at_touch", "at_limit", "halted", "crossed")
    return {"total": int(t.last_ns - t.first_ns)} | {name: int(getattr(t, f"time_{name}")) for name in names}


def sums(market: Market, record: Record) -> dict[str, float]:
    """Return the integrals over tape time, in base, base squared and quote, times ns."""
    t = record
    lot, tick = float(market.lot_size), float(market.tick_size)
    return {
        "position_ns": float(t.sum_position) * lot,
        "position2_ns": float(t.sum_position2) * lot * lot,
        "abs_position_ns": float(t.sum_abs_position) * lot,
        "quoted_spread_ns": float(t.sum_quoted_spread) * tick,
        "two_sided_ns": float(t.time_two_sided),
    }


def orders_table(market: Market, rows: NDArray[int64], pivots: NDArray[float64]) -> pl.DataFrame:
    """Return the orders as in the contract, in the order of their ids."""
    tick, lot = Fraction(market.tick_size), Fraction(market.lot_size)
    accepted, done = rows[:, r.O_ACCEPTED_NS], rows[:, r.O_DONE_NS]
    return (
        pl.DataFrame(
            {
                "order_id": rows[:, r.O_ORDER],
                "level": rows[:, r.O_LEVEL],
                "side": rows[:, r.O_SIDE],
                "price": scaled(rows[:, r.O_PRICE], tick),
                "size": scaled(rows[:, r.O_SIZE], lot),
                "pivot": pivots * float(market.tick_size),
                "decided_ns": rows[:, r.O_DECIDED_NS],
                "accepted_ns": accepted,
                "done_ns": done,
                "done": rows[:, r.O_DONE],
                "filled_size": scaled(rows[:, r.O_FILLED], lot),
                "reason": rows[:, r.O_REASON],
                "price_ticks": rows[:, r.O_PRICE],
                "size_lots": rows[:, r.O_SIZE],
                "filled_lots": rows[:, r.O_FILLED],
                "pivot_ticks": pivots,
            }
        )
        .with_columns(
            pl.col("accepted_ns", "done_ns").replace({NEVER_NS: None}),
            pl.col("pivot", "pivot_ticks").replace({0.0: None}),
            pl.col("done").replace_strict(DONE, return_dtype=pl.String),
            pl.col("reason").replace_strict(REASON, return_dtype=pl.String),
        )
        .sort("order_id")
    )  # An order that outlived many was handed over after them.


def fills_table(market: Market, rows: NDArray[int64]) -> pl.DataFrame:
    """Return the fills as in the contract, by venue time and sequence, and what else is known of each."""
    tick, lot, half_tick = Fraction(market.tick_size), Fraction(market.lot_size), Fraction(market.tick_size) / 2
    table = pl.DataFrame(
        {
            "ts_ns": rows[:, r.F_TS_NS],
            "known_ns": rows[:, r.F_KNOWN_NS],
            "order_id": rows[:, r.F_ORDER],
            "level": rows[:, r.F_LEVEL],
            "side": rows[:, r.F_SIDE],
            "price": scaled(rows[:, r.F_PRICE], tick),
            "size": scaled(rows[:, r.F_SIZE], lot),
            "price_ticks": rows[:, r.F_PRICE],
            "size_lots": rows[:, r.F_SIZE],
            "fee": scaled(rows[:, r.F_FEE], market.quantum),
            "liquidity": rows[:, r.F_CODE],
            "position": scaled(rows[:, r.F_POSITION], lot),
            "cash": scaled(rows[:, r.F_CASH], market.quantum),
            "cause": rows[:, r.F_CODE],
            "mid": scaled(rows[:, r.F_MID2], half_tick),
            "past_quote": rows[:, r.F_PAST] == r.PAST,
        }
        | {name: scaled(rows[:, r.F_MARKOUT + h], half_tick) for h, name in enumerate(MARKOUTS)}
    )
    return table.with_columns(
        pl.col("liquidity").replace_strict(LIQUIDITY, return_dtype=pl.String),
        pl.col("cause").replace_strict(CAUSE, return_dtype=pl.String),
        pl.col("mid", *MARKOUTS).replace({0.0: None}),
    )


def equity_table(
    market: Market, rows: NDArray[int64], pivots: NDArray[float64], volumes: NDArray[float64] | None = None
) -> pl.DataFrame:
    """Return the equity samples as in the contract; the drawdown is the fall from the highest sample so far.

    Args:
        rows: The samples, `(n, EQUITY_COLUMNS)`.
        pivots: Beside each sample the pivot in ticks, 0.0 for none.
        volumes: Beside each sample the lots that the tape had traded by then; the table is without them where nobody
            looks at them.
    """
    owned = owned_of(market.half, market.divisor, rows)
    return pl.DataFrame(
        {
            "ts_ns": rows[:, r.E_TS_NS],
            "mid": scaled(rows[:, r.E_MID2], Fraction(market.tick_size) / 2),
            "pivot": pivots * float(market.tick_size),
            "position": scaled(rows[:, r.E_POSITION], Fraction(market.lot_size)),
            "cash": scaled(rows[:, r.E_CASH], market.quantum),
            "equity": scaled(owned, market.quantum),
            "drawdown": fall(owned),
        }
        | ({} if volumes is None else {"tape_volume": volumes * float(market.lot_size)})
    ).with_columns(pl.when(pl.col("pivot") != 0.0).then(pl.col("pivot")).alias("pivot"))


def fall(owned: NDArray[int64]) -> NDArray[float64]:
    """Return at each sample how far what was owned lies below its peak so far, a fraction of the peak."""
    peak = np.maximum.accumulate(owned) if len(owned) else owned
    fallen = (peak - owned) / np.where(peak > 0, peak, 1)
    return np.where(peak > 0, fallen, 0.0)


def owned_of(half: int, divisor: int, rows: NDArray[int64]) -> NDArray[int64]:
    """Return what was owned at each sample, in quanta: cash and what is held, at the mid."""
    owned: NDArray[int64] = rows[:, r.E_CASH] + worth(half, divisor, rows[:, r.E_POSITION], rows[:, r.E_MID2])
    return owned


def breaker_table(market: Market, state: State) -> pl.DataFrame:
    """Return what the breaker did, oldest first; `equity` in quote."""
    rows = state.trips[: min(int(state.n_trips), TRIPS_MAX)]
    return pl.DataFrame(
        {
            "ts_ns": rows[:, TRIP_NS].copy(),
            "tier": rows[:, TRIP_TIER].copy(),
            "cause": [Cause(int(cause)).name.lower() for cause in rows[:, TRIP_CAUSE]],
            "equity": scaled(rows[:, TRIP_EQUITY], market.quantum),
        },
        schema_overrides={"cause": pl.String},
    )
