"""How much of the market's volume we would have been: the larger our share, the less a backtest is to be believed."""

from typing import TYPE_CHECKING

import polars as pl

from bmv.data.runs.numbers import SECOND, Json, ratio
from bmv.data.runs.statistics.markouts import overall
from bmv.data.runs.wording import instant, percent

if TYPE_CHECKING:
    from bmv.data.runs.outcome import Outcome

HOUR_NS = 3600 * SECOND
SHARE_MAX = 0.1  # Of an hour's volume; above it a market answers to whom a backtest lets trade in silence.
CAUSES = ("print", "quote", "take")


def participation(outcome: "Outcome") -> Json:
    """Set our volume beside that of the tape; fills in base over what the tape traded in base.

    `tape_volume` is what the tape traded (base), `share` ours over it, `by_prints`, `by_quotes` and `by_taking` the
    parts of that by what caused the fills: a print at or through our price, a quote that crossed us without a print,
    an order of ours that took. Our fills are not in the tape, so a share may be above 1. `hours` counts the pieces of
    an hour from the run's start, a last piece that is shorter belonging to the one before it; `hours_above` those in
    which we had more than a tenth, and `largest` is the hour of our largest share: `start_ns`, and the same shares,
    None where the tape traded nothing while we did.

    `past_quote` are the fills by a print that passed better prices than ours on our own side of the book, which still
    stood at the next quote: how many, their `share` of all fills, and the markouts (:func:`markouts.markouts`) of
    `theirs` and of the `others`. Whoever traded there traded elsewhere, late, or by appointment.
    """
    fills = outcome.fills
    hours = _hours(outcome)
    past = fills.filter(pl.col("past_quote"))
    whole = hours.sum()
    return {
        **_shares(whole.row(0, named=True)),
        "hours": len(hours),
        "hours_above": int(_above(hours).sum()),
        "largest": _largest(hours),
        "past_quote": {
            "fills": len(past),
            "share": ratio(len(past), len(fills)),
            "theirs": overall(past),
            "others": overall(fills.filter(~pl.col("past_quote"))),
        },
        "reason": None if float(whole["tape_volume"][0] or 0) else "the tape has no trades",
    }


def participation_warnings(figures: Json) -> list[str]:
    """Say when our share of an hour's volume was more than a market would have let us have."""
    above, largest = figures["hours_above"], figures["largest"]
    if not above:
        return []
    when = f"in the hour from {instant(largest['start_ns'])} UTC"
    if figures["hours"] > 1:
        when += f", and above {percent(SHARE_MAX)} in {above:,} of {figures['hours']:,} hours"
    if largest["share"] is None:
        return [f"we traded {when} while the tape traded nothing: quotes alone filled us; believe such fills least"]
    by_quotes = f" ({percent(largest['by_quotes'])} by quotes alone, without a print)" if largest["by_quotes"] else ""
    return [
        f"our fills come to {percent(largest['share'])} of what the tape traded{by_quotes} {when}: a market answers to "
        "orders of that size, the tape does not; try smaller sizes"
    ]


def _hours(outcome: "Outcome") -> pl.DataFrame:
    """Return what the tape and we traded in each hour of the run, in base: `start_ns`, `tape_volume`, and `CAUSES`.

    A fill belongs to the first sample of the equity at or after it, as the tape's volume does.
    """
    marks = outcome.equity.select("ts_ns", "tape_volume").set_sorted("ts_ns")
    ours = (
        outcome.fills.select("ts_ns", "cause", "size")
        .sort("ts_ns")
        .join_asof(marks.select("ts_ns", mark_ns="ts_ns"), on="ts_ns", strategy="forward")
        .group_by(ts_ns="mark_ns")
        .agg(pl.col("size").filter(pl.col("cause") == cause).sum().alias(cause) for cause in CAUSES)
    )
    first_ns = outcome.first_ns
    last = max((outcome.last_ns - first_ns) // HOUR_NS - 1, 0)
    hour = ((pl.col("ts_ns") - first_ns - 1) // HOUR_NS).clip(0, last)
    return (
        marks.with_columns(pl.col("tape_volume").diff().fill_null(pl.col("tape_volume")))
        .join(ours, on="ts_ns", how="left")
        .group_by(start_ns=first_ns + hour * HOUR_NS)
        .agg(pl.col("tape_volume", *CAUSES).sum())
        .sort("start_ns")
    )


def _ours() -> pl.Expr:
    return pl.sum_horizontal(*CAUSES)


def _above(hours: pl.DataFrame) -> pl.Series:
    """Say of each hour whether we traded more than a tenth of what the tape did."""
    return hours.select(above=_ours() > SHARE_MAX * pl.col("tape_volume"))["above"]


def _largest(hours: pl.DataFrame) -> Json | None:
    """Return the hour of our largest share; without a fill, or an hour, None."""
    traded = hours.filter(_ours() > 0)
    if not len(traded):
        return None
    row = traded.sort(_ours() / pl.col("tape_volume"), descending=True, maintain_order=True).row(0, named=True)
    return {"start_ns": row["start_ns"], **_shares(row)}


def _shares(row: Json) -> Json:
    """Return our shares of the volume of a stretch, and that volume."""
    volume = row["tape_volume"] or 0.0
    by = {cause: row[cause] or 0.0 for cause in CAUSES}
    return {
        "tape_volume": volume,
        "share": ratio(sum(by.values()), volume),
        "by_prints": ratio(by["print"], volume),
        "by_quotes": ratio(by["quote"], volume),
        "by_taking": ratio(by["take"], volume),
    }
