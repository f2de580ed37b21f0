"""The tables of a sweep's report: the best sets, what was searched, on which tapes, and what each fold chose."""

from collections.abc import Iterable

import polars as pl

from bmv.adapters.report import markup
from bmv.adapters.report.markup import Html, element
from bmv.adapters.report.report import NOTHING
from bmv.adapters.report.sheet import NET_ABOVE_HOLDING, Row, Unit, in_words
from bmv.backtest.sweep.show import trust
from bmv.backtest.sweep.show.marks import short
from bmv.backtest.sweep.trials.reading import Sweep
from bmv.backtest.sweep.trials.space import Parameter
from bmv.data.runs.numbers import at, finite
from bmv.data.runs.wording import UNKNOWN, instant, plain, significant

SHOWN = 20  # Sets in the table.
WHYS = 6  # Reasons for trials that did not end, the most frequent ones.
FIGURES: dict[str, tuple[str, Unit]] = {
    "net": ("Net", "quote"), "quoting": ("By quoting", "quote"), "market": ("By the market", "quote"),
    "net_vs_hold": (NET_ABOVE_HOLDING, "quote"),
    "max_drawdown": ("Max drawdown", "share"), "sharpe": ("Sharpe", "signed"),
    "fills": ("Fills", "count"), "volume": ("Volume", "base"),
    "spread": ("Spread", "quote"), "inventory": ("Inventory", "quote"), "fees": ("Fees", "quote"),
    "markout_bps_5s": ("Markout, 5 s", "bps"), "markout_bps_60s": ("Markout, 60 s", "bps"),
    "adverse_share": ("Given back", "share"), "uptime": ("Two-sided", "share"), "halted_share": ("Halted", "share"),
    "turnover": ("Turnover", "number"), "orders": ("Orders", "count"), "cancels": ("Cancels", "count"),
    "end_position": ("Position at the end", "base"),
}  # fmt: skip
CONSTRAINTS = {
    "max_drawdown": "max drawdown at most", "min_fills": "fills at least", "max_position": "position at the end within",
    "min_uptime": "share of the time two-sided at least",
}  # fmt: skip


def value(given: object) -> str:
    """Return a value of a swept key in words.

    >>> value(0.30000000000000004), value(12), value(True), value("back")
    ('0.3', '12', 'yes', 'back')
    """
    if isinstance(given, bool):
        return "yes" if given else "no"
    return significant(given) if isinstance(given, int | float) and finite(given) is not None else str(given)


def best_sets(sweep: Sweep) -> Html:
    """Return the best trials, those that keep the constraints first; a click on a head sorts by it."""
    ranked = sweep.ranked().head(SHOWN)
    if not len(ranked):
        return NOTHING
    keys = [str(told["key"]) for told in sweep.parameters]
    extra = [name for name in sweep.objectives if name not in FIGURES]
    tapes = [name for name in ranked.columns if name.startswith("net.") and name not in keys]
    known = [name for name in FIGURES if name in ranked.columns and ranked[name].is_not_null().any()]
    first, rest = known[:1], known[1:]  # Net stands before what made it.
    titles = [[FIGURES[name][0] for name in figures] for figures in (first, rest)]
    heads = ["Trial", *extra, *titles[0], *keys, *titles[1], *map(_tape_head, tapes), "Constraints"]
    rows = (
        [
            str(row["trial"]),
            *(_number(row[name]) for name in extra),
            *(_figure(row[name], FIGURES[name][1], sweep.units) for name in first),
            *(_or_dash(row[key]) for key in keys),
            *(_figure(row[name], FIGURES[name][1], sweep.units) for name in rest),
            *(_figure(row[name], "quote", sweep.units) for name in tapes),
            "kept" if row["feasible"] else "broken",
        ]
        for row in ranked.iter_rows(named=True)
    )
    made = markup.table([element("button", head, css="sort") for head in heads], rows)
    lead = f"The first {len(ranked)} by {sweep.objective}, on what the search saw. Click a head to sort by it."
    return markup.card("The best sets", made, lead, css="sortable")


def _tape_head(name: str) -> str:
    return f"Net, {name.removeprefix('net.')}"


def _figure(given: object, unit: Unit, symbol: str) -> str:
    """Return a figure without its currency, which the head of a column need not repeat."""
    words = in_words(Row("", finite(given), unit), symbol)
    return words.rpartition(" ")[0] or words if unit in ("quote", "base", "bps") else words


def _number(given: object) -> str:
    number = finite(given)
    return UNKNOWN if number is None else significant(number)


