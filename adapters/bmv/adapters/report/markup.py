"""HTML of the parts of a report. Text is escaped where it enters an element; only what is `Html` already passes."""

from collections.abc import Callable, Iterable, Sequence
from html import escape

from bmv.adapters.report.sheet import ABOVE_HOLDING, PARTS, Row, Section, in_words, profit_parts, volume_decimals, world
from bmv.data.runs.contracts import units
from bmv.data.runs.numbers import SECOND, Json, at, finite
from bmv.data.runs.summary import Summary
from bmv.data.runs.wording import UNKNOWN, currencies, instant, moneys, percent, plain, span


class Html(str):
    """HTML that is safe to stand in a page. Whoever makes one from anything but a literal vouches for it."""

    __slots__ = ()


def html(*parts: str) -> Html:
    """Return parts side by side; text among them is escaped.

    >>> html(Html("<br>"), "a < b")
    '<br>a &lt; b'
    """
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def element(tag: str, *inner: str, css: str = "", title: str = "") -> Html:
    """Return one element; text in it is escaped, `title` shows when it is pointed at.

    >>> element("b", "a < b", css="net")
    '<b class="net">a &lt; b</b>'
    """
    attributes = {"title": title, "class": css}
    written = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items() if value)
    return Html(f"<{tag}{written}>{html(*inner)}</{tag}>")


def card(title: str, inner: Html, lead: str = "", css: str = "") -> Html:
    """Return a titled card."""
    above = element("p", lead, css="lead") if lead else ""
    return element("section", element("h2", title), above, inner, css=f"card {css}".strip())


def listing(sentences: Iterable[object]) -> Html:
    """Return sentences as a list."""
    return element("ul", *(element("li", str(sentence)) for sentence in sentences))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """Return a table that scrolls sideways where it must."""
    head = element("thead", _line("th", heads))
    return element("div", element("table", head, element("tbody", *(_line("td", row) for row in rows))), css="wide")


def _line(tag: str, cells: Iterable[str]) -> Html:
    return element("tr", *(element(tag, cell) for cell in cells))


def header(summary: Summary) -> Html:
    """Return the head of the page: what was run, over which time, and the digest by which it is known."""
    first, last = at(summary, "first_ns"), at(summary, "last_ns")
    facts = {
        "From (UTC)": UNKNOWN if first is None else instant(first),
        "To (UTC)": UNKNOWN if last is None else instant(last),
        "Length": UNKNOWN if first is None or last is None else span((last - first) / SECOND),
        "Venue": summary.get("venue") or UNKNOWN,
        "Engine": summary.get("engine") or UNKNOWN,
        "Digest": summary.get("digest") or UNKNOWN,
    }
    return heading(f"bmv {world(summary)}", str(summary.get("symbol", "")), facts)


def heading(kicker: str, name: str, facts: Json) -> Html:
    """Return the head of a page: what it is, of what, and the facts by which it is known."""
    listed = element("dl", *(_fact(name, str(fact)) for name, fact in facts.items()), css="facts")
    title = element("div", element("div", kicker, css="kicker"), element("h1", name))
    button = Html('<button id="theme" type="button">Dark</button>')
    return element("header", element("div", title, listed, button))


def _fact(name: str, fact: str) -> Html:
    return element("div", element("dt", name), element("dd", fact, css="mono" if name == "Digest" else ""))


def profit(summary: Summary) -> Html:
    """Return the profit as the sum that it is, and beside it what holding would have made of the same start."""
    pnl = summary["pnl"]
    parts = profit_parts(pnl)
    words = moneys({name: pnl[name] for name in ("net", *parts)} | {"hold": summary.get("net_vs_hold")})
    quote = currencies(units(summary))[1]
    net = html(element("b", _toned(words["net"]), " ", element("small", quote)), element("span", "net profit"))
    sums = (
        html(element("div", "+" if number else "=", css="sign"), _part(words[name], PARTS[name]))
        for number, name in enumerate(parts)
    )
    hold = html(element("b", _toned(words["hold"])), element("span", "net above holding", title=ABOVE_HOLDING))
    return element("div", element("div", net, css="net"), *sums, element("div", hold, css="part apart"), css="profit")


def _part(amount: str, name: str) -> Html:
    return element("div", element("b", _toned(amount)), element("span", name), css="part")


