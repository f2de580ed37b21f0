"""HTML of the parts of a report; every text that comes from a run is escaped here and nowhere else."""

from collections.abc import Callable, Iterable, Sequence
from html import escape

from bmv.backtest.numbers import SECOND, Json, finite
from bmv.backtest.sheet import Row, Section, at, told
from bmv.backtest.wording import UNKNOWN, currencies, instant, moneys, percent, plain, span


def element(tag: str, inner: str, css: str = "") -> str:
    """Return one element; `inner` is HTML already."""
    return f'<{tag} class="{css}">{inner}</{tag}>' if css else f"<{tag}>{inner}</{tag}>"


def card(title: str, inner: str, lead: str = "", css: str = "") -> str:
    """Return a titled card; `inner` is HTML already, title and lead are text."""
    told_lead = element("p", escape(lead), "lead") if lead else ""
    return element("section", f"{element('h2', escape(title))}{told_lead}{inner}", f"card {css}".strip())


def listing(sentences: Iterable[object]) -> str:
    """Return sentences as a list."""
    return element("ul", "".join(element("li", escape(str(sentence))) for sentence in sentences))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], foot: str = "") -> str:
    """Return a table that scrolls sideways where it must; `heads` are text, cells are HTML already."""
    head = element("tr", "".join(element("th", escape(name)) for name in heads))
    body = "".join(element("tr", "".join(element("td", cell) for cell in row)) for row in rows)
    return element("div", f"<table><thead>{head}</thead><tbody>{body}</tbody></table>{foot}", "wide")


def header(summary: Json) -> str:
    """Return the head of the page: what was run, over which time, and the digest by which it is known."""
    first, last = summary.get("first_ns"), summary.get("last_ns")
    facts = {
        "From (UTC)": UNKNOWN if first is None else instant(first),
        "To (UTC)": UNKNOWN if last is None else instant(last),
        "Length": UNKNOWN if first is None or last is None else span((last - first) / SECOND),
        "Venue": summary.get("venue") or UNKNOWN,
        "Engine": summary.get("engine") or UNKNOWN,
        "Digest": summary.get("digest") or UNKNOWN,
    }
    listed = "".join(_fact(name, str(fact)) for name, fact in facts.items())
    title = element("div", "bmv backtest", "kicker") + element("h1", escape(str(summary.get("symbol", ""))))
    button = '<button id="theme" type="button">Dark</button>'
    return element("header", element("div", element("div", title) + element("dl", listed, "facts") + button))


def _fact(name: str, fact: str) -> str:
    return element("div", element("dt", escape(name)) + element("dd", escape(fact), "mono" if name == "Digest" else ""))


def profit(summary: Json) -> str:
    """Return the profit as the sum that it is, and beside it what holding would have made of the same start."""
    pnl = summary["pnl"]
    parts = [name for name in ("spread", "inventory", "fees", "tips", "rounding") if _matters(name, pnl)]
    words = moneys({name: pnl[name] for name in ("net", *parts)} | {"hold": summary.get("net_vs_hold")})
    quote = escape(currencies(str(summary.get("symbol", "")))[1])
    net = f"<b>{_toned(words['net'])} <small>{quote}</small></b><span>net profit</span>"
    sums = element("div", " + ", "sign").join(_part(words[name], name) for name in parts)
    hold = element("div", f"<b>{_toned(words['hold'])}</b><span>against holding</span>", "part apart")
    return element("div", f"{element('div', net, 'net')}{element('div', '=', 'sign')}{sums}{hold}", "profit")


def _matters(name: str, pnl: Json) -> bool:
    return name in pnl and (name in ("spread", "inventory", "fees") or bool(finite(pnl[name])))


def _part(amount: str, name: str) -> str:
    return element("div", f"<b>{_toned(amount)}</b><span>{escape(name)}</span>", "part")


def _toned(amount: str) -> str:
    css = "good" if amount.startswith("+") else "bad" if amount.startswith("−") else ""
    return element("i", escape(amount), css)


def tiles(rows: Iterable[Row], symbol: str) -> str:
    """Return figures large, each with its name above and its meaning under it."""
    return element("div", "".join(_tile(row.label, told(row, symbol), row.means) for row in rows), "tiles")


def _tile(label: str, amount: str, means: str) -> str:
    return element("div", f"<span>{escape(label)}</span><b>{escape(amount)}</b><em>{escape(means)}</em>", "tile")


def sheet(sections: Iterable[Section], symbol: str) -> str:
    """Return sections of figures; what a figure means shows when pointed at."""
    return element("div", "".join(_section(section, symbol) for section in sections), "sheet")


def _section(section: Section, symbol: str) -> str:
    rows = (element("td", _explained(row)) + element("td", escape(told(row, symbol))) for row in section.rows)
    body = element("tbody", "".join(element("tr", row) for row in rows))
    return element("div", element("h3", escape(section.title)) + element("table", body))


