"""The figures of a set on several tapes, made one."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd, isfinite, lcm
from statistics import fmean
from typing import Any, Literal

ADDED_UP = (
    "events", "trades", "quotes", "depths", "timers", "orders", "fills", "cancels", "rejected", "requotes", "net",
    "spread", "inventory", "fees", "net_vs_hold", "quoting", "market", "volume", "notional", "markout_quote_5s",
    "markout_quote_60s",
)  # fmt: skip
DEEPEST = ("max_drawdown", "max_drawdown_quote")


def combined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # Any: numbers, None where unknown.
    """Return the figures of several tapes as one: counts and money added up, the deepest fall, the mean of the rest."""
    if len(parts) == 1:
        return dict(parts[0])
    return {name: _joined(name, [part[name] for part in parts]) for name in parts[0]}


def across(values: Sequence[float | None], how: Literal["mean", "worst", "sum"], large: bool = True) -> float | None:
    """Return one objective for all tapes, as `sweep.across` says; unknown if it is so, or no number, on any.

    Args:
        large: Whether more is better: it says which one is the worst.

    >>> across([3.0, 1.0], "mean"), across([3.0, 1.0], "sum"), across([3.0, None], "worst")
    (2.0, 4.0, None)
    >>> across([3.0, 1.0], "worst"), across([3.0, 1.0], "worst", large=False)
    (1.0, 3.0)
    """
    known = [value for value in values if value is not None and isfinite(value)]
    if len(known) < len(values):
        return None
    if how == "worst":
        return min(known) if large else max(known)
    return fmean(known) if how == "mean" else sum(known)


def common_quantum(quanta: Sequence[Fraction]) -> Fraction:
    """Return the largest amount of which each of `quanta` is a whole number.

    >>> common_quantum([Fraction(1, 100), Fraction(1, 40)])
    Fraction(1, 200)
    """
    below = lcm(*(quantum.denominator for quantum in quanta))
    return Fraction(gcd(*(int(quantum * below) for quantum in quanta)), below)


def joined_returns(parts: Sequence[Sequence[int]], scales: Sequence[int], at_once: bool) -> list[int]:
    """Return the returns of several tapes as one row, in the common quantum.

    Args:
        parts: Of each tape, in its own quanta, one after another in time.
        scales: How many common quanta one of its own is.
        at_once: Whether tapes overlap in time: then their periods are added up, as of one portfolio; else they stand
            one behind the other.
    """
    scaled = [[each * scale for each in part] for part, scale in zip(parts, scales, strict=True)]
    if at_once:
        return [sum(each) for each in zip(*scaled, strict=True)]
    return [each for part in scaled for each in part]


def _joined(name: str, values: Sequence[Any]) -> Any:  # Any: as above.
    known = [value for value in values if value is not None]
    if not known:
        return None
    if name == "no_ratio":  # A reason in words.
        return known[0] if len(known) == len(values) else None
    if name in ADDED_UP:
        return sum(known)
    return max(known) if name in DEEPEST else fmean(known)
