"""Accounts and transactions as RPC writes them, and as clients send them."""

import base64
from collections.abc import Sequence

import base58
import zstandard
from solders.account import Account
from solders.message import MessageV1
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.token import ID as TOKEN
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox import rules
from bmv.adapters.sandbox.jsonrpc import INVALID_PARAMS, INVALID_REQUEST, Json, RpcError
from bmv.adapters.sandbox.ledger import Landed
from bmv.adapters.sandbox.params import TOKEN_ACCOUNT, compared_bytes
from bmv.adapters.sandbox.tokens import ACCOUNT_BYTES

BASE58_BYTES_MAX = 128  # Larger accounts are not written in base58: RPC refuses, and pubsub says so in their place.
TOO_LARGE = "error: data too large for bs58 encoding"
RENT_EPOCH = 2**64 - 1  # Exempt.
KIND = "solana_transaction::versioned::VersionedTransaction"
ENCODINGS = ("base58", "base64", "base64+zstd", "jsonParsed", "binary")
TEXT_MAX = {"base58": 1683, "base64": 5464}  # Letters of the longest transaction.


def public_key(text: Json) -> Pubkey:
    """Return an address that a client sent, or refuse it as a node does."""
    try:
        return Pubkey.from_string(text)
    except (ValueError, TypeError):
        raise RpcError(INVALID_PARAMS, "Invalid param: Invalid") from None


def signature(text: Json) -> str:
    """Return a signature that a client sent, or refuse it as a node does."""
    try:
        return str(Signature.from_string(text))
    except (ValueError, TypeError):
        raise RpcError(INVALID_PARAMS, "Invalid param: Invalid") from None


def account_json(account: Account | None, encoding: str | None, part: Json = None) -> Json:
    """Return an account as RPC writes it, None where there is none.

    Args:
        account: The account.
        encoding: As the client named it; None: base58 as a bare text, as of old.
        part: `{"offset", "length"}`: these bytes of its data only.
    """
    if account is None:
        return None
    return {
        "lamports": account.lamports,
        "data": _data_json(_part(bytes(account.data), part), encoding),
        "owner": str(account.owner),
        "executable": account.executable,
        "rentEpoch": RENT_EPOCH,
        "space": len(account.data),
    }


def _part(data: bytes, part: Json) -> bytes:
    return data[part["offset"] : part["offset"] + part["length"]] if part else data


def check_encoding(encoding: str | None) -> None:
    """Refuse an encoding of accounts that there is none of."""
    if encoding not in (None, *ENCODINGS):
        raise RpcError(INVALID_PARAMS, f"Invalid params: unknown variant `{encoding}`, expected one of {ENCODINGS}")


def refuse_large(account: Account | None, encoding: str | None, part: Json = None) -> None:
    """Refuse to write an account in base58 that is too large for it."""
    if encoding in (None, "base58", "binary") and account and len(_part(account.data, part)) > BASE58_BYTES_MAX:
        raise RpcError(
            INVALID_REQUEST,
            f"Encoded binary (base 58) data should be less than {BASE58_BYTES_MAX} bytes, please use Base64 encoding.",
        )


def _data_json(data: bytes, encoding: str | None) -> Json:
    check_encoding(encoding)
    if encoding == "base64+zstd":
        return [base64.b64encode(zstandard.compress(data, 1)).decode(), encoding]
    if encoding in ("base64", "jsonParsed"):  # Nothing is parsed here: as a node does with a program it doesn't know.
        return [base64.b64encode(data).decode(), "base64"]
    text = TOO_LARGE if len(data) > BASE58_BYTES_MAX else base58.b58encode(data).decode()
    return [text, encoding] if encoding == "base58" else text


def matches(account: Account, filters: Sequence[Json] | None) -> bool:
    """Say whether an account passes all filters: `dataSize`, `memcmp`, `tokenAccountState`."""
    return all(_passes(account, one) for one in filters or ())


def _passes(account: Account, wanted: Json) -> bool:
    if wanted == TOKEN_ACCOUNT or TOKEN_ACCOUNT in wanted:
        return account.owner == TOKEN and len(account.data) == ACCOUNT_BYTES
    if wanted.get("dataSize") is not None and len(account.data) != wanted["dataSize"]:
        return False
    compared = wanted.get("memcmp")
    if not compared:
        return True
    expected = compared_bytes(compared)
    start = compared["offset"]
    return bytes(account.data)[start : start + len(expected)] == expected


