"""The pictures of a run, for the report and for notebooks.

Plotly is imported where a figure is made: the command line reads this module without waiting for it. Colours are
chosen to be read on light and on dark paper; the report lays its own paper under them.
"""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.adapters.report.canvas import (
    ASK,
    BID,
    FEES,
    LEGEND,
    MID,
    NET,
    PIVOT,
    PIXELS,
    band,
    clock,
    curve,
    faint,
    line,
)
from bmv.adapters.report.landing import landing_figures
from bmv.adapters.report.thin import resting, thinned
from bmv.data.runs.contracts import axis_units, contract_of, gained
from bmv.data.runs.folder import Run
from bmv.data.runs.numbers import SECOND, Json, finite, setting, target

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HOUR_NS = 3_600 * SECOND
LEVELS_DRAWN = 4  # Markout curves of one side; a legend of more is read by nobody, and the table has them all.
SIDES = ((1, "bid", BID), (-1, "ask", ASK))


def figures(run: Run) -> dict[str, "Figure"]:
    """Return the figures of a run by name; one that has nothing to show is left out.

    Names: `price` (with inventory, equity and drawdown under it), `attribution`, `markouts`, `levels` (fills by level
    and hour), `inventory`, `breaker`, and those of `landing_figures`.
    """
    makers = {
        "price": price,
        "attribution": attribution,
        "markouts": markouts,
        "levels": levels,
        "inventory": inventory,
        "breaker": breaker,
    }
    made = {name: maker(run) for name, maker in makers.items()} | landing_figures(run)
    return {name: figure for name, figure in made.items() if figure is not None}


def price(run: Run) -> "Figure | None":
    """Draw mid, pivot, our resting orders and fills; under it inventory, equity and drawdown, on one axis of time."""
    from plotly.subplots import make_subplots

    if not len(run.equity):
        return None
    size, money = axis_units(run.summary)
    figure: Figure = make_subplots(
        rows=4, shared_xaxes=True, vertical_spacing=0.04, row_heights=[0.55, 0.16, 0.16, 0.13]
    )
    _grid(figure, run)
    line(figure, run.equity, "mid", "mid", MID, row=1)
    line(figure, run.equity, "pivot", "pivot", PIVOT, row=1)
    _fill_markers(figure, run)
    line(figure, run.equity, "position", "inventory", NET, row=2, shape="hv")
    _limits(figure, run.config)
    line(figure, run.equity, "equity", "equity", BID, row=3)
    line(figure, run.equity.with_columns(-pl.col("drawdown") * 100), "drawdown", "drawdown", ASK, row=4, filled=True)
    for row, title in ((2, f"inventory, {size}"), (3, f"equity, {money}"), (4, "drawdown, %")):
        figure.add_annotation(
            text=title, xref="paper", x=0, xanchor="left", yref=f"y{row} domain", y=1, yanchor="bottom",
            showarrow=False, font_size=11,
        )  # fmt: skip
    figure.update_xaxes(type="date", range=clock(run.equity["ts_ns"].to_numpy()[[0, -1]]))
    figure.update_layout(height=820, hovermode="x unified", legend=LEGEND)
    return figure


def attribution(run: Run) -> "Figure | None":
    """Draw over time where the money came from; the end of each line is that part of `summary.pnl`."""
    from plotly.graph_objects import Figure

    if len(run.equity) < 2 or "mid" not in run.fills.columns:
        return None
    parts = attributed(run)
    figure = Figure()
    for name, colour in (("spread", BID), ("inventory", ASK), ("fees", FEES), ("chain", PIVOT), ("net", NET)):
        if name not in parts.columns:
            continue
        line(figure, parts, name, name, colour, width=2.4 if name == "net" else 1.4)
    figure.update_layout(
        height=360, hovermode="x unified", legend=LEGEND, yaxis_title=f"profit, {axis_units(run.summary)[1]}"
    )
    figure.update_xaxes(type="date")
    return figure


def attributed(run: Run) -> pl.DataFrame:
    """Return `ts_ns`, `net`, `spread`, `fees`, `inventory` (quote, since the start) at each row of the equity table.

    `spread` and `fees` are sums over the fills up to that instant, as DESIGN.md defines them; `inventory` is what is
    left of the change of equity, the gain on what was held; `net` is all of it. Where the profit of a live session has
    what the chain was paid in it, that is `chain`, at the rate of the summary.
    """
    fills, equity = run.fills, run.equity
    so_far = np.searchsorted(fills["ts_ns"].to_numpy(), equity["ts_ns"].to_numpy(), "right")
    contract = contract_of(run.config)
    earned = gained(contract, fills["side"] * fills["size"], fills["price"], fills["mid"])
    parts = pl.DataFrame(
        {
            "ts_ns": equity["ts_ns"],
            "net": equity["equity"] - equity["equity"][0],
            "spread": _prefix_sums(earned)[so_far],
            "fees": -_prefix_sums(fills["fee"])[so_far],
        }
    )
    parts = parts.with_columns(inventory=pl.col("net") - pl.col("spread") - pl.col("fees"))
    rate = finite((run.summary.get("chain") or {}).get("quote_per_sol"))
    if rate is None or "lamports" not in equity.columns:
        return parts
    parts = parts.with_columns(chain=-equity["lamports"] * (rate / 1e9))
    return parts.with_columns(net=pl.col("net") + pl.col("chain"))