def _explained(row: Row) -> str:
    return f'<abbr title="{escape(row.means)}">{escape(row.label)}</abbr>' if row.means else escape(row.label)


def by_level(stats: Json) -> str:
    """Return how each level fared: its orders, and what its fills were worth later."""
    worth = {(row["side"], row["level"], row["horizon_s"]): row for row in stats.get("markouts", [])}
    horizons = sorted({row["horizon_s"] for row in stats.get("markouts", [])})
    heads = ("Level", "Orders", "Filled", "Fill ratio", "Volume filled", "Time to fill", "p90")
    return table(
        [*heads, *(f"+{horizon:g} s" for horizon in horizons)],
        (
            [
                _rung(row["side"], row["level"]),
                plain(row["orders"], 0),
                plain(row["filled"], 0),
                _or_dash(row["fill_ratio"], percent),
                _or_dash(row["volume_ratio"], percent),
                _or_dash(row["time_to_fill_s_median"], span),
                _or_dash(row["time_to_fill_s_p90"], span),
                *(_worth(worth.get((row["side"], row["level"], horizon))) for horizon in horizons),
            ]
            for row in sorted(stats.get("orders", []), key=_book_order)
        ),
    )


def _book_order(row: Json) -> tuple[int, int]:
    """All first, then bids, then asks; of a side its sum first, then from the nearest level outwards."""
    return -(row["side"] or 2), -2 if row["level"] is None else row["level"]


def _rung(side: int | None, level: int | None) -> str:
    name = "all" if side is None else "bid" if side > 0 else "ask"
    which = {None: "All" if side is None else f"{name.title()}s", -1: f"{name.title()}, off the grid"}
    return f'<i class="tag {name}"></i>{which.get(level, f"{name.title()} {level}")}'


def _worth(row: Json | None) -> str:
    """Return a markout in bps, its half band of 95 % where pointed at."""
    if row is None or row["mean_bps"] is None:
        return UNKNOWN
    band = "" if row["low_bps"] is None else f", 95 % within {plain(row['low_bps'])} to {plain(row['high_bps'])} bps"
    title = escape(f"{row['n']:,} fills{band}")
    css = "good" if row["mean_bps"] > 0 else "bad" if row["mean_bps"] < 0 else ""
    return f'<span title="{title}" class="{css}">{plain(row["mean_bps"], 2, sign=True)}</span>'


def _or_dash(value: float | None, words: Callable[[float], str]) -> str:
    return UNKNOWN if value is None else escape(words(value))


def pivot_table(stats: Json) -> str:
    """Return how well the pivot foretold the mid."""
    return table(
        ("Mid after", "Mean distance, bps", "Bias, bps", "Samples"),
        (
            [
                "now" if not row["horizon_s"] else span(row["horizon_s"]),
                _or_dash(row["abs_bps"], lambda bps: plain(bps, 2)),
                _or_dash(row["bias_bps"], lambda bps: plain(bps, 2, sign=True)),
                plain(row["n"], 0),
            ]
            for row in stats.get("pivot", [])
        ),
    )


def bracket_table(bracket: Json, symbol: str) -> str:
    """Return what came out first in the queue and last in it: our place lies between, the profit need not."""
    return table(
        ("Queue", "Net", "Fills", "Max drawdown", "Digest"),
        (
            [
                escape(queue.title()),
                escape(told(Row("", finite(run.get("net")), "quote"), symbol)),
                escape(told(Row("", finite(run.get("fills")), "count"))),
                escape(told(Row("", finite(run.get("max_drawdown")), "share"))),
                element("span", escape(str(run.get("digest", UNKNOWN))), "mono"),
            ]
            for queue, run in bracket.items()
            if isinstance(run, dict)
        ),
    )


def breaker_table(changes: Iterable[Json]) -> str:
    """Return each change of the circuit breaker."""
    return table(
        ("Time, UTC", "Tier", "Cause", "Equity"),
        (
            [instant(row["ts_ns"]), escape(row["tier"]), escape(row["cause"]), _or_dash(row["equity"], plain)]
            for row in changes
        ),
    )


def quality_table(quality: Json) -> str:
    """Return the tally of the tape; counts of zero say nothing and are left out, but for the rows."""
    counts = {name.replace("_", " "): count for name, count in quality.items() if isinstance(count, int)}
    counts |= {f"dropped: {name}": count for name, count in (at(quality, "bad") or {}).items()}
    return table(
        ("Rows", "Count"),
        ([escape(name), plain(count, 0)] for name, count in counts.items() if count or name in ("rows", "told")),
    )


def refusal_table(by_code: Json) -> str:
    """Return the intents that risk refused, the most frequent first."""
    ordered = sorted(by_code.items(), key=lambda item: -item[1])
    return table(("Refused by risk", "Intents"), ([escape(code), plain(count, 0)] for code, count in ordered))
