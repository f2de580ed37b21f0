"""What a store of runs may keep: who may write, which batch is next, and which way an order may go.

Pure, so that every store judges alike. The databases hold to the same by triggers of their own, whoever writes.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from operator import index
from types import NoneType
from typing import Any, NamedTuple, get_args, get_type_hints

from bmv.ports.errors import DataError, Refused
from bmv.ports.storage import (
    Balance,
    BreakerChange,
    Changes,
    Fill,
    OperatorCommand,
    Order,
    OrderState,
    Run,
)

ENDS = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED})
LEGAL = {
    OrderState.INTENDED: {OrderState.SENT, OrderState.CANCELLED, OrderState.REJECTED},
    OrderState.SENT: {OrderState.RESTING, OrderState.UNKNOWN} | ENDS,
    OrderState.UNKNOWN: {OrderState.SENT, OrderState.RESTING} | ENDS,
    OrderState.RESTING: {OrderState.UNKNOWN, OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED},
}
MODES = ("paper", "live")
TIERS = ("armed", "warn", "reduce", "halt")
NAMED = ("session", "market", "asset", "operator")  # Texts that are never empty.

STAYS = ("side", "price", "size", "level", "tif", "decided_ns")
KNOWN_ONCE = ("client_id", "venue_id")
KNOWN = (*KNOWN_ONCE, "slot", "accepted_ns")  # None leaves what is known.

# The fewest and the most that a whole number of that name may be; of other names, what 64 bits with a sign hold.
INT64 = (-(2**63), 2**63 - 1)
RANGES = {
    "number": (0, 2**63 - 1),
    "epoch": (0, 2**63 - 1),
    "client_id": (0, 2**64 - 1),
    "venue_id": (0, 2**128 - 1),
    "slot": (0, 2**64 - 1),
    "raw": (0, 2**64 - 1),
    "size": (1, 2**63 - 1),
    "price": (1, 2**63 - 1),
    "seq": (0, 2**31 - 1),
    "level": (-(2**31), 2**31 - 1),
    "tif": (0, 2),
    "liquidity": (0, 2),
    "code": (1, 4),
    "reason": (0, 2**15 - 1),
    "exit_code": (-(2**15), 2**15 - 1),
}


# What each field may be: whole numbers, texts, bytes, nothing.
KINDS = {
    row: {field: set(get_args(kind)) or {kind} for field, kind in get_type_hints(row).items()}
    for row in (Run, Order, Fill, Balance, BreakerChange, OperatorCommand)
}
NUMBER = {"number": {int}, "ended_ns": {int}, "exit_code": {int}}


class Kept(NamedTuple):
    """What a store knows of a run before it writes: the newest epoch of its market, batches, hash of the last."""

    newest: int
    ended: bool
    batches: int
    last: bytes | None


def fingerprint(changes: Changes) -> bytes:
    """Return a hash by which one batch is told from another.

    >>> fingerprint(Changes(0)).hex()[:8], fingerprint(Changes(1)).hex()[:8]
    ('977f2111', '471289a9')
    """
    return hashlib.sha256(json.dumps(changes, default=index).encode()).digest()


def is_next(run: Run, changes: Changes, kept: Kept) -> bool:
    """Tell whether `changes` are to be kept now; False: they are kept, and were sent again. Else `Refused`."""
    name = f"run {run.id} ({run.mode} in {run.market})"
    if run.epoch < kept.newest:
        raise Refused(f"{name} is stale: its epoch is {run.epoch}, and epoch {kept.newest} has begun")
    if changes.number == kept.batches - 1:
        if fingerprint(changes) != kept.last:
            raise Refused(f"{name}: another batch is kept with number {changes.number}: somebody else writes")
        return False
    if kept.ended:
        raise Refused(f"{name} has ended")
    if changes.number != kept.batches:
        raise Refused(f"{name}: batch {changes.number} was sent, expected batch {kept.batches}")
    return True


def admit(kept: Mapping[tuple[int, int], Order], orders: Sequence[Order]) -> list[Order]:
    """Return `orders` as they are to be written one after the other, given those of them that are `kept`.

    `Refused` where an order would leave its way.
    """
    known, rows = dict(kept), []
    for order in orders:
        key = (order.run, order.id)
        before = known.get(key)
        known[key] = advance(before, order) if before else order
        if before != known[key]:
            rows.append(known[key])
    return rows


def advance(before: Order, now: Order) -> Order:
    """Return the order that was `before` and is told as `now`; `Refused` where it can't have gone that way."""
    row = now._replace(**{name: getattr(before, name) for name in KNOWN if getattr(now, name) is None})
    if row == before:
        return before  # Told again.
    name = f"order {before.id} of run {before.run}"
    if before.state in ENDS:
        raise Refused(f"{name} has ended: {before.state}; it was told as {now.state}")
    if now.state != before.state and now.state not in LEGAL[before.state]:
        raise Refused(f"{name} cannot go from {before.state} to {now.state}")
    if now.filled < before.filled:
        raise Refused(f"{name}: filled fell from {before.filled} to {now.filled} lots")
    for field in STAYS + KNOWN_ONCE:
        was, told = getattr(before, field), getattr(row, field)
        if was not in (told, None):
            raise Refused(f"{name}: {field} was {was} and is told as {told}; it stays what it is")
    return row


