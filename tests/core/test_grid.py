"""The grid: the formulas of the design by hand, rounding, merging, and what post-only moves."""

from collections.abc import Sequence

import pytest
from desk import Level, params

from bmv.core.grid import (
    drop_malformed,
    inventory_fraction,
    ladder,
    lean,
    round_sizes,
    slide_post_only,
)
from bmv.core.state import State, fresh
from bmv.ports.messages import Refusal, Tif

Row = tuple[str, int, int, float]  # Side, level, price, size.
BPS = 1e-4


def grid(
    centre: float, bids: Sequence[Level] = (), asks: Sequence[Level] = (), position: int = 100, size_skew: float = 0.0
) -> list[Row]:
    """Return the ladder around `centre`, before post-only and before lots."""
    state = fresh()
    state.centre = centre
    state.position = position
    n = ladder(params(bids, asks, size_skew=size_skew), state)
    return [(*row[:3], float(state.want_size[i])) for i, row in enumerate(rows(state, n))]


def rows(state: State, n: int) -> list[Row]:
    return [
        ("bid" if side > 0 else "ask", level, price, size) for side, level, price, size in state.wanted[:n, :4].tolist()
    ]


def wanting(*wanted: tuple[int, int, int, int, int], bid: int = 0, ask: int = 0) -> State:
    """Return a state whose wanted rows are (side, level, price, size, tif), before a book of `bid` and `ask`."""
    state = fresh()
    state.bid, state.ask = bid, ask
    for i, row in enumerate(wanted):
        state.wanted[i, :5] = row
        state.want_size[i] = row[3]
    return state


def test_each_side_has_its_own_levels_steps_and_sizes() -> None:
    # Bids: first 10, step 5, ratio 2 bps; 7 lots in all, each level twice the nearer. Asks: first 20 bps, one level.
    bids = [(10 * BPS, 1.0), (15 * BPS, 2.0), (25 * BPS, 4.0)]

    made = grid(10_000.0, bids, [(20 * BPS, 1.5)])

    assert made == [("bid", 0, 9990, 1.0), ("bid", 1, 9985, 2.0), ("bid", 2, 9975, 4.0), ("ask", 0, 10_020, 1.5)]


@pytest.mark.parametrize(
    ("centre", "bid", "ask"),
    [
        (10_000.0, 9_900, 10_100),  # To the tick.
        (10_000.5, 9_900, 10_101),  # 9 900.495 down, 10 100.505 up.
        (9_999.99, 9_899, 10_100),  # 9 899.9901 down, 10 099.9899 up.
        (10_000.0 + 1e-10, 9_900, 10_100),  # What floats add is no tick,
        (10_000.0 - 1e-10, 9_900, 10_100),  # and what they take away neither.
        (99.0, 98, 100),
    ],
)
def test_bids_round_down_and_asks_up(centre: float, bid: int, ask: int) -> None:
    made = grid(centre, [(0.01, 1.0)], [(0.01, 1.0)])

    assert [price for _, _, price, _ in made] == [bid, ask]


def test_a_distance_of_nothing_puts_both_sides_on_the_centre() -> None:
    assert grid(500.0, [(0.0, 1.0)], [(0.0, 1.0)]) == [("bid", 0, 500, 1.0), ("ask", 0, 500, 1.0)]


def test_levels_that_share_a_tick_merge_into_the_nearest() -> None:
    levels = [(10 * BPS, 1.25), (11 * BPS, 2.5), (12 * BPS, 4.0), (40 * BPS, 8.0)]

    made = grid(500.0, levels, levels)

    assert made == [("bid", 0, 499, 7.75), ("bid", 3, 498, 8.0), ("ask", 0, 501, 7.75), ("ask", 3, 502, 8.0)]


@pytest.mark.parametrize(
    ("position", "fraction"),
    [(100, 0.0), (150, 0.5), (200, 1.0), (500, 1.0), (50, -0.5), (0, -1.0)],
)
def test_the_inventory_fraction_is_clamped_to_one(position: int, fraction: float) -> None:
    assert inventory_fraction(params(), position) == fraction


@pytest.mark.parametrize(("position", "share"), [(100, 1.0), (150, 0.99), (300, 0.98), (0, 1.02)])
def test_a_full_inventory_lowers_the_centre_and_an_empty_one_raises_it(position: int, share: float) -> None:
    assert lean(params(price_skew=0.02), position) == pytest.approx(share)


@pytest.mark.parametrize(
    ("position", "bid", "ask"),
    [(100, 10.0, 10.0), (150, 7.0, 13.0), (200, 4.0, 16.0), (50, 13.0, 7.0), (0, 16.0, 4.0)],
)
def test_a_full_inventory_shrinks_bids_and_swells_asks(position: int, bid: float, ask: float) -> None:
    made = grid(1000.0, [(0.01, 10.0)], [(0.01, 10.0)], position, size_skew=0.6)

    assert [size for *_, size in made] == [pytest.approx(bid), pytest.approx(ask)]


