"""What prints are worth to a maker, by hand; and how far a record of a market strays."""

import numpy as np
import polars as pl
import pytest

from bmv.data.ticks.schema import LAKE_SCHEMA
from bmv.data.ticks.synth.markouts import HORIZONS_S, Markouts, holes, markouts

SECOND = 1_000_000_000
Row = tuple[int | None, ...]


def quote(second: float, mid: int) -> Row:
    return (int(second * SECOND), 2, None, None, None, mid - 1, 20, mid + 1, 20)


def trade(second: float, side: int, price: int, size: int = 5) -> Row:
    return (int(second * SECOND), 1, side, price, size, None, None, None, None)


def record(*rows: Row) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=LAKE_SCHEMA, orient="row")


def test_a_print_is_worth_what_the_mid_leaves_to_whom_it_met() -> None:
    rows = record(quote(0, 10_000), trade(1, 1, 10_001), quote(1.5, 10_003), quote(5, 9_999), quote(40, 9_000))

    worth = markouts(rows).means()

    # Whoever sold at 10,001: the mid is 10,003 a second later, 9,999 after 5 s and after 30.
    assert worth == pytest.approx([-2 / 10_001 * 1e4, 2 / 10_001 * 1e4, 2 / 10_001 * 1e4])


def test_every_print_counts_the_same_whatever_its_size() -> None:
    rows = record(
        quote(0, 10_000), trade(1, 1, 10_000, 1_000), trade(1, -1, 9_990, 1), quote(1.5, 10_000), quote(40, 1)
    )

    assert markouts(rows).means()[0] == pytest.approx((0 + 10 / 9_990 * 1e4) / 2)


def test_a_print_whose_time_reaches_beyond_the_record_does_not_count() -> None:
    rows = record(quote(0, 10_000), trade(1, 1, 10_001), quote(7, 10_000))

    assert markouts(rows).means()[2] is None
    assert markouts(rows).means()[1] == pytest.approx(1 / 10_001 * 1e4)


def test_a_print_before_a_hole_has_no_worth_behind_it() -> None:
    steady = [quote(second / 10, 10_000) for second in range(600)]
    print_, behind = trade(60, 1, 10_001), [quote(200 + second / 10, 5_000) for second in range(600)]

    worth = markouts(record(*steady, print_, *behind)).means()

    assert worth == [None, None, None]


def test_a_hole_is_longer_than_a_minute_and_than_a_hundred_usual_steps() -> None:
    busy = np.concatenate([np.arange(1_000), [1_000 + 61]]) * SECOND // 10
    night = np.append(busy, busy[-1] + 61 * SECOND)
    sparse = np.arange(100) * 70 * SECOND

    assert [len(holes(times).starts_ns) for times in (busy, night, sparse)] == [0, 1, 0]


def test_a_record_without_prints_has_no_markouts_and_no_bands() -> None:
    rows = markouts(record(quote(0, 10_000), quote(60, 10_000)))

    assert (rows.means(), rows.bands(SECOND)) == ([None] * 3, [None] * 3)


def test_a_mean_that_no_draw_has_gets_no_band() -> None:
    sums, counts = np.zeros((1_000, 3)), np.zeros((1_000, 3))
    sums[1], counts[1] = -4, 2  # A block that none of the short draws hits.
    told = Markouts(sums, counts, 30 * SECOND)

    found = [told.bands(span_ns) for span_ns in (30 * SECOND, 30_000 * SECOND)]

    assert told.means() == [-2] * 3
    assert found[0] == [None] * 3
    assert all(band == (-2, -2) for band in found[1])


def walk(seed: int, seconds: int = 1_500) -> pl.DataFrame:
    """A market in which each print is followed by 2 ticks to its side, and by more of chance."""
    random = np.random.default_rng(seed)
    side = random.choice([-1, 1], seconds)
    mid = 100_000 + np.cumsum(2 * side + random.integers(-9, 10, seconds))
    rows: list[Row] = []
    for second in range(1, seconds):
        rows += [trade(second + 0.1, int(side[second]), int(mid[second - 1])), quote(second + 0.6, int(mid[second]))]
    return record(quote(0, int(mid[0])), *rows)


def test_another_stretch_of_the_market_lies_in_the_band_nineteen_times_in_twenty() -> None:
    known, others = markouts(walk(0)), [markouts(walk(seed)).means() for seed in range(1, 41)]

    bands = known.bands(1_500 * SECOND)

    for at in range(len(HORIZONS_S)):
        band = bands[at]
        assert band is not None
        within = [band.low <= (other[at] or 0) <= band.high for other in others]
        assert sum(within) >= 34
    assert known.means()[0] == pytest.approx(-0.2, abs=0.1)


def test_a_shorter_stretch_strays_further() -> None:
    told = markouts(walk(0))

    long, short = (told.bands(seconds * SECOND)[0] for seconds in (15_000, 60))

    assert long is not None
    assert short is not None
    assert short.high - short.low > 2 * (long.high - long.low)
