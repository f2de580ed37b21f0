"""The endpoints of Jito's block engine: bundles, single transactions, tips.

Here every leader runs Jito's software and every bundle that executes wins its auction. Packets are cut at 1,232 bytes,
whatever the version (jito-solana 1452). Forms: solana.md, section 3.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox import rules
from bmv.adapters.sandbox.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND, Json, RpcError
from bmv.adapters.sandbox.params import check_arguments
from bmv.adapters.sandbox.rpc_transactions import read_transaction, status_json
from bmv.adapters.sandbox.view import View

BUNDLE_MAX = 5
BUNDLES_KEPT = 1_000
TIP_ACCOUNTS = tuple(
    map(
        Pubkey.from_string,
        (
            "96gYZGLnJYVFmbjzopPSU6QiEV5fGqZNyN9nmNhvrZU5",
            "HFqU5x63VTqvQss8hp11i4wVV8bD44PvwucfZ2bU7gRe",
            "Cw8CFyM9FkoMi7K7Crf6HNQqf4uEMzpKw6QNghXLvLkY",
            "ADaUMid9yfUytqMBgopwjb2DTLSokTSzL1zt6iGPaS49",
            "DfXygSm4jCyNCybVYYK6DwvWqjKee8pbDmJGcLWNDXjh",
            "ADuUkR4vqLUMWXxW9gh6D6L8pMSawimctcNZ5pGwDcEt",
            "DttWaMuVvTiduZRnguLF7jNxTgiMBZ1hyAumKUiL2KRL",
            "3AVi9Tg9Uo68tJfuvoKvqKNWKkC5wPdSSdeBnizKZ6jT",
        ),
    )
)
TIP_FLOOR = [
    {
        "time": "2026-11-01T00:00:00+00:00",
        "landed_tips_25th_percentile": 1e-06,
        "landed_tips_50th_percentile": 1e-05,
        "landed_tips_75th_percentile": 3.6e-05,
        "landed_tips_95th_percentile": 1.4e-03,
        "landed_tips_99th_percentile": 1e-02,
        "ema_landed_tips_50th_percentile": 9.8e-06,
    }
]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was taken.

    Args:
        signatures: Of its transactions.
        slot: The slot that it was tried in.
        failure: Why it did not land, None if it did.
    """

    signatures: tuple[str, ...]
    slot: int
    failure: Json


class BlockEngine:
    """What a block engine remembers, and its methods."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._bundles: dict[str, Bundle] = {}
        self._methods: dict[str, Callable[..., Json]] = {
            "sendBundle": BlockEngine.send_bundle,
            "getBundleStatuses": BlockEngine.bundle_statuses,
            "getInflightBundleStatuses": BlockEngine.inflight_statuses,
            "getTipAccounts": BlockEngine.tip_accounts,
        }

    def call(self, method: str, params: list[Json], bundle_only: bool) -> tuple[Json, dict[str, str]]:
        """Call a method by name; return its result, and headers that go with it."""
        if method == "sendTransaction":
            check_arguments(self.send_transaction, params)
            return self.send_transaction(bundle_only, *params)
        function = self._methods.get(method)
        if function is None:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        check_arguments(function, params)
        return function(self, *params), {}

    def tip_accounts(self, *_: Json) -> Json:
        """Return the accounts that take tips."""
        return [str(key) for key in TIP_ACCOUNTS]

    def send_transaction(self, bundle_only: bool, text: str, config: Json = None) -> tuple[Json, dict[str, str]]:
        """Take one transaction, as a bundle of one if so asked; no preflight either way."""
        transaction = self._read(text, config)
        name = str(transaction.signatures[0])
        if bundle_only:
            return name, {"x-bundle-id": self._take([transaction])}
        if not self._view.faults.strike("drop_transaction", "sendTransaction"):
            self._view.chain.land(transaction)
        return name, {}

    def send_bundle(self, texts: Json, config: Json = None) -> Json:
        """Take up to five transactions that land together or not at all; return the bundle's number."""
        if not isinstance(texts, list) or not 1 <= len(texts) <= BUNDLE_MAX:
            raise RpcError(INVALID_PARAMS, f"expected 1 to {BUNDLE_MAX} transactions in a bundle")
        transactions = [self._read(text, config) for text in texts]
        if any(str(one.signatures[0]) in self._view.chain.landed for one in transactions):
            raise RpcError(INVALID_PARAMS, "bundle contains an already processed transaction")
        return self._take(transactions)

    def _read(self, text: str, config: Json) -> VersionedTransaction:
        return read_transaction(self._view, text, config, limit=rules.PACKET_BYTES)

    def _take(self, transactions: list[VersionedTransaction]) -> str:
        if not any(_tips(one) for one in transactions):
            raise RpcError(
                INVALID_PARAMS, "Bundles must write lock at least one tip account to be eligible for the auction."
            )
        signatures = tuple(str(one.signatures[0]) for one in transactions)
        number = hashlib.sha256(",".join(signatures).encode()).hexdigest()
        dropped = self._view.faults.strike("drop_transaction", "sendBundle")
        failure = "dropped" if dropped else self._view.chain.land_bundle(transactions)
        self._bundles[number] = Bundle(signatures, self._view.chain.slot, failure)
        while len(self._bundles) > BUNDLES_KEPT:
            del self._bundles[next(iter(self._bundles))]
        return number

    def bundle_statuses(self, numbers: list[str], _: Json = None) -> Json:
        """Return the status of up to five bundles that landed, null for each other."""
        return self._view.answer({"commitment": "processed"}, [self._status(one) for one in self._few(numbers)])

    def inflight_statuses(self, numbers: list[str], _: Json = None) -> Json:
        """Return what became of up to five bundles: Landed, Failed, or Invalid where nothing is known."""
        return self._view.answer({"commitment": "processed"}, [self._inflight(one) for one in self._few(numbers)])

    def _few(self, numbers: Json) -> list[str]:
        if not isinstance(numbers, list) or not 1 <= len(numbers) <= BUNDLE_MAX:
            raise RpcError(INVALID_PARAMS, f"expected 1 to {BUNDLE_MAX} bundle ids")
        return numbers

    def _status(self, number: str) -> Json:
        bundle = self._bundles.get(number)
        status = status_json(self._view, bundle.signatures[0]) if bundle and bundle.failure is None else None
        if bundle is None or status is None:
            return None
        return {
            "bundle_id": number,
            "transactions": list(bundle.signatures),
            "slot": status["slot"],
            "confirmation_status": status["confirmationStatus"],
            "err": {"Ok": None},
        }

    def _inflight(self, number: str) -> Json:
        if number not in self._bundles:
            return {"bundle_id": number, "status": "Invalid", "landed_slot": None}
        status = self._status(number)
        if status is None:  # It failed, or its block has vanished.
            return {"bundle_id": number, "status": "Failed", "landed_slot": None}
        return {"bundle_id": number, "status": "Landed", "landed_slot": status["slot"]}


def _tips(transaction: VersionedTransaction) -> bool:
    """Say whether a transaction write-locks a tip account that it names itself, not by a lookup table."""
    message = transaction.message
    return any(
        key in TIP_ACCOUNTS and rules.is_writable(message, index) for index, key in enumerate(message.account_keys)
    )
