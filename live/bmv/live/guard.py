"""What stands in front of the wire, whatever the strategy and the core's own risk say: it trusts neither.

It keeps an account of its own, of what it let out and of what it heard became of it. What it does not let out the
engine hears of as rejected; cancels always pass.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from bmv.ports.execution import Execution
from bmv.ports.messages import Event, Intent, Kind, Reason, Verb

MINUTE_NS = 60_000_000_000
_ENDS = frozenset({Kind.CANCELLED, Kind.REJECTED, Kind.EXPIRED})


class Stopped(StrEnum):
    """Why an order was not let out, or why none is."""

    COLLAR = "price_collar"  # Too far from the market.
    NO_MARKET = "no_market"  # There is no price to compare it with.
    STALE = "stale"  # Nothing was heard of the market for too long.
    POSITION = "position"  # Were all filled, more would be held, or less, than is allowed.
    NOTIONAL = "order_notional"
    RATE = "order_rate"
    OPEN = "open_orders"
    BLOCKED = "blocked"  # Something is wrong with the world; see `Watch`.


@dataclass(frozen=True, slots=True)
class Limits:
    """How far orders may go. Prices in ticks, sizes in lots.

    Args:
        collar: Farthest from the mid, as a fraction of it.
        position_min, position_max: What may be held were all orders of a side filled.
        notional_max: Greatest price times size of an order; None: any.
        orders_per_minute: Most orders in a minute; None: any.
        open_max: Most orders that may live.
        stale_ns: For so long the market may be silent.
    """

    collar: float
    position_min: int
    position_max: int
    notional_max: int | None
    orders_per_minute: int | None
    open_max: int
    stale_ns: int


class _Out(NamedTuple):
    """An order that was let out."""

    side: int
    left: int


@dataclass(slots=True)
class Guard:
    """An execution port that lets out what is within its limits.

    Args:
        inner: Where it is let out to.
        limits: How far orders may go.
        now_ns: The time.
        heard_ns: When the market was heard of last, ns UTC, whether or not anything had changed.
        refuse: Is told what becomes of an order that stays in; it tells the engine later, and not now.
        note: Hears why, for the journal.
        hurry: Is called when somebody wants orders gone: what was refused is to be told soon.
    """

    inner: Execution
    limits: Limits
    now_ns: Callable[[], int]
    heard_ns: Callable[[], int]
    refuse: Callable[[Event], None]
    note: Callable[[Stopped, int], None]
    hurry: Callable[[], None] = lambda: None
    blocked: str = ""  # Why nothing is let out at all; "": things are well.
    mid2: int = 0
    position: int = 0
    out: dict[int, _Out] = field(default_factory=dict)
    kept_in: set[int] = field(default_factory=set)  # Orders of which the engine has not heard yet that they were.
    stopped: dict[str, int] = field(default_factory=dict)  # How many orders stayed in, by why.
    _times: deque[int] = field(default_factory=deque)

    def submit(self, batch: Sequence[Intent]) -> None:
        """Let out what may go; cancels always do, but of orders that were never let out."""
        going = list[Intent]()
        for intent in batch:
            if intent.verb != Verb.PLACE:
                if intent.order not in self.kept_in:
                    going.append(intent)
            elif (why := self._judge(intent)) is None:
                going.append(intent)
                self.out[intent.order] = _Out(intent.side, intent.size)
                self._times.append(self.now_ns())
            else:
                self._keep_in(intent, why)
        if going:
            self.inner.submit(going)
        if any(intent.verb != Verb.PLACE for intent in batch):
            self.hurry()

    def hear(self, event: Event) -> None:
        """Take in what the engine is about to hear."""
        kind = event.kind
        if kind <= Kind.DEPTH:
            if kind != Kind.TRADE and 0 < event.bid <= event.ask:
                self.mid2 = event.bid + event.ask
            elif kind == Kind.TRADE and not self.mid2:
                self.mid2 = 2 * event.price
        elif kind == Kind.BALANCE:
            self.position = event.size
        elif kind == Kind.FILLED:
            self.position += event.side * event.size
            self._less(event.order, event.size)
        elif kind in _ENDS:
            self.out.pop(event.order, None)
            self.kept_in.discard(event.order)

    def band(self) -> tuple[int, int] | None:
        """Return the lowest and the highest price that may be asked for, ticks; None: none may."""
        if not self.mid2 or self.blocked or self._is_stale():
            return None
        middle = self.mid2 / 2
        return max(1, int(middle * (1 - self.limits.collar))), int(middle * (1 + self.limits.collar)) + 1

    def _less(self, order: int, size: int) -> None:
        if (one := self.out.get(order)) is not None:
            self.out[order] = one._replace(left=one.left - size)
            if one.left <= size:
                del self.out[order]

    def _is_stale(self) -> bool:
        return self.now_ns() - self.heard_ns() > self.limits.stale_ns

    def _judge(self, intent: Intent) -> Stopped | None:
        """Return why an order may not go out, None where it may."""
        limits = self.limits
        if self.blocked:
            return Stopped.BLOCKED
        if self._is_stale():
            return Stopped.STALE
        if (band := self.band()) is None:
            return Stopped.NO_MARKET
        if not band[0] <= intent.price <= band[1]:
            return Stopped.COLLAR
        if limits.notional_max is not None and intent.price * intent.size > limits.notional_max:
            return Stopped.NOTIONAL
        if len(self.out) >= limits.open_max:
            return Stopped.OPEN
        if self._leaves_position(intent):
            return Stopped.POSITION
        return Stopped.RATE if self._is_too_often() else None

    def _leaves_position(self, intent: Intent) -> bool:
        same = intent.size + sum(one.left for one in self.out.values() if one.side == intent.side)
        if intent.side > 0:
            return self.position + same > self.limits.position_max
        return self.position - same < self.limits.position_min

    def _is_too_often(self) -> bool:
        most = self.limits.orders_per_minute
        while self._times and self._times[0] <= self.now_ns() - MINUTE_NS:
            self._times.popleft()
        return most is not None and len(self._times) >= most

    def _keep_in(self, intent: Intent, why: Stopped) -> None:
        self.stopped[why] = self.stopped.get(why, 0) + 1
        self.kept_in.add(intent.order)
        self.note(why, intent.order)
        self.refuse(
            Event(
                Kind.REJECTED,
                self.now_ns(),
                self.now_ns(),
                order=intent.order,
                side=intent.side,
                price=intent.price,
                size=intent.size,
                code=Reason.GUARDED,
            )
        )
