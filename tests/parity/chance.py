"""Tapes and configurations by chance, of every kind that the rulings speak of.

A row is two whole numbers, whose digits choose from the tables below; 0 everywhere is the plainest row, to which a
failing example shrinks.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st
from restless import COMPILED_STRATEGIES, PLAIN_STRATEGIES
from twins import Case

from bmv.adapters.config import Config
from bmv.adapters.config.check import check

MS = 1_000_000
SECOND = 1_000 * MS
START_NS = (1_700_006_400 - 60) * SECOND  # 2023-11-14 23:59 UTC: a day ends on the longer tapes.
PRICE = 10_000  # Ticks, so that a basis point is a tick.
LATENCIES = Path(__file__).parents[1] / "vectors" / "latencies.csv"

Table = dict[str, Any]
TRADE, QUOTE, DEPTH = 1, 2, 3
GAPS_NS = (50 * MS, 50 * MS, 50 * MS, MS, MS, 0, 0, 0, 1, 300 * MS, 300 * MS) + tuple(
    SECOND * gap for gap in (2, 2, 7, 20, 100)
)
KINDS = (QUOTE,) * 7 + (TRADE,) * 6 + (DEPTH,) * 3
MOVES = (0, 0, 0, 0, 1, 1, -1, -1, 2, -2, 4, -4, 15, -15, 200, -200)
SIZES = (1, 2, 3, 5, 8, 10, 15, 20, 30, 40, 60, 80, 120, 200, 500, 5_000)
OFFSETS = (0, 0, 0, 0, 1, 1, 1, -1, -1, 2, -2, 3, -3, 6, -8, 25)
APART = (1, 1, 2, 3, 5, 0, -1, None)  # Between the fair price and a touch; None: that side is absent.
SHOWN = (10, 5, 1, 25, 60, 300, 2, -1)  # -1: not recorded.
SIDES = (1, -1, 0)
ROW = st.tuples(st.integers(0, 16**4 - 1), st.integers(0, 16 * 8**4 * 3 - 1))


def rows(numbers: Sequence[tuple[int, int]], deep: bool) -> list[tuple[int, ...]]:
    """Return the rows that `numbers` stand for; only a `deep` tape has changes of depth."""
    ts_ns, fair, told = START_NS, PRICE, list[tuple[int, ...]]()
    for one, two in numbers:
        gap, kind, move, size = _digits(one, (16, 16, 16, 16))
        offset, bid, ask, bid_size, ask_size, side = _digits(two, (16, 8, 8, 8, 8, 3))
        ts_ns += GAPS_NS[gap]
        fair = max(50, fair + MOVES[move])
        kinds = KINDS[kind] if deep or KINDS[kind] != DEPTH else QUOTE
        if kinds == TRADE:
            told.append((ts_ns, TRADE, SIDES[side], max(1, fair + OFFSETS[offset]), SIZES[size], 0, 0, 0, 0))
        elif kinds == QUOTE:
            told.append((ts_ns, QUOTE, 0, 0, 0, *_touch(fair, -1, bid, bid_size), *_touch(fair, 1, ask, ask_size)))
        else:
            told.append((ts_ns, DEPTH, *_level(fair, SIDES[side], offset, size), 0, 0, 0, 0))
    return told


def _digits(number: int, bases: Sequence[int]) -> list[int]:
    digits = []
    for base in bases:
        number, digit = divmod(number, base)
        digits.append(digit)
    return digits


def _touch(fair: int, way: int, apart: int, shown: int) -> tuple[int, int]:
    ticks = APART[apart]
    return (0, 0) if ticks is None else (fair + way * ticks, SHOWN[shown])


def _level(fair: int, side: int, offset: int, size: int) -> tuple[int, int, int]:
    if side == 0 and offset < 12:  # A book is seldom cleared.
        side = 1
    if side == 0:
        return 0, 0, 0
    return side, fair - side * (1 + OFFSETS[offset]), SIZES[size] if size % 3 else 0


def seeds(numbers: Sequence[int]) -> list[tuple[int, ...]]:
    """Return trades from before the start."""
    ts_ns = START_NS - 20 * SECOND
    return [(ts_ns + i * 100 * MS, TRADE, 1, PRICE - 20 + n % 40, 1 + n % 7, 0, 0, 0, 0) for i, n in enumerate(numbers)]


def side() -> st.SearchStrategy[Table]:
    """One side of the grid."""
    return st.fixed_dictionaries(
        {
            "levels": st.sampled_from([1, 2, 3, 5, 0]),
            "first_bps": st.sampled_from([1, 0, 3, 10.5]),
            "step_bps": st.sampled_from([1, 0.3, 4, 20]),
            "step_ratio": st.sampled_from([1, 1.5, 0.5]),
            "total_size": st.sampled_from(["6", "1.7", "40"]),
            "size_ratio": st.sampled_from([1, 1.6, 0.7]),
        }
    )


def latency() -> st.SearchStrategy[object]:
    """A delay of any model."""
    return st.sampled_from(
        [
            0,
            1,
            40,
            400,
            {"model": "random", "median_ms": 20, "p99_ms": 300},
            {"model": "recorded", "file": str(LATENCIES)},
        ]
    )


def optional(key: str, *values: object) -> st.SearchStrategy[Table]:
    """The key with one of its values, or, more often, without it."""
    return st.sampled_from([{}] * 3 * len(values) + [{key: value} for value in values])


def together(*parts: st.SearchStrategy[Table]) -> st.SearchStrategy[Table]:
    """All parts in one table."""
    return st.tuples(*parts).map(lambda tables: {key: table[key] for table in tables for key in table})


def breaker() -> st.SearchStrategy[Table]:
    """The circuit breaker, with tiers that a move of a few ticks may trip."""
    tiers: list[Table] = [{}, {}, {"warn_pct": "0.01", "reduce_pct": "0.05"}, {"reduce_pct": "0.02"}]
    halts: list[Table] = [{"halt_pct": "0.2"}, {"daily_pct": "0.1"}, {"max_loss": "0.5"}, {"max_loss": 4}]
    ends: list[Table] = [{"on_halt": "flatten", "flatten_bps": bps} for bps in (0, 5, 500)]
    halts = [{}] * 4 + halts
    ends = [*ends, {"on_halt": "cancel"}]
    return together(st.sampled_from(tiers), st.sampled_from(halts), st.sampled_from(ends))


def risk() -> st.SearchStrategy[Table]:
    """Limits, most of them off most of the time."""
    return together(
        breaker().map(lambda table: {"breaker": table}),
        optional("max_position", "3", "21"),
        optional("max_open_orders", 1, 4, 128),
        optional("max_order_notional", 40, 150),
        optional("max_total_notional", 100, 600),
        optional("max_orders_per_minute", 1, 5, 20),
        optional("max_cancels_per_minute", 1, 5, 20),
        optional("max_last_trade_bps", 2, 30),
        optional("stale_after_s", 0.3, 5),
    )


def settings() -> st.SearchStrategy[Table]:
    """A configuration of any kind."""
    return st.fixed_dictionaries(
        {
            "version": st.just(1),
            "market": st.fixed_dictionaries(
                {
                    "symbol": st.just("CHANCE"),
                    "tick_size": st.just("0.01"),
                    "lot_size": st.just("0.1"),
                    "min_size": st.sampled_from(["0.1", "0.3"]),
                    "maker_fee_bps": st.sampled_from(["-0.5", "0", "1.2345"]),
                    "taker_fee_bps": st.sampled_from(["4", "0", "-0.3"]),
                    "quote_step": st.sampled_from(["0.000001", "0.01"]),
                }
            ),
            "pivot": st.sampled_from(
                [
                    {"window_s": 5, "history_s": 60},
                    {"window_s": 0.05, "history_s": 1},
                    {"window_s": 300, "history_s": 3600},
                    {"window_s": 2, "history_s": 2},
                ]
            ),
            "grid": st.fixed_dictionaries({"bid": side(), "ask": side()}),
            "inventory": together(
                st.sampled_from(
                    [
                        {"start_base": 20, "start_quote": 2000},
                        {"start_base": 0, "start_quote": 300},
                        {"start_base": 3, "start_quote": 0},
                        {"start_base": "0.4", "start_quote": 12},
                    ]
                ),
                optional("target", 0, 10),
                st.sampled_from([{"max_position": size} for size in ("20", "5", "0.7")]),
                st.sampled_from([{"price_skew_bps": bps} for bps in (0, 6, 300)]),
                st.sampled_from([{"size_skew": share} for share in (0, 0.6, 1)]),
            ),
            "requote": together(
                st.sampled_from([{"threshold_bps": bps} for bps in (0, 1, 6)]),
                st.sampled_from([{"tolerance_bps": bps} for bps in (0, 1, 12)]),
                st.sampled_from([{"tolerance_size": share} for share in (0, 0.2, 1)]),
                st.sampled_from([{"min_interval_ms": ms} for ms in (0, 0.001, 100, 1500)]),
                optional("max_age_s", 2, 20),
                st.sampled_from([{"fill_delay_s": s} for s in (0, 0.1, 5)]),
            ),
            "risk": risk(),
            "simulation": st.fixed_dictionaries(
                {
                    "entry_latency_ms": latency(),
                    "response_latency_ms": latency(),
                    "queue": st.sampled_from(["front", "back", "power", "log"]),
                    "queue_power": st.sampled_from([1, 3]),
                    "fill_on_quotes": st.sampled_from([True, True, True, False]),
                    "seed": st.sampled_from([1, 2**31 - 2]),
                }
            ),
        }
    )


@st.composite
def cases(draw: st.DrawFn, strategies: bool = True) -> Case:
    """A run of any kind; `strategies`: some of them with a user's strategy."""
    told = draw(settings())
    if not told["grid"]["bid"]["levels"] and not told["grid"]["ask"]["levels"]:
        told["grid"]["bid"]["levels"] = 1
    if "max_open_orders" in told["risk"]:
        levels = told["grid"]["bid"]["levels"] + told["grid"]["ask"]["levels"]
        told["risk"]["max_open_orders"] = max(levels, told["risk"]["max_open_orders"])
    strategy = draw(st.sampled_from([None] * 8 + [*COMPILED_STRATEGIES, *PLAIN_STRATEGIES])) if strategies else None
    if strategy is not None:
        told["strategy"] = "restless.py:any"
    assume(not check(Config(**told)))
    numbers = draw(st.lists(ROW, min_size=draw(st.sampled_from([1, 40])), max_size=120))
    before = draw(st.lists(st.integers(0, 2**20), max_size=6))
    deep = draw(st.sampled_from([False, False, True]))
    return Case(told, seeds(before), rows(numbers, deep), strategy)
