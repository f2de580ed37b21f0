"""A run says before all else when its tape can't be what it seems."""

from typing import Any

import pytest
from synthetic import SECOND, nothing

from bmv.data.runs.statistics.tape_fit import fit, fit_warnings

UNMET_SAID = "prints had no bid and ask before them that were apart: is a side of the book missing?"
FITS = {"met": 1000, "met_sided": 800, "outside": 100, "wrong_side": 8, "levels_passed": 0}


def warnings(**changes: int) -> list[str]:
    return fit_warnings(fit(nothing(fit=FITS | changes)))


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
    ],
)
def test_what_does_not_fit_is_said_with_what_it_may_be(changes: dict[str, int], said: str) -> None:
    (warning,) = warnings(**changes)

    assert said in warning


def test_a_handful_of_prints_proves_nothing() -> None:
    assert warnings(met=10, met_sided=10, outside=10, wrong_side=10) == []


def test_shares_are_of_the_prints_that_could_be_wrong() -> None:
    found: dict[str, Any] = fit(nothing(fit=FITS, times={"crossed": 3 * SECOND}))

    assert (found["outside_share"], found["wrong_side_share"], found["crossed_s"]) == (0.1, 0.01, 3)


def test_a_tape_without_quotes_has_no_shares() -> None:
    found = fit(nothing(fit=dict.fromkeys(FITS, 0)))

    assert (found["outside_share"], found["wrong_side_share"]) == (None, None)
    assert fit_warnings(found) == []


@pytest.mark.parametrize(("met", "depths", "told"), [(300, 400, True), (900, 400, False), (0, 0, False)])
def test_prints_without_a_quote_before_them_tell_of_a_side_that_is_missing(met: int, depths: int, told: bool) -> None:
    outcome = nothing(fit=FITS | {"met": met, "met_sided": 0, "outside": 0, "wrong_side": 0})
    outcome.counts.update(trades=1_000, quotes=0, depths=depths)

    said = fit_warnings(fit(outcome))

    assert said == ([f"70.0 % of the {UNMET_SAID}"] if told else [])
