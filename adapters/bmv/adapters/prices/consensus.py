"""From what each source said last to one price, or to none and why.

Nothing here waits, asks or remembers: the same quotes at the same time give the same answer. The way of a price:

1. A quote counts if `0 < bid <= ask`, if its spread is no wider than allowed, and if it is fresh, each source by its
   own limit: by the time of receipt, and by the venue's own time where that is said. A time from the future is as bad
   as one from the past.
2. It is turned into the wanted unit, by the quote of its leg, which has to count itself.
3. Sources that set prices vote. One that is too far from either of the two in the middle (from the one, where their
   number is odd) is left out, and the median of the others is taken. So as long as fewer than half of three or more
   sources are wrong, the median lies among what the right ones say, whatever the wrong ones do; and of two that do not
   agree neither is believed. (With as few sources as these a bound by the median absolute deviation degenerates.)
4. There have to be enough of them, no source with a veto may be far away, and the price may not have jumped: the
   farther the last one lies back, the farther it may.

Shares and prices are exact fractions; they become ticks in :mod:`bmv.adapters.prices.ticks` alone.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from bmv.adapters.prices.quote import Quote
from bmv.adapters.prices.settings import BPS, NS_PER_S, Rules, Source

FAR_NS = 2**63 - 1


class Reading(NamedTuple):
    """The last quote of a source, and when it arrived (nanoseconds UTC, by our clock)."""

    quote: Quote
    received_ns: int


class Why(StrEnum):
    """Why there is no price."""

    QUORUM = "too few sources"
    VETO = "a veto"
    JUMP = "a jump"
    TICKS = "no whole ticks"


class ReferencePrice(NamedTuple):
    """What a base is worth elsewhere, in the wanted quote.

    Args:
        mid: The median.
        bid: The median of the bids of the same sources, and
        ask: that of their asks; `bid <= mid <= ask`.
        sources: Names of those that it was made of.
        dispersion: From the lowest of them to the highest, as a share of `mid`.
        oldest_age_ns: Age of the oldest of their quotes.
    """

    mid: Fraction
    bid: Fraction
    ask: Fraction
    sources: tuple[str, ...]
    dispersion: Fraction
    oldest_age_ns: int


class NoPrice(NamedTuple):
    """There is no price that can be believed: not the last one, and not 0."""

    why: Why
    text: str


class Answer(NamedTuple):
    """What comes of the quotes at one moment.

    Args:
        price: The price, or that there is none.
        verdicts: Name of a source -> `used`, `agrees` (it has a veto), or why its quote does not count.
        until_ns: When the answer may change although nothing arrives, because a quote becomes too old.
    """

    price: ReferencePrice | NoPrice
    verdicts: dict[str, str]
    until_ns: int


class Good(NamedTuple):
    """The last good price, which the next is held against."""

    mid: Fraction
    ts_ns: int


class Vote(NamedTuple):
    """A quote in the wanted unit.

    Args:
        name: Of its source.
        bid, ask, mid: In the wanted unit.
        par: The share by which its unit may differ from the wanted one.
        age_ns: Since its receipt; that of its leg, if that is older.
        until_ns: When it becomes too old.
    """

    name: str
    bid: Fraction
    ask: Fraction
    mid: Fraction
    par: Fraction
    age_ns: int
    until_ns: int


def combine(
    rules: Rules, sources: Iterable[Source], readings: Mapping[str, Reading], now_ns: int, last: Good | None
) -> Answer:
    """Return the price at `now_ns`.

    Args:
        rules: When a price is believed.
        sources: All that there are.
        readings: What sources and legs said last, by name; who never spoke is missing.
        now_ns: Nanoseconds UTC, by the clock that says when the quotes were received.
        last: The last good price, if there was one.
    """
    votes, vetoes, verdicts = list[Vote](), list[Vote](), dict[str, str]()
    for source in sources:
        vote = cast(rules, source, readings, now_ns)
        if isinstance(vote, str):
            verdicts[source.name] = vote
        else:
            (votes if source.sets_prices else vetoes).append(vote)
            verdicts[source.name] = "used" if source.sets_prices else "agrees"
    until_ns = min((vote.until_ns for vote in votes + vetoes), default=FAR_NS)
    agreed = agree(votes, rules.max_deviation)
    for name in {vote.name for vote in votes} - {vote.name for vote in agreed}:
        verdicts[name] = "too far from the others"
    return Answer(_price(rules, agreed, vetoes, verdicts, now_ns, last), verdicts, until_ns)


def cast(rules: Rules, source: Source, readings: Mapping[str, Reading], now_ns: int) -> Vote | str:
    """Return the quote of a source in the wanted unit, or why it does not count."""
    reading = readings.get(source.name)
    if objection := _objection(reading, source.max_age_ns, rules.max_spread, now_ns):
        return objection
    assert reading is not None
    bid, ask = Fraction(reading.quote.bid), Fraction(reading.quote.ask)
    oldest_ns, until_ns = reading.received_ns, _until_ns(reading, source.max_age_ns)
    if (leg := source.leg) is not None:
        rate = readings.get(leg.name)
        if objection := _objection(rate, leg.max_age_ns, rules.max_spread, now_ns):
            return f"its leg {leg.name}: {objection}"
        assert rate is not None
        low, high = Fraction(rate.quote.bid), Fraction(rate.quote.ask)
        to_wanted = leg.pair.base == source.pair.quote
        bid, ask = (bid * low, ask * high) if to_wanted else (bid / high, ask / low)
        oldest_ns = min(oldest_ns, rate.received_ns)
        until_ns = min(until_ns, _until_ns(rate, leg.max_age_ns))
    return Vote(source.name, bid, ask, (bid + ask) / 2, source.par, now_ns - oldest_ns, until_ns)


def agree(votes: list[Vote], max_deviation: Fraction) -> list[Vote]:
    """Return the votes that are close to the middle ones, in order of their price."""
    ordered = sorted(votes, key=lambda vote: (vote.mid, vote.name))
    if not ordered:
        return []
    middle = (ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2])
    return [vote for vote in ordered if all(_close(vote, other, max_deviation) for other in middle)]


def median(values: Iterable[Fraction]) -> Fraction:
    """Return the value in the middle, or halfway between the two in the middle.

    >>> median([Fraction(3), Fraction(1), Fraction(2), Fraction(9)])
    Fraction(5, 2)
    """
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _close(vote: Vote, other: Vote, max_deviation: Fraction) -> bool:
    if vote.name == other.name:
        return True
    return abs(vote.mid - other.mid) <= (max_deviation + vote.par + other.par) * min(vote.mid, other.mid)


def _objection(reading: Reading | None, max_age_ns: int, max_spread: Fraction, now_ns: int) -> str:
    """Return why a quote does not count, empty if it does."""
    if reading is None:
        return "nothing heard"
    quote = reading.quote
    if not 0 < quote.bid <= quote.ask:
        return f"bid {quote.bid:f}, ask {quote.ask:f}: no market"
    bid, ask = Fraction(quote.bid), Fraction(quote.ask)
    if ask != bid and 2 * (ask - bid) > max_spread * (bid + ask):
        return f"spread {float(2 * (ask - bid) / (bid + ask)) * BPS:.1f} bps: too wide"
    for what, at_ns in (("received", reading.received_ns), ("of the venue's time", quote.venue_ns)):
        if at_ns is not None and now_ns - at_ns >= max_age_ns:
            return f"too old: {what} {(now_ns - at_ns) / NS_PER_S:.1f} s ago"
        if at_ns is not None and at_ns - now_ns >= max_age_ns:
            return f"{what} {(at_ns - now_ns) / NS_PER_S:.1f} s from now: a clock is wrong"
    return ""


def _until_ns(reading: Reading, max_age_ns: int) -> int:
    venue_ns = reading.quote.venue_ns
    since_ns = reading.received_ns if venue_ns is None else min(reading.received_ns, venue_ns)
    return since_ns + max_age_ns


def _price(
    rules: Rules, agreed: list[Vote], vetoes: list[Vote], verdicts: dict[str, str], now_ns: int, last: Good | None
) -> ReferencePrice | NoPrice:
    if not agreed or len(agreed) < rules.quorum:
        reasons = "; ".join(f"{name}: {verdict}" for name, verdict in verdicts.items())
        return NoPrice(Why.QUORUM, f"{len(agreed)} of at least {max(1, rules.quorum)}: {reasons}")
    mid = median(vote.mid for vote in agreed)
    against = [vote for vote in vetoes if abs(vote.mid - mid) > (rules.max_veto + vote.par) * vote.mid]
    for vote in against:
        verdicts[vote.name] = "does not agree"
    if against:
        objections = "; ".join(f"{vote.name} says {float(vote.mid):g}" for vote in against)
        return NoPrice(Why.VETO, f"{float(mid):g}, but {objections}")
    if last is not None and abs(mid - last.mid) > _leap(rules, now_ns - last.ts_ns) * last.mid:
        after_s = (now_ns - last.ts_ns) / NS_PER_S
        return NoPrice(Why.JUMP, f"from {float(last.mid):g} to {float(mid):g} within {after_s:.1f} s")
    return ReferencePrice(
        mid=mid,
        bid=median(vote.bid for vote in agreed),
        ask=median(vote.ask for vote in agreed),
        sources=tuple(sorted(vote.name for vote in agreed)),
        dispersion=(agreed[-1].mid - agreed[0].mid) / mid,
        oldest_age_ns=max(vote.age_ns for vote in agreed),
    )


def _leap(rules: Rules, elapsed_ns: int) -> Fraction:
    """Return the share by which the price may have moved."""
    return rules.max_jump + rules.jump_growth_per_s * Fraction(elapsed_ns, NS_PER_S)
