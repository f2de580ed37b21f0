"""The order of the verbs: settle, learn (pivot), value (breaker), want (grid), allow (risk), requote (quoter).

:func:`step` takes one event through them; when the last three are due is told in :mod:`bmv.core.due`. :class:`Engine`
is the same for callers that would rather not carry tables.
"""

from collections.abc import Callable
from typing import Any

from bmv.core.accounting import entry, worth
from bmv.core.breaker import (
    DAY_NS,
    note_trip,
    set_trip_level,
    trip,
)
from bmv.core.digest import hear, text
from bmv.core.doze import doze
from bmv.core.due import grid_due, held_until_ns, interval_ends_ns, look_due, nothing_due, set_wake
from bmv.core.grid import (
    NUDGE,
    drop_malformed,
    keep_written,
    ladder,
    lean,
    round_sizes,
    slide_post_only,
    take_written,
)
from bmv.core.history import History, seed
from bmv.core.kernel import inlined, kernel
from bmv.core.mid import mark_quote, mark_trade
from bmv.core.params import COMPILED, PIVOT_GRID, Params
from bmv.core.pivot import blend, dynamic_vwap, learn, roll
from bmv.core.quoter import cancel_all, find, note_lack, place, rehearse, requote, shed, strike
from bmv.core.risk import allow, lots_within, withdrawal
from bmv.core.standing import Standing, adopt, standing_of, take_up
from bmv.core.state import (
    AN_END,
    DYING,
    FAR_NS,
    LACKING,
    LEFT,
    LEVEL,
    NEWS,
    OPEN,
    SIDE,
    STAGE,
    W_FULL,
    W_LEVEL,
    W_PRICE,
    W_SIDE,
    W_SIZE,
    W_TIF,
    State,
    fresh,
)
from bmv.ports.messages import Cause, Command, Event, Intent, Kind, Refusal, Tier, Tif

Strategy = Callable[[Params, State, Any, Any], int]

_TRADE = Kind.TRADE.value
_QUOTE = Kind.QUOTE.value
_DEPTH = Kind.DEPTH.value
_ACCEPTED = Kind.ACCEPTED.value
_FILLED = Kind.FILLED.value
_CANCELLED = Kind.CANCELLED.value
_EXPIRED = Kind.EXPIRED.value
_REFERENCE = Kind.REFERENCE.value
_BALANCE = Kind.BALANCE.value
_FEED = Kind.FEED.value
_COMMAND = Kind.COMMAND.value
_REARM = Command.REARM.value
_PAUSE = Command.PAUSE.value
_RESUME = Command.RESUME.value
_HALT_COMMAND = Command.HALT.value
_FLATTEN = Command.FLATTEN.value
_HALTED = Refusal.HALTED.value
_PAUSED = Refusal.PAUSED.value
_REDUCE = Tier.REDUCE.value
_HALT = Tier.HALT.value
_BY_OPERATOR = Cause.OPERATOR.value
_REARMED = Cause.REARM.value
_IOC = Tif.IOC.value
_REDUCE_ONLY = True
_CATCH_UP = True


@inlined
def step(params: Params, state: State, event: Event, compiled: Any, interpreted: Any) -> int:
    """Take one event; write what we now ask for into `state.intents`; return how many rows.

    Args:
        compiled: The user's verb for `params.strategy == COMPILED`, else any function of its shape.
        interpreted: `f(0) -> rows`, the user's plain Python for `params.strategy == INTERPRETED`.
    """
    state.now_ns = event.ts_ns
    state.digest = hear(state.digest, event)
    kind = event.kind
    if kind <= _DEPTH:
        look(state, event)
        if kind == _TRADE:
            learn(state, event.ts_ns, event.price, event.size)
            state.behind = 1
    else:
        state.calm = 0
        if kind < _REFERENCE:
            settle(params, state, event)
        else:
            heed(params, state, event)
            state.behind = 1
    value(params, state)
    if state.calm != 0 and state.slack >= 0 and event.ts_ns < state.doze_ns:
        return 0
    if state.behind != 0 or event.ts_ns > state.expiry_ns:
        centre(params, state)
    if params.strategy != PIVOT_GRID:
        state.centre = float(state.mid2) * 0.5
    if nothing_due(params, state):
        doze(params, state)
        return 0
    return decide(params, state, kind, compiled, interpreted)


