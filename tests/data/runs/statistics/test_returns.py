"""Drawdown and ratios, worked by hand."""

import numpy as np
import pytest
from synthetic import equity

from bmv.data.runs.statistics.returns import drawdown, ratios, sampled

MINUTE = 60
DAY_MINUTES = 1440


def path(*values: float, step_s: float = 1.0) -> list[dict[str, float]]:
    return [{"s": at * step_s, "equity": value} for at, value in enumerate(values)]


def test_a_drawdown_runs_from_peak_to_trough_and_back() -> None:
    found = drawdown(equity(path(100, 120, 108, 90, 110, 120, 119, 121)))

    assert found["max"] == pytest.approx(0.25)
    assert found["max_quote"] == 30
    assert (found["fall_s"], found["recovery_s"]) == (2, 2)
    assert found["longest_underwater_s"] == 4


def test_a_fall_that_never_ends_has_no_recovery_but_a_length() -> None:
    found = drawdown(equity(path(100, 90, 95, 80, 85)))

    assert found["recovery_s"] is None
    assert found["reason"] == "equity did not regain its peak"
    assert found["longest_underwater_s"] == 4


def test_equity_that_only_rises_was_never_under_water() -> None:
    found = drawdown(equity(path(100, 100, 101, 102)))

    assert (found["max"], found["fall_s"], found["longest_underwater_s"]) == (0, 0, 0)


def test_sharpe_is_the_mean_return_by_its_deviation_times_the_root_of_a_year() -> None:
    returns = np.tile([0.001, -0.0005], DAY_MINUTES // 2)
    table = equity(path(*(100 * np.cumprod(np.append(1, 1 + returns))), step_s=MINUTE))

    found = ratios(table, 60, fills=9)

    year = 365 * 86_400 / 60
    assert (found["sampling_s"], found["n"]) == (60, DAY_MINUTES)
    assert found["sharpe"] == pytest.approx(0.00025 / returns.std(ddof=1) * year**0.5)
    assert found["sortino"] == pytest.approx(0.00025 / (0.0005**2 / 2) ** 0.5 * year**0.5)
    assert found["calmar"] == pytest.approx(0.00025 * year / 0.0005)


def test_a_table_sampled_seldom_gives_returns_as_seldom() -> None:
    found = ratios(equity(path(*(100 + np.arange(49) % 3), step_s=1800)), 1800, fills=9)

    assert (found["sampling_s"], found["n"]) == (1800, 48)


@pytest.mark.parametrize(
    ("minutes", "step_s", "fills", "reason"),
    [
        (DAY_MINUTES, MINUTE, 0, "nothing was traded"),
        (100 / 60, 1, 9, "1 min 40 s of tape are less than a day"),
        (390, MINUTE, 9, "6 h 30 min of tape are less than a day"),
        (DAY_MINUTES - 2, MINUTE, 9, "23 h 58 min of tape are less than a day"),
        (DAY_MINUTES, 3600, 9, "24 returns are fewer than 30"),
    ],
)
def test_no_ratio_is_made_from_nothing(minutes: float, step_s: int, fills: int, reason: str) -> None:
    rises = 100 + np.arange(round(minutes * 60 / step_s) + 1) * 0.01 + np.arange(round(minutes * 60 / step_s) + 1) % 2

    found = ratios(equity(path(*rises, step_s=step_s)), step_s, fills)

    assert [found[name] for name in ("sharpe", "sortino", "calmar")] == [None, None, None]
    assert found["reason"] == reason


def test_a_day_as_it_is_recorded_from_its_first_row_to_its_last_has_ratios() -> None:
    found = ratios(equity(path(*(100 + np.arange(86_390) % 7))), 1, fills=9)

    assert found["sharpe"] is not None
    assert found["calmar"] is not None


def test_equity_that_never_moves_has_no_ratio() -> None:
    found = ratios(equity(path(*[100.0] * (DAY_MINUTES + 1), step_s=MINUTE)), 1, fills=1)

    assert (found["sharpe"], found["sortino"]) == (None, None)
    assert found["reason"] == "equity never moved"


def test_equity_without_a_fall_has_a_sharpe_and_no_sortino() -> None:
    steps = np.arange(DAY_MINUTES + 1)

    found = ratios(equity(path(*(100 * 1.001**steps + steps % 2 * 0.01), step_s=MINUTE)), 60, fills=9)

    assert found["sharpe"] > 0
    assert found["sortino"] is None


def test_a_hole_in_the_samples_keeps_the_last_known_equity() -> None:
    table = equity([{"s": 0, "equity": 100.0}, {"s": 1, "equity": 101.0}, {"s": 5, "equity": 105.0}])

    assert sampled(table, 1).tolist() == [100, 101, 101, 101, 101, 105]