def transaction_of(text: Json, encoding: str | None, limit: int = rules.LARGE_BYTES) -> VersionedTransaction:
    """Return the transaction that a client sent.

    Args:
        text: The transaction.
        encoding: "base58" (also where none is given) or "base64"; only the latter takes more than 1,232 bytes.
        limit: Most bytes that this door takes, of whichever version.
    """
    data = _decoded(text, encoding or "base58")
    most = min(limit, rules.LARGE_BYTES if encoding == "base64" else rules.PACKET_BYTES)
    if len(data) > most:
        raise _too_large(len(data), most)
    try:
        transaction = VersionedTransaction.from_bytes(data)
    except Exception:  # solders raises several kinds.
        raise RpcError(INVALID_PARAMS, f"failed to deserialize {KIND}") from None
    if len(data) > rules.size_limit(transaction.message):
        raise _too_large(len(data), rules.size_limit(transaction.message))
    return transaction


def _decoded(text: Json, encoding: str) -> bytes:
    if encoding not in TEXT_MAX:
        raise RpcError(INVALID_PARAMS, f"unsupported encoding: {encoding}. Supported encodings: base58, base64")
    if not isinstance(text, str):
        raise RpcError(INVALID_PARAMS, "Invalid params: invalid type, expected a string.")
    if len(text) > TEXT_MAX[encoding]:
        raise RpcError(
            INVALID_PARAMS,
            f"{encoding} encoded {KIND} too large: {len(text)} bytes (max: encoded/raw {TEXT_MAX[encoding]}/"
            f"{rules.LARGE_BYTES if encoding == 'base64' else rules.PACKET_BYTES})",
        )
    try:
        return base64.b64decode(text, validate=True) if encoding == "base64" else base58.b58decode(text)
    except ValueError as error:
        raise RpcError(INVALID_PARAMS, f"invalid {encoding} encoding: {error}") from None


def _too_large(size: int, most: int) -> RpcError:
    return RpcError(INVALID_PARAMS, f"decoded {KIND} too large: {size} bytes (max: {most} bytes)")


def landed_json(landed: Landed, encoding: str, block_time: int) -> Json:
    """Return a transaction of a block as `getTransaction` writes it; `encoding` is "base58", "base64" or "json"."""
    return {
        "slot": landed.slot,
        "blockTime": block_time,
        "transaction": _transaction_json(landed, encoding),
        "meta": _meta_json(landed),
        "version": rules.version_of(landed.transaction.message),
    }


def _transaction_json(landed: Landed, encoding: str) -> Json:
    raw = bytes(landed.transaction)
    if encoding == "base64":
        return [base64.b64encode(raw).decode(), encoding]
    if encoding == "base58":
        return [base58.b58encode(raw).decode(), encoding]
    message = landed.transaction.message
    head = message.header
    shown = {
        "header": {
            "numRequiredSignatures": head.num_required_signatures,
            "numReadonlySignedAccounts": head.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": head.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            {
                "programIdIndex": instruction.program_id_index,
                "accounts": list(instruction.accounts),
                "data": base58.b58encode(bytes(instruction.data)).decode(),
                "stackHeight": 1,
            }
            for instruction in message.instructions
        ],
    }
    if isinstance(message, MessageV1):
        shown["config"] = {
            "priorityFee": message.config.priority_fee,
            "computeUnitLimit": message.config.compute_unit_limit,
            "loadedAccountsDataSizeLimit": message.config.loaded_accounts_data_size_limit,
            "heapSize": message.config.heap_size,
        }
    return {"signatures": [str(one) for one in landed.transaction.signatures], "message": shown}


def _meta_json(landed: Landed) -> Json:
    result = landed.result
    stated = len(landed.transaction.message.account_keys)
    return {
        "err": result.error,
        "status": {"Ok": None} if result.error is None else {"Err": result.error},
        "fee": result.fee,
        "preBalances": landed.before["lamports"],
        "postBalances": landed.after["lamports"],
        "preTokenBalances": landed.before["tokens"],
        "postTokenBalances": landed.after["tokens"],
        "innerInstructions": [
            {"index": index, "instructions": list(group)} for index, group in enumerate(result.inner) if group
        ],
        "logMessages": list(result.logs),
        "loadedAddresses": _loaded_json(landed, stated),
        "returnData": return_data_json(result.returned),
        "computeUnitsConsumed": result.units,
        "rewards": [],
    }


def _loaded_json(landed: Landed, stated: int) -> Json:
    tables = getattr(landed.transaction.message, "address_table_lookups", ())
    written = sum(len(table.writable_indexes) for table in tables)
    loaded = [str(key) for key in landed.keys[stated:]]
    return {"writable": loaded[:written], "readonly": loaded[written:]}


def return_data_json(returned: tuple[Pubkey, bytes] | None) -> Json:
    """Return data that a program returned, as RPC writes it."""
    if returned is None:
        return None
    program, data = returned
    return {"programId": str(program), "data": [base64.b64encode(data).decode(), "base64"]}
