"""The figures of a summary in the order in which a market maker reads them: one list for terminal, page and compare."""

from typing import Literal, NamedTuple

from bmv.data.runs.numbers import Json, at, finite
from bmv.data.runs.summary import Summary
from bmv.data.runs.wording import (
    UNKNOWN,
    base_decimals,
    brief,
    currencies,
    money_decimals,
    percent,
    plain,
    significant,
    span,
)

Unit = Literal["quote", "base", "amount", "bps", "share", "part", "count", "seconds", "number", "signed"]


NET_ABOVE_HOLDING = "Net above holding"  # Everywhere; in JSON `net_vs_hold`.
SESSIONS = ("live", "paper")  # Engines of sessions; any other is a backtest's.
ABOVE_HOLDING = "net, less what the first position made"
BASE_DIGITS = 5  # Of the largest amount of base that stands beside others.


class Row(NamedTuple):
    """One figure: what it is called, what it is, in which unit, and what it means.

    `decimals` are those of amounts of base that are read side by side; None: as many as mean something.
    """

    label: str
    value: float | None
    unit: Unit
    means: str = ""
    decimals: int | None = None


class Section(NamedTuple):
    """Figures that belong together."""

    title: str
    rows: list[Row]


def in_words(row: Row, symbol: str = "") -> str:
    """Return the value of `row` in words, unit included.

    >>> in_words(Row("fees", -1.25, "quote"), "SOL/USDC"), in_words(Row("Sharpe", None, "number"))
    ('−1.2500 USDC', '–')
    """
    value = row.value
    if value is None:
        return UNKNOWN
    base, quote = currencies(symbol)
    match row.unit:
        case "quote":
            return f"{brief(plain(value, money_decimals(abs(value)), sign=True), value, sign=True)} {quote}"
        case "amount":
            return f"{brief(_amount(value), value)} {quote}"
        case "base":
            if row.decimals is not None:
                return f"{brief(plain(value, row.decimals), value)} {base}"
            return f"{brief(significant(value, BASE_DIGITS), value)} {base}"
        case "bps":
            return f"{brief(plain(value, 2), value)} bps"
        case "share":
            return percent(value)
        case "part":
            return percent(value) if 0 <= value <= 1 else "more than all" if value > 1 else "nothing"
        case "count":
            return brief(plain(value, 0), value)
        case "seconds":
            return span(value)
        case "signed":
            return brief(plain(value, 2, sign=True), value, sign=True)
    return brief(significant(value, 3), value)


def _amount(value: float) -> str:
    """Return an amount that is in no sum to be checked: five figures or so of it."""
    size = abs(value)
    return plain(value, 0 if size >= 100_000 else 2 if size >= 100 else money_decimals(size))


PARTS = {  # Of the profit, in order, and what they are called. The first three are shown where they are 0, too.
    "spread": "spread",
    "inventory": "inventory",
    "fees": "fees",
    "base_fees": "base fees",
    "priority": "priority",
    "tips": "tips",
    "rent_out": "rent paid",
    "rent_in": "rent back",
    "rounding": "rounding",
}
ALWAYS = ("spread", "inventory", "fees")


def profit_parts(pnl: Json) -> list[str]:
    """Return the parts of the profit that are shown, in order.

    >>> profit_parts({"net": "2", "spread": "3", "inventory": "0", "fees": "-1", "tips": "0", "rounding": "0"})
    ['spread', 'inventory', 'fees']
    """
    return [name for name in PARTS if name in pnl and (name in ALWAYS or finite(pnl[name]))]


def headline(summary: Summary) -> list[Row]:
    """Return the figures that stand first, the same on the terminal and on the page."""
    stats = summary.get("statistics", {})

    def money(name: str) -> float | None:
        return finite(at(summary, "pnl", name))

    return [
        Row(
            "Net profit",
            money("net"),
            "quote",
            "change of cash + position × mid, first row to last"
            + (", less what the chain was paid" if at(summary, "pnl", "base_fees") is not None else ""),
        ),
        Row(
            NET_ABOVE_HOLDING,
            finite(summary.get("net_vs_hold")),
            "quote",
            ABOVE_HOLDING,
        ),
        Row("Spread", money("spread"), "quote", "earned against the mid at the fills"),
        Row("Inventory", money("inventory"), "quote", "gain of what was held while the mid moved"),
        Row("Fees", money("fees"), "quote", "what the venue charged; positive is a rebate"),
        *_chain(summary.get("chain"), currencies(str(summary.get("symbol", "")))[1]),
        Row("Max drawdown", finite(summary.get("max_drawdown")), "share", "deepest fall of equity from its peak"),
        Row("Fills", finite(summary.get("fills")), "count", "partial fills count each"),
        Row("Fill ratio", finite(at(stats, "orders", 0, "fill_ratio")), "share", "accepted orders that traded at all"),
        Row("Sharpe", finite(at(stats, "ratios", "sharpe")), "signed", sampling(stats)),
    ]


