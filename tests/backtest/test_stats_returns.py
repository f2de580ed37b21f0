"""Drawdown and ratios, worked by hand."""

import numpy as np
import pytest
from synthetic import equity

from bmv.backtest.returns import drawdown, ratios, sampled

MINUTE = 60


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
    returns = np.tile([0.01, -0.005], 20)
    table = equity(path(*(100 * np.cumprod(np.append(1, 1 + returns))), step_s=MINUTE))

    found = ratios(table, 60)

    year = 365 * 86_400 / 60
    assert (found["sampling_s"], found["n"]) == (60, 40)
    assert found["sharpe"] == pytest.approx(0.0025 / returns.std(ddof=1) * year**0.5)
    assert found["sortino"] == pytest.approx(0.0025 / (0.005**2 / 2) ** 0.5 * year**0.5)


def test_a_short_tape_is_sampled_as_the_table_is() -> None:
    found = ratios(equity(path(*(100 + np.arange(40) % 3))), 1)

    assert (found["sampling_s"], found["n"]) == (1, 39)


def test_too_few_returns_give_no_ratio_but_the_reason() -> None:
    found = ratios(equity(path(100, 101, 102)), 1)

    assert (found["sharpe"], found["sortino"]) == (None, None)
    assert "too short" in found["reason"]


def test_equity_that_never_moves_has_no_ratio() -> None:
    found = ratios(equity(path(*[100.0] * 50)), 1)

    assert (found["sharpe"], found["sortino"]) == (None, None)
    assert found["reason"] == "equity never moved"


def test_equity_without_a_fall_has_a_sharpe_and_no_sortino() -> None:
    found = ratios(equity(path(*(100 * 1.001 ** np.arange(50) + np.arange(50) % 2 * 0.01))), 1)

    assert found["sharpe"] > 0
    assert found["sortino"] is None


def test_a_hole_in_the_samples_keeps_the_last_known_equity() -> None:
    table = equity([{"s": 0, "equity": 100.0}, {"s": 1, "equity": 101.0}, {"s": 5, "equity": 105.0}])

    assert sampled(table, 1).tolist() == [100, 101, 101, 101, 101, 105]
