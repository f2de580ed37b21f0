"""An order of a session, from the event that it was decided upon to its end: all of it from the journal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bmv.core.engine import Engine
from bmv.core.state import W_FULL, W_LEVEL, W_PRICE, W_REFUSED, W_SIDE
from bmv.data.journal.attempts import ATTEMPT, FATE, NUMBER, read_attempt, read_fate
from bmv.live.decider import decider_of_text
from bmv.live.notes import GUARD, read_opening, read_said
from bmv.live.replay import Retelling
from bmv.ports.errors import DataError
from bmv.ports.market import Market
from bmv.ports.messages import Event, Intent, Kind, Liquidity, Reason, Refusal, Tif, Verb
from bmv.ports.storage import Note, Word

REPORTS = {Kind.ACCEPTED: "accepted", Kind.CANCELLED: "cancelled", Kind.REJECTED: "rejected", Kind.EXPIRED: "expired"}


@dataclass(frozen=True, slots=True)
class Step:
    """One step on an order's way.

    Args:
        ts_ns: When, ns UTC.
        what: Its name, one word.
        facts: What is known of it.
    """

    ts_ns: int
    what: str
    facts: dict[str, Any] = field(default_factory=dict)  # Any: it is JSON.


def why_of_session(words: Sequence[Word], order: int) -> list[Step]:
    """Return the way of an order; `DataError` where the session asked for none of that number."""
    at = next((n for n, word in enumerate(words) if _places(word, order)), None)
    if at is None:
        last = max((word.order for word in words if isinstance(word, Intent)), default=0)
        raise DataError(f"order {order}: the session asked for none of that number; its orders are 1 to {last:,}")
    opening = read_opening(words)
    decider = decider_of_text(opening.config, opening.strategy)
    engine = decider.engine(opening.standing)
    event = _decided_upon(engine, Retelling(engine, decider.change), words[:at])
    intent = words[at]
    assert isinstance(intent, Intent)
    return [*_decision(engine, event, intent, decider.market), *_later(words[at:], order, decider.market)]


def _places(word: Word, order: int) -> bool:
    return isinstance(word, Intent) and word.verb == Verb.PLACE and word.order == order


def _decided_upon(engine: Engine, retelling: Retelling, words: Sequence[Word]) -> Event:
    """Tell an engine all that came before, and return the last event of it."""
    last: Event | None = None
    for word in words:
        if isinstance(word, Event):
            engine.on(word)
            last = word
        elif isinstance(word, Note):
            retelling.obey(word)
    assert last is not None, "an order is decided upon an event"
    return last


def _decision(engine: Engine, event: Event, intent: Intent, market: Market) -> Iterator[Step]:
    """Yield what was known, wanted and allowed when the order was asked for."""
    state, tick, lot = engine.state, market.tick_size, market.lot_size
    pivot = float(state.pivot) * float(tick)
    yield Step(
        event.ts_ns,
        "event",
        {"kind": Kind(event.kind).name.lower(), "bid": str(tick * int(state.bid)), "ask": str(tick * int(state.ask))},
    )
    yield Step(
        event.ts_ns,
        "pivot",
        {
            "pivot": round(pivot, 9),
            "centre": round(float(state.centre) * float(tick), 9),
            "trades_in_window": int(state.short_volume) and str(lot * int(state.short_volume)),
            "trades_in_history": str(lot * int(state.long_volume)),
            "position": str(lot * int(state.position)),
        },
    )
    price = tick * intent.price
    off = 0.0 if not pivot else (float(price) / pivot - 1) * 10_000
    yield Step(
        intent.ts_ns,
        "wanted",
        {
            "side": "bid" if intent.side > 0 else "ask",
            "level": intent.level,
            "price": str(price),
            "bps_from_pivot": round(off, 3),
            "size": str(lot * intent.size),
            "tif": Tif(intent.tif).name.lower(),
            **_full(engine, intent, market),
        },
    )
    yield Step(intent.ts_ns, "allowed", {"cut_beside_it": _refused(engine)})


def _full(engine: Engine, intent: Intent, market: Market) -> dict[str, str]:
    """Return the size that the level had before any limit cut it, where it is still known."""
    for row in engine.state.wanted[: engine.state.n_wanted]:
        if (row[W_SIDE], row[W_LEVEL], row[W_PRICE]) == (intent.side, intent.level, intent.price):
            return {"size_before_limits": str(market.lot_size * int(row[W_FULL]))}
    return {}


def _refused(engine: Engine) -> list[str]:
    """Return the levels of the same grid that risk cut away, and why."""
    rows = engine.state.wanted[: engine.state.n_wanted]
    return [
        f"{'bid' if row[W_SIDE] > 0 else 'ask'} {int(row[W_LEVEL])}: {Refusal(int(row[W_REFUSED])).name.lower()}"
        for row in rows
        if row[W_REFUSED]
    ]


def _later(words: Sequence[Word], order: int, market: Market) -> Iterator[Step]:
    """Yield what became of the order."""
    signatures = set[str]()
    for word in words:
        if isinstance(word, Event):
            if word.order == order and word.kind in (*REPORTS, Kind.FILLED):
                yield _report(word, market)
        elif isinstance(word, Intent):
            if word.verb == Verb.CANCEL and word.order == order:
                yield Step(word.ts_ns, "cancel", {"asked": "by the strategy or by risk"})
        elif word.topic == ATTEMPT:
            attempt = read_attempt(word)
            placed = any(number & NUMBER == order for number, _ in attempt.places)
            if placed or any(number & NUMBER == order for number in attempt.cancels):
                signatures.add(attempt.signature)
                what = "places" if placed else "cancels"
                facts = {"signature": attempt.signature, "by": list(attempt.ways), "lamports_max": attempt.lamports}
                yield Step(word.ts_ns, what, facts | ({"tip": attempt.tip} if attempt.tip else {}))
        elif word.topic == FATE:
            fate = read_fate(word)
            if fate.signature in signatures:
                yield Step(word.ts_ns, fate.state, {"signature": fate.signature, **fate.more})
        elif word.topic == GUARD and (said := read_said(word)).get("order") == order:
            yield Step(word.ts_ns, "guarded", {"why": said.get("why")})


def _report(event: Event, market: Market) -> Step:
    facts: dict[str, Any] = {"size": str(market.lot_size * event.size)}
    if event.kind == Kind.FILLED:
        facts |= {
            "price": str(market.tick_size * event.price),
            "fee": str(market.money(event.fee)),
            "liquidity": "taker" if event.code == Liquidity.TAKER else "maker",
        }
        return Step(event.ts_ns, "filled", facts)
    if event.kind == Kind.REJECTED and event.code:
        facts["reason"] = Reason(event.code).name.lower()
    return Step(event.ts_ns, REPORTS[Kind(event.kind)], facts)
