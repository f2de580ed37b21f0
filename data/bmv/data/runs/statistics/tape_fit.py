"""Whether the prints and quotes of a tape can be of one market, at one time, and whole: the run's own look at it."""

from typing import TYPE_CHECKING

from bmv.data.runs.numbers import SECOND, Json, ratio
from bmv.data.runs.wording import percent, span

if TYPE_CHECKING:
    from bmv.data.runs.outcome import Outcome

FEWEST = 20  # Prints below which nothing is said.
# On recorded markets up to 8 % of the prints are on the wrong side of the mid, and 51 % where their quotes are 5 ms
# late; with prints moved by 1.5 s 36 % to 71 %, by an hour 48 % to 65 %; 90 % and more if the sides are the maker's.
WRONG_CLOCK, WRONG_SIDES = 0.25, 0.75
# On recorded markets up to 57 % lie outside, because a large order prints at many prices; an hour off 78 % to 100 %.
OUTSIDE = 0.75
# A book whose one side was never recorded, or is lost on the way, gives its prints no quote to be set against.
UNMET = 0.5


def fit(outcome: "Outcome") -> Json:
    """Set the prints against the quotes before them, and the levels of depth against each other.

    A print is set against the last quote before it that was neither locked nor crossed (`prints` had one, `sided` of
    them an aggressor): `outside` lie above its ask or below its bid, `wrong_side` were bought below its mid or sold
    above it; `outside_share` and `wrong_side_share` are of those that could. `unmet` had no such quote before
    them, of all prints of a tape that shows a book; of one without a book its share is None. `levels_passed` counts
    levels of depth that a price of the other side had passed and no row removed by its next instant; `crossed_s` is how
    long bids and asks met so. All of this is about the tape; nothing of it is ours.
    """
    found, counts = outcome.fit, outcome.counts
    shown = counts["quotes"] + counts["depths"] > 0
    unmet = max(0, counts["trades"] - found["met"]) if shown else 0
    return {
        "prints": found["met"],
        "sided": found["met_sided"],
        "unmet": unmet,
        "unmet_share": ratio(unmet, counts["trades"]) if shown else None,
        "outside": found["outside"],
        "outside_share": ratio(found["outside"], found["met"]),
        "wrong_side": found["wrong_side"],
        "wrong_side_share": ratio(found["wrong_side"], found["met_sided"]),
        "levels_passed": found["levels_passed"],
        "crossed_s": outcome.times["crossed"] / SECOND,
    }


def fit_warnings(figures: Json) -> list[str]:
    """Say what makes the tape itself hard to believe, the gravest first, with what it may be."""
    warnings = []
    wrong, outside = figures["wrong_side_share"], figures["outside_share"]
    look = "`bmv data check` looks for the shift"
    if wrong is not None and wrong > WRONG_CLOCK and figures["sided"] >= FEWEST:
        ask = (
            "are the sides those of the maker?"
            if wrong > WRONG_SIDES
            else f"are trades and quotes on two clocks? {look}"
        )
        warnings.append(f"{percent(wrong)} of the prints are on the wrong side of the quote before them: {ask}")
    elif outside is not None and outside > OUTSIDE and figures["prints"] >= FEWEST:
        warnings.append(
            f"{percent(outside)} of the prints lie outside the quote before them: are trades and quotes on two clocks, "
            f"or of two markets? {look}"
        )
    unmet = figures["unmet_share"]
    if unmet is not None and unmet > UNMET and figures["unmet"] >= FEWEST:
        warnings.append(
            f"{percent(unmet)} of the prints had no bid and ask before them that were apart: is a side of the book "
            "missing?"
        )
    if figures["levels_passed"]:
        warnings.append(
            f"the book misses rows: a price of the other side passed {_levels(figures['levels_passed'])} that no row "
            f"removed (bids and asks met for {span(figures['crossed_s'])}); they were taken out at the next row"
        )
    return warnings


def _levels(count: int) -> str:
    return f"{count:,} level{'' if count == 1 else 's'}"
