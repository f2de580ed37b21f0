"""What a sweep draws from, as the command line and the configuration spell it."""

from typing import Any

import pytest
from searches import TABLE, configured

from bmv.backtest.sweep.trials.space import Axis, axes_of, parsed, rounded, size, whole_set
from bmv.ports.errors import ConfigError, UsageError


def test_both_ends_of_a_range_are_included() -> None:
    assert parsed("grid.bid.first_bps=2:20:2").values == tuple(float(n) for n in range(2, 21, 2))


def test_steps_of_a_tenth_are_tenths_to_the_last_digit() -> None:
    assert parsed("grid.bid.first_bps=0.1:0.9:0.1").values == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def test_factors_multiply_up_to_the_end() -> None:
    assert parsed("pivot.window_s=1:64:x4").values == (1.0, 4.0, 16.0, 64.0)


def test_a_key_that_counts_takes_whole_numbers() -> None:
    assert parsed("grid.bid.levels=1:5:2").values == (1, 3, 5)
    assert all(isinstance(value, int) for value in parsed("grid.bid.levels=1:5:2").values)


def test_keys_joined_by_a_comma_take_the_same_value() -> None:
    axis = parsed("grid.bid.first_bps,grid.ask.first_bps=2:4:2")

    assert whole_set([axis], [4.0]) == {"grid.bid.first_bps": 4.0, "grid.ask.first_bps": 4.0}


def test_words_are_choices_and_numbers_in_order_are_not() -> None:
    assert not parsed("simulation.queue=front,back").ordered
    assert parsed("pivot.window_s=10,60,300").ordered
    assert parsed("pivot.window_s=300,10").values == (10, 300)
    assert not parsed("simulation.fill_on_quotes=true,false").ordered


@pytest.mark.parametrize(
    ("spelt", "says"),
    [
        ("grid.bid.first_bps", "expected KEY=LOW:HIGH:STEP"),
        ("grid.bid.first_bps=", "expected KEY=LOW:HIGH:STEP"),
        ("grid.bid.first_bps=2:20:4", "never meet 20"),
        ("grid.bid.first_bps=20:2:2", "expected low under high"),
        ("grid.bid.first_bps=2:20:0", "expected a step above 0"),
        ("grid.bid.first_bps=2:20:x1", "expected a factor above 1"),
        ("grid.bid.first_bps=2:20:lin", "expected a step above 0, or log"),
        ("grid.bid.first_bps=a:b", "in numbers"),
        ("grid.bid.first_bps=1:2:3:4", "in numbers"),
        ("grid.bid.first_bps=0:20:x2", "above 0 where steps are factors"),
        ("grid.bid.first_bps=0:1e9:0.001", "steps: expected at most"),
        ("grid.bid.first=2:20:2", "did you mean"),
        ("grid.bid.levels=1:2:0.5", "takes whole numbers only"),
        ("grid.bid.levels=1,2.5,4", "expected whole numbers"),
        ("market.symbol=A,B", "can't be swept"),
        ("live.wallet=a,b", "can't be swept"),
        ("simulation.queue=back,back", "a value is there twice"),
    ],
)
def test_an_axis_that_means_nothing_is_refused_in_words(spelt: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parsed(spelt)


def sweep(**parameters: Any) -> Any:
    return configured(sweep={"parameters": {key.replace("__", "."): value for key, value in parameters.items()}})


def test_the_configuration_spells_lists_ranges_and_what_moves_along() -> None:
    config = sweep(
        grid__bid__levels=[1, 2],
        pivot__window_s={"low": 10, "high": 100, "log": True},
        grid__bid__first_bps={"low": 2, "high": 6, "step": 2, "also": ["grid.ask.first_bps"]},
        simulation__queue={"values": ["front", "back"]},
    )

    assert axes_of(config) == [
        Axis("grid.bid.levels", (), (1, 2), whole=True),
        Axis("pivot.window_s", (), (), 10.0, 100.0, log=True),
        Axis("grid.bid.first_bps", ("grid.ask.first_bps",), (2.0, 4.0, 6.0)),
        Axis("simulation.queue", (), ("front", "back")),
    ]


def test_the_command_line_takes_the_place_of_the_configuration_key_by_key() -> None:
    config = sweep(grid__bid__levels=[1, 2], pivot__window_s=[10, 20])

    axes = axes_of(config, ["grid.bid.levels=3:4:1"])

    assert {axis.key: axis.values for axis in axes} == {"grid.bid.levels": (3, 4), "pivot.window_s": (10, 20)}


def test_a_key_that_two_axes_move_is_refused() -> None:
    config = sweep(grid__bid__first_bps={"low": 2, "high": 6, "step": 2, "also": ["grid.ask.first_bps"]})

    with pytest.raises(ConfigError, match=r"grid.ask.first_bps is swept twice"):
        axes_of(config, ["grid.ask.first_bps=1:2:1"])


def test_nothing_to_sweep_is_said_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match="say --param"):
        axes_of(configured())


def test_a_drawn_number_keeps_six_digits_and_stays_within_its_range() -> None:
    axis = Axis("pivot.window_s", low=1.234561, high=987.65436)

    assert rounded(axis, 123.456789) == 123.457
    assert rounded(axis, 1.234561) == axis.low
    assert rounded(axis, 987.65435) == 987.654


def test_a_space_is_as_large_as_the_product_of_its_axes() -> None:
    assert size([parsed("grid.bid.levels=1:5:1"), parsed("pivot.window_s=10,20,30")]) == 15
    assert size([parsed("grid.bid.levels=1:5:1"), parsed("pivot.window_s=10:20")]) is None


def test_the_tables_of_these_tests_are_a_configuration() -> None:
    assert configured().market.symbol == TABLE["market"]["symbol"]
