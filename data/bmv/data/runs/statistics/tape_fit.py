"""Whether the prints and quotes of a tape can be of one market, at one time, and whole: the run's own look at it."""

from typing import TYPE_CHECKING

import polars as pl

from bmv.data.runs.numbers import SECOND, Json, ratio
from bmv.data.runs.wording import instant, percent, span

if TYPE_CHECKING:
    from bmv.data.runs.outcome import Outcome

COUNTED = ("prints", "sided", "outside", "wrong_side")  # Columns of `Outcome.stretches`.
MAKERS = "are the sides those of the maker?"
PARTLY = "was one of the clocks of trades and quotes set then (daylight saving), does it drift, or were quotes lost?"
MOST = 0.9  # A part of the tape that holds more of its prints is the tape.
FEWEST = 20  # Prints below which nothing is said.
# On recorded markets up to 8 % of the prints are on the wrong side of the mid, and 51 % where their quotes are 5 ms
# late; with prints moved by 1.5 s 36 % to 71 %, by an hour 48 % to 65 %; 90 % and more if the sides are the maker's.
WRONG_CLOCK, WRONG_SIDES = 0.25, 0.75
# On recorded markets up to 57 % lie outside, because a large order prints at many prices; an hour off 78 % to 100 %.
OUTSIDE = 0.75
# A book whose one side was never recorded, or is lost on the way, gives its prints no quote to be set against.
UNMET = 0.5


# The same by stretches of as many prints; adjoining ones must hold so many prints and so large a share of all: on
# recorded markets single ones are as bad as can be, in a burst of prints or where the quotes have a hole.
STRETCH_PRINTS, STRETCH_SHARE = 64, 0.05
# Without sides prints outside are all there is: where more than half are, and a quarter of the tape has a third of it.
OUTSIDE_THERE, CALM, CALMER = 0.5, 0.25, 3


def fit(outcome: "Outcome") -> Json:
    """Set the prints against the quotes before them, and the levels of depth against each other.

    A print is set against the last quote before it that was neither locked nor crossed (`prints` had one, `sided` of
    them an aggressor): `outside` lie above its ask or below its bid, `wrong_side` were bought below its mid or sold
    above it; `outside_share` and `wrong_side_share` are of those that could. `doubtful` is the part of the tape in
    which they fit worse than elsewhere, None where there is none: see :func:`doubtful`. `unmet` had no such quote
    before them, of all prints of a tape that shows a book; of one without a book its share is None. `levels_passed`
    counts levels of depth that a price of the other side had passed and no row removed by its next instant; `crossed_s`
    is how long bids and asks met so. `past_stale` counts prints that passed a best level of depth which others had
    passed more than ten seconds before. All of this is about the tape; nothing of it is ours.
    """
    found, counts = outcome.fit, outcome.counts
    prints, sided, outside, wrong = (int(outcome.stretches[name].sum()) for name in COUNTED)
    shown = counts["quotes"] + counts["depths"] > 0
    unmet = max(0, counts["trades"] - prints) if shown else 0
    return {
        "prints": prints,
        "sided": sided,
        "unmet": unmet,
        "unmet_share": ratio(unmet, counts["trades"]) if shown else None,
        "outside": outside,
        "outside_share": ratio(outside, prints),
        "wrong_side": wrong,
        "wrong_side_share": ratio(wrong, sided),
        "doubtful": doubtful(outcome.stretches),
        "levels_passed": found["levels_passed"],
        "crossed_s": outcome.times["crossed"] / SECOND,
        "past_stale": found["past_stale"],
    }


def doubtful(stretches: pl.DataFrame) -> Json | None:
    """Return the part of a tape whose prints and quotes do not fit though those of the rest may.

    A clock that is set on the way (daylight saving), or drifts, puts only a part of the prints beside their quotes: the
    share of the whole tape can stay small. The part is `from_ns` to `to_ns` (of prints, ns UTC), with its `prints`, the
    `wrong_side_share` and `outside_share` there, and those of the prints `elsewhere`, None where there are none.

    Args:
        stretches: One row a stretch, in order: from_ns, to_ns, prints, sided, outside, wrong_side.
    """
    table = (
        stretches.with_columns(bad=_misfits(stretches)).with_columns(run=pl.col("bad").rle_id()).with_row_index("at")
    )
    least = max(STRETCH_PRINTS, STRETCH_SHARE * int(table["prints"].sum()))
    runs = (
        table.filter("bad")
        .group_by("run")
        .agg(pl.col("at").min().alias("first"), pl.col("at").max().alias("last"), pl.col("prints").sum())
        .filter(pl.col("prints") >= least)
    )
    if not len(runs):
        return None
    within = pl.col("at").is_between(
        runs.select(pl.col("first").min()).item(), runs.select(pl.col("last").max()).item()
    )
    part, rest = table.filter(within), table.filter(~within)
    return {
        "from_ns": int(part["from_ns"][0]),
        "to_ns": int(part["to_ns"][-1]),
        "prints": int(part["prints"].sum()),
        **_shares(part),
        "elsewhere": _shares(rest) if len(rest) else None,
    }