def test_a_size_is_never_below_nothing() -> None:
    made = grid(1000.0, [(0.01, 10.0)], [(0.01, 10.0)], position=200, size_skew=1.0)

    assert [size for *_, size in made] == [0.0, 20.0]


@pytest.mark.parametrize(("size", "lots"), [(4.9, 4), (5.0, 5), (5.0 - 1e-10, 5), (0.3, 0), (2.0**40, 2**40)])
def test_sizes_round_down_to_a_lot(size: float, lots: int) -> None:
    state = wanting((1, 0, 100, 0, 0))
    state.want_size[0] = size

    round_sizes(state, 1)

    assert state.wanted[0, 3] == lots


BOTH = {"bid": 1000, "ask": 1004}


@pytest.mark.parametrize(
    ("wanted", "book", "left"),
    [
        # Nothing in the way.
        ([(1, 0, 1003, 5, 0), (-1, 0, 1001, 5, 0)], BOTH, [("bid", 0, 1003, 5), ("ask", 0, 1001, 5)]),
        # At or through the other side: one tick short of it.
        ([(1, 0, 1004, 5, 0)], BOTH, [("bid", 0, 1003, 5)]),
        ([(1, 0, 1010, 5, 0)], BOTH, [("bid", 0, 1003, 5)]),
        ([(-1, 0, 1000, 5, 0)], BOTH, [("ask", 0, 1001, 5)]),
        ([(-1, 0, 990, 5, 0)], BOTH, [("ask", 0, 1001, 5)]),
        # Of levels moved to one tick only the nearest stays.
        ([(1, 0, 1010, 5, 0), (1, 1, 1005, 6, 0), (1, 2, 999, 7, 0)], BOTH, [("bid", 0, 1003, 5), ("bid", 2, 999, 7)]),
        ([(-1, 0, 990, 5, 0), (-1, 1, 1000, 6, 0)], BOTH, [("ask", 0, 1001, 5)]),
        # A level that stood there by itself was not moved.
        ([(1, 0, 1010, 5, 0), (1, 1, 1003, 6, 0)], BOTH, [("bid", 0, 1003, 5), ("bid", 1, 1003, 6)]),
        # A side that is absent is in nobody's way.
        ([(1, 0, 1010, 5, 0), (-1, 0, 990, 5, 0)], {"bid": 1000}, [("bid", 0, 1010, 5), ("ask", 0, 1001, 5)]),
        ([(1, 0, 1010, 5, 0)], {}, [("bid", 0, 1010, 5)]),
        # A crossed book: short of what is shown, whatever it is.
        ([(1, 0, 1003, 5, 0)], {"bid": 1006, "ask": 1000}, [("bid", 0, 999, 5)]),
        ([(-1, 0, 1003, 5, 0)], {"bid": 1006, "ask": 1000}, [("ask", 0, 1007, 5)]),
        # Below the first tick there is no price.
        ([(1, 0, 0, 5, 0), (1, 1, -3, 5, 0)], BOTH, []),
        ([(1, 0, 2, 5, 0)], {"bid": 0, "ask": 1}, []),
        # Only post-only is moved.
        ([(1, 0, 1010, 5, 1), (1, 1, 1010, 5, 2)], BOTH, [("bid", 0, 1010, 5), ("bid", 1, 1010, 5)]),
        ([(-1, 0, 990, 5, 1)], BOTH, [("ask", 0, 990, 5)]),
    ],
)  # fmt: skip
def test_post_only_moves_what_would_take(
    wanted: list[tuple[int, int, int, int, int]], book: dict[str, int], left: list[Row]
) -> None:
    state = wanting(*wanted, **book)

    n = slide_post_only(state, len(wanted))

    assert rows(state, n) == left


@pytest.mark.parametrize(("price", "blocked"), [(1003, 0), (1004, 1)])
def test_a_level_that_had_to_go_waits_for_the_market(price: int, blocked: int) -> None:
    state = wanting((1, 0, 1010, 5, 0), (1, 1, price, 5, 0), **BOTH)

    slide_post_only(state, 2)

    assert state.blocked == blocked


@pytest.mark.parametrize(
    "malformed",
    [
        (0, 0, 100, 5, 0), (2, 0, 100, 5, 0), (1, 0, 0, 5, 0), (1, 0, -1, 5, 0), (1, 0, 2**40, 5, 0),
        (1, 0, 100, -1, 0), (1, 0, 100, 2**40, 0), (1, 0, 100, 5, -1), (1, 0, 100, 5, 3), (1, -2, 100, 5, 0),
        (1, 128, 100, 5, 0), (1, 0, 2**39, 2**22, 0),
    ],
)  # fmt: skip
def test_a_strategys_row_that_is_no_order_is_dropped_and_counted(malformed: tuple[int, int, int, int, int]) -> None:
    good = (-1, 1, 101, 6, Tif.LIMIT.value)
    state = wanting(malformed, good)

    n = drop_malformed(params(), state, 2)

    assert state.wanted[:n, :5].tolist() == [list(good)]
    assert state.refusals[Refusal.MALFORMED] == 1
