"""Pictures of whether to trust what a search found: training against test, halves of the data."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bmv.adapters.report.canvas import ASK, BID, LEGEND, MID, NET, faint
from bmv.backtest.sweep.judge.overfitting import best_of_halves
from bmv.backtest.sweep.judge.verdict import matrix
from bmv.backtest.sweep.show.marks import STILL
from bmv.backtest.sweep.trials.accounts import LISTS, accounts
from bmv.backtest.sweep.trials.reading import Sweep
from bmv.data.runs.contracts import axis_units
from bmv.data.runs.numbers import Json, at, finite, ratio
from bmv.data.runs.wording import percent, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HALVES = 800  # Combinations drawn as dots, evenly from all of them.


class Known(NamedTuple):
    """The figures of the validation that stand first; None where one is not known."""

    holdout_quoting: float | None
    holdout_market: float | None
    dsr: float | None
    n_trials: int | None
    pbo: float | None


class Step(NamedTuple):
    """What one fold of the walk-forward chose, and how it fared: Sharpe ratio, or what quoting earned, a period."""

    trial: int | None
    train: float | None
    test: float | None
    rank: int | None


def known(sweep: Sweep) -> Known:
    """Return the figures of the validation that stand first."""
    told = sweep.summary.get("validation") or {}
    ever = finite(at(told, "deflated", "n_trials"))
    return Known(
        holdout_quoting=finite(at(told, "holdout", "quoting")),
        holdout_market=finite(at(told, "holdout", "market")),
        dsr=finite(at(told, "deflated", "dsr")),
        n_trials=None if ever is None else int(ever),
        pbo=finite(at(told, "overfitting", "pbo")),
    )


def steps(sweep: Sweep) -> list[Step]:
    """Return the folds of the walk-forward in the order of time."""
    by = metric(sweep)
    return [
        Step(one.get("trial"), _a_period(one, "train", by), _a_period(one, "test", by), one.get("rank"))
        for one in at(sweep.summary, "validation", "walk_forward", "folds") or []
    ]


def metric(sweep: Sweep) -> str:
    """Return by which figure the folds choose: `quoting` or `sharpe`."""
    return str(at(sweep.summary, "validation", "walk_forward", "metric") or "sharpe")


def _a_period(fold: Json, part: str, by: str) -> float | None:
    """Return a figure of a fold by the period: training lasts longer than the test, and its sum would look better."""
    if by != "quoting":
        return finite(fold.get(f"{part}_figure"))
    span = fold.get(part) or [0, 0]
    return ratio(fold.get(f"{part}_quoting"), span[1] - span[0] + 1)


def figures(sweep: Sweep) -> "dict[str, Figure]":
    """Return by name what there is to show of `walk`, `logits` and `degradation`."""
    made = {"walk": walk(sweep), "logits": logits(sweep), "degradation": degradation(sweep)}
    return {name: figure for name, figure in made.items() if figure is not None}


def why_missing(sweep: Sweep) -> dict[str, str]:
    """Say of each picture why it would be missing."""
    ran = len(sweep.complete)
    few = "one set alone was run to the end" if ran == 1 else "no set was run to the end"
    short = few if ran < 2 else "there are too few periods, or too few sets that trade and differ"
    return {
        "walk": f"Walk-forward: {short if ran < 1 else 'there are no folds'}.",
        "logits": f"Probability of overfitting: {short}.",
        "degradation": f"In-sample against out-of-sample: {short}.",
    }


def overfitting_lead(sweep: Sweep) -> str:
    """Say what the histogram of logits means."""
    told = at(sweep.summary, "validation", "overfitting") or {}
    pbo, count = finite(told.get("pbo")), finite(told.get("n_combinations"))
    found = "" if pbo is None else f" Here it was so in {percent(pbo)} of {plain(count or 0, 0)} ways."
    return (
        "The data was cut into halves in many ways; the best set of the one half was looked up in the other. Up to "
        f"zero, red, it did no better there than the middle of all sets.{found}"
    )


def plateau_lead(sweep: Sweep) -> str:
    """Say what the picture of the fall-off means."""
    told = at(sweep.summary, "validation", "plateau") or {}
    word, kept = told.get("word"), finite(told.get("kept"))
    found = f" This is a {word}" if word in ("plateau", "slope", "spike") else ""
    share = f": {percent(kept)} of what quoting earned remains a step away." if kept is not None else "."
    return (
        "Mean objective as one key moves away from the best set, the star, while the others stay near it. A plateau "
        f"survives a market that is a little different; a spike does not.{found}{found and share}"
    )


def walk(sweep: Sweep) -> "Figure | None":
    """Draw for each fold what the chosen set made in its training and in the test behind it."""
    from plotly.graph_objects import Figure

    told = steps(sweep)
    if not told:
        return None
    names = [f"fold {place}" for place in range(1, len(told) + 1)]
    figure = Figure()
    figure.add_bar(x=names, y=[one.train for one in told], name="training", marker_color=faint(MID, 0.6))
    figure.add_bar(x=names, y=[one.test for one in told], name="test", marker_color=NET)
    figure.update_layout(height=360, legend=LEGEND, barmode="group", bargap=0.35, hovermode="x unified")
    money = axis_units(sweep.summary)[1]
    title = f"by quoting, {money} a period" if metric(sweep) == "quoting" else "Sharpe a period"
    figure.update_yaxes(title_text=title)
    figure.update_xaxes(type="category", showgrid=False)
    return figure


def logits(sweep: Sweep) -> "Figure | None":
    """Draw how often the best set of one half had which logit of its relative rank in the other."""
    from plotly.graph_objects import Bar, Figure

    told = at(sweep.summary, "validation", "overfitting", "logits") or {}
    counts, edges = (np.array(told.get(name) or [], dtype=np.float64) for name in ("counts", "edges"))
    if not counts.sum():
        return None
    middle = (edges[:-1] + edges[1:]) / 2
    figure = Figure(
        Bar(
            x=middle, y=counts / counts.sum() * 100, width=np.diff(edges) * 0.92,
            marker_color=np.where(middle <= 0, ASK, BID).tolist(), hovertemplate="%{x:.2f}: %{y:.2f} %<extra></extra>",
        )
    )  # fmt: skip
    figure.add_vline(x=0, line={"color": MID, "width": 1.2, "dash": "dash"})
    figure.update_layout(
        height=340,
        showlegend=False,
        xaxis_title="logit of the rank in the other half",
        yaxis_title="% of the ways",
        **STILL,
    )
    return figure


def degradation(sweep: Sweep) -> "Figure | None":
    """Draw the Sharpe ratio of the best set of one half against that in the other half, and the line through them."""
    from plotly.graph_objects import Figure

    told = at(sweep.summary, "validation", "overfitting") or {}
    points = halves(sweep, told.get("blocks") or 16) if told.get("n_combinations") else None
    if points is None:
        return None
    own, other = points
    figure = Figure()
    figure.add_scatter(
        x=own, y=other, mode="markers", name="best set of a half",
        marker={"size": 5, "color": [faint(BID if after > 0 else ASK, 0.5) for after in other.tolist()]},
        hovertemplate="%{x:.3f} there, %{y:.3f} here<extra></extra>",
    )  # fmt: skip
    slope, intercept = finite(told.get("slope")), finite(told.get("intercept"))
    if slope is not None and intercept is not None:
        ends = np.array([own.min(), own.max()])
        figure.add_scatter(
            x=ends, y=intercept + slope * ends, mode="lines", name=f"line, slope {plain(slope, 2)}",
            line={"color": NET, "width": 2}, hoverinfo="skip",
        )  # fmt: skip
    figure.add_hline(y=0, line={"color": MID, "width": 1})
    figure.update_layout(
        height=340, showlegend=False, xaxis_title="Sharpe a period, its own half", yaxis_title="in the other half"
    )
    return figure


def halves(sweep: Sweep, blocks: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the best Sharpe ratio a period in one half of the blocks, and that of the same set in the other half.

    At most about 800 of the combinations of `validation.overfitting.cscv`, evenly from all of them; None where the
    trials have no account of their periods, or fewer than two a block.
    """
    chosen = sweep.trials["trial"].is_in(sweep.complete.filter("feasible")["trial"].implode())
    rows = list[NDArray[np.int64]]()
    for name in reversed(LISTS):  # The mids, which are the same for all as a rule, are let go of before more is read.
        column = sweep.lists(name)
        if column is None:
            return None
        chosen = chosen if rows else chosen & column.is_not_null()
        column = column if chosen.all() else column.filter(chosen)
        if len(column) < 2 or column.null_count() or column.list.len().n_unique() != 1:
            return None
        rows.insert(0, matrix(sweep.trials["trial"], column))
    return best_of_halves(accounts(*rows), blocks, HALVES)
