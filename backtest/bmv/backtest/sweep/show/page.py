"""The report of a sweep: one HTML file that says first whether the best set is worth anything, made from its folder."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import orjson

from bmv.adapters.report import markup
from bmv.adapters.report.markup import Html, element, html
from bmv.adapters.report.report import NOTHING, chart, chart_slot, document, folded, pair
from bmv.adapters.report.sheet import Row, in_words
from bmv.backtest.sweep.show import sheets, trust
from bmv.backtest.sweep.show.drawing import Search, figures
from bmv.backtest.sweep.show.equity import equity
from bmv.backtest.sweep.trials.reading import Sweep
from bmv.backtest.sweep.trials.summary import Finding, Speed, Verdict
from bmv.data.runs.numbers import at, finite
from bmv.data.runs.wording import UNKNOWN, instant, percent, plain, significant, span

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MARKS = {True: ("good", "✓", "holds"), False: ("bad", "✗", "does not hold"), None: ("open", "?", "not known")}

NO_VERDICT: Verdict = {"worth": False, "headline": "No verdict: the sweep was not judged.", "reasons": []}
NO_SPEED: Speed = {"seconds": float("nan"), "events_sets_per_second": None, "workers": 0}


def render(sweep: Sweep) -> str:
    """Return the whole page, charts and the program that draws them included: about 5 MB, 10 MB at most."""
    search = Search(sweep)
    drawn = figures(search) | trust.figures(sweep)
    if account := equity(sweep):
        drawn["equity"] = account
    body = html(_header(sweep), _main(search, drawn))
    return document(f"{sweep.symbol}: sweep", body, drawn, "sweep")


def _header(sweep: Sweep) -> Html:
    summary, tapes = sweep.summary, sweep.summary.get("tapes") or []
    ends = [tape for tape in tapes if tape.get("first_ns") is not None and tape.get("last_ns") is not None]
    first = min((tape["first_ns"] for tape in ends), default=None)
    last = max((tape["last_ns"] for tape in ends), default=None)
    facts = {
        "From (UTC)": UNKNOWN if first is None else instant(first),
        "To (UTC)": UNKNOWN if last is None else instant(last),
        "Tapes": str(len(tapes)) if tapes else UNKNOWN,
        "Objective": ", ".join(sweep.objectives) or UNKNOWN,
        "Sampler": summary.get("sampler") or UNKNOWN,
        "Seed": UNKNOWN if summary.get("seed") is None else str(summary["seed"]),
    }
    return markup.heading("bmv sweep", sweep.symbol, facts)


def _main(search: Search, drawn: "dict[str, Figure]") -> Html:
    """Return the body of the page: what matters most stands first."""
    sweep, names = search.sweep, set(drawn)
    parts = [
        _verdict(sweep),
        _why_nothing(search),
        _warnings(sweep),
        _surfaces(search, names),
        chart("curve", names, f"{sweep.objective} over the one key that was varied", "Each dot is a trial, the line is "
              "the mean; trust a broad hill more than a lonely dot."),
        chart("parallel", names, "All keys at once", "Each line is a trial, through its values to what it came to at "
              "the right: the greener the better, red is below zero. Drag along an axis to keep the lines that pass "
              "there; click it to let go."),
        pair(
            chart("importance", names, "Which keys matter", "Share of the variance of the objective that lies between "
                  "the values of one key, whatever the others were (analysis of variance, less what chance would "
                  "show). What remains is what keys do only together, and noise. Where a sampler learned, keys were "
                  "not varied apart from one another, and their shares overlap."),
            chart("history", names, "The search", "The objective of each trial in the order in which they were tried. "
                  "Where the line has long been flat, more trials would hardly have found more."),
        ),
        chart("front", names, "Objectives against each other", "On the front no set is better in every objective; "
              "which of its sets is best is for you to say."),
        pair(
            chart("walk", names, "Walk-forward: chosen here, tried there", "In each fold a set was chosen in the "
                  "training and run on in the test behind it; figures by the period. A test that is small beside its "
                  "training, or below zero, says that choosing did not help."),
            sheets.folds(sweep),
        ),
        pair(
            chart("logits", names, "Probability of overfitting", trust.overfitting_lead(sweep)),
            chart("degradation", names, "In-sample against out-of-sample", "Each dot is the best set of one half of "
                  "the data: its Sharpe ratio there, and in the other half. Points below zero lost afterwards; a line "
                  "that falls says that what looked best did worst."),
        ),
        chart("plateau", names, "Around the best set", trust.plateau_lead(sweep)),
        chart("equity", names, "Equity of the best sets", "What each had earned since the start, and how far below "
              "its peak it was. The search never saw what is shaded. Each stretch is a run that begins with the "
              "balances of the start; their profits are added up."),
        sheets.best_sets(sweep),
        pair(sheets.space(sweep), sheets.rules(sweep)),
        sheets.tapes(sweep),
        _not_drawn(search, names),
        folded("Resolved configuration", sweep.config_text),
        folded("Manifest", orjson.dumps(sweep.manifest, option=orjson.OPT_INDENT_2).decode())
        if sweep.manifest else NOTHING,
        _footer(sweep),
    ]  # fmt: skip
    return element("main", *parts)


def _verdict(sweep: Sweep) -> Html:
    """Return whether the best set is worth trading, why, which it is, and the figures that say so."""
    found: Verdict = {**NO_VERDICT, **sweep.summary.get("verdict", {})}
    worth = found["worth"]
    headline = found["headline"]
    reasons = element("ul", *(_reason(reason) for reason in found["reasons"]), css="reasons")
    said, _, rest = headline.partition(". ")
    title = element("h2", element("i", "✓" if worth else "✗"), " ", f"{said}." if rest else said)
    lead = element("p", rest, css="lead") if rest else NOTHING
    return element(
        "section", title, lead, reasons, _set(sweep), element("div", *_tiles(sweep), css="tiles"),
        css=f"card verdict {'good-news' if worth else 'bad-news'}",
    )  # fmt: skip


def _reason(reason: Finding) -> Html:
    css, mark, means = MARKS[reason["ok"]]
    return element("li", element("i", mark, title=means), element("span", reason["text"]), css=css)


def _set(sweep: Sweep) -> Html:
    chosen = at(sweep.summary, "best", "set") or {}
    listed = (element("span", key, " ", element("b", sheets.value(given))) for key, given in chosen.items())
    return element("p", *listed, css="chosen mono") if chosen else NOTHING


def _tiles(sweep: Sweep) -> list[Html]:
    summary, symbol = sweep.summary, sweep.units
    best, trials = summary.get("best") or {}, summary.get("trials", {})
    speed: Speed = {**NO_SPEED, **summary.get("speed", {})}
    known = trust.known(sweep)
    pace = finite(speed["events_sets_per_second"])
    took = finite(speed["seconds"])
    ever = "" if known.n_trials is None else f" of the {known.n_trials:,} sets ever tried on this data"
    return [
        markup.tile("Best set", UNKNOWN if best.get("trial") is None else f"Trial {best['trial']}", "by the objective, "
                    "of those that keep the constraints"),
        markup.tile("Net in search", _money(best.get("net"), symbol), "quoting and market together, on what the search "
                    "saw: expect less"),
        markup.tile("By quoting", _money(best.get("quoting"), symbol), "what is left of it without the market: skill"),
        markup.tile("By the market", _money(best.get("market"), symbol), "what the position held on average made by "
                    "itself: luck, until it turns"),
        markup.tile("Quoting in holdout", _money(known.holdout_quoting, symbol), "on the end that no trial of the "
                    "search saw"),
        markup.tile("Market in holdout", _money(known.holdout_market, symbol), "what the average position made there"),
        markup.tile("Deflated Sharpe", _share(known.dsr), "probability that it is more than the "
                    f"luck of the best{ever}"),
        markup.tile("Overfitting", _share(known.pbo), "PBO: probability that the best of the search is below the "
                    "median afterwards"),
        markup.tile("Trials", plain(len(sweep.trials), 0),
                    f"{trials.get('complete', 0):,} complete, {trials.get('pruned', 0):,} pruned, "
                    f"{trials.get('invalid', 0):,} invalid"),
        markup.tile("Speed", UNKNOWN if pace is None else f"{significant(pace / 1e6, 3)} M/s",
                    f"events × sets a second, {speed['workers'] or '?'} workers"
                    + ("" if took is None else f", {span(took)}")),
    ]  # fmt: skip


def _money(amount: object, symbol: str) -> Html:
    number, _, currency = in_words(Row("", finite(amount), "quote"), symbol).partition(" ")
    return html(number, " ", element("small", currency))


def _share(fraction: float | None) -> str:
    """Return a probability; one that is not quite certain is not shown as certain."""
    if fraction is None:
        return UNKNOWN
    return "> 99.9 %" if 0.999 < fraction < 1 else "< 0.1 %" if 0 < fraction < 0.001 else percent(fraction)


def _why_nothing(search: Search) -> Html:
    """Say why there is no best set, or nothing to draw."""
    told = list(_reasons_for_nothing(search))
    return markup.card("Why there is nothing to choose", markup.listing(told), css="notice why") if told else NOTHING


def _reasons_for_nothing(search: Search) -> Iterable[str]:
    sweep, trials = search.sweep, search.sweep.trials
    if at(sweep.summary, "best", "trial") is not None and len(search.trials):
        return
    if not len(trials):
        yield "No trial was run."
    elif not len(search.trials):
        yield f"None of {len(trials):,} trials ran to its end with a figure for its objective."
    elif not search.trials["feasible"].fill_null(False).any():
        yield f"None of {len(search.trials):,} complete trials keeps the constraints: {sheets.constraints(sweep)}."
    for state, why, count in sheets.reasons(trials):
        yield f"{count:,} {state}: {why}"


def _warnings(sweep: Sweep) -> Html:
    warnings = [*_torn(sweep), *(sweep.summary.get("warnings") or [])]
    return markup.card("Warnings", markup.listing(warnings), css="notice") if warnings else NOTHING


def _torn(sweep: Sweep) -> Iterable[str]:
    """Yield how the trials contradict the summary: then the files are not of one sweep, or not whole."""
    for state in ("complete", "pruned", "invalid"):
        counted, there = at(sweep.summary, "trials", state), int((sweep.trials["state"] == state).sum())
        if counted is not None and counted != there:
            yield (
                f"trials.parquet has {there:,} {state} trials, but the summary counts {counted:,}: do not trust this "
                "folder."
            )


def _surfaces(search: Search, names: set[str]) -> Html:
    maps = [element("div", chart_slot(name)) for name in sorted(names) if name.startswith("surface-")]
    if not maps:
        return NOTHING
    switch = Html(
        '<div class="switch" role="group" aria-label="What a cell shows">'
        '<button type="button" data-show="mean" aria-pressed="true">Mean of each cell</button>'
        '<button type="button" data-show="best" aria-pressed="false">Best of each cell</button></div>'
    )
    lead = (
        f"{search.objective} over two keys at a time, whatever the others were; the star is the best set. A broad "
        "green hill is worth more than a green cell among pale or red ones, which is luck as a rule."
    )
    return markup.card("Where the good sets lie", html(switch, element("div", *maps, css="maps")), lead)


def _not_drawn(search: Search, names: set[str]) -> Html:
    """Say which pictures are missing, and why."""
    missing = []
    if len(search.trials) and not search.axes:
        missing.append("Surfaces, parallel coordinates and importance: no key differs between the complete trials.")
    elif len(search.axes) == 1:
        missing.append("Parallel coordinates: one key alone was varied.")
    if len(search.sweep.objectives) > 1 and "front" not in names:
        missing.append("Front: no trial is complete.")
    missing += [why for name, why in trust.why_missing(search.sweep).items() if name not in names]
    if "plateau" not in names and len(search.trials):
        missing.append("Plateau: there is no best set, or none of its keys has an order.")
    if "equity" not in names:
        missing.append("Equity: the folder holds none of a best set.")
    return markup.card("What is not drawn, and why", markup.listing(missing)) if missing else NOTHING


def _footer(sweep: Sweep) -> Html:
    events = sum(finite(tape.get("events")) or 0 for tape in sweep.summary.get("tapes") or [])
    text = f"{len(sweep.trials):,} trials over {plain(events, 0)} events of {sweep.symbol}. All times UTC."
    return element("footer", text)
