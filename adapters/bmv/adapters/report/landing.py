"""How the transactions of a live session landed, as its report shows it: tiles, pictures and tables."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from bmv.adapters.report.canvas import ASK, BID, FEES, LEGEND, MID, NET, PIVOT, faint
from bmv.adapters.report.markup import Html, element, table, tile
from bmv.data.journal.landing_page import PACE, SAMPLES_MIN, SLOTS_MAX, groups_of, tip_words
from bmv.data.runs.folder import Run
from bmv.data.runs.numbers import Json
from bmv.data.runs.wording import UNKNOWN, percent, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ROUTES = (
    NET,
    BID,
    PIVOT,
    ASK,
    FEES,
    "#4aa3df",
    "#a855f7",
    MID,
)  # Colours of routes, in the order of their names; further ones have the last.
ENDS = {"landed": BID, "failed": FEES, "expired": ASK, "forgotten": MID}
ORDERED = LEGEND | {"traceorder": "normal"}
PACES = {  # As `PACE` of the page parts them.
    f"within {PACE[0]} slot": BID,
    f"within {PACE[1]}": faint(BID, 0.55),
    "later": FEES,
    "never, or failed": ASK,
}
HEADS = ("Sent", "Landed", "Failed", "Expired", "Forgotten", "Share", "Slots", "p90", "Lamports", "Of them tips",
         "Fills", "A fill", "Tip a unit", "Priority a unit")  # fmt: skip
TABLES = {
    "by_route": ("Route", "The routes that had been handed a transaction before it was seen in a block. Which of "
                 "several brought it is told by nobody: the bytes were the same."),
    "by_window": ("Leader window", "Leaders have four slots each. In the same window it landed with the leader that it "
                  "was sent to; later, that one had let it pass."),
    "by_tip": ("Tip a unit", "Lamports for each compute unit asked for, by which bids are compared."),
    "by_purpose": ("Purpose", "What a transaction was for."),
}  # fmt: skip


def landing_card(run: Run, drawn: set[str], place: Callable[[str], Html]) -> Html:
    """Return the section, or nothing where nothing was sent: in a backtest, on paper.

    Args:
        drawn: Names of the figures there are.
        place: Returns where one is drawn.
    """
    page = run.summary.get("landing")
    if not isinstance(page, dict) or not page.get("sent"):
        return Html()
    pictures = [
        element("div", element("h3", title), element("p", lead, css="lead"), place(name), css=name)
        for name, (title, lead) in PICTURES.items()
        if name in drawn
    ]
    tables = (_tables(page, name, *words) for name, words in TABLES.items())
    return element(
        "section",
        element("h2", "Landing"),
        element("p", "What became of the transactions that were sent, and what that cost. ",
                element("code", "bmv chain landing"), " says the same of any session.", css="lead"),
        element("div", *_tiles(page), css="tiles inner"),
        element("div", element("b", "The next higher tip"), " ", next_step_words(page.get("next_step")), css="callout"),
        element("div", *pictures, css="pictures"),
        *tables,
        css="card landing",
    )  # fmt: skip


PICTURES = {
    "landing_slots": ("Slots to land", "From the newest slot that was known when a transaction was kept to that of its "
                      "block, by the routes that had it."),
    "landing_tips": ("What a tip bought", "How soon those landed that tipped so much a unit, and above each bar how "
                     "many they were. From the dashed line on they tipped as much as the next step."),
    "landing_spans": ("Leader windows", "What became of those sent, in the order of time."),
}  # fmt: skip


def landing_figures(run: Run) -> "dict[str, Figure | None]":
    """Return the pictures by name; None where there is nothing to show."""
    page = run.summary.get("landing")
    if not isinstance(page, dict) or not page.get("sent"):
        return dict.fromkeys(PICTURES)
    return {
        "landing_slots": _slots(page["slots"]),
        "landing_tips": _tips(page["by_tip"], page.get("next_step")),
        "landing_spans": _spans(page["spans"]),
    }


def _slots(counts: dict[str, list[int]]) -> "Figure | None":
    from plotly.graph_objects import Bar, Figure

    if not counts:
        return None
    most = max(at for each in counts.values() for at, count in enumerate(each) if count)
    shown = max(most + 1, 5)
    figure = Figure([
        Bar(
            x=list(range(shown)), y=each[:shown], name=route, marker_color=ROUTES[min(at, len(ROUTES) - 1)],
            hovertemplate="%{y} of " + route.replace("%", "%%") + " after %{x} slots<extra></extra>",
        )
        for at, (route, each) in enumerate(counts.items())
    ])  # fmt: skip
    figure.update_layout(height=320, barmode="stack", bargap=0.12, legend=ORDERED, showlegend=True,
                         yaxis_title="transactions")  # fmt: skip
    ticks = range(0, shown, 1 if shown <= 6 else 2)
    figure.update_xaxes(title_text="slots", tickvals=list(ticks), tickangle=0,
                        ticktext=[f"{slots}{'+' * (slots == SLOTS_MAX)}" for slots in ticks])  # fmt: skip
    return figure


def _tips(steps: Sequence[Json], following: Json | None) -> "Figure | None":
    from plotly.graph_objects import Bar, Figure

    if not any(step["to"] for step in steps):
        return None
    names = [tip_words(step) for step in steps]
    figure = Figure([
        Bar(
            x=names, y=[100 * step["pace"][at] / step["sent"] for step in steps], name=pace, marker_color=colour,
            customdata=[[step["pace"][at], step["sent"]] for step in steps],
            hovertemplate="%{customdata[0]} of %{customdata[1]}, %{y:.1f} %<extra>" + pace + "</extra>",
        )
        for at, (pace, colour) in enumerate(PACES.items())
        if any(step["pace"][at] for step in steps)
    ])  # fmt: skip
    for at, step in enumerate(steps):  # By its place: a name such as 0.04 would be taken for a number.
        figure.add_annotation(x=at, y=100, text=f"{step['sent']:,}", yanchor="bottom", showarrow=False, font_size=11)
    if following is not None:
        at = next((n for n, step in enumerate(steps) if step["to"] >= following["tip_per_unit"]), len(steps))
        figure.add_vline(x=at - 0.5, line={"color": PIVOT, "width": 1.5, "dash": "dash"})
    figure.update_layout(height=320, barmode="stack", bargap=0.3, legend=ORDERED, showlegend=True,
                         yaxis_title="% of sent", hovermode="x unified")  # fmt: skip
    figure.update_yaxes(range=[0, 108], tickvals=[0, 25, 50, 75, 100])
    figure.update_xaxes(type="category", title_text="lamports a unit", range=[-0.6, len(steps) - 0.4], tickangle=0,
                        tickvals=names, ticktext=[_stacked(name) for name in names], automargin=True)  # fmt: skip
    return figure


def _spans(spans: Sequence[Json]) -> "Figure | None":
    from plotly.graph_objects import Bar, Figure

    if not spans:
        return None
    wide = spans[0]["windows"]
    figure = Figure([
        Bar(
            x=[span["window"] - spans[0]["window"] for span in spans], y=[span[end] for span in spans],
            name=end, marker_color=colour, customdata=[span["window"] for span in spans],
            hovertemplate="%{y} " + end + "<extra>window %{customdata}</extra>",
        )
        for end, colour in ENDS.items()
        if any(span[end] for span in spans)
    ])  # fmt: skip
    each = "leader windows since the first" + (f", {wide} to a bar" if wide > 1 else "")
    figure.update_layout(height=260, barmode="stack", bargap=0.05, legend=ORDERED, showlegend=True,
                         yaxis_title="transactions", xaxis_title=each, hovermode="x unified")  # fmt: skip
    if max(sum(span[end] for end in ENDS) for span in spans) < 5:
        figure.update_yaxes(dtick=1)  # No half transactions.
    return figure


def _tiles(page: Json) -> Iterable[Html]:
    tips, lamports = page["tips"], page["lamports"]
    yield tile("Sent", plain(page["sent"], 0), f"{page['failed']:,} failed, {page['expired']:,} expired")
    yield tile("Landed", UNKNOWN if page["share"] is None else percent(page["share"]), "share of those sent")
    yield tile(
        "Slots to land", _figure(page["slots_median"]), f"median; nine in ten within {_figure(page['slots_p90'])}"
    )
    yield tile("Lamports", plain(lamports, 0), "base fees, priority and tips")
    yield tile("Of them tips", percent(tips / lamports) if lamports else UNKNOWN, f"{tips:,} lamports")
    yield tile("A fill", _figure(page["lamports_per_fill"], 0), f"lamports, over {page['fills']:,} fills")


def next_step_words(step: Json | None) -> str:
    """Say what one step of the published percentiles more would have cost, and what it would have bought."""
    if step is None:
        return "is not known: nothing was tipped, or nobody said what others tip."
    cost = (
        f"is {step['tip_per_unit']:.3g} lamports a unit, and would have cost {step['more_lamports']:,} lamports more."
    )
    if step["share_then"] is None:
        return f"{cost} What it buys is not known: {step['samples']} tipped so much, and {SAMPLES_MIN} are needed."
    now, then = (f"{percent(step[f'share_{when}'])} landed, in {_figure(step[f'slots_{when}'])} slots"
                 for when in ("now", "then"))  # fmt: skip
    return f"{cost} Below it {now}; from it on {then}."


def _tables(page: Json, name: str, head: str, lead: str) -> Html:
    rows = ([key, *_cells(group)] for key, group in groups_of(page[name]))
    return element("div", element("h3", f"By {head.lower()}"), element("p", lead, css="lead"),
                   table((head, *HEADS), rows), css="group")  # fmt: skip


def _cells(group: Json) -> list[str]:
    return [
        *(plain(group[name], 0) for name in ("sent", "landed", "failed", "expired", "forgotten")),
        UNKNOWN if group["share"] is None else percent(group["share"]),
        _figure(group["slots_median"]),
        _figure(group["slots_p90"]),
        *(plain(group[name], 0) for name in ("lamports", "tips", "fills")),
        _figure(group["lamports_per_fill"], 0),
        _figure(group["tip_per_unit_median"], 3),
        _figure(group["priority_per_unit_median"], 3),
    ]


def _stacked(name: str) -> str:
    """Return a name on two lines, which a narrow screen has room for."""
    return name.replace(" – ", "<br>– ")


def _figure(value: float | None, decimals: int | None = None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:g}" if decimals is None else plain(value, decimals)