def refuse_wrong(changes: Changes) -> None:
    """Raise `DataError` that names the field, where no column could take what `changes` say."""
    _refuse_wrong_fields("a batch", {"number": changes.number}, NUMBER)
    for order in changes.orders:
        name = f"order {order.id} of run {order.run}"
        _refuse_wrong_row(name, order)
        if wrong := _wrong_order(order):
            raise DataError(f"{name}: {wrong}")
    for fill in changes.fills:
        _refuse_wrong_row(f"fill {fill.seq} of order {fill.order} of run {fill.run}", fill)
    for balance in changes.balances:
        _refuse_wrong_row(f"balance of {balance.asset}", balance)
    for change in changes.breaker:
        _refuse_wrong_row("breaker", change)
        if change.tier not in TIERS:
            raise DataError(f"breaker: tier is {change.tier!r}; expected one of {', '.join(TIERS)}")
    for command in changes.commands:
        _refuse_wrong_row(f"command of {command.operator}", command)


def refuse_wrong_start(run: Run) -> None:
    """Raise `DataError` where `run` can't be begun as it is."""
    _refuse_wrong_row(f"run of session {run.session}", run)
    if run.mode not in MODES:
        raise DataError(f"run of session {run.session}: mode is {run.mode!r}; expected {' or '.join(MODES)}")
    if len(run.config_sha256) != 32:
        raise DataError(f"run of session {run.session}: config_sha256 has {len(run.config_sha256)} bytes; expected 32")


def refuse_wrong_end(run: Run, ended_ns: int, exit_code: int) -> None:
    """Raise `DataError` where `run` can't have ended so."""
    _refuse_wrong_fields(f"run {run.id}", {"ended_ns": ended_ns, "exit_code": exit_code}, NUMBER)
    if ended_ns < run.started_ns:
        raise DataError(f"run {run.id} began at {run.started_ns} and is told to have ended at {ended_ns} ns")


def refuse_another_start(asked: Run, kept: Run) -> None:
    """Raise `Refused` unless the run that is `kept` for a session is the one that was `asked` for."""
    asked = asked._replace(id=kept.id, epoch=kept.epoch, ended_ns=kept.ended_ns, exit_code=kept.exit_code)
    if asked != kept:
        raise Refused(
            f"session {kept.session} is that of run {kept.id} ({kept.mode} in {kept.market}, begun at "
            f"{kept.started_ns} ns); a run has a session of its own"
        )


def refuse_another_end(run: Run, kept: tuple[int, int], told: tuple[int, int]) -> None:
    """Raise `Refused` unless the end that is `kept` (its time and exit code) is the one that is `told`."""
    if kept != told:
        raise Refused(f"run {run.id} has ended at {kept[0]} ns with {kept[1]}, not at {told[0]} ns with {told[1]}")


