"""RPC methods that send, simulate and look up transactions."""

from collections.abc import Sequence

from solders.account import Account
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox import clock
from bmv.adapters.sandbox.admission import HASH_BLOCKS
from bmv.adapters.sandbox.encodings import (
    account_json,
    landed_json,
    public_key,
    return_data_json,
    signature,
    transaction_of,
)
from bmv.adapters.sandbox.errors import in_words
from bmv.adapters.sandbox.jsonrpc import (
    INVALID_PARAMS,
    PREFLIGHT_FAILURE,
    Json,
    RpcError,
)
from bmv.adapters.sandbox.ledger import Landed
from bmv.adapters.sandbox.rules import LARGE_BYTES, version_of
from bmv.adapters.sandbox.runtime import Result
from bmv.adapters.sandbox.versions import refuse_unasked_version
from bmv.adapters.sandbox.view import View
from bmv.adapters.sandbox.wallets import signed_by

STATUSES_MAX = 256
STATUS_BLOCKS = 300  # How far back a status is found without searchTransactionHistory.
SIGNATURES_MAX = 1_000
MALFORMED = ("SanitizeFailure", "AddressLookupTableNotFound", "InvalidAddressLookupTableIndex")


def read_transaction(view: View, text: Json, config: Json, limit: int = LARGE_BYTES) -> VersionedTransaction:
    """Return the transaction that a client sent, or refuse what this endpoint can't read."""
    transaction = transaction_of(text, (config or {}).get("encoding"), limit)
    if version_of(transaction.message) == 1 and view.faults.strike("refuse_version_1"):
        raise RpcError(
            INVALID_PARAMS,
            "failed to deserialize solana_transaction::versioned::VersionedTransaction: invalid value: integer `1`, "
            "expected a valid transaction message version",
        )
    return transaction


def send_transaction(view: View, text: str, config: Json = None) -> Json:
    """Take a transaction and return its signature; whether it lands is another matter."""
    config = config or {}
    transaction = read_transaction(view, text, config)
    if not config.get("skipPreflight"):
        _preflight(view, transaction, config)
    if view.faults.strike("drop_transaction", "sendTransaction"):
        pass
    elif late := view.faults.strike("late_transaction", "sendTransaction"):
        view.chain.hold(transaction, view.faults.draw(late.blocks))
    else:
        view.chain.land(transaction)
    return str(transaction.signatures[0])


def _preflight(view: View, transaction: VersionedTransaction, config: Json) -> None:
    """Refuse a transaction that would fail at the end of the block that the node stands at, and was not seen landing.

    A transaction that landed in a later block is tried and sent once more, as a validator does: agave,
    `rpc/src/rpc.rs: send_transaction` and `runtime/src/bank/check_transactions.rs: check_status_cache`.
    """
    at = {"commitment": config.get("preflightCommitment"), "minContextSlot": config.get("minContextSlot")}
    view.slot(at)
    result, _ = view.chain.simulate(transaction, block=view.block(at))
    _refuse_malformed(result)
    if result.error is not None:
        words = f"Transaction simulation failed: {in_words(result.error)}"
        raise RpcError(PREFLIGHT_FAILURE, words, _simulated(result, None))


def _refuse_malformed(result: Result) -> None:
    """Refuse a transaction that a node would not even try."""
    if result.error in MALFORMED:
        raise RpcError(INVALID_PARAMS, f"invalid transaction: {in_words(result.error)}")


def simulate_transaction(view: View, text: str, config: Json = None) -> Json:
    """Return what would become of a transaction, and accounts as they would be then."""
    config = config or {}
    if config.get("sigVerify") and config.get("replaceRecentBlockhash"):
        raise RpcError(INVALID_PARAMS, "sigVerify may not be used with replaceRecentBlockhash")
    transaction = read_transaction(view, text, config)
    asked = config.get("accounts") or {}
    wanted = [public_key(key) for key in asked.get("addresses") or ()]
    replaced = bool(config.get("replaceRecentBlockhash"))
    signed = bool(config.get("sigVerify"))
    block = view.block(config)
    result, after = view.chain.simulate(transaction, wanted, signed=signed, renamed=replaced, block=block)
    _refuse_malformed(result)
    accounts = after if result.error is None else [None] * len(after)
    shown = _simulated(result, _accounts(accounts, asked.get("encoding")) if wanted else None)
    if replaced:
        shown["replacementBlockhash"] = {
            "blockhash": str(block.newest_hash),
            "lastValidBlockHeight": block.height + HASH_BLOCKS,
        }
    return view.answer(config, shown)


