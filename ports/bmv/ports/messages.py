"""The words of every conversation: what the world tells the core, and what the core asks of the world.

All fields are whole numbers, so that they mean the same to the interpreter, to the compiler and to a file: prices
in **ticks**, sizes in **lots**, times in **nanoseconds UTC**, money in **quanta** (see :mod:`bmv.ports.market`).
A field that does not belong to a kind is 0.

Modules whose verbs compile keep the plain number of each member they use, as in `_TRADE = Kind.TRADE.value`: to Numba
every enum is a type of its own, for which a verb would be compiled once more and `min` and `max` do not compile at all.
"""

from enum import IntEnum
from typing import NamedTuple

UNRECORDED = -1  # A shown size that the source did not record, as opposed to 0: none there.


class Kind(IntEnum):
    """What an :class:`Event` tells. The first three are the kinds of a stored row, with the same numbers."""

    TRADE = 1  # Somebody traded: `side` (the aggressor's, 0 if not recorded), `price`, `size`.
    QUOTE = 2  # The top of the book after a change: `bid`, `bid_size`, `ask`, `ask_size`; price 0: no such side.
    DEPTH = 3  # One level of the book now shows `size` at `price` of `side` (0: gone); and the top after it.
    ACCEPTED = 10  # Our order rests: `order`, `side`, `price`, `size`.
    FILLED = 11  # Our order traded `size` at `price`, for `fee` quanta; `code` is a `Liquidity`.
    CANCELLED = 12  # Our order is gone at our wish; `size` is what was left of it.
    REJECTED = 13  # Our order never rested; `code` is a `Reason`.
    EXPIRED = 14  # What was left of our order ended by its own terms (immediate-or-cancel); `size` is what was left.
    TIMER = 20  # The instant the engine asked to be woken at.
    REFERENCE = 21  # A price from elsewhere: `price` in ticks; 0: there is none any more.
    BALANCE = 22  # What we hold, told by the venue: `size` lots of base, `fee` quanta of quote.
    FEED = 23  # The market data feed went down (`code` 0) or came up (`code` 1).
    COMMAND = 24  # An operator's word: `code` is a `Command`.


class Verb(IntEnum):
    """What an :class:`Intent` asks for."""

    PLACE = 1
    CANCEL = 2
    CANCEL_ALL = 3


class Tif(IntEnum):
    """How long an order lives, and whether it may take."""

    POST_ONLY = 0  # Makes or is rejected.
    LIMIT = 1  # Takes what it crosses, rests with what is left.
    IOC = 2  # Takes what it crosses, the rest expires.


class Liquidity(IntEnum):
    """Which side of a fill we were, and what in the record filled us (the simulation's account of it)."""

    MAKER = 0  # By a print at or through our price.
    MAKER_BY_QUOTE = 1  # By a quote that crossed our price, without a print.
    TAKER = 2


class Reason(IntEnum):
    """Why an order was rejected, by the venue or by whoever was to send it there."""

    NONE = 0
    WOULD_CROSS = 1  # Post-only, and the other side was at or through its price.
    FEE_CAP = 2  # It was not sent: what may be paid to the chain for now is spent.
    GUARDED = 3  # Our own guard in front of the wire did not let it out: the venue never heard of it.


class Command(IntEnum):
    """What an operator may ask of a running engine."""

    REARM = 1  # Take back what the breaker latched; the peak starts again from here.
    PAUSE = 2  # Cancel everything and quote nothing.
    RESUME = 3
    HALT = 4  # As if the breaker had tripped.
    FLATTEN = 5  # Pause, and trade back to the target at the touch, within the breaker's `flatten_bps`.


class Event(NamedTuple):
    """One thing the world told us, at the moment we came to know it."""

    kind: int
    ts_ns: int  # When the core learns it.
    venue_ns: int = 0  # When it happened at the venue (reports of our own orders).
    order: int = 0  # Our order id.
    side: int = 0  # 1 bought or bid, -1 sold or ask, 0 unknown or none.
    price: int = 0
    size: int = 0
    bid: int = 0
    bid_size: int = 0
    ask: int = 0
    ask_size: int = 0
    fee: int = 0  # Quanta of quote, positive when we pay.
    code: int = 0


class Intent(NamedTuple):
    """One thing we ask of the world. The intents of one step travel as one batch, cancels first."""

    verb: int
    ts_ns: int  # Time of the event decided upon.
    order: int = 0
    side: int = 0
    price: int = 0
    size: int = 0
    level: int = -1  # Level of the grid, 0 nearest; -1: not of the grid.
    tif: int = 0


class Tier(IntEnum):
    """How far the circuit breaker has gone; it goes up only, until an operator re-arms it."""

    ARMED = 0
    WARN = 1
    REDUCE = 2
    HALT = 3


class Cause(IntEnum):
    """What moved the breaker."""

    DRAWDOWN = 1
    DAILY = 2
    MAX_LOSS = 3
    OPERATOR = 4
    REARM = 5


class Refusal(IntEnum):
    """Why an order, or a cancel, was not sent; the index into `State.refusals`."""

    NONE = 0
    POSITION = 1  # Worst case over `max_position`: every order of that side filled.
    BALANCE = 2  # More than is held, in quote for a bid or in base for an ask.
    OPEN_ORDERS = 3
    ORDER_NOTIONAL = 4
    TOTAL_NOTIONAL = 5
    ORDER_RATE = 6
    CANCEL_RATE = 7
    REFERENCE_DISTANCE = 8
    LAST_TRADE_DISTANCE = 9
    REDUCE_ONLY = 10
    OWN_ORDER = 11  # It would cross an order of ours, a dying one perhaps.
    NO_PIVOT = 12  # The last ones withdraw the whole grid; counted once each time that happens.
    STALE = 13
    FEED_DOWN = 14
    DEVIATION = 15
    HALTED = 16
    PAUSED = 17
    MALFORMED = 18  # A row of a user's strategy that is no order.
