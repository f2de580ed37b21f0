"""Two engines hear the same; one is kept from ever leaving the pivot alone."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from desk import SECOND, Desk
from hypothesis import given, settings
from hypothesis import strategies as st

from bmv.core.state import ANYWHERE

LEVELS = ((0.001, 5), (0.004, 9))
SEEN: Counter[str] = Counter()


class Row(NamedTuple):
    """A trade, or a quote around it when `size` is 0."""

    gap: float
    move: int
    size: int


GAPS = st.sampled_from([0.0, 1e-9, 0.01, 0.3, 1.0, 4.0, 9.0, 10.0, 60.0])
MOVES = st.one_of(st.integers(-3, 3), st.sampled_from([-40, 40, -400, 400]))
SIZES = st.one_of(st.just(0), st.integers(1, 20), st.integers(1, 3000), st.just(2**40))
ROWS = st.lists(st.builds(Row, GAPS, MOVES, SIZES), min_size=30, max_size=200)
SETTINGS = st.fixed_dictionaries(
    {
        "threshold": st.sampled_from([0.0, 1e-6, 0.0005, 0.003, 0.02]),
        "window_ns": st.sampled_from([1, 10 * SECOND, 100 * SECOND]),
        "min_interval_ns": st.sampled_from([0, SECOND // 100, 5 * SECOND]),
        "price_skew": st.sampled_from([0.0, 0.05]),
        "reference_weight": st.sampled_from([0.0, 0.3]),
        "max_last_trade": st.sampled_from([0.0, 0.002]),
        "start_cash": st.sampled_from([0, 1_500_000, 10_000_000]),
    }
)


@settings(deadline=None, print_blob=True)
@given(rows=ROWS, knobs=SETTINGS, fills=st.booleans())
def _same(rows: Sequence[Row], knobs: dict[str, Any], fills: bool) -> None:
    sleepy, awake = (Desk(bids=LEVELS, asks=LEVELS, history_ns=100 * SECOND, **knobs) for _ in range(2))
    for desk in (sleepy, awake):
        desk.reference(0, 100_000)
    now, price = 0.0, 100_000
    for row in rows:
        now += row.gap
        price = max(1000, price + row.move)
        awake.state.slack = -1

        said = [_hear(desk, row, now, price) for desk in (sleepy, awake)]

        assert said[0] == said[1]
        assert sleepy.engine.digest == awake.engine.digest
        assert sleepy.state.wake_ns == awake.state.wake_ns
        slept = sleepy.state.behind != 0 and sleepy.state.leeway != ANYWHERE
        SEEN.update(["slept"] if slept else [], requoted=len(said[0]))
        if fills and said[0] and row.size % 3 == 1:
            for desk in (sleepy, awake):
                desk.fill(now, desk.open[-1], 1)


def _hear(desk: Desk, row: Row, now: float, price: int) -> list[str]:
    return desk.trade(now, price, row.size) if row.size else desk.quote(now, price - 1, price + 1)


def test_leaving_the_pivot_alone_changes_no_decision() -> None:
    SEEN.clear()

    _same()

    assert SEEN["slept"] > 100, SEEN
    assert SEEN["requoted"] > 100, SEEN


def test_the_worst_tape_comes_near_the_bound_and_never_passes_it() -> None:
    knobs = {"threshold": 0.003, "window_ns": 100 * SECOND, "history_ns": 100 * SECOND}
    sleepy, awake = Desk(**knobs), Desk(**knobs)
    evaluated, margin, used = 0.0, 1.0, [0.0]
    for tenth in range(8_000):
        price = 1000 if tenth // 1_000 % 2 == 0 else 1040  # What comes is dear while what is cheap goes, then in turns.
        awake.state.slack = -1

        for desk in (sleepy, awake):
            desk.trade(tenth / 10, price, 100)

        if sleepy.state.behind != 0:
            used.append(abs(awake.state.centre - evaluated) / margin)
        else:
            evaluated = sleepy.state.centre
            margin = sleepy.state.leeway - abs(evaluated - sleepy.state.grid_centre)

    assert 0.8 < max(used) <= 1.0


def test_on_a_quiet_tape_the_pivot_is_seldom_asked() -> None:
    desk = Desk(threshold=0.01)
    asked = 0
    for second in range(1000):
        desk.trade(second, 1000 + second % 3, 10)
        asked += desk.state.behind == 0

    assert asked < 100


@pytest.mark.parametrize("price", [990, 1010])
def test_a_price_never_seen_before_is_looked_at(price: int) -> None:
    desk = Desk(threshold=0.05)
    for second in range(100):
        desk.trade(second, 1000 + second % 3, 10)
    assert desk.state.slack > 0

    desk.trade(100, price, 1)

    assert desk.state.behind == 0