def _accounts(accounts: Sequence[Account | None], encoding: str | None) -> Json:
    return [account_json(account, encoding or "base64") for account in accounts]


def _simulated(result: Result, accounts: Json) -> dict[str, Json]:
    return {
        "err": result.error,
        "logs": list(result.logs),
        "accounts": accounts,
        "unitsConsumed": result.units,
        "loadedAccountsDataSize": result.loaded,
        "returnData": return_data_json(result.returned),
        "innerInstructions": None,
        "fee": result.fee if result.entered else None,
    }


def get_signature_statuses(view: View, signatures: list[str], config: Json = None) -> Json:
    """Return the status of up to 256 signatures, null for those that have none."""
    if len(signatures) > STATUSES_MAX:
        raise RpcError(INVALID_PARAMS, f"Too many inputs provided; max {STATUSES_MAX}")
    old = bool((config or {}).get("searchTransactionHistory"))
    names = [signature(one) for one in signatures]
    return view.answer({"commitment": "processed"}, [status_json(view, name, old) for name in names])


def status_json(view: View, name: str, old: bool = True) -> Json:
    """Return the status of a signature as this node sees it, None where it has none."""
    landed = view.chain.landed.get(name)
    processed = view.block({"commitment": "processed"})
    block = None if landed is None else view.chain.ledger.block_at(landed.slot)
    if landed is None or block is None or block.slot > processed.slot:
        return None
    depth = processed.height - block.height
    if depth > STATUS_BLOCKS and not old:
        return None
    level = commitment_of(view, landed)
    error = landed.result.error
    return {
        "slot": landed.slot,
        "confirmations": None if level == "finalized" else depth,
        "err": error,
        "status": {"Ok": None} if error is None else {"Err": error},
        "confirmationStatus": level,
    }


def commitment_of(view: View, landed: Landed) -> str:
    """Return how firm a transaction's block is."""
    for level in ("finalized", "confirmed"):
        if landed.slot <= view.block({"commitment": level}).slot:
            return level
    return "processed"


def get_transaction(view: View, name: str, config: str | dict[str, Json] | None = None) -> Json:
    """Return a transaction that landed, null where there is none at the commitment."""
    config = {"encoding": config} if isinstance(config, str) else config or {}
    landed = view.chain.landed.get(signature(name))
    if landed is None or landed.slot > view.slot(config):
        return None
    refuse_unasked_version(landed, config)
    return landed_json(landed, config.get("encoding") or "json", _time(view, landed))


def _time(view: View, landed: Landed) -> int:
    block = view.chain.ledger.block_at(landed.slot)
    assert block is not None, f"the block of slot {landed.slot} is gone, its transactions are not"
    return (block.end_ns or block.parent_ns) // clock.SECOND_NS


def get_signatures_for_address(view: View, key: str, config: Json = None) -> Json:
    """Return the signatures of transactions that name an account, the newest first."""
    config = config or {}
    address, newest = public_key(key), view.slot(config)
    most = min(config.get("limit") or SIGNATURES_MAX, SIGNATURES_MAX)
    rows: list[Json] = []
    begun = config.get("before") is None
    for landed in view.chain.ledger.landed_newest_first():
        if landed.signature == config.get("until") or len(rows) == most:
            break
        if begun and landed.slot <= newest and address in landed.keys:
            rows.append(_row(view, landed))
        begun = begun or landed.signature == config.get("before")
    return rows


def _row(view: View, landed: Landed) -> Json:
    return {
        "signature": landed.signature,
        "slot": landed.slot,
        "err": landed.result.error,
        "memo": None,
        "blockTime": _time(view, landed),
        "confirmationStatus": commitment_of(view, landed),
    }


def request_airdrop(view: View, key: str, lamports: int, config: Json = None) -> Json:
    """Give away lamports of the faucet, by a transaction like any other."""
    transaction = airdrop(view, public_key(key), lamports)
    error = view.chain.land(transaction)
    if error is not None:
        raise RpcError(INVALID_PARAMS, f"airdrop request failed: {in_words(error)}")
    return str(transaction.signatures[0])


def airdrop(view: View, key: Pubkey, lamports: int) -> VersionedTransaction:
    """Return the transaction of an airdrop; no two are alike."""
    chain, faucet = view.chain, view.chain.faucet
    serial = len(chain.ledger.open.landed)
    paid = transfer(TransferParams(from_pubkey=faucet.pubkey(), to_pubkey=key, lamports=lamports))
    unique = transfer(TransferParams(from_pubkey=faucet.pubkey(), to_pubkey=faucet.pubkey(), lamports=serial))
    return signed_by([faucet], [paid, unique], chain.ledger.open.newest_hash)
