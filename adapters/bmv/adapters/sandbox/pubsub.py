"""Subscriptions, as a validator's pubsub behaves.

One account notification a block, none on subscribing; an account that a fork took back is notified again; signature
subscriptions fire once; identical subscriptions share one number. Source: agave `rpc/src/rpc_subscriptions.rs`; see
solana.md, section 4.1.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from bmv.adapters.sandbox.encodings import account_json, check_encoding, matches, public_key, signature
from bmv.adapters.sandbox.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND, Json, RpcError
from bmv.adapters.sandbox.ledger import Block, Landed
from bmv.adapters.sandbox.params import check_config
from bmv.adapters.sandbox.runtime import EMPTY
from bmv.adapters.sandbox.view import View

KINDS = ("account", "program", "signature", "logs", "slot", "root")
Reader = Callable[[str], None]  # Takes a text that goes out to one connection.


@dataclass(eq=False, slots=True)
class Subscription:
    """What some connections want to hear.

    Args:
        key: Its kind and parameters; identical ones share one subscription.
        kind: Of `KINDS`.
        target: The account or program; the signature; the account that logs must mention, None for all.
        config: As the client sent it.
        number: As notifications name it.
        changed: For accounts: the slot of the change that was notified last.
        readers: The connections.
    """

    key: str
    kind: str
    target: Pubkey | str | None
    config: Json
    number: int
    changed: int = 0
    readers: set[Reader] = field(default_factory=set)


class Pubsub:
    """The subscriptions of one node."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._subscriptions: dict[str, Subscription] = {}
        self._numbers = 0
        self._seen: dict[str, Block] = {}  # Commitment -> the block that was looked at last.
        self._held: list[tuple[Reader, str]] = []  # Notifications that come after the next.

    def __len__(self) -> int:
        return len(self._subscriptions)

    def call(self, reader: Reader, method: str, params: list[Json]) -> Json:
        """Subscribe or unsubscribe a connection; return the number, or True."""
        if method.endswith("Unsubscribe"):
            return self._unsubscribe(reader, params)
        kind = method.removesuffix("Subscribe")
        if kind not in KINDS or kind == method:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        key = json.dumps([kind, params], sort_keys=True)
        if key not in self._subscriptions:
            self._subscriptions[key] = self._subscribed(key, kind, params)
        self._subscriptions[key].readers.add(reader)
        return self._subscriptions[key].number

    def _subscribed(self, key: str, kind: str, params: list[Json]) -> Subscription:
        config = (params[1] if len(params) > 1 else None) or {}
        target = _target(kind, params)
        check_config(config)  # All is refused here: who notifies later is the chain, and it can't say so any more.
        check_encoding(config.get("encoding"))
        self._view.block(config)
        self._numbers += 1
        subscription = Subscription(key, kind, target, config, self._numbers)
        if isinstance(target, Pubkey) and kind == "account":
            subscription.changed = self._view.chain.ledger.changed_slot(target, self._view.block(config).slot)
        return subscription

    def _unsubscribe(self, reader: Reader, params: list[Json]) -> bool:
        for subscription in self._subscriptions.values():
            if params and subscription.number == params[0] and reader in subscription.readers:
                self._leave(subscription, reader)
                return True
        raise RpcError(INVALID_PARAMS, "Invalid subscription id.")

    def _leave(self, subscription: Subscription, reader: Reader) -> None:
        subscription.readers.discard(reader)
        if not subscription.readers:
            self._subscriptions.pop(subscription.key, None)

    def forget(self, reader: Reader) -> None:
        """End all that a connection was subscribed to."""
        for subscription in list(self._subscriptions.values()):
            self._leave(subscription, reader)
        self._held = [(who, text) for who, text in self._held if who is not reader]

    def look_for_signatures(self) -> None:
        """Notify signature subscriptions whose transaction has landed already."""
        for subscription in list(self._subscriptions.values()):
            if subscription.kind == "signature":
                self._tell_signature(subscription)

    def tell(self, _: Block) -> None:
        """Notify all that the freezing of a block has to tell; the chain calls it."""
        fresh = {commitment: self._fresh(commitment) for commitment in ("processed", "confirmed", "finalized")}
        for subscription in list(self._subscriptions.values()):
            block = fresh[subscription.config.get("commitment") or "finalized"]
            TELL[subscription.kind](self, subscription, block)

    def _fresh(self, commitment: str) -> Block | None:
        """Return the block at a commitment, None if it was looked at before."""
        block, seen = self._view.block({"commitment": commitment}), self._seen.get(commitment)
        if seen is block or (seen is not None and commitment != "processed" and block.slot <= seen.slot):
            return None
        self._seen[commitment] = block
        return block

    def _tell_slot(self, subscription: Subscription, _: Block | None) -> None:
        block = self._view.block({"commitment": "processed"})
        root = self._view.block({"commitment": "finalized"}).slot
        self._send(subscription, {"slot": block.slot, "parent": block.parent, "root": root})

    def _tell_root(self, subscription: Subscription, _: Block | None) -> None:
        self._send(subscription, self._view.block({"commitment": "finalized"}).slot)

    def _tell_account(self, subscription: Subscription, _: Block | None) -> None:
        """Notify where the last change is another than was notified: a newer one, or an older one after a fork."""
        assert isinstance(subscription.target, Pubkey)
        ledger, config = self._view.chain.ledger, subscription.config
        slot = self._view.block(config).slot
        changed = ledger.changed_slot(subscription.target, slot)
        if changed == subscription.changed:
            return
        subscription.changed = changed
        account = ledger.account(subscription.target, slot) or EMPTY
        value = account_json(account, config.get("encoding"), config.get("dataSlice"))
        self._send(subscription, {"context": {"slot": slot}, "value": value})

    def _tell_program(self, subscription: Subscription, block: Block | None) -> None:
        if block is None:
            return
        config = subscription.config
        for key in list(block.before):
            account = self._view.chain.account(key, block.slot)
            if account is None or account.owner != subscription.target or not matches(account, config.get("filters")):
                continue
            shown = account_json(account, config.get("encoding"), config.get("dataSlice"))
            value = {"pubkey": str(key), "account": shown}
            self._send(subscription, {"context": {"slot": block.slot}, "value": value})

    def _tell_logs(self, subscription: Subscription, block: Block | None) -> None:
        for landed in () if block is None else block.landed:
            if subscription.target is None or subscription.target in landed.keys:
                self._send(subscription, {"context": {"slot": landed.slot}, "value": _logs_json(landed)})

    def _tell_signature(self, subscription: Subscription, _: Block | None = None) -> None:
        assert isinstance(subscription.target, str)
        landed = self._view.chain.landed.get(subscription.target)
        slot = self._view.block(subscription.config).slot
        if landed is None or landed.slot > slot:
            return
        self._send(subscription, {"context": {"slot": slot}, "value": {"err": landed.result.error}})
        self._subscriptions.pop(subscription.key, None)

    def _send(self, subscription: Subscription, result: Json) -> None:
        params = {"result": result, "subscription": subscription.number}
        text = json.dumps({"jsonrpc": "2.0", "method": f"{subscription.kind}Notification", "params": params})
        for reader in list(subscription.readers):
            self._deliver(reader, text)

    def _deliver(self, reader: Reader, text: str) -> None:
        """Send a notification, or let go wrong what is to go wrong with it."""
        faults = self._view.faults
        if faults.strike("silence") or faults.strike("drop"):
            return
        late, self._held = self._held, []
        if faults.strike("reorder"):
            self._held.append((reader, text))
        else:
            for _ in range(2 if faults.strike("double") else 1):
                reader(text)
        for other, held in late:
            other(held)


TELL: dict[str, Callable[[Pubsub, Subscription, Block | None], None]] = {
    "account": Pubsub._tell_account,
    "program": Pubsub._tell_program,
    "signature": Pubsub._tell_signature,
    "logs": Pubsub._tell_logs,
    "slot": Pubsub._tell_slot,
    "root": Pubsub._tell_root,
}


def _target(kind: str, params: list[Json]) -> Pubkey | str | None:
    if kind in ("slot", "root"):
        return None
    if not params:
        raise RpcError(INVALID_PARAMS, "`params` should have at least 1 argument(s)")
    if kind == "signature":
        return signature(params[0])
    if kind == "logs":
        return _mentioned(params[0])
    return public_key(params[0])


def _mentioned(wanted: Json) -> Pubkey | None:
    if wanted in ("all", "allWithVotes"):
        return None
    mentions = wanted.get("mentions") if isinstance(wanted, dict) else None
    if not isinstance(mentions, list) or len(mentions) != 1:
        raise RpcError(INVALID_PARAMS, "Invalid Request: Only 1 address supported")
    return public_key(mentions[0])


def _logs_json(landed: Landed) -> Json:
    return {"signature": landed.signature, "err": landed.result.error, "logs": list(landed.result.logs)}