def _chain(paid: object, currency: str) -> list[Row]:
    """Return what a live session paid to the chain, to the lamport; in the profit it stands in quote.

    Args:
        currency: That of quote.
    """
    if not isinstance(paid, dict):
        return []
    parts = {"base fees": "base", "priority": "priority", "tips": "tip", "rent": "rent_out"}
    said = ", ".join(f"{words} {paid.get(f'{name}_lamports', 0):,}" for words, name in parts.items())
    back = f", {paid['rent_in_lamports']:,} of it back" if paid.get("rent_in_lamports") else ""
    worth = "not in the profit, for nothing says what SOL is worth here"
    if paid.get("quote") is not None:
        worth = f"in the profit as {paid['quote']} {currency}, at {paid.get('quote_per_sol')} a SOL"
    return [Row("Lamports to the chain", finite(paid.get("lamports")), "count", f"{said}{back}; {worth}")]


def world(summary: Summary) -> str:
    """Return what a run was: `live`, `paper`, or a `backtest`, whichever engine ran that."""
    engine = summary.get("engine")
    return engine if engine in SESSIONS else "backtest"


def pace(summary: Summary) -> str:
    """Say how many events a run had, and how fast it went; a session goes as its market does, and no faster."""
    events, speed = finite(summary.get("events")) or 0.0, finite(summary.get("events_per_second"))
    count = f"{plain(events, 0)} events"
    if summary.get("engine") in SESSIONS:
        return count
    took = [finite(summary.get(name)) for name in ("load_seconds", "engine_seconds")]
    load, engine = (span(seconds) if seconds is not None else "?" for seconds in took)
    return f"{count}; read in {load}, run in {engine}" + (f", {plain(speed / 1e6, 2)} M events/s" if speed else "")


def sampling(stats: Json) -> str:
    """Say how the ratios were sampled."""
    step_s, n = at(stats, "ratios", "sampling_s"), at(stats, "ratios", "n")
    reason = no_ratios(stats) or at(stats, "ratios", "reason")
    how = f"{n:,} returns of {span(step_s)}, × √ of those in 365 days" if step_s else ""
    return "; ".join(filter(None, (how, reason)))


def no_ratios(stats: Json) -> str | None:
    """Say in words that a run has no ratios, and why; None where it has them.

    >>> no_ratios({"ratios": {"sharpe": None, "reason": "nothing was traded"}})
    'no Sharpe, Sortino or Calmar ratio: nothing was traded'
    """
    reason = at(stats, "ratios", "reason")
    if not reason or any(at(stats, "ratios", name) is not None for name in ("sharpe", "sortino", "calmar")):
        return None
    return f"no Sharpe, Sortino or Calmar ratio: {reason}"


