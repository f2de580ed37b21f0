"""How a picture is drawn: colours, lines that fit a screen, bands, and time as Plotly tells it to nobody's own zone."""

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.adapters.report.thin import thinned
from bmv.data.runs.numbers import Json

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PIXELS = 1200  # Wider than any screen shows the charts.
BID, ASK, MID, PIVOT, NET, FEES = "#0d9488", "#e0567a", "#8a93a6", "#d9900a", "#6366f1", "#c2703d"
LEGEND = {"orientation": "h", "x": 0, "y": 1.01, "xanchor": "left", "yanchor": "bottom"}


def line(
    figure: "Figure", table: pl.DataFrame, value: str, name: str, colour: str, *, row: int | None = None,
    shape: str = "linear", width: float = 1.3, filled: bool = False,
) -> None:  # fmt: skip
    """Draw the column `value` of `table` over its `ts_ns`, thinned to what a screen shows."""
    shown = thinned(table.select("ts_ns", value), value, PIXELS)
    figure.add_scatter(
        x=clock(shown["ts_ns"].to_numpy()), y=shown[value].to_numpy().astype(np.float64), mode="lines", name=name,
        line={"color": colour, "width": width, "shape": shape}, showlegend=row in (None, 1), connectgaps=False,
        fill="tozeroy" if filled else None, fillcolor=faint(colour, 0.14), row=row, col=None if row is None else 1,
    )  # fmt: skip


def band(figure: "Figure", rows: list[Json], name: str, colour: str) -> None:
    """Draw a markout curve over its band."""
    known = [row for row in rows if row["low_bps"] is not None]
    horizons = [row["horizon_s"] for row in known]
    figure.add_scatter(
        x=horizons + horizons[::-1],
        y=[row["high_bps"] for row in known] + [row["low_bps"] for row in reversed(known)],
        fill="toself", fillcolor=faint(colour, 0.13), line={"width": 0}, mode="lines", hoverinfo="skip",
        legendgroup=name, showlegend=False,
    )  # fmt: skip
    curve(figure, rows, name, colour, legendgroup=name)


def curve(figure: "Figure", rows: list[Json], name: str, colour: str, *, dash: str = "solid", **more: str) -> None:
    """Draw the mean markouts of one group over their horizons."""
    figure.add_scatter(
        x=[row["horizon_s"] for row in rows], y=[row["mean_bps"] for row in rows], name=name, mode="lines+markers",
        line={"color": colour, "width": 2, "dash": dash}, marker={"size": 6},
        customdata=[row["n"] for row in rows], hovertemplate="%{y:.2f} bps of %{customdata} fills", **more,
    )  # fmt: skip


def faint(colour: str, alpha: float) -> str:
    """Return the hexadecimal `colour` with an opacity of `alpha`.

    >>> faint("#0d9488", 0.5)
    'rgba(13,148,136,0.5)'
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:.2g})"


def clock(ts_ns: NDArray[Any]) -> NDArray[np.datetime64]:
    """Return instants as what Plotly writes as text: it would show plain numbers in the reader's own time zone."""
    return (ts_ns // 1_000_000).astype("datetime64[ms]")
