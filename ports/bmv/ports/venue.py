"""What a venue can: one record, which planner, risk and tests read instead of asking which venue it is.

Each venue fills it in beside its codec. A question that only one venue would answer differently still stands here: a
reader who finds no field for what it needs adds one, and every venue must then answer.
"""

from dataclasses import dataclass
from enum import Enum


class SlotFreed(Enum):
    """What makes the place of an order free for the next one."""

    BY_CANCEL = "cancel"  # The cancel itself; a filled order keeps its place until the crank took its fill.
    BY_CRANK = "crank"  # Only the crank, for cancelled and filled orders alike.
    AT_ONCE = "at once"  # Cancel and fill.


class ClientIds(Enum):
    """Who chooses the id by which we know our order again."""

    FREE = "free"  # We do, any number.
    BY_INDEX_IN_BATCH = "index in batch"  # A single order's is free; those of a batch are numbered 0, 1, 2, …
    GIVEN_BY_VENUE = "given"  # The venue does: it counts, and we read it from the book.


class Replace(Enum):
    """How orders are put in place of others within one instruction, so that both happen or neither does."""

    NONE = "none"
    BY_CLIENT_ID_PER_SIDE = "per side"  # Cancels those of the same client ids, then places; one side an instruction.
    WHOLE = "whole"  # Cancels all we have on the market, then places both sides.


class Expiry(Enum):
    """What a time given with an order means."""

    NONE = "none"
    PLACING_DEADLINE = "placing deadline"  # It is refused when it arrives later; once it rests, it stays.
    REMOVAL = "removal"  # It rests until then, and is out of the book from then on.


class ExpiryUnit(Enum):
    SECONDS = "seconds"  # Unix time of the chain's clock.
    SLOTS = "slots"


class Crossing(Enum):
    """What becomes of a post-only order that would have traded; never an error of the transaction."""

    DROPPED_FUNDS_MOVED = "dropped, funds moved"  # Its money has left the wallet, and lies free at the venue.
    DROPPED = "dropped"  # Nothing moved.
    REFUSED = "refused"  # The whole transaction fails.


class FillsShown(Enum):
    """Where a fill of a resting order can be read; each is a source that may be the only one."""

    EVENT_QUEUE = "event queue"  # An account that keeps what happened, in order.
    LOG_OF_CRANK = "log of crank"  # The logs of the transaction that cranks.
    LOG_OF_TAKER = "log of taker"  # The logs of the transaction that took.


class Deposit(Enum):
    """Whence an order's funds come."""

    WITH_ORDER = "with order"  # From the wallet, what the account at the venue does not have.
    FIRST = "first"  # From the account at the venue only; one deposits before.


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can and how it behaves.

    Args:
        name: As the configuration writes it (`openbook-v1`).
        order_slots: Orders one account at the venue can have, those not yet freed included; 0: no such limit.
        slot_freed: What frees a slot.
        client_ids: Who chooses client ids.
        replace: How orders replace orders in one instruction.
        replace_orders_max: Orders in one replacing instruction; 0 where there is none.
        cancel_ids_max: Orders that one cancelling instruction can name; 0: it cancels all.
        cancel_skips_missing: Whether cancelling several goes on where one of them is gone already.
        expiry: What an order's time means.
        expiry_unit: And its unit; None where `expiry` is NONE.
        post_only_cross: What becomes of a post-only order that would trade.
        fills_shown: Where fills of resting orders show.
        needs_crank: Whether fills reach the maker's balance only by somebody's crank.
        crank_blocked_by_stranger: Whether an event of an account that was not named stops all behind it.
        crank_events_max: Events that one cranking instruction surely takes.
        deposit: Whence an order's funds come.
        order_bytes: Bytes of one order within an instruction of several.
        accounts_bytes_max: Bytes of the largest account that a reader of the book fetches.
        taker_settles_makers: Whether a taker may name makers, whose fills then need no crank.
        price_grid: Whether prices lie on ticks.
    """

    name: str
    order_slots: int
    slot_freed: SlotFreed
    client_ids: ClientIds
    replace: Replace
    replace_orders_max: int
    cancel_ids_max: int
    cancel_skips_missing: bool
    expiry: Expiry
    expiry_unit: ExpiryUnit | None
    post_only_cross: Crossing
    fills_shown: frozenset[FillsShown]
    needs_crank: bool
    crank_blocked_by_stranger: bool
    crank_events_max: int
    deposit: Deposit
    order_bytes: int
    accounts_bytes_max: int
    taker_settles_makers: bool
    price_grid: bool = True

    def __post_init__(self) -> None:
        assert (self.expiry is Expiry.NONE) == (self.expiry_unit is None)
        assert (self.replace is Replace.NONE) == (self.replace_orders_max == 0)
        assert self.fills_shown