def folds(sweep: Sweep) -> Html:
    """Return which set each fold of the walk-forward chose, and how it fared behind."""
    told = trust.steps(sweep)
    if not told:
        return NOTHING
    keys = [str(one["key"]) for one in sweep.parameters]
    sets = {row["trial"]: row for row in sweep.trials.select("trial", *keys).iter_rows(named=True)}
    made = markup.table(
        ("Fold", "Chosen", "Training", "Test", "Rank", *map(short, keys)),
        (
            [
                str(place),
                UNKNOWN if one.trial is None else f"trial {one.trial}",
                _signed(one.train),
                _signed(one.test),
                UNKNOWN if one.rank is None else plain(one.rank, 0),
                *(_or_dash(sets.get(one.trial, {}).get(key)) for key in keys),
            ]
            for place, one in enumerate(told, 1)
        ),
    )
    lead = (
        "One set chosen again and again speaks for it; a new one each time is chance. Figures are by the period; rank "
        "1 is the best of all sets in the test."
    )
    return markup.card("What each fold chose", made, lead)


def _or_dash(given: object) -> str:
    return UNKNOWN if given is None else value(given)


def _signed(given: float | None) -> str:
    return UNKNOWN if given is None else ("+" if given > 0 else "") + significant(given, 4)


def space(sweep: Sweep) -> Html:
    """Return the swept keys with their ranges."""
    made = markup.table(
        ("Key", "Values", "Tied to it"),
        ([str(told["key"]), _range(told), ", ".join(map(str, told.get("also") or [])) or UNKNOWN]
         for told in sweep.parameters),
    )  # fmt: skip
    return markup.card("What was searched", made, css="keys") if sweep.parameters else NOTHING


def _range(told: Parameter) -> str:
    values = told.get("values")
    if values:
        some = [value(one) for one in values]
        return ", ".join(some) if len(some) <= 12 else f"{len(some)} values, {some[0]} … {some[-1]}"
    step = f", step {value(told['step'])}" if told.get("step") else ""
    return f"{value(told.get('low'))} … {value(told.get('high'))}{step}{', log' if told.get('log') else ''}"


def rules(sweep: Sweep) -> Html:
    """Return how the search went about it."""
    summary, settings = sweep.summary, at(sweep.config, "sweep") or {}
    ways = {"minimize": "made small", "maximize": "made large"}
    aims = (f"{aim.get('name')}, {ways.get(str(aim.get('direction')), '')}" for aim in summary.get("objectives") or [])
    facts = {
        "Name": summary.get("name"), "Objective": "; ".join(aims), "Sampler": summary.get("sampler"),
        "Seed": summary.get("seed"), "Trials planned": at(summary, "trials", "planned"),
        "Constraints": constraints(sweep),
        "Across tapes": settings.get("across") if len(summary.get("tapes") or []) > 1 else None,
        "Pruning": settings.get("pruning"),
        "Validation": ", ".join(f"{name} {value(given)}" for name, given in (settings.get("validation") or {}).items()),
    }  # fmt: skip
    rows = ([name, value(given)] for name, given in facts.items() if given not in (None, ""))
    return markup.card("How it was searched", markup.table(("", ""), rows), css="keys")


def constraints(sweep: Sweep) -> str:
    """Return in words what a set had to keep to."""
    told = at(sweep.config, "sweep", "constraints") or {}
    return ", ".join(f"{CONSTRAINTS.get(name, name)} {value(limit)}" for name, limit in told.items()) or "none"


def tapes(sweep: Sweep) -> Html:
    """Return the tapes, and from when on each is held out."""
    told = sweep.summary.get("tapes") or []
    made = markup.table(
        ("Tape", "Market", "From (UTC)", "Held out from", "To", "Events searched", "Events held out"),
        (
            [str(tape.get("name")), str(tape.get("symbol")), _instant(tape.get("first_ns")),
             _instant(tape.get("split_ns")), _instant(tape.get("last_ns")),
             *(_figure(tape.get(name), "count", "") for name in ("events", "events_held_out"))]
            for tape in told
        ),
    )  # fmt: skip
    return markup.card("Tapes", made) if told else NOTHING


def _instant(ts_ns: int | None) -> str:
    return UNKNOWN if ts_ns is None else instant(ts_ns)


def reasons(trials: pl.DataFrame) -> Iterable[tuple[str, str, int]]:
    """Yield state, reason and count of trials that did not run to the end, the most frequent first."""
    if "reason" not in trials.columns:
        return
    ended = trials.filter(pl.col("state") != "complete").group_by("state", "reason").len()
    for state, reason, count in ended.sort("len", "reason", descending=[True, False]).head(WHYS).rows():
        yield state, reason or "no reason given", count