def markouts(run: Run) -> "Figure | None":
    """Draw what fills were worth some seconds later, by side with its band of 95 %, by level on demand."""
    from plotly.graph_objects import Figure

    rows: list[Json] = run.summary.get("statistics", {}).get("markouts", [])
    if not any(row["n"] for row in rows):
        return None
    figure = Figure()
    for side, name, colour in SIDES:
        band(figure, [row for row in rows if row["side"] == side and row["level"] is None], f"{name}s", colour)
    band(figure, [row for row in rows if row["side"] is None], "all fills", NET)
    for side, name, colour in SIDES:
        for level in range(LEVELS_DRAWN):
            if rung := [row for row in rows if row["side"] == side and row["level"] == level]:
                curve(figure, rung, f"{name} {level}", colour, dash="dot", visible="legendonly")
    figure.add_hline(y=0, line={"color": MID, "width": 1})
    horizons = sorted({row["horizon_s"] for row in rows})
    figure.update_xaxes(
        type="log", title_text="seconds after the fill", tickvals=horizons, ticktext=[f"{h:g}" for h in horizons]
    )
    figure.update_layout(height=360, legend=LEGEND, yaxis_title="markout, bps", hovermode="x unified")
    return figure


def levels(run: Run) -> "Figure | None":
    """Draw how many fills each level had in each hour of the UTC day that the run saw, the ladder as in the book."""
    from plotly.graph_objects import Figure, Heatmap

    if not len(run.fills):
        return None
    counted = run.fills.group_by(
        "side", "level", (pl.from_epoch("ts_ns", time_unit="ns").dt.hour().cast(pl.Int64)).alias("hour")
    ).len()
    ladder = counted.select("side", "level").unique().sort(-pl.col("side") * (pl.col("level") + 1)).rows()
    hours = _hours(run)
    z = np.zeros((len(ladder), len(hours)))
    for side, level, hour, count in counted.rows():
        z[ladder.index((side, level)), hours.index(hour)] = count
    figure = Figure(
        Heatmap(
            z=np.where(z > 0, z, np.nan), x=[f"{hour:02d}" for hour in hours],
            y=[_rung(side, level) for side, level in ladder],
            colorscale=[[0, faint(NET, 0.12)], [1, NET]], zmin=0, xgap=2, ygap=2, hoverongaps=False,
            hovertemplate="%{y}, %{x}:00 UTC: %{z} fills<extra></extra>",
            colorbar={"orientation": "h", "y": 1.01, "yanchor": "bottom", "len": 0.5, "thickness": 8,
                      "outlinewidth": 0},
        )
    )  # fmt: skip
    figure.update_layout(height=max(360, 90 + 30 * len(ladder)), xaxis_title="hour of the day, UTC")
    figure.update_xaxes(dtick=3 if len(hours) > 12 else 1, showgrid=False, type="category")
    figure.update_yaxes(showgrid=False, type="category")
    return figure