def sections(summary: Summary) -> list[Section]:
    """Return everything else that is one number, by theme."""
    stats = summary.get("statistics", {})

    def get(*path: str | int) -> float | None:
        return finite(at(stats, *path))

    markout = _by_horizon(stats.get("markouts"))
    past, others = (_by_horizon(at(stats, "participation", "past_quote", name)) for name in ("theirs", "others"))
    told = [
        Section("Spread", [
            Row("Quoted", get("spread", "quoted_bps"), "bps", "our best ask − our best bid, while both rested"),
            Row("Effective", get("spread", "effective_bps"), "bps", "2 × distance of the fill from the mid"),
            Row("Realised, 5 s", get("spread", "realised_bps"), "bps", "the same against the mid 5 s later"),
            Row("Markout, 5 s", finite(markout.get(5.0)), "bps", "what a fill was worth 5 s later, before fees"),
            Row("Given back by 5 s", get("adverse_selection", "share"), "part", "adverse selection: part of the "
                "captured spread that the market took back"),
        ]),
        Section("Quoting", [
            Row("Two-sided", get("uptime", "two_sided"), "share", "of the time, a bid and an ask of ours rested"),
            Row("Bid at touch", get("uptime", "bid_at_touch"), "share", "of the time"),
            Row("Ask at touch", get("uptime", "ask_at_touch"), "share", "of the time"),
            Row("Both at touch", get("uptime", "both_at_touch"), "share", "of the time"),
            Row("With a pivot", get("uptime", "pivot"), "share", "of the time"),
            Row("Halted", get("uptime", "halted"), "share", "of the time, by the circuit breaker"),
        ]),
        Section("Orders", [
            Row("Orders", finite(summary.get("orders")), "count", "sent to the venue"),
            Row("Time to fill", get("orders", 0, "time_to_fill_s_median"), "seconds", "median, from acceptance"),
            Row("Time to fill, p90", get("orders", 0, "time_to_fill_s_p90"), "seconds", "nine in ten were faster"),
            Row("Volume filled", get("orders", 0, "volume_ratio"), "share", "of the size that rested"),
            Row("Messages per fill", get("activity", "messages_per_fill"), "number", "(orders + cancels) / fills"),
            Row("Cancels per order", get("activity", "cancel_ratio"), "number"),
            Row("Requotes per hour", get("activity", "requotes_per_hour"), "number"),
            Row("Refused by risk", get("refusals", "total"), "count", "intents that never became orders"),
            Row("Rejected by venue", get("activity", "rejected"), "count"),
            Row("Fills by quotes alone", get("activity", "quote_ratio"), "share", "no print reached the price, a quote "
                "crossed it"),
        ]),
        Section("Share of the market", [
            Row("Of the volume", get("participation", "share"), "share", "ours over all that the tape traded: the "
                "larger, the less is to be believed"),
            Row("By prints", get("participation", "by_prints"), "share", "a print reached or passed our price"),
            Row("By quotes alone", get("participation", "by_quotes"), "share", "a quote crossed our price"),
            Row("In one hour", get("participation", "largest", "share"), "share", "the largest of any hour"),
            Row("Past a better quote", get("participation", "past_quote", "share"), "share", "fills by a print that "
                "left better prices than ours standing on our side"),
            Row("Markout of those, 5 s", finite(past.get(5.0)), "bps"),
            Row("Of the others, 5 s", finite(others.get(5.0)), "bps"),
        ]),
        Section("Inventory", [
            Row("Mean", get("inventory", "mean"), "base", "weighted by time"),
            Row("Standard deviation", get("inventory", "sd"), "base", "weighted by time"),
            Row("Smallest", get("inventory", "min"), "base"),
            Row("Largest", get("inventory", "max"), "base"),
            Row("At the end", get("inventory", "end"), "base"),
            Row("At the limit", get("inventory", "at_limit"), "share", "of the time, max_position or more from target"),
            Row("Half-life", get("inventory", "half_life_s"), "seconds", "until half a deviation has gone"),
        ]),
        Section("Round trips", [
            Row("Count", get("round_trips", "count"), "count", "pieces of volume bought and sold, first in, first out"),
            Row("Profit", get("round_trips", "profit"), "quote", "after the fees of both sides"),
            Row("Mean profit", get("round_trips", "mean_profit"), "quote", "a round trip"),
            Row("Profit per volume", get("round_trips", "profit_bps"), "bps", "of what was paid"),
            Row("Won", get("round_trips", "won"), "share", "round trips with a profit after fees"),
            Row("Mean hold", get("round_trips", "mean_hold_s"), "seconds", "weighted by size"),
            Row("Unmatched", get("round_trips", "unmatched"), "base", "bought and not sold (below 0: the reverse)"),
        ]),
        Section("Risk", [
            Row("Sortino", get("ratios", "sortino"), "signed", no_ratios(stats) or "as Sharpe, against falls only"),
            Row("Calmar", get("ratios", "calmar"), "signed", no_ratios(stats) or "mean return of 365 days by the max "
                "drawdown"),
            Row("Max drawdown", get("drawdown", "max_quote"), "amount", "peak to trough"),
            Row("Time to trough", get("drawdown", "fall_s"), "seconds"),
            Row("Time to recover", get("drawdown", "recovery_s"), "seconds", at(stats, "drawdown", "reason") or ""),
            Row("Longest underwater", get("drawdown", "longest_underwater_s"), "seconds", "below a former peak"),
            Row("Notional", get("activity", "notional"), "amount", "traded, both sides"),
            Row("Net per notional", get("activity", "net_bps"), "bps", "net profit by quote traded"),
            Row("Turnover", get("activity", "turnover"), "number", "notional by mean equity"),
        ]),
    ]  # fmt: skip
    return [Section(section.title, side_by_side(section.rows)) for section in told]


def _by_horizon(rows: list[Json] | None) -> dict[float, float | None]:
    """Return the mean markout of all fills by its horizon in seconds."""
    return {row["horizon_s"]: row["mean_bps"] for row in rows or [] if row["side"] is None}


def volume_decimals(bracket: Json) -> int:
    """Return how many decimals the volumes of a bracket are shown with."""
    volumes = (finite(run.get("volume")) for run in bracket.values() if isinstance(run, dict))
    return base_decimals(max((volume for volume in volumes if volume is not None), default=0.0))


def side_by_side(rows: list[Row]) -> list[Row]:
    """Return rows whose amounts of base all have the decimals that mean something in the largest of them.

    >>> [in_words(row) for row in side_by_side([Row("mean", 0.07977, "base"), Row("largest", 12.5, "base")])]
    ['0.080 base', '12.500 base']
    """
    largest = max((abs(row.value) for row in rows if row.unit == "base" and row.value is not None), default=0.0)
    decimals = base_decimals(largest)
    return [row._replace(decimals=decimals) if row.unit == "base" else row for row in rows]