@inlined
def look(state: State, event: Event) -> None:
    """Take in market data: the touch, the mid, the last trade."""
    state.market_ns = event.ts_ns
    if state.blocked != 0:
        state.calm = 0
    if event.kind == _TRADE:
        if state.far != 0 and event.price != state.last_price:
            stir(state)
        state.last_price = event.price
        mark_trade(state, event.price)
        return
    state.bid = event.bid
    state.bid_size = event.bid_size
    state.ask = event.ask
    state.ask_size = event.ask_size
    mark_quote(state, event.bid, event.ask)


@kernel
def stir(state: State) -> None:
    """Note that something happened that may let in a level that is absent."""
    if state.stirred == 0:
        state.stirred = AN_END


@inlined
def centre(params: Params, state: State) -> None:
    """Evaluate the pivot as of now, and where the inventory moves the centre of the grid."""
    state.behind = 0
    roll(params, state, state.now_ns)
    state.pivot = blend(params, dynamic_vwap(params, state), state.reference)
    state.centre = state.pivot * state.lean


@kernel
def settle(params: Params, state: State, event: Event) -> None:
    """Take in a report on an order of ours; a timer changes nothing."""
    if event.kind > _EXPIRED:
        return
    at = find(state, event.order)
    if event.kind == _FILLED:
        state.position += event.side * event.size
        state.cash -= event.side * worth(params.half, params.divisor, event.size, 2 * event.price) + event.fee
        state.lean = lean(params, state.position)
        state.behind = 1
        state.filled = 1
        state.fill_due_ns = event.ts_ns + params.fill_delay_ns
        if at >= 0:
            state.orders[at, LEFT] -= event.size
            if state.orders[at, LEFT] == 0:
                strike(state, at)
    elif event.kind == _ACCEPTED:
        if at >= 0 and state.orders[at, STAGE] != DYING:
            state.orders[at, STAGE] = OPEN
    else:
        stir(state)
        if at >= 0:
            if event.kind != _CANCELLED:
                note_lack(state, state.orders[at, SIDE], state.orders[at, LEVEL], LACKING)
            strike(state, at)


@kernel
def heed(params: Params, state: State, event: Event) -> None:
    """Take in what is neither market data nor a report: reference price, balance, feed, operator."""
    if event.kind == _BALANCE and event.size == state.position and event.fee == state.cash:
        return
    state.stirred = NEWS
    if event.kind == _REFERENCE:
        state.reference = event.price
    elif event.kind == _BALANCE:
        state.position = event.size
        state.cash = event.fee
        state.lean = lean(params, state.position)
    elif event.kind == _FEED:
        state.feed_up = event.code
    elif event.kind == _COMMAND:
        obey(params, state, event.code)


@kernel
def obey(params: Params, state: State, command: int) -> None:
    """Do what the operator asks. Re-arming starts the peak, the day and the loss again from the present equity."""
    if command in (_PAUSE, _FLATTEN):
        state.paused = 1
        state.flattening = int(command == _FLATTEN)
    elif command == _RESUME:
        state.paused = 0
        state.flattening = 0
    elif command == _HALT_COMMAND and state.tier < _HALT:
        state.tier = _HALT
        note_trip(state, _BY_OPERATOR)
        set_trip_level(params, state)
    elif command == _REARM:
        state.tier = 0
        state.shed = 0
        state.peak = state.equity
        state.start_equity = state.equity
        state.day_equity = state.equity
        note_trip(state, _REARMED)
        set_trip_level(params, state)