def _toned(amount: str) -> Html:
    return element("i", amount, css="good" if amount.startswith("+") else "bad" if amount.startswith("−") else "")


def tiles(rows: Iterable[Row], symbol: str) -> Html:
    """Return figures large, each with its name above and its meaning under it."""
    return element("div", *(tile(row.label, in_words(row, symbol), row.means) for row in rows), css="tiles")


def tile(label: str, amount: str, means: str) -> Html:
    """Return one figure large, its name above and its meaning under it."""
    return element("div", element("span", label), element("b", amount), element("em", means), css="tile")


def sheet(sections: Iterable[Section], symbol: str) -> Html:
    """Return sections of figures; what a figure means shows when pointed at."""
    return element("div", *(_section(section, symbol) for section in sections), css="sheet")


def _section(section: Section, symbol: str) -> Html:
    rows = (_line("td", (_explained(row), in_words(row, symbol))) for row in section.rows)
    return element("div", element("h3", section.title), element("table", element("tbody", *rows)))


def _explained(row: Row) -> str:
    return element("abbr", row.label, title=row.means) if row.means else row.label


def by_level(stats: Json) -> Html:
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


def _rung(side: int | None, level: int | None) -> Html:
    name = "all" if side is None else "bid" if side > 0 else "ask"
    which = {None: "All" if side is None else f"{name.title()}s", -1: f"{name.title()}, off the grid"}
    return html(element("i", css=f"tag {name}"), which.get(level, f"{name.title()} {level}"))


def _worth(row: Json | None) -> str:
    """Return a markout in bps, its half band of 95 % where pointed at."""
    if row is None or row["mean_bps"] is None:
        return UNKNOWN
    band = "" if row["low_bps"] is None else f", 95 % within {plain(row['low_bps'])} to {plain(row['high_bps'])} bps"
    css = "good" if row["mean_bps"] > 0 else "bad" if row["mean_bps"] < 0 else ""
    return element("span", plain(row["mean_bps"], 2, sign=True), title=f"{row['n']:,} fills{band}", css=css)


def _or_dash(value: float | None, words: Callable[[float], str]) -> str:
    return UNKNOWN if value is None else words(value)


def pivot_table(stats: Json) -> Html:
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


def bracket_table(bracket: Json, symbol: str) -> Html:
    """Return what came out first in the queue and last in it: our place lies between, the profit need not.

    The row of the run itself says so.
    """
    decimals = volume_decimals(bracket)
    return table(
        ("Queue", "Net", "Volume filled", "Fills", "Max drawdown", "Digest"),
        (
            [
                f"{queue.title()} (this run)" if run.get("own") else queue.title(),
                in_words(Row("", finite(run.get("net")), "quote"), symbol),
                in_words(Row("", finite(run.get("volume")), "base", "", decimals), symbol),
                in_words(Row("", finite(run.get("fills")), "count")),
                in_words(Row("", finite(run.get("max_drawdown")), "share")),
                element("span", str(run.get("digest", UNKNOWN))[:8], css="mono", title=str(run.get("digest", ""))),
            ]
            for queue, run in bracket.items()
            if isinstance(run, dict)
        ),
    )


def breaker_table(changes: Iterable[Json]) -> Html:
    """Return each change of the circuit breaker."""
    return table(
        ("Time, UTC", "Tier", "Cause", "Equity"),
        ([instant(row["ts_ns"]), row["tier"], row["cause"], _or_dash(row["equity"], plain)] for row in changes),
    )


def quality_table(quality: Json) -> Html:
    """Return the tally of the tape; counts of zero say nothing and are left out, but for the rows."""
    counts = {name.replace("_", " "): count for name, count in quality.items() if isinstance(count, int)}
    counts |= {f"dropped: {name}": count for name, count in (at(quality, "bad") or {}).items()}
    return table(
        ("Rows", "Count"),
        ([name, plain(count, 0)] for name, count in counts.items() if count or name in ("rows", "told")),
    )


def refusal_table(by_code: Json) -> Html:
    """Return the intents that risk refused, the most frequent first."""
    ordered = sorted(by_code.items(), key=lambda item: -item[1])
    return table(("Refused by risk", "Intents"), ([code, plain(count, 0)] for code, count in ordered))
