"""How long things take: the generator, the three models, and nothing that overtakes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venues import BUY, Floor, cancelled, params, placed

from bmv.adapters.sim.latency import draw, entry_ns, interpolate, response_ns
from bmv.adapters.sim.params import LATENCY_CONSTANT, LATENCY_RANDOM, LATENCY_RECORDED, QUANTILES
from bmv.core.state import FAR_NS

MODULUS = 2**31 - 1
RECORD = np.array([[1_000, 50], [2_000, 150], [2_001, 9]], np.int64)


def test_the_generator_begins_as_park_and_miller_with_the_newer_factor_do() -> None:
    """The check of `minstd_rand` in the C++ standard, [rand.predef]: the 10,000th number from seed 1 is 399268537."""
    first = [draw(1), draw(draw(1)), draw(draw(draw(1)))]
    chance = 1
    for _ in range(10_000):
        chance = draw(chance)

    assert first == [48_271, 182_605_794, 1_291_394_886]
    assert chance == 399_268_537


@given(st.integers(1, MODULUS - 1))
def test_the_generator_never_leaves_its_range(chance: int) -> None:
    assert 1 <= draw(chance) < MODULUS


@pytest.mark.parametrize(
    ("chance", "quantile"),
    [
        (1, 0),
        (MODULUS // QUANTILES, 0),
        (MODULUS // QUANTILES + 1, 1),
        (MODULUS // 2, QUANTILES // 2 - 1),
        (MODULUS // 2 + 1, QUANTILES // 2),
        (MODULUS - 1, QUANTILES - 1),
    ],
)
def test_chance_picks_the_quantile_of_its_share(chance: int, quantile: int) -> None:
    told = params(entry_model=LATENCY_RANDOM, response_model=LATENCY_RANDOM)
    told.entry_quantiles[:] = np.arange(QUANTILES) * 10
    told.response_quantiles[:] = np.arange(QUANTILES) * 1_000

    assert entry_ns(told, chance, 0) == quantile * 10
    assert response_ns(told, chance, 0) == quantile * 1_000


@pytest.mark.parametrize(
    ("now_ns", "latency"),
    [
        (-5, 50),  # Before the record: as its first row.
        (1_000, 50),
        (1_001, 50),  # 50.1, towards zero.
        (1_500, 100),
        (1_999, 149),
        (2_000, 150),
        (2_001, 9),
        (9_999, 9),  # After it: as its last.
    ],
)
def test_a_recorded_latency_lies_between_the_rows_around_it(now_ns: int, latency: int) -> None:
    assert interpolate(RECORD, 3, now_ns) == latency


def test_a_falling_record_is_interpolated_downwards() -> None:
    record = np.array([[0, 100], [10, 0]], np.int64)

    assert [interpolate(record, 2, now_ns) for now_ns in range(0, 11, 2)] == [100, 80, 60, 40, 20, 0]


def test_a_record_of_one_row_is_a_constant() -> None:
    assert {interpolate(RECORD, 1, now_ns) for now_ns in (0, 1_000, 5_000)} == {50}


@given(st.integers(0, 3_000), st.lists(st.integers(0, 10**9), min_size=2, max_size=20))
def test_an_interpolated_latency_lies_between_its_neighbours(now_ns: int, latencies: list[int]) -> None:
    record = np.column_stack([np.arange(len(latencies)) * 100, latencies]).astype(np.int64)
    low = min(now_ns // 100, len(latencies) - 1)
    high = min(low + 1, len(latencies) - 1)

    found = interpolate(record, len(latencies), now_ns)

    assert min(latencies[low], latencies[high]) <= found <= max(latencies[low], latencies[high])


def test_the_recorded_model_reads_its_own_record_on_either_way() -> None:
    told = params(
        entry_model=LATENCY_RECORDED, response_model=LATENCY_RECORDED, n_entry_recorded=3, n_response_recorded=1
    )
    told.entry_recorded[:3] = RECORD
    told.response_recorded[:1] = [[0, 7]]

    assert (entry_ns(told, 1, 1_500), response_ns(told, 1, 1_500)) == (100, 7)


def test_a_constant_latency_is_on_the_way_there_and_on_the_way_back() -> None:
    floor = Floor(params(entry_model=LATENCY_CONSTANT, entry_ns=30, response_ns=4))

    floor.clock.advance(100)
    floor.send(placed(1, BUY, 10, 1))
    arrives_ns = floor.exchange.next_arrival_ns
    floor.flush()

    assert arrives_ns == 130
    assert [(report.venue_ns, report.ts_ns) for report in floor.reports] == [(130, 134)]


def rough(seed: int) -> Floor:
    """Return a venue whose latencies are drawn from 1 ns to 4 µs, so that most of what follows would overtake."""
    told = params(entry_model=LATENCY_RANDOM, response_model=LATENCY_RANDOM, seed=seed)
    told.entry_quantiles[:] = np.arange(QUANTILES) + 1
    told.response_quantiles[:] = np.arange(QUANTILES) + 1
    return Floor(told)


@given(st.integers(1, MODULUS - 1))
def test_no_batch_overtakes_an_earlier_one(seed: int) -> None:
    floor = rough(seed)
    arrivals = []

    for now_ns in range(0, 600, 20):
        floor.clock.advance(now_ns)
        floor.send(placed(now_ns + 1, BUY, 10, 1), placed(now_ns + 2, BUY, 9, 1))
    while (arrives_ns := floor.exchange.next_arrival_ns) != FAR_NS:
        floor.exchange.arrive()
        arrivals.append(arrives_ns)
    floor.listen()

    assert arrivals == sorted(arrivals)
    assert arrivals[::2] == arrivals[1::2], "a batch arrives whole"
    assert all(arrives_ns > now_ns for arrives_ns, now_ns in zip(arrivals[::2], range(0, 600, 20), strict=True))
    assert [r.order for r in floor.reports] == [n + i for n in range(0, 600, 20) for i in (1, 2)]


@given(st.integers(1, MODULUS - 1))
def test_no_report_overtakes_an_earlier_one(seed: int) -> None:
    floor = rough(seed)

    for order in range(1, 31):
        floor.send(placed(order, BUY, 10, 1), cancelled(order))
    floor.flush()

    assert [r.order for r in floor.reports] == [order for order in range(1, 31) for _ in "pc"]
    assert all(one.ts_ns <= two.ts_ns for one, two in pairwise(floor.reports))
    assert all(r.ts_ns > r.venue_ns for r in floor.reports)


def test_a_seed_gives_the_same_latencies_every_time() -> None:
    def arrivals(seed: int) -> list[int]:
        floor = rough(seed)
        floor.send(placed(1, BUY, 10, 1))
        floor.flush()
        return [report.ts_ns for report in floor.reports]

    assert arrivals(7) == arrivals(7) != arrivals(8)
