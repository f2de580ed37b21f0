"""The pictures of a search: where its good sets lie, which keys matter, and how the objective falls off.

Every picture shows trials that ran to the end. Texts from a configuration pass `label` before Plotly sees them.
"""

from typing import TYPE_CHECKING

import numpy as np

from bmv.adapters.report.canvas import ASK, BID, FEES, LEGEND, MID, NET, PIVOT, faint
from bmv.backtest.sweep.show.cells import Axis, axes, bests, importance, means, near
from bmv.backtest.sweep.show.marks import DOTS, GREY, STAR, STILL, dots, label, lay, shades, short, spread
from bmv.backtest.sweep.trials.reading import Sweep

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MAPPED = 4  # Keys, the most important ones, of which each pair has a map: six maps.
LINES = 1000  # Of parallel coordinates; more are a block of one colour.
HUES = (NET, BID, ASK, PIVOT, FEES)


class Search:
    """What the pictures of one sweep have in common: its complete trials, their objective, and its axes in order."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.trials = sweep.complete
        self.objective = sweep.objective
        self.sign = sweep.sign(self.objective)
        self.values = sweep.values(self.objective) if self.objective else np.zeros(0)
        found = axes(sweep.parameters, self.trials) if len(self.trials) else []
        shares = [importance(self.values, axis) for axis in found]
        order = sorted(range(len(found)), key=lambda place: -shares[place])
        self.axes = [found[place] for place in order]
        self.shares = [shares[place] for place in order]

    @property
    def best(self) -> int | None:
        """The row of the best trial among the complete ones."""
        number = (self.sweep.summary.get("best") or {}).get("trial")
        rows = np.flatnonzero(self.trials["trial"].to_numpy() == number)
        return int(rows[0]) if number is not None and len(rows) else None

    def pairs(self) -> list[tuple[Axis, Axis]]:
        """Return the pairs of the most important axes, the most telling pair first."""
        chosen = self.axes[:MAPPED]
        return [(x, y) for place, y in enumerate(chosen) for x in chosen[:place]]


def figures(search: Search) -> "dict[str, Figure]":
    """Return the figures of a search by name; one that has nothing to show is left out.

    Names: `surface-0`, `surface-1`, ... (or `curve` where one key alone was varied), `parallel`, `importance`,
    `history`, `front`, `plateau`.
    """
    made = {f"surface-{place}": surface(search, x, y) for place, (x, y) in enumerate(search.pairs())}
    makers = (curve, parallel, importances, history, front, plateau)
    names = ("curve", "parallel", "importance", "history", "front", "plateau")
    made |= {name: maker(search) for name, maker in zip(names, makers, strict=True)}
    return {name: figure for name, figure in made.items() if figure is not None}


def surface(search: Search, x: Axis, y: Axis) -> "Figure | None":
    """Draw the objective over two keys, once its mean and once its best in each cell; a star is the best set."""
    from plotly.graph_objects import Figure, Heatmap

    shape = (len(y.names), len(x.names))
    cell = y.cell * shape[1] + x.cell
    count = np.bincount(cell, minlength=shape[0] * shape[1])
    said = [
        [f"{label(x.names[col])}<br>{label(y.key)}: {label(y.names[row])}" for col in range(shape[1])]
        for row in range(shape[0])
    ]
    figure = Figure()
    for name, z in (
        ("mean", means(search.values, cell, len(count))),
        ("best", bests(search.values, cell, len(count), search.sign)),
    ):
        figure.add_trace(
            Heatmap(
                z=z.reshape(shape), name=name, visible=name == "mean", xgap=1.5, ygap=1.5, hoverongaps=False,
                customdata=np.dstack((np.array(said, dtype=object), count.reshape(shape).astype(object))),
                hovertemplate=f"{label(x.key)}: %{{customdata[0]}}<br>{name} of %{{customdata[1]}} trials: %{{z:.5g}}"
                "<extra></extra>",
                colorbar={"thickness": 10, "outlinewidth": 0, "nticks": 6},
                **shades(z, search.sign),
            )
        )  # fmt: skip
    if search.best is not None:
        figure.add_scatter(
            x=[x.at[search.best]], y=[y.at[search.best]], mode="markers", marker=STAR, hoverinfo="skip"
        )  # fmt: skip
    figure.update_layout(height=360, showlegend=False, **STILL)
    lay(figure, "x", x)
    lay(figure, "y", y)
    return figure


def curve(search: Search) -> "Figure | None":
    """Draw the objective over the one key that was varied: every trial, and the mean of each cell."""
    from plotly.graph_objects import Figure

    if len(search.axes) != 1:
        return None
    axis = search.axes[0]
    figure = Figure()
    dots(figure, axis.at, search.values, "trials", NET, search.trials["trial"].to_numpy())
    mean = means(search.values, axis.cell, len(axis.names))
    there = np.flatnonzero(~np.isnan(mean))
    figure.add_scatter(
        x=there, y=mean[there], mode="lines+markers" if axis.ordered else "markers", name="mean",
        line={"color": PIVOT, "width": 2.2}, hovertemplate="mean %{y:.5g}<extra></extra>",
    )  # fmt: skip
    if search.best is not None:
        figure.add_scatter(
            x=axis.at[[search.best]], y=search.values[[search.best]], mode="markers", marker=STAR, showlegend=False,
            hoverinfo="skip",
        )  # fmt: skip
    figure.update_layout(height=400, legend=LEGEND, yaxis_title=label(search.objective))
    lay(figure, "x", axis)
    return figure


def parallel(search: Search) -> "Figure | None":
    """Draw each trial as a line through its values, the key that matters least first and the objective last."""
    from plotly.graph_objects import Figure, Parcoords

    if len(search.axes) < 2:
        return None
    shown = spread(search.values * search.sign, LINES)
    drawn = [
        {
            "label": label(short(axis.key)), "values": axis.at[shown], "range": [-0.5, len(axis.names) - 0.5],
            "tickvals": [place for place, _ in axis.ticks], "ticktext": [label(text) for _, text in axis.ticks],
        }
        for axis in reversed(search.axes[:8])
    ]  # fmt: skip
    for name in search.sweep.objectives:
        values = search.sweep.values(name)[shown]
        drawn.append({"label": label(name), "values": np.where(np.isfinite(values), values, np.nan)})
    scale = shades(search.values, search.sign, GREY)
    figure = Figure(
        Parcoords(
            dimensions=drawn, labelangle=-12 if len(drawn) > 5 else 0, labelside="top",
            domain={"x": [0.01, 0.97], "y": [0.02, 0.96]}, labelfont_size=12, tickfont_size=11,
            line={
                "color": search.values[shown], "colorscale": scale["colorscale"],
                "cmin": scale["zmin"], "cmax": scale["zmax"],
            },
            unselected={"line": {"color": GREY, "opacity": 0.06}},
        )
    )  # fmt: skip
    figure.update_layout(height=460, modebar={"remove": ["toimage"]})
    return figure


def importances(search: Search) -> "Figure | None":
    """Draw which share of the objective's variance each key accounts for by itself, and what is left over."""
    from plotly.graph_objects import Bar, Figure

    if not any(search.shares):
        return None
    rest = max(0.0, 1 - sum(search.shares))
    names = [*(short(axis.key) for axis in search.axes), "together, or by chance"]
    shares = np.array([*search.shares, rest]) * 100
    figure = Figure(
        Bar(
            x=shares[::-1], y=[label(name) for name in reversed(names)], orientation="h",
            marker_color=[faint(MID, 0.5), *[NET] * len(search.axes)], textposition="outside", cliponaxis=False,
            text=[f"{share:.0f} %" for share in shares[::-1]], hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(height=max(300, 90 + 34 * len(names)), showlegend=False, **STILL)
    figure.update_xaxes(title_text="% of the variance", range=[0, shares.max() * 1.15])
    figure.update_yaxes(type="category", showgrid=False, automargin=True)
    return figure


def history(search: Search) -> "Figure | None":
    """Draw the objective of each trial in the order of the search, and the best that was known by then."""
    from plotly.graph_objects import Figure

    if len(search.trials) < 2:
        return None
    number = search.trials["trial"].to_numpy()
    keeps = search.trials["feasible"].fill_null(False).to_numpy()
    figure = Figure()
    for which, name, colour in ((keeps, "trials", NET), (~keeps, "trials that break a constraint", MID)):
        if which.any():
            most = -(-DOTS * int(which.sum()) // len(number))  # Both together show no more than one picture may.
            dots(figure, number[which].astype(np.float64), search.values[which], name, colour, number[which], most)
    if keeps.any():
        so_far = np.maximum.accumulate(search.values[keeps] * search.sign) * search.sign
        steps = np.flatnonzero(np.diff(so_far, prepend=np.nan, append=np.nan) != 0)
        steps = np.unique(np.append(steps[steps < len(so_far)], len(so_far) - 1))
        figure.add_scatter(
            x=number[keeps][steps], y=so_far[steps], mode="lines", name="best so far",
            line={"color": BID, "width": 2, "shape": "hv"},
        )  # fmt: skip
    figure.update_layout(height=360, legend=LEGEND, xaxis_title="trial", yaxis_title=label(search.objective))
    return figure


def front(search: Search) -> "Figure | None":
    """Draw the first two objectives against each other; on the front no set is better in every objective."""
    from plotly.graph_objects import Figure

    names = search.sweep.objectives[:2]
    if len(names) < 2 or not len(search.trials):
        return None
    first, second = (search.sweep.values(name) for name in names)
    number = search.trials["trial"].to_numpy()
    figure = Figure()
    dots(figure, first, second, "trials", MID, number)
    chosen = np.flatnonzero(np.isin(number, search.sweep.summary.get("front") or []))
    chosen = chosen[np.argsort(first[chosen])]
    figure.add_scatter(
        x=first[chosen], y=second[chosen], mode="lines+markers" if len(search.sweep.objectives) == 2 else "markers",
        name="front", line={"color": BID, "width": 1.6, "dash": "dot"}, marker={"size": 8, "color": BID},
        customdata=number[chosen], hovertemplate="trial %{customdata}: %{x:.5g}, %{y:.5g}<extra></extra>",
    )  # fmt: skip
    if search.best is not None:
        figure.add_scatter(
            x=first[[search.best]], y=second[[search.best]], mode="markers", marker=STAR, showlegend=False,
            hoverinfo="skip",
        )  # fmt: skip
    ways = [f"{label(name)}, {'less' if search.sweep.sign(name) < 0 else 'more'} is better" for name in names]
    figure.update_layout(height=420, legend=LEGEND, xaxis_title=ways[0], yaxis_title=ways[1])
    return figure


def plateau(search: Search) -> "Figure | None":
    """Draw how the objective falls off as one key after the other moves away from the best set."""
    from plotly.graph_objects import Figure

    ordered = [place for place, axis in enumerate(search.axes) if axis.ordered]
    if search.best is None or not ordered:
        return None
    figure = Figure()
    for place, colour in zip(ordered[: len(HUES)], HUES, strict=False):
        axis, beside = search.axes[place], near(search.axes, place, search.best)
        mean = means(search.values[beside], axis.cell[beside], len(axis.names))
        there = np.flatnonzero(~np.isnan(mean))
        away = (there - axis.cell[search.best]) / (len(axis.names) - 1) * 100
        figure.add_scatter(
            x=away, y=mean[there], mode="lines+markers", name=label(short(axis.key)),
            line={"color": colour, "width": 2},
            customdata=[label(axis.names[cell]) for cell in there],
            hovertemplate=f"{label(axis.key)} %{{customdata}}: %{{y:.5g}}<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=[0], y=[search.values[search.best]], mode="markers", marker=STAR, showlegend=False, hoverinfo="skip"
    )  # fmt: skip
    figure.update_layout(
        height=380, legend=LEGEND, xaxis_title="away from the best set, % of the range",
        yaxis_title=label(search.objective),
    )  # fmt: skip
    return figure