def refuse_stray_fills(changes: Changes, known: Mapping[tuple[int, int], Order], kept: Collection[Fill]) -> None:
    """Raise `Refused` where a fill is `kept` already, is of no order, or makes more lots of fills than its order has.

    Args:
        known: The orders that were kept before `changes`, by run and number.
        kept: The fills of all orders that `changes` tell of.
    """
    orders = {**known, **{(order.run, order.id): order for order in changes.orders}}
    taken = {fill[:3] for fill in kept}
    traded = Counter[tuple[int, int]]()
    for fill in kept:
        traded[fill[:2]] += fill.size
    for fill in changes.fills:
        name = f"fill {fill.seq} of order {fill.order} of run {fill.run}"
        if fill[:2] not in orders:
            raise Refused(f"{name}: that order is not kept")
        if fill[:3] in taken:
            raise Refused(f"{name} is kept already")
        taken.add(fill[:3])
        traded[fill[:2]] += fill.size
        if traded[fill[:2]] > (size := orders[fill[:2]].size):
            raise Refused(f"{name}: with it {traded[fill[:2]]} lots have traded of an order of {size}")


def orders_told(changes: Changes) -> list[tuple[int, int]]:
    """Return the run and number of each order that `changes` tell of, its fills included; once, in order."""
    told = {(order.run, order.id) for order in changes.orders}
    return sorted(told | {(fill.run, fill.order) for fill in changes.fills})


def runs_told(changes: Changes) -> list[int]:
    """Return the runs whose orders `changes` tell of, once, in order."""
    return sorted({run for run, _ in orders_told(changes)})


def refuse_strangers(run: Run, told: Sequence[int], found: Sequence[int]) -> None:
    """Raise `Refused` where one of the runs `told` of is not among those `found` in the market and mode of `run`."""
    if strangers := sorted(set(told) - set(found)):
        raise Refused(f"run {strangers[0]} is none of {run.market} ({run.mode}), where run {run.id} writes")


def _wrong_order(order: Order) -> str | None:
    ended = order.state in ENDS
    if order.state not in tuple(OrderState):
        return f"state is {order.state!r}; expected one of {', '.join(OrderState)}"
    if order.side not in (-1, 1):
        return f"side is {order.side}; expected 1 or -1"
    if not 0 <= order.filled <= order.size:
        return f"filled is {order.filled} of {order.size} lots"
    if ended != (order.done_ns is not None):
        return f"done_ns is {order.done_ns} while it is {order.state}; it has one when it has ended"
    if order.state == OrderState.FILLED and order.filled != order.size:
        return f"it is told as filled with {order.filled} of {order.size} lots"
    if order.state == OrderState.REJECTED and order.filled:
        return f"it is told as rejected with {order.filled} lots filled"
    return None


def _refuse_wrong_row(name: str, row: Run | Order | Fill | Balance | BreakerChange | OperatorCommand) -> None:
    _refuse_wrong_fields(name, row._asdict(), KINDS[type(row)])


def _refuse_wrong_fields(
    name: str,
    fields: Mapping[str, Any],  # Any: whatever was given.
    kinds: Mapping[str, Collection[type]],
) -> None:
    for field, value in fields.items():
        if wrong := _wrong(field, value, kinds[field]):
            raise DataError(f"{name}: {field} is {value!r}; expected {wrong}")


def _wrong(field: str, value: Any, kinds: Collection[type]) -> str | None:  # Any: whatever was given.
    """Return what would be right instead of `value`; None where it is."""
    if value is None and NoneType in kinds:
        return None
    if int in kinds:
        return _wrong_number(field, value)
    if bytes in kinds:
        return None if isinstance(value, bytes) else "bytes"
    return _wrong_text(field, value) if isinstance(value, str) else "a text"


def _wrong_text(field: str, value: str) -> str | None:
    if not value and field in NAMED:
        return "a name"
    if any(each == "\0" or "\ud800" <= each <= "\udfff" for each in value):
        return "a text without a zero byte or half a character, which no database takes"
    return None


def _wrong_number(field: str, value: Any) -> str | None:  # Any: whatever was given for a number.
    least, most = RANGES.get(field, INT64)
    try:
        return None if least <= index(value) <= most else f"{least} to {most}"
    except TypeError:
        return "a whole number"
