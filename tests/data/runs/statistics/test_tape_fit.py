"""A run says before all else when its tape can't be what it seems."""

from typing import Any

import pytest
from synthetic import SECOND, nothing, stretches

from bmv.data.runs.statistics.tape_fit import fit, fit_warnings

UNMET_SAID = "prints had no bid and ask before them that were apart: is a side of the book missing?"
WHOLE = {"prints": 1000, "sided": 800, "outside": 100, "wrong_side": 8}
CALM, LATE = (100, 100, 20, 0), (100, 100, 99, 50)


def one(**changes: int) -> Any:
    return stretches(tuple((WHOLE | changes).values()))  # type: ignore[arg-type]  # Four they are.


def warnings(past_stale: int = 0, levels_passed: int = 0, **changes: int) -> list[str]:
    fits = {"levels_passed": levels_passed, "past_stale": past_stale}
    return fit_warnings(fit(nothing(fit=fits, stretches=one(**changes))))


def by_stretch(*counts: tuple[int, int, int, int]) -> list[str]:
    return fit_warnings(fit(nothing(stretches=stretches(*counts))))


def test_a_tape_that_fits_is_not_warned_of() -> None:
    assert warnings() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"wrong_side": 790}, "are the sides those of the maker?"),
        ({"wrong_side": 400}, "are trades and quotes on two clocks?"),
        ({"outside": 990}, "or of two markets?"),
        ({"levels_passed": 1}, "passed 1 level that"),
        ({"levels_passed": 3}, "passed 3 levels that"),
        ({"past_stale": 80}, "80 prints lie beyond a best level"),
    ],
)
def test_what_does_not_fit_is_said_with_what_it_may_be(changes: dict[str, int], said: str) -> None:
    (warning,) = warnings(**changes)

    assert said in warning


def test_a_handful_of_prints_proves_nothing() -> None:
    assert warnings(prints=10, sided=10, outside=10, wrong_side=10, past_stale=3) == []


def test_shares_are_of_the_prints_that_could_be_wrong() -> None:
    found: dict[str, Any] = fit(nothing(stretches=one(), times={"crossed": 3 * SECOND}))

    assert (found["outside_share"], found["wrong_side_share"], found["crossed_s"]) == (0.1, 0.01, 3)


def test_a_tape_without_quotes_has_no_shares() -> None:
    found = fit(nothing(stretches=stretches()))

    assert (found["outside_share"], found["wrong_side_share"]) == (None, None)
    assert fit_warnings(found) == []


@pytest.mark.parametrize(("prints", "depths", "told"), [(300, 400, True), (900, 400, False), (0, 0, False)])
def test_prints_without_a_quote_before_them_tell_of_a_side_that_is_missing(
    prints: int, depths: int, told: bool
) -> None:
    outcome = nothing(stretches=one(prints=prints, sided=0, outside=0, wrong_side=0))
    outcome.counts.update(trades=1_000, quotes=0, depths=depths)

    said = fit_warnings(fit(outcome))

    assert said == ([f"70.0 % of the {UNMET_SAID}"] if told else [])


def test_a_clock_that_is_set_on_the_way_is_told_from_when_to_when_though_most_of_the_tape_fits() -> None:
    (told,) = by_stretch(*[CALM] * 7, *[LATE] * 3)

    assert told.startswith("from 1970-01-01 00:07:00 to 1970-01-01 00:09:59 50.0 % of the prints are on the wrong side")
    assert "elsewhere 0.0 %: was one of the clocks" in told


def test_a_clock_that_drifts_is_told_from_when_the_prints_no_longer_fit() -> None:
    (told,) = by_stretch(*[(100, 100, 20 + 4 * n, 4 * n) for n in range(11)])

    assert told.startswith("from 1970-01-01 00:07:00 to 1970-01-01 00:10:59 34.0 %")


def test_prints_without_sides_are_told_by_those_outside_where_others_of_the_tape_lie_within() -> None:
    (told,) = by_stretch(*[(100, 0, 10, 0)] * 7, *[(100, 0, 60, 0)] * 3)

    assert "60.0 % of the prints lie outside the quote before them, elsewhere 10.0 %" in told


@pytest.mark.parametrize(
    "counts",
    [
        [CALM] * 40 + [LATE] + [CALM] * 23,  # A burst, or a moment without quotes.
        [(100, 100, 95, 0)] * 3 + [CALM] * 7,  # Large orders, which print at many prices, on the right side.
        [(100, 0, 40, 0)] * 7 + [(100, 0, 66, 0)] * 3,  # A market most of whose prints lie outside in a busy hour.
        [(32, 32, 30, 30)] + [(32, 32, 0, 0)] * 9,  # Few.
    ],
)
def test_what_recorded_markets_show_for_a_while_is_not_told(counts: list[tuple[int, int, int, int]]) -> None:
    assert by_stretch(*counts) == []


def test_a_part_whose_sides_are_the_makers_is_asked_for_just_that() -> None:
    (told,) = by_stretch(*[CALM] * 9, (200, 200, 20, 190))

    assert "95.0 %" in told
    assert told.endswith("are the sides those of the maker?")
