"""What the best sets earned, run behind run: on each tape what the search saw, and then what it never saw."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.adapters.report.canvas import ASK, BID, FEES, LEGEND, NET, PIVOT, PIXELS, clock, faint
from bmv.adapters.report.thin import thinned
from bmv.backtest.sweep.trials.reading import Sweep
from bmv.backtest.sweep.trials.summary import Tape
from bmv.data.runs.contracts import axis_units

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

NEVER = 2**63 - 1  # Nanoseconds.
HUES = (NET, BID, ASK, PIVOT, FEES)


class Run(NamedTuple):
    """One run in a table of equity: its rows from `start` up to `stop`, and whether the search never saw them."""

    start: int
    stop: int
    held: bool


def equity(sweep: Sweep) -> "Figure | None":
    """Draw what the best sets earned and how far they fell, with what the search never saw shaded.

    Over time where each tape begins after the one before has ended, else sample behind sample.
    """
    from plotly.subplots import make_subplots

    told = {number: table for number, table in sweep.equity.items() if len(table) > 1}
    if not told:
        return None
    tapes, money = sweep.summary.get("tapes") or [], axis_units(sweep.summary)[1]
    in_order = all(table["ts_ns"].is_sorted() for table in told.values())
    figure: Figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.72, 0.28])
    for place, (number, table) in reversed([*enumerate(told.items())]):  # The best one is drawn over the others.
        _draw(figure, earned(table, tapes), f"trial {number}", place, in_order)
    first = next(iter(told.values()))
    for run in runs(first["ts_ns"].to_numpy(), tapes):
        if run.held:
            ends = _along(first["ts_ns"].to_numpy(), in_order)[[run.start, run.stop - 1]].astype(str).tolist()
            figure.add_vrect(x0=ends[0], x1=ends[1], fillcolor=faint(PIVOT, 0.13), line_width=0, layer="below")
    figure.update_xaxes(type="date" if in_order else "linear")
    figure.update_layout(height=520, hovermode="x unified", legend=LEGEND)
    figure.update_yaxes(title_text=f"earned, {money}", row=1, col=1)
    figure.update_yaxes(title_text="drawdown, %", row=2, col=1)
    if not in_order:
        figure.update_xaxes(title_text="samples, tape behind tape", row=2, col=1)
    return figure


def earned(table: pl.DataFrame, tapes: list[Tape]) -> pl.DataFrame:
    """Return `ts_ns`, `earned` (quote since the start, over all runs) and `fallen` (percent below the peak of a run).

    Each run begins anew with the balances of the start, so that only changes within a run are added up.
    """
    change = np.diff(table["equity"].to_numpy(), prepend=np.nan)
    for run in runs(table["ts_ns"].to_numpy(), tapes):
        change[run.start] = 0
    return table.select(
        "ts_ns", earned=pl.Series(np.nancumsum(change), dtype=pl.Float64), fallen=-pl.col("drawdown") * 100
    )


def runs(ts_ns: NDArray[np.int64], tapes: list[Tape]) -> list[Run]:
    """Return the runs that stand one behind the other in a table of equity: of each tape two, or one."""
    found: list[Run] = []
    start = 0
    for end_ns, held in _ends(tapes) or [(NEVER, False)]:
        rest = ts_ns[start:]
        back = np.flatnonzero(np.diff(rest) < 0)
        rest = rest[: back[0] + 1] if len(back) else rest
        stop = start + int(np.searchsorted(rest, end_ns))
        if stop > start:
            found.append(Run(start, stop, held))
        start = stop
    return found


def _ends(tapes: list[Tape]) -> list[tuple[int, bool]]:
    """Return of each run the first instant that is no more of it, and whether the search never saw it.

    A run that another tape follows back in time needs none.
    """
    ends: list[tuple[int, bool]] = []
    begins_ns = [tape.get("first_ns") or 0 for tape in tapes[1:]] + [0]
    for tape, next_ns in zip(tapes, begins_ns, strict=False):
        last_ns = tape.get("last_ns") or 0
        split_ns = NEVER if (split := tape.get("split_ns")) is None else split
        if split_ns <= last_ns:
            ends.append((split_ns, False))
        ends.append((next_ns if next_ns > last_ns else NEVER, split_ns <= last_ns))
    return ends


def _draw(figure: "Figure", table: pl.DataFrame, name: str, place: int, in_order: bool) -> None:
    """Draw the set of that place among the best, thinned to what a screen shows."""
    numbered = table if in_order else table.with_columns(ts_ns=pl.int_range(pl.len(), dtype=pl.Int64))
    for row, column in ((1, "earned"), (2, "fallen")):
        shown = thinned(numbered.select("ts_ns", column), column, PIXELS)
        figure.add_scatter(
            x=clock(shown["ts_ns"].to_numpy()) if in_order else shown["ts_ns"].to_numpy(),
            y=shown[column].to_numpy().astype(np.float32), mode="lines", name=name, legendgroup=name,
            legendrank=place,
            showlegend=row == 1, line={"color": HUES[place], "width": 1.2 if place else 2.2}, row=row, col=1,
        )  # fmt: skip


def _along(ts_ns: NDArray[np.int64], in_order: bool) -> NDArray[Any]:
    return clock(ts_ns) if in_order else np.arange(len(ts_ns))
