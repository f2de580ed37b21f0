"""How the pictures of a sweep are drawn: dots that do not hide one another, axes of cells, colours of gain and loss."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bmv.adapters.report.canvas import ASK, BID, MID, faint
from bmv.backtest.sweep.show.cells import Axis
from bmv.data.runs.numbers import Json

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

DOTS = 1000  # Of one picture, so that a page of 100,000 sets is no larger than one of 1,000.
RASTERS = tuple((2 * n, n) for n in (120, 90, 70, 50, 40, 30, 22))  # Of dots that share a place on one, one is drawn.
GREY = "#aab1c0"
STILL = {"dragmode": False, "modebar": {"remove": ["zoom", "pan", "zoomin", "zoomout", "resetscale"]}}  # No zoom.
STAR = {"symbol": "star", "size": 15, "color": "#ffffff", "line": {"color": "#171b24", "width": 1.5}}


def label(text: object) -> str:
    """Return a text as Plotly writes it as it stands: it would read tags and its own placeholders in it.

    >>> label("<a href='x'>%{y}")
    "‹a href='x'›% {y}"
    """
    return str(text).replace("<", "‹").replace(">", "›").replace("%{", "% {").replace("&", "＆")


def dots(
    figure: "Figure", x: NDArray[np.float64], y: NDArray[np.float64], name: str, colour: str,
    number: NDArray[np.int64], most: int = DOTS,
) -> None:  # fmt: skip
    """Draw trials as dots; where there are more than `most`, of those that lie close to one another only one."""
    shown = visible(x, y, most)
    named = name if len(shown) == len(x) else f"{name} ({len(shown):,} of {len(x):,} shown)"
    figure.add_scatter(
        x=x[shown], y=y[shown], mode="markers", name=named, marker={"size": 5, "color": faint(colour, 0.55)},
        customdata=number[shown], hovertemplate="trial %{customdata}: %{y:.5g}<extra></extra>",
    )  # fmt: skip


def spread(worth: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return rows evenly over the ranks of `worth`, the best third of them from the top: good lines lie on bad ones."""
    order = np.argsort(worth, kind="stable")
    if len(order) <= most:
        return order
    top = order[-most // 3 :]
    rest = order[: -most // 3]
    return np.concatenate((rest[np.linspace(0, len(rest) - 1, most - len(top)).astype(np.int64)], top))


def lay(figure: "Figure", which: str, axis: Axis) -> None:
    """Write the values of a key along an axis of cells."""
    figure.update_layout({
        f"{which}axis": {
            "title": {"text": label(short(axis.key))}, "tickvals": [place for place, _ in axis.ticks],
            "ticktext": [label(text[:18]) for _, text in axis.ticks], "range": [-0.5, len(axis.names) - 0.5],
            "showgrid": False, "zeroline": False, "automargin": True,
        }
    })  # fmt: skip


def short(key: str) -> str:
    """Return the end of a key, enough to know it by.

    >>> short("grid.bid.first_bps"), short("requote.threshold_bps")
    ('bid.first_bps', 'threshold_bps')
    """
    head, *tail = key.split(".")
    return ".".join(tail[-2:]) or head


def shades(values: NDArray[np.float64], sign: int, middle: str = "") -> Json:
    """Return a scale of colours: the greener the better; of what is to be large, red is below zero and grey is zero.

    The worst twentieth of the values shares one shade: a few ruinous sets would leave none for the others.

    Args:
        sign: -1 where small is good.
        middle: The colour between red and green, where the usual one, which lets the paper through, won't do.
    """
    there = values[np.isfinite(values)]
    if not len(there):
        there = np.zeros(1)
    grey = middle or faint(MID, 0.28)
    if sign < 0:
        low, high = float(there.min()), float(np.quantile(there, 0.95))
        scale: list[tuple[float, str]] = [(0.0, BID), (1.0, grey)]
    else:
        low, high = float(np.quantile(there, 0.05)), float(there.max())
        zero = -low / (high - low) if low < 0 < high else 0.0
        scale = [(0.0, ASK), (zero, grey), (1.0, BID)] if zero else [(0.0, grey), (1.0, BID)]
        if high <= 0:
            scale = [(0.0, ASK), (1.0, grey)]
    return {"colorscale": scale, "zmin": low, "zmax": high if high > low else low + 1}


def visible(x: NDArray[np.float64], y: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return at most `most` rows: all, or one for each place of the finest raster on which no more have a dot."""
    shown = there = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    for wide, high in RASTERS:
        if len(shown) <= most:
            break
        across, up = (_raster(values[there], places) for values, places in ((x, wide), (y, high)))
        shown = np.sort(there[np.unique(across * high + up, return_index=True)[1]])
    return shown[np.linspace(0, len(shown) - 1, most).astype(np.int64)] if len(shown) > most else shown


def _raster(values: NDArray[np.float64], places: int) -> NDArray[np.int64]:
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / (high - low or 1.0) * (places - 1), dtype=np.int64)
