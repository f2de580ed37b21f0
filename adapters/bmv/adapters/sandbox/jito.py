"""The endpoints of Jito's block engine: bundles, single transactions, tips, statuses, a limit in each region.

Packets are cut at 1,232 bytes, whatever the version (jito-solana 1452). What becomes of a bundle is the auction's to
say; here it is only taken, and told of. Forms: solana.md, section 3.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox import rules
from bmv.adapters.sandbox.auction import PENDING, TIP_ACCOUNTS, Bundle, written
from bmv.adapters.sandbox.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND, Json, RpcError
from bmv.adapters.sandbox.params import check_arguments
from bmv.adapters.sandbox.rpc_transactions import read_transaction, status_json
from bmv.adapters.sandbox.view import View
from bmv.data.landing.tips import PERCENTILES, TipFloor

BUNDLE_MAX = 5
SOL = 10**9
LIMITED: Final = -32097
REGIONS = ("", "amsterdam", "ny", "tokyo")  # "": whichever is nearest.


class Limit:
    """How often one region answers: so many calls a second, of whatever method.

    Args:
        rate: Calls a second; None: any number.
        clock: Seconds that never go back.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._free_s: dict[str, float] = {}  # By region: from when the next call is answered.

    def refusal(self, region: str) -> Json:
        """Return the body that refuses a call, None where it is answered."""
        if self._rate is None:
            return None
        now_s = self._clock()
        free_s = self._free_s.get(region, now_s)
        if now_s < free_s:
            return limited(self._rate, free_s - now_s)
        self._free_s[region] = now_s + 1 / self._rate
        return None


def limited(rate: float, wait_s: float) -> Json:
    """Return what Jito says to too many requests: no id, and the wait in words alone."""
    wait = f"Back-off triggered: Retry after {int(wait_s * 1000) + 1}ms"
    words = f"Rate limit exceeded. Limit: {rate:g} per second for txn requests. {wait}"
    return {"jsonrpc": "2.0", "error": {"code": LIMITED, "message": words, "data": None}, "id": None}


def floor_json(floor: TipFloor, time: datetime | None = None) -> Json:
    """Return the tip floor as REST and stream have it: SOL, as floats."""
    names = {
        f"landed_tips_{each}th_percentile": tip / SOL for each, tip in zip(PERCENTILES, floor.lamports, strict=True)
    }
    when = (time or datetime.now(UTC)).isoformat(timespec="seconds")
    return [{"time": when, **names, "ema_landed_tips_50th_percentile": round(floor.lamports[1] * 0.98) / SOL}]


class BlockEngine:
    """What a block engine remembers, and its methods."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._methods: dict[str, Callable[..., Json]] = {
            "sendBundle": BlockEngine.send_bundle,
            "getBundleStatuses": BlockEngine.bundle_statuses,
            "getInflightBundleStatuses": BlockEngine.inflight_statuses,
            "getTipAccounts": BlockEngine.tip_accounts,
        }
        self._late = 0  # Blocks by which the region that is asked now is late.

    def call(self, method: str, params: list[Json], bundle_only: bool, region: str = "") -> tuple[Json, dict[str, str]]:
        """Call a method by name; return its result, and headers that go with it."""
        late = self._view.faults.strike("region_late", region)
        self._late = late.blocks if late else 0
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
        return self._take([self._read(text, config) for text in texts])

    def _read(self, text: str, config: Json) -> VersionedTransaction:
        return read_transaction(self._view, text, config, limit=rules.PACKET_BYTES)

    def _take(self, transactions: list[VersionedTransaction]) -> str:
        if not any(_tips(one) for one in transactions):
            raise RpcError(
                INVALID_PARAMS, "Bundles must write lock at least one tip account to be eligible for the auction."
            )
        bundle = Bundle(transactions, apart=self._view.faults.strike("bundle_apart") is not None)
        if any(name in self._view.chain.landed for name in bundle.signatures):
            raise RpcError(INVALID_PARAMS, "bundle contains an already processed transaction")
        if self._late and not all(self._knows(one) for one in transactions):
            raise RpcError(INVALID_PARAMS, "Simulation failed: Blockhash not found")
        number = hashlib.sha256(",".join(bundle.signatures).encode()).hexdigest()
        faults = self._view.faults
        dropped = bool(faults.strike("bundle_drop") or faults.strike("drop_transaction", "sendBundle"))
        self._view.auction.take(number, bundle, self._late, dropped)
        return number

    def _knows(self, transaction: VersionedTransaction) -> bool:
        """Whether the bank of a region that is late has the blockhash of a transaction."""
        block = self._view.chain.ledger.at_height(self._view.chain.height - self._late)
        return self._view.chain.admission.is_young(transaction.message.recent_blockhash, block)

    def bundle_statuses(self, numbers: list[str], _: Json = None) -> Json:
        """Return the status of up to five bundles that landed, null for each other."""
        return self._view.answer({"commitment": "processed"}, [self._status(one) for one in self._few(numbers)])

    def inflight_statuses(self, numbers: list[str], _: Json = None) -> Json:
        """Return what became of up to five bundles: Pending, Landed, Failed, or Invalid where nothing is known."""
        return self._view.answer({"commitment": "processed"}, [self._inflight(one) for one in self._few(numbers)])

    def _few(self, numbers: Json) -> list[str]:
        if not isinstance(numbers, list) or not 1 <= len(numbers) <= BUNDLE_MAX:
            raise RpcError(INVALID_PARAMS, f"expected 1 to {BUNDLE_MAX} bundle ids")
        return numbers

    def _status(self, number: str) -> Json:
        bundle = self._view.auction.bundles.get(number)
        if bundle is None or bundle.failure is not None or self._view.faults.strike("bundle_invalid"):
            return None
        status = status_json(self._view, bundle.signatures[0])
        if status is None:
            return None
        return {
            "bundle_id": number,
            "transactions": list(bundle.signatures),
            "slot": status["slot"],
            "confirmation_status": status["confirmationStatus"],
            "err": {"Ok": None},
        }

    def _inflight(self, number: str) -> Json:
        bundle = self._view.auction.bundles.get(number)
        row = {"bundle_id": number, "status": "Invalid", "landed_slot": None}
        if bundle is None or self._view.faults.strike("bundle_invalid"):
            return row
        if bundle.failure == PENDING:
            return {**row, "status": "Pending"}
        status = status_json(self._view, bundle.signatures[0]) if bundle.failure is None else None
        if status is None:  # It failed, or its block has vanished.
            return {**row, "status": "Failed"}
        return {**row, "status": "Landed", "landed_slot": status["slot"]}


def _tips(transaction: VersionedTransaction) -> bool:
    """Say whether a transaction write-locks a tip account that it names itself, not by a lookup table."""
    return any(key in TIP_ACCOUNTS for key in written(transaction))
