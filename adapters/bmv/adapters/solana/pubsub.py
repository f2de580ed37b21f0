"""What a node's websocket says, read without a socket: confirmations, notifications and refusals.

Source: agave `rpc/src/rpc_pubsub.rs`. Commitment and encoding are always stated: a node's own choices are `finalized`
and a form that is going away.
"""

import json
from dataclasses import dataclass
from typing import NamedTuple

import orjson
from solders.pubkey import Pubkey

from bmv.adapters.solana.accounts import ENCODING
from bmv.adapters.solana.errors import Json

SLOT_MAX = 1 << 63


class Confirmed(NamedTuple):
    """The node took a request and calls the subscription by this number from now on."""

    request: int
    subscription: int


class RequestRefused(NamedTuple):
    """The node did not take a request."""

    request: int
    message: str


class SlotSeen(NamedTuple):
    """The node works on a slot whose parent is `parent`; `root` is the newest that can't vanish any more."""

    slot: int
    parent: int
    root: int


class Notified(NamedTuple):
    """Something changed in the bank of `slot`; what `value` is depends on the subscription."""

    subscription: int
    slot: int
    value: Json


Message = Confirmed | RequestRefused | SlotSeen | Notified | None


@dataclass(frozen=True, slots=True)
class Logs:
    """What a transaction logged.

    Args:
        signature: Of the transaction.
        failed: Whether it failed; what it logged before then did not happen.
        lines: As the node has them; it may have cut them off.
    """

    signature: str
    failed: bool
    lines: tuple[str, ...]


def read_message(text: str | bytes) -> Message:
    """Return what a message says, None for an answer to a request that subscribes to nothing.

    ValueError where it is none of those that a node sends.
    """
    try:
        message = orjson.loads(text)  # A book of version 1 is 90 kB of it at each change.
    except ValueError:
        raise ValueError("a message that is no JSON") from None
    try:
        if "method" in message:
            return _notification(message["method"], message["params"])
        return _answer(message)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a message that lacks a field, or has one of another type: {error!r}") from None


def _notification(method: str, params: Json) -> Message:
    result = params["result"]
    if method == "slotNotification":
        slot, parent, root = (_slot(result[name]) for name in ("slot", "parent", "root"))
        if parent >= slot or root > slot:
            raise ValueError(f"a slot {slot} that follows {parent}, and a root of {root}")
        return SlotSeen(slot, parent, root)
    if not isinstance(result, dict) or "context" not in result:
        return None
    return Notified(_number(params["subscription"]), _slot(result["context"]["slot"]), result["value"])


def _answer(message: Json) -> Message:
    request = message["id"]
    if message.get("error") is not None:
        return RequestRefused(_number(request), str(message["error"].get("message", ""))[:300])
    result = message["result"]
    return Confirmed(_number(request), result) if type(result) is int else None


def _number(value: Json) -> int:
    if type(value) is not int:
        raise ValueError(f"a number that is {value!r}"[:100])
    return value


def _slot(value: Json) -> int:
    if type(value) is not int or not 0 <= value < SLOT_MAX:
        raise ValueError(f"a slot that is {value!r}"[:100])
    return value


def read_logs(value: Json) -> Logs:
    """Return what a logs notification carries; ValueError says what is wrong with it."""
    try:
        signature, lines = value["signature"], value["logs"]
        failed = value["err"] is not None
    except (KeyError, TypeError) as error:
        raise ValueError(f"logs that lack a field: {error!r}") from None
    if not isinstance(signature, str) or not isinstance(lines, list) or not all(type(line) is str for line in lines):
        raise ValueError("logs that are no lines of text")
    return Logs(signature, failed, tuple(lines))


def slot_subscribe(request: int) -> str:
    """Return the request for the slots that a node works on."""
    return _request(request, "slotSubscribe", [])


def account_subscribe(request: int, key: Pubkey, commitment: str) -> str:
    """Return the request for the changes of an account."""
    return _request(request, "accountSubscribe", [str(key), {"encoding": ENCODING, "commitment": commitment}])


def logs_subscribe(request: int, mentioned: Pubkey, commitment: str) -> str:
    """Return the request for the logs of transactions that name an account."""
    return _request(request, "logsSubscribe", [{"mentions": [str(mentioned)]}, {"commitment": commitment}])


def _request(request: int, method: str, params: Json) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": request, "method": method, "params": params})