@inlined
def value(params: Params, state: State) -> None:
    """Value what we know that we own, and let the breaker look at it."""
    if state.mid2 == 0:
        return
    if state.valued == 0:
        state.cash += entry(params.half, params.divisor, params.start_position, state.mid2)
    equity = state.cash + worth(params.half, params.divisor, state.position, state.mid2)
    state.equity = equity
    if state.valued == 0:
        state.valued = 1
        state.start_equity = equity
        state.peak = equity
    if state.now_ns >= state.day_end_ns:
        state.day_end_ns = (state.now_ns // DAY_NS + 1) * DAY_NS
        state.day_equity = equity
        set_trip_level(params, state)
    if equity > state.peak:
        state.peak = equity
        set_trip_level(params, state)
    if equity <= state.trip_at:
        state.calm = 0
        trip(params, state)


@kernel
def decide(params: Params, state: State, kind: int, compiled: Any, interpreted: Any) -> int:
    """Ask for what is due now, and set the time of the next wake; return the number of intents."""
    state.calm = 0
    if state.closed != 0:
        state.wake_ns = FAR_NS
        return 0
    why = withdrawal(params, state)
    if why != 0:
        return withdraw(params, state, kind, why)
    state.withdrawn = 0
    n = 0
    shedding = state.tier >= _REDUCE and state.shed == 0
    if shedding:
        state.shed = 1
        n = shed(params, state)
    if n == 0 and state.now_ns >= held_until_ns(params, state):
        if grid_due(params, state):
            n = lay(params, state, not _CATCH_UP, compiled, interpreted)
        elif look_due(params, state) and would_serve(params, state):
            n = lay(params, state, _CATCH_UP, compiled, interpreted)
    set_wake(params, state)
    if shedding:
        state.calm = 0  # A grid that had to stand back for it is looked at with the next event.
    return n


@kernel
def withdraw(params: Params, state: State, kind: int, why: int) -> int:
    """Have nothing resting; after a halt or a word that is to flatten, trade back to the target at the touch."""
    if state.withdrawn != why:
        state.withdrawn = why
        state.refusals[why] += 1
    state.wake_ns = FAR_NS
    state.grid_centre = 0.0
    n = cancel_all(state)
    flat = (why == _HALTED and params.flatten != 0) or (why == _PAUSED and state.flattening != 0)
    if flat and n == 0 and state.n_orders == 0 and kind <= _DEPTH:
        return flatten(params, state)
    return n


@kernel
def flatten(params: Params, state: State) -> int:
    """Ask for one immediate-or-cancel order back to the target, at most `flatten_by` beyond the touch.

    Asked again with later market data until the target is reached, no sooner than the requote interval allows.
    """
    away = state.position - params.target
    side = -1 if away > 0 else 1
    touch = state.bid if away > 0 else state.ask
    if away == 0 or touch == 0 or state.now_ns < interval_ends_ns(params, state):
        return 0
    # A limit inside the band: a sale not below it, a purchase not above it.
    price = int(float(touch) * (1.0 + float(side) * params.flatten_by) + (1.0 - NUDGE if side < 0 else NUDGE))
    size = abs(away)
    if params.max_order_notional > 0:
        size = min(size, lots_within(params, max(1, price), params.max_order_notional))
    if params.max_total_notional > 0:
        size = min(size, lots_within(params, max(1, price), params.max_total_notional))
    state.grid_ns = state.now_ns
    state.wanted[0, W_SIDE] = side
    state.wanted[0, W_LEVEL] = -1
    state.wanted[0, W_PRICE] = max(1, price)
    state.wanted[0, W_SIZE] = size
    state.wanted[0, W_FULL] = size
    state.wanted[0, W_TIF] = _IOC
    return place(params, state, 0, _REDUCE_ONLY)


@kernel
def lay(params: Params, state: State, catch_up: bool, compiled: Any, interpreted: Any) -> int:
    """Lay a grid: want it, allow what may be of it, ask for what is missing; return the number of intents."""
    n_wanted = want(params, state, compiled, interpreted)
    if n_wanted < 0:
        return 0
    reduce_only = state.tier >= _REDUCE
    allow(params, state, n_wanted, reduce_only)
    return requote(params, state, n_wanted, reduce_only, catch_up)


@kernel
def want(params: Params, state: State, compiled: Any, interpreted: Any) -> int:
    """Write the orders that should rest into `state.wanted`; return how many, -1: leave everything as it is."""
    state.grid_ns = state.now_ns
    state.grid_centre = state.centre
    state.grid_pivot = state.pivot
    state.filled = 0
    state.requotes += 1
    if params.strategy != PIVOT_GRID:
        if params.strategy == COMPILED:
            n_written = compiled(params, state, state.memory, state.wanted)
        else:
            n_written = interpreted(0)
        if n_written < 0:
            unblock(state)
            state.stirred = 0
            state.retry_ns = FAR_NS
            return -1
        keep_written(state, drop_malformed(params, state, n_written))
    return draw(params, state)


@kernel
def draw(params: Params, state: State) -> int:
    """Write what would be wanted now into `state.wanted`, before any limit; return how many rows.

    A user's strategy is not asked: its rows are those that it wrote last.
    """
    unblock(state)
    if params.strategy == PIVOT_GRID:
        n_wanted = slide_post_only(state, ladder(params, state))
        round_sizes(state, n_wanted)
    else:
        take_written(state)
        n_wanted = slide_post_only(state, state.n_written)
    state.n_wanted = n_wanted
    return n_wanted


@kernel
def unblock(state: State) -> None:
    """Forget which rows wait for the market, before others are drawn."""
    state.blocked = 0
    state.far = 0
    state.low_bid = 0
    state.high_ask = 0
    state.n_owed = 0
    state.drawn_centre = state.centre


@kernel
def would_serve(params: Params, state: State) -> bool:
    """Return whether a grid laid now would place a level that is missing, or more of it than rests."""
    n_wanted = draw(params, state)
    reduce_only = state.tier >= _REDUCE
    allow(params, state, n_wanted, reduce_only)
    return rehearse(params, state, n_wanted, reduce_only)


def endow(params: Params, state: State) -> None:
    """Give the engine what it owns at the start."""
    state.position = params.start_position
    state.cash = params.start_cash
    state.lean = lean(params, state.position)


class Engine:
    """The engine with its tables, for callers that hold events one by one."""

    def __init__(self, params: Params, strategy: Strategy | None = None) -> None:
        self.params = params
        self.state = fresh()
        self.said = 0  # How many intents the last event was answered with; they stand in `state.intents`.
        self._history = History(self.state)
        self._strategy = strategy
        endow(params, self.state)

    def seed(self, ts_ns: int, price: int, size: int) -> None:
        """Let a trade from before the start into the pivot's windows. It is not an event."""
        seed(self.params, self.state, self._history, ts_ns, price, size)

    def begin_as(self, standing: Standing) -> None:
        """Go on from how an earlier engine stood, before any event: the breaker keeps what it latched and its peak."""
        assert self.state.valued == 0, "an engine that has valued what it owns stands somewhere already"
        take_up(self.params, self.state, standing)

    @property
    def standing(self) -> Standing | None:
        """How the breaker and its measures stand, what survives this engine; None before anything was valued."""
        return standing_of(self.state)

    def adopt(self, params: Params) -> None:
        """Decide by other parameters from now on; what is due by them is found with the next event."""
        adopt(self.params, self.state, params)

    def on(self, event: Event) -> list[Intent]:
        """Hear one event; return what is asked for in answer, cancels first."""
        if event.kind == _TRADE:
            self._history.make_room()
        self.said = step(self.params, self.state, event, self._ask_strategy, self._ask_strategy)
        return [Intent(*row) for row in self.state.intents[: self.said].tolist()]

    def _ask_strategy(self, *_: Any) -> int:
        assert self._strategy is not None
        return int(self._strategy(self.params, self.state, self.state.memory, self.state.wanted))

    @property
    def digest(self) -> str:
        """The fingerprint of every event heard and every intent said so far."""
        return text(self.state.digest)

    def __repr__(self) -> str:
        s = self.state
        held = f"{s.position} lots and {s.cash} quanta"
        return f"<Engine pivot {s.pivot:.2f} ticks, {held}, {s.n_orders} orders, {Tier(s.tier).name.lower()}>"
