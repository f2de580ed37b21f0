"""What the ledger says of stretches in which nothing happens, worked by hand."""

from typing import Any

import polars as pl
import pytest
from twins import MemoryTape, fused, reference

from bmv.adapters.bookkeeping.recorder import SAMPLES_PER_GAP
from bmv.adapters.config import Config
from bmv.data.runs.outcome import Outcome

SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND
SIDE = {"levels": 1, "first_bps": 5, "step_bps": 1, "total_size": "5"}


def config(**sections: Any) -> Config:
    usual: dict[str, Any] = {
        "version": 1,
        "market": {"symbol": "X/Y", "tick_size": "0.01", "lot_size": "0.1", "maker_fee_bps": 0, "taker_fee_bps": 0},
        "pivot": {"window_s": 20, "history_s": 20},
        "grid": {"bid": SIDE, "ask": SIDE},
        "inventory": {"start_base": "20", "start_quote": "3000", "max_position": "15"},
    }
    return Config(**(usual | sections))


def quote(second: float, mid: int) -> tuple[int, ...]:
    return (START_NS + round(second * SECOND), 2, 0, 0, 0, mid - 1, 10, mid + 1, 10)


def ran(rows: list[tuple[int, ...]], **sections: Any) -> Outcome:
    return fused(config(**sections), MemoryTape([], rows), sample_ns=SECOND).outcome


@pytest.mark.parametrize("more", [[], [quote(3602, 5000)]])
def test_the_time_halted_counts_from_the_trip(more: list[tuple[int, ...]]) -> None:
    rows = [quote(0, 10_000), quote(1, 5_000), quote(3601, 5_000), *more]

    made = ran(rows, risk={"breaker": {"halt_pct": "10"}})

    assert made.breaker["ts_ns"].to_list() == [START_NS + SECOND]
    assert made.times["halted"] == rows[-1][0] - START_NS - SECOND


def test_the_time_with_a_pivot_counts_from_the_first_print() -> None:
    trade = (START_NS + SECOND, 1, 1, 10_000, 1, 0, 0, 0, 0)

    made = ran([quote(0, 10_000), trade, quote(3601, 10_000)], pivot={"window_s": 20, "history_s": 7200})

    assert made.times["pivot"] == 3600 * SECOND


def test_no_sample_in_a_long_hole_knows_what_comes_after_it() -> None:
    hole = SAMPLES_PER_GAP + 70_000.5
    rows = [quote(0, 10_000), quote(2, 10_000), quote(2 + hole, 20_000), quote(7 + hole, 20_000)]

    made = ran(rows).equity

    before = made.filter(pl.col("ts_ns") < rows[2][0])
    assert before["mid"].unique().to_list() == [100.0]
    assert before["ts_ns"].to_list()[-1] == START_NS + int(2 + hole) * SECOND
    assert len(made) < SAMPLES_PER_GAP + 20


def test_both_drivers_weigh_a_hole_alike() -> None:
    rows = [quote(0, 10_000), quote(1, 5_000), quote(3601, 5_000)]
    settings = config(risk={"breaker": {"halt_pct": "10"}})

    one, other = fused(settings, MemoryTape([], rows)), reference(settings, MemoryTape([], rows))[0]

    assert one.outcome.times == other.outcome.times


TRADE, QUOTE = 1, 2


def past_quotes(after: tuple[int, int], between: list[tuple[int, ...]]) -> list[list[bool]]:
    """Return of each driver which fills passed a better quote; a print runs through our bid, then a quote comes."""
    rows = [
        quote(0, 10_000),
        (START_NS + SECOND, TRADE, 1, 10_000, 1, 0, 0, 0, 0),
        quote(2, 10_000),
        (START_NS + 3 * SECOND, TRADE, -1, 9_990, 1_000, 0, 0, 0, 0),
        *between,
        (START_NS + 5 * SECOND, QUOTE, 0, 0, 0, after[0], 10, after[1], 10),
        quote(6, 10_000),
    ]
    one, other = fused(config(), MemoryTape([], rows)), reference(config(), MemoryTape([], rows))[0]
    return [made.outcome.fills["past_quote"].to_list() for made in (one, other)]


def test_a_print_past_a_better_quote_that_outlives_it_is_marked() -> None:
    assert past_quotes((9_999, 10_001), []) == [[True], [True]]


def test_a_print_that_swept_the_better_quotes_away_is_not_marked() -> None:
    assert past_quotes((9_980, 10_001), []) == [[False], [False]]


def test_the_next_quote_decides_and_not_a_print_or_a_later_quote() -> None:
    another_print = (START_NS + 4 * SECOND, TRADE, 1, 10_000, 1, 0, 0, 0, 0)

    assert [fills[0] for fills in past_quotes((9_980, 10_001), [another_print])] == [False, False]


def test_a_print_after_the_last_quote_fills_and_is_not_marked() -> None:
    rows = [
        quote(0, 10_000),
        (START_NS + SECOND, TRADE, 1, 10_000, 1, 0, 0, 0, 0),
        quote(2, 10_000),
        (START_NS + 3 * SECOND, TRADE, -1, 9_990, 1_000, 0, 0, 0, 0),
    ]

    assert ran(rows).fills["past_quote"].to_list() == [False]


def test_the_tape_s_volume_is_written_beside_the_equity() -> None:
    prints = [(START_NS + s * SECOND, TRADE, 1, 10_000, 5, 0, 0, 0, 0) for s in (1, 2, 4)]

    made = ran([quote(0, 10_000), *prints, quote(6, 10_000)]).equity

    assert made["tape_volume"].to_list() == pytest.approx([0, 0.5, 1, 1, 1.5, 1.5, 1.5])
