"""The report: one HTML file that needs nothing but a browser, made from a run folder alone."""

from functools import cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import orjson

from bmv.adapters.report import markup
from bmv.adapters.report.confessions import confessions
from bmv.adapters.report.figures import figures
from bmv.adapters.report.landing import landing_card
from bmv.adapters.report.markup import Html, html
from bmv.adapters.report.sheet import headline, pace, sections, world
from bmv.data.runs.contracts import units
from bmv.data.runs.folder import REPORT, Run, put_whole, read, writing
from bmv.data.runs.numbers import Json
from bmv.data.runs.summary import Summary

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

NOTHING = Html()
STATIC = Path(__file__).parent / "static"


def write(run_dir: Path) -> Path:
    """Write `report.html` into a run folder from the other files in it, and return its path.

    Raises `UsageError` or `DataError` as :func:`bmv.data.runs.folder.read`.
    """
    path, page = run_dir / REPORT, render(read(run_dir))
    with writing(path, "report"):
        put_whole(path, page)
    return path


def render(run: Run) -> str:
    """Return the whole page, charts and the program that draws them included: about 5 MB."""
    drawn = figures(run)
    body = html(markup.header(run.summary), _main(run, set(drawn)))
    return document(f"{run.summary.get('symbol', '')}: {world(run.summary)}", body, drawn)


def document(title: str, body: Html, drawn: "dict[str, Figure]", *more: str) -> str:
    """Return a page in the look of the reports, which draws each figure where :func:`chart_slot` of its name stands.

    Args:
        more: Names of further static parts, whose `.css` and `.js` come behind those of every report.
    """
    from plotly.offline import get_plotlyjs

    return _page().substitute(
        title=html(title),
        css="".join(_static(f"{name}.css") for name in ("report", *more)),
        body=body,
        figures=_embedded(drawn),
        plotly=get_plotlyjs().replace("</script", "<\\/script"),
        script="".join(_static(f"{name}.js") for name in ("report", *more)),
    )


def _main(run: Run, drawn: set[str]) -> Html:
    """Return the body of the page: what matters most stands first."""
    summary, stats = run.summary, run.summary.get("statistics", {})
    parts = [
        _why_nothing(stats),
        _headline(summary),
        _warnings(run),
        chart("price", drawn, "Market, quotes and fills", "Mid and pivot with our resting orders and what they "
               "traded; under it what we held and what it was worth. Drag to zoom, double-click to return."),
        pair(
            chart("attribution", drawn, "Where the money came from", "Spread earned at the fills, gain on what was "
                   "held, fees; they add up to net at every instant."),
            chart("markouts", drawn, "What fills were worth later", "Markout after 0.1 to 300 s with its band of "
                   "95 %, before fees. A curve that falls below zero is adverse selection. Levels: click the legend."),
        ),
        landing_card(run, drawn, chart_slot),
        markup.card("Maker statistics", markup.sheet(sections(summary), units(summary))),
        markup.card("By side and level", markup.by_level(stats), "The last columns are markouts in bps, "
                    "so many seconds after the fill; point at one for its band."),
        pair(
            chart("levels", drawn, "Fills by level and hour", "The ladder as it stands in the book, asks above bids."),
            chart("inventory", drawn, "Inventory held", "Share of the time spent at each inventory."),
        ),
        _breaker(stats, drawn),
        pair(_bracket(summary), markup.card("Pivot against the mid", markup.pivot_table(stats), "How far the pivot "
              "stood from the mid now and later; a bias above zero stands too high.")),
        pair(_quality(summary), _refusals(stats)),
        markup.card(_left_out(run), confessions(run), "Read before you believe the numbers above."),
        folded("Resolved configuration", run.config_text),
        folded("Manifest", orjson.dumps(run.manifest, option=orjson.OPT_INDENT_2).decode())
        if run.manifest else NOTHING,
        _footer(summary),
    ]  # fmt: skip
    return markup.element("main", *parts)


def _headline(summary: Summary) -> Html:
    rest = [row for row in headline(summary) if row.unit != "quote"]
    tiles = markup.tiles(rest, units(summary))
    return markup.element("section", markup.profit(summary), tiles, css="card")


def _why_nothing(stats: Json) -> Html:
    why = stats.get("why_nothing")
    return markup.card("Why nothing happened", markup.listing(why), css="notice why") if why else NOTHING


def _warnings(run: Run) -> Html:
    warnings = [*_torn(run), *run.summary.get("warnings", [])]
    return markup.card("Warnings", markup.listing(warnings), css="notice") if warnings else NOTHING


def _torn(run: Run) -> list[str]:
    """Return how the tables of the folder contradict its summary: then its files are not of one run, or not whole."""
    orders, fills = len(run.orders), len(run.fills)
    counted = (
        ("orders", orders, run.summary.get("orders", orders)),
        ("fills", fills, run.summary.get("fills", fills)),
    )
    return [
        f"{name}.parquet has {rows:,} rows, but the summary counts {count:,}: do not trust this folder."
        for name, rows, count in counted
        if count != rows
    ]


def chart(name: str, drawn: set[str], title: str, lead: str) -> Html:
    """Return the card of the figure of that name, or nothing where it was not drawn."""
    return markup.card(title, chart_slot(name), lead) if name in drawn else NOTHING


def chart_slot(name: str) -> Html:
    """Return where the script draws the figure of that name, which is one of ours."""
    return Html(f'<div class="chart" id="chart-{name}"></div>')


def pair(left: Html, right: Html) -> Html:
    """Return two cards side by side, or the one that is there."""
    return markup.element("div", left, right, css="pair") if left and right else left or right


def _breaker(stats: Json, drawn: set[str]) -> Html:
    changes = stats.get("breaker", [])
    chart = chart_slot("breaker") if "breaker" in drawn else NOTHING
    return markup.card("Circuit breaker", html(chart, markup.breaker_table(changes))) if changes else NOTHING


def _bracket(summary: Summary) -> Html:
    found = summary.get("bracket")
    if not found:
        return NOTHING
    lead = (
        "Nobody knows our place in the queue. It lies between first and last, and as a rule the volume that we trade "
        "does; the profit need not, for each fill changes what is decided after it."
    )
    return markup.card("Bracket of belief", markup.bracket_table(found, units(summary)), lead)


def _quality(summary: Summary) -> Html:
    quality = summary.get("quality")
    return markup.card("Data", markup.quality_table(quality)) if quality else NOTHING


def _refusals(stats: Json) -> Html:
    by_code = (stats.get("refusals") or {}).get("by_code")
    return markup.card("Risk", markup.refusal_table(by_code)) if by_code else NOTHING


def folded(title: str, text: str) -> Html:
    """Return a long text behind its title, which opens it."""
    return markup.element("details", markup.element("summary", title), markup.element("pre", text), css="card")


def _footer(summary: Summary) -> Html:
    return markup.element("footer", f"{pace(summary)}. All times UTC.")


def _left_out(run: Run) -> str:
    """Return the title above what a reader should know of how this came about."""
    return "How this was booked" if run.summary.get("engine") == "live" else "What this simulation leaves out"


def _embedded(drawn: "dict[str, Figure]") -> str:
    """Return the figures as JSON that may stand in a script element: nothing in it can close the element."""
    for figure in drawn.values():
        figure.layout.template = {}  # The page lays its own paper under them.
    listed = ",".join(f'"{name}":{figure.to_json()}' for name, figure in drawn.items())
    return f"{{{listed}}}".replace("<", "\\u003c")


@cache
def _page() -> Template:
    return Template(_static("report.html"))


@cache
def _static(name: str) -> str:
    return (STATIC / name).read_text("utf-8")