def _hours(run: Run) -> list[int]:
    """Return the hours of the UTC day from the first that the run touched to the last, each once."""
    ts = pl.concat([run.equity["ts_ns"], run.fills["ts_ns"]])
    first, last = (int(ns) // HOUR_NS for ns in (ts.to_numpy().min(), ts.to_numpy().max()))
    return [hour % 24 for hour in range(first, last + 1)] if last - first < 23 else list(range(24))


def inventory(run: Run) -> "Figure | None":
    """Draw how much of the time each inventory was held, with target and limits."""
    from plotly.graph_objects import Bar, Figure

    if len(run.equity) < 2:
        return None
    held = run.equity["position"].to_numpy()[:-1]
    lasted = np.diff(run.equity["ts_ns"].to_numpy()).astype(np.float64)
    share, edges = np.histogram(held, bins=60, weights=lasted)
    figure = Figure(
        Bar(
            x=(edges[:-1] + edges[1:]) / 2, y=share / max(lasted.sum(), 1) * 100, width=np.diff(edges) * 0.94,
            marker_color=NET, hovertemplate="%{x:.6g}: %{y:.2f} % of the time<extra></extra>",
        )
    )  # fmt: skip
    for at, name in _bounds(run.config):
        figure.add_vline(x=at, line={"color": MID if name == "target" else ASK, "width": 1.2, "dash": "dash"})
        figure.add_annotation(x=at, y=1, yref="paper", yanchor="bottom", text=name, showarrow=False, font_size=11)
    figure.update_layout(
        height=360,
        xaxis_title=f"inventory, {axis_units(run.summary)[0]}",
        yaxis_title="% of the time",
        showlegend=False,
    )
    return figure


def breaker(run: Run) -> "Figure | None":
    """Draw the circuit breaker's tier over time, and what moved it."""
    from plotly.graph_objects import Figure, Scatter

    from bmv.ports.messages import Tier

    changes: list[Json] = run.summary.get("statistics", {}).get("breaker", [])
    if not changes:
        return None
    tiers = [tier.name.lower() for tier in Tier]
    ts = [run.summary["first_ns"], *(change["ts_ns"] for change in changes), run.summary["last_ns"]]
    tier = [tiers[0], *(change["tier"] for change in changes), changes[-1]["tier"]]
    figure = Figure(
        Scatter(
            x=clock(np.array(ts)), y=[tiers.index(name) for name in tier], mode="lines+markers",
            line={"shape": "hv", "color": ASK, "width": 2}, fill="tozeroy", fillcolor=faint(ASK, 0.15),
            text=["start", *(change["cause"] for change in changes), "end"],
            hovertemplate="%{x}: %{text}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(tickvals=list(range(len(tiers))), ticktext=tiers, range=[-0.2, 3.3])
    figure.update_xaxes(type="date")
    figure.update_layout(height=220, showlegend=False)
    return figure


def _grid(figure: "Figure", run: Run) -> None:
    """Draw every level of both sides where its orders rested, the far ones fainter."""
    accepted = run.orders.filter(pl.col("accepted_ns").is_not_null() & (pl.col("level") >= 0)).sort("accepted_ns")
    rungs = accepted.partition_by("side", "level", as_dict=True)
    end_ns, buckets = int(run.equity["ts_ns"][-1]), max(150, 8 * PIXELS // max(len(rungs), 8))
    for side, name, colour in SIDES:
        found = sorted(level for its_side, level in rungs if its_side == side)
        for level in found:
            ts, at = resting(rungs[side, level], end_ns, buckets)
            figure.add_scatter(
                x=clock(ts), y=at, mode="lines", name=f"our {name}s", legendgroup=name, showlegend=level == found[0],
                line={"color": faint(colour, max(0.7 / (1 + level / 2), 0.12)), "width": 1, "shape": "hv"},
                hoverinfo="skip", connectgaps=False, row=1, col=1,
            )  # fmt: skip


def _fill_markers(figure: "Figure", run: Run) -> None:
    """Mark fills: what was bought points up, what was sold down; a crowd keeps its extremes."""
    for side, verb, symbol, colour in ((1, "bought", "triangle-up", BID), (-1, "sold", "triangle-down", ASK)):
        ours = run.fills.filter(pl.col("side") == side)
        shown = thinned(ours, "price", PIXELS // 4)
        name = verb if len(shown) == len(ours) else f"{verb} ({len(shown):,} of {len(ours):,} shown)"
        if len(shown):
            figure.add_scatter(
                x=clock(shown["ts_ns"].to_numpy()), y=shown["price"].to_numpy(), mode="markers", name=name,
                marker={"symbol": symbol, "size": 6, "color": colour},
                customdata=np.column_stack((shown["size"].to_numpy(), shown["level"].to_numpy())),
                hovertemplate=verb + " %{customdata[0]:.6g} at %{y} (level %{customdata[1]})<extra></extra>",
                row=1, col=1,
            )  # fmt: skip


def _limits(figure: "Figure", config: Json) -> None:
    for at, _ in _bounds(config):
        figure.add_hline(y=at, line={"color": MID, "width": 1, "dash": "dash"}, row=2, col=1)


def _bounds(config: Json) -> list[tuple[float, str]]:
    """Return target and limits of the inventory (base) as far as the configuration names them."""
    wanted, most = target(config), setting(config, "inventory.max_position")
    if wanted is None or most is None:
        return []
    # What is held can't be less than nothing.
    low = [(wanted - most, "limit")] if wanted >= most else []
    return [*low, (wanted, "target"), (wanted + most, "limit")]


def _rung(side: int, level: int) -> str:
    name = "bid" if side > 0 else "ask"
    return f"{name} {level}" if level >= 0 else f"{name}, off the grid"


def _prefix_sums(values: pl.Series) -> NDArray[np.float64]:
    """Return the sums of the first 0, 1, ... n of `values`."""
    return np.concatenate(([0.0], np.cumsum(values.to_numpy().astype(np.float64))))
