"""An engine on a desk: told events by hand, one line each, and answering in words.

Times are seconds since `START_NS`. What the engine asks for comes back as lines::

    #1 bid 990 x 5          place, post-only (else with "limit" or "ioc" at the end)
    cancel #1
    cancel all

Unless a test says otherwise a tick is one quantum twice over, nothing costs anything, there is one level a side, 1 %
from the centre and 5 lots, room for a hundred lots either way, and no limit but that.
"""

from collections.abc import Sequence
from typing import Any

from bmv.core.engine import Engine, Strategy
from bmv.core.params import INTERPRETED, PIVOT_GRID, Params
from bmv.core.record import blank
from bmv.core.state import FAR_NS, ORDER
from bmv.ports.messages import Command, Event, Intent, Kind, Liquidity, Reason, Refusal, Tif, Verb

SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND
DAY_ENDS = 6_400.0  # Seconds from `START_NS` to midnight UTC.
USUAL: dict[str, Any] = {
    "half": 1, "min_size": 1, "window_ns": 100 * SECOND, "history_ns": 1_000 * SECOND,
    "start_position": 100, "start_cash": 10_000_000, "target": 100, "max_position": 100, "max_open_orders": 128,
}  # fmt: skip
Level = tuple[float, float]  # Distance from the centre as a fraction, size in lots.


def params(bids: Sequence[Level] = ((0.01, 5),), asks: Sequence[Level] = ((0.01, 5),), **fields: Any) -> Params:
    """Return parameters: the usual ones, two ladders, and any field by its name."""
    made = blank(Params)
    for name, value in (USUAL | fields).items():
        setattr(made, name, value)
    made.window_share = made.window_ns / made.history_ns
    made.bid_levels, made.ask_levels = len(bids), len(asks)
    for row, levels in enumerate((bids, asks)):
        for level, (offset, size) in enumerate(levels):
            made.rungs[row, level] = offset, size
    return made


class Desk:
    """An engine, and what it asked for so far."""

    def __init__(self, verb: Strategy | None = None, **settings: Any) -> None:
        made = params(**settings)
        made.strategy = PIVOT_GRID if verb is None else INTERPRETED
        self.engine = Engine(made, verb)
        self.state = self.engine.state
        self.asked: dict[int, Intent] = {}

    def tell(self, event: Event) -> list[str]:
        """Tell any event; return what is asked for in answer."""
        intents = self.engine.on(event)
        self.asked |= {intent.order: intent for intent in intents if intent.verb == Verb.PLACE}
        assert event.ts_ns < self.state.wake_ns <= FAR_NS
        return [_line(intent) for intent in intents]

    def trade(self, at: float, price: int, size: int = 1, side: int = 1) -> list[str]:
        return self.tell(Event(Kind.TRADE, _ns(at), side=side, price=price, size=size))

    def quote(self, at: float, bid: int, ask: int, bid_size: int = 10, ask_size: int = 10) -> list[str]:
        return self.tell(Event(Kind.QUOTE, _ns(at), bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size))

    def timer(self, at: float | None = None) -> list[str]:
        """Wake the engine at the time it asked for, or at another."""
        return self.tell(Event(Kind.TIMER, self.state.wake_ns if at is None else _ns(at)))

    def accept(self, at: float, *orders: int) -> list[str]:
        """Tell that orders rest."""
        return [line for order in orders for line in self._report(Kind.ACCEPTED, at, order)]

    def fill(self, at: float, order: int, size: int, fee: int = 0) -> list[str]:
        return self._report(Kind.FILLED, at, order, size, fee, Liquidity.MAKER)

    def cancelled(self, at: float, order: int) -> list[str]:
        return self._report(Kind.CANCELLED, at, order)

    def rejected(self, at: float, order: int) -> list[str]:
        return self._report(Kind.REJECTED, at, order, code=Reason.WOULD_CROSS)

    def expired(self, at: float, order: int) -> list[str]:
        return self._report(Kind.EXPIRED, at, order)

    def reference(self, at: float, price: int) -> list[str]:
        return self.tell(Event(Kind.REFERENCE, _ns(at), price=price))

    def balance(self, at: float, base: int, quote: int) -> list[str]:
        return self.tell(Event(Kind.BALANCE, _ns(at), size=base, fee=quote))

    def feed(self, at: float, up: bool) -> list[str]:
        return self.tell(Event(Kind.FEED, _ns(at), code=int(up)))

    def command(self, at: float, command: Command) -> list[str]:
        return self.tell(Event(Kind.COMMAND, _ns(at), code=command))

    @property
    def wakes_at(self) -> float | None:
        """When the engine wants to be woken, in seconds; None: never."""
        return None if self.state.wake_ns == FAR_NS else (self.state.wake_ns - START_NS) / SECOND

    @property
    def open(self) -> list[int]:
        """The ids of the orders whose end the engine does not know."""
        return [int(order) for order in self.state.orders[: self.state.n_orders, ORDER]]

    def refused(self, code: Refusal) -> int:
        return int(self.state.refusals[code])

    def _report(self, kind: Kind, at: float, order: int, size: int = 0, fee: int = 0, code: int = 0) -> list[str]:
        asked = self.asked[order]
        size = size or asked.size
        return self.tell(Event(kind, _ns(at), _ns(at), order, asked.side, asked.price, size, fee=fee, code=code))


def _ns(at: float) -> int:
    return START_NS + round(at * SECOND)


def _line(intent: Intent) -> str:
    if intent.verb == Verb.CANCEL_ALL:
        return "cancel all"
    if intent.verb == Verb.CANCEL:
        return f"cancel #{intent.order}"
    side, tif = "bid" if intent.side == 1 else "ask", {Tif.LIMIT: " limit", Tif.IOC: " ioc"}.get(Tif(intent.tif), "")
    return f"#{intent.order} {side} {intent.price} x {intent.size}{tif}"
