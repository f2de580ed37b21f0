"""How prices, times and waiting events of a market are said; unknown is said too."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from bmv.adapters.openbook.book import Lots, Side
from bmv.adapters.openbook.inspection.fit import exact
from bmv.adapters.openbook.inspection.records import Backlog

WORDS = {Side.BID: "buys", Side.ASK: "sells"}  # What a taker does.
UNKNOWN = "unknown"


def even(value: Fraction, step: Fraction) -> str:
    """Return a multiple of a step with as many decimal places as the step has, so that columns are even.

    >>> even(Fraction(15), Fraction(1, 100))
    '15.00'
    """
    places = len(exact(step).partition(".")[2])
    return exact(value) if "/" in exact(step) else f"{Decimal(exact(value)):.{places}f}"


def second_text(second: int | None) -> str:
    """Return a second of the chain's clock as people read it."""
    if second is None:
        return UNKNOWN
    try:
        return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):  # The chain may say any number.
        return f"second {second}"


def spread_bps(bid: int, ask: int) -> float:
    """Return the distance of two prices, in ticks, in bps of their middle."""
    return (ask - bid) / (ask + bid) * 20_000


def spread_text(bid: int | None, ask: int | None, lots: Lots) -> str:
    """Return the distance of the best prices, in ticks, as people read it; "" where one side is empty."""
    if bid is None or ask is None:
        return ""
    return f"spread {exact(lots.price(ask - bid))} ({spread_bps(bid, ask):.2f} bps)"


def waiting_text(backlog: Backlog | None, now: int | None) -> str:
    """Return how many events wait for the crank, and for how long at second `now` of the chain."""
    if backlog is None:
        return UNKNOWN
    text = f"{backlog.events:,} of {backlog.capacity:,} events wait"
    if backlog.oldest is None or now is None:
        return text
    return f"{text}, the oldest for {max(now - backlog.oldest, 0):,} s"