def _misfits(stretches: pl.DataFrame) -> pl.Series:
    """Return which stretches do not fit: by the sides of their prints, or where few have one by those outside."""
    outside = stretches["outside"] / stretches["prints"]
    calm = outside.quantile(CALM) or 0.0
    astray = (outside > OUTSIDE) | ((outside > OUTSIDE_THERE) & (outside > CALMER * calm))
    sided = 2 * stretches["sided"] > stretches["prints"]
    wrong = (stretches["wrong_side"] / stretches["sided"]) > WRONG_CLOCK
    return ((sided & wrong) | (~sided & astray)).fill_null(False)


def _shares(stretches: pl.DataFrame) -> Json:
    prints, sided, outside, wrong = (int(stretches[name].sum()) for name in COUNTED)
    return {"outside_share": ratio(outside, prints), "wrong_side_share": ratio(wrong, sided)}


def fit_warnings(figures: Json) -> list[str]:
    """Say what makes the tape itself hard to believe, the gravest first, with what it may be."""
    warnings = []
    clocks = _in_part(figures) or _of_whole(figures)
    warnings += [clocks] if clocks else []
    unmet = figures["unmet_share"]
    if unmet is not None and unmet > UNMET and figures["unmet"] >= FEWEST:
        warnings.append(
            f"{percent(unmet)} of the prints had no bid and ask before them that were apart: is a side of the book "
            "missing?"
        )
    if figures["past_stale"] >= FEWEST:
        warnings.append(
            f"the book stands still where it was passed: {figures['past_stale']:,} prints lie beyond a best level that "
            "others had passed more than 10 s before: was the feed broken off, and begun again without a snapshot?"
        )
    if figures["levels_passed"]:
        warnings.append(
            f"the book misses rows: a price of the other side passed {_levels(figures['levels_passed'])} that no row "
            f"removed (bids and asks met for {span(figures['crossed_s'])}); they were taken out at the next row"
        )
    return warnings


def _of_whole(figures: Json) -> str | None:
    """Return what is wrong with the prints of the whole tape."""
    wrong, outside = figures["wrong_side_share"], figures["outside_share"]
    look = "`bmv data check` looks for the shift"
    if wrong is not None and wrong > WRONG_CLOCK and figures["sided"] >= FEWEST:
        ask = MAKERS if wrong > WRONG_SIDES else f"are trades and quotes on two clocks? {look}"
        return f"{percent(wrong)} of the prints are on the wrong side of the quote before them: {ask}"
    if outside is not None and outside > OUTSIDE and figures["prints"] >= FEWEST:
        return (
            f"{percent(outside)} of the prints lie outside the quote before them: are trades and quotes on two clocks, "
            f"or of two markets? {look}"
        )
    return None


def _in_part(figures: Json) -> str | None:
    """Return what is wrong with the prints of a part of the tape, from when to when; None where it is nearly all."""
    part = figures["doubtful"]
    if part is None or part["prints"] > MOST * figures["prints"]:
        return None
    by_side = (part["wrong_side_share"] or 0) > (part["elsewhere"]["wrong_side_share"] or 0)
    figure = "wrong_side_share" if by_side else "outside_share"
    where = "are on the wrong side of" if by_side else "lie outside"
    share, other = part[figure], part["elsewhere"][figure] or 0.0
    if other > (WRONG_CLOCK if by_side else OUTSIDE):  # There it is no better: it is the whole tape.
        return None
    ask = MAKERS if by_side and share > WRONG_SIDES else PARTLY
    return (
        f"from {instant(part['from_ns'])} to {instant(part['to_ns'])} {percent(share)} of the prints {where} the quote "
        f"before them, elsewhere {percent(other)}: {ask}"
    )


def _levels(count: int) -> str:
    return f"{count:,} level{'' if count == 1 else 's'}"
