"""RPC methods about the chain itself: slots, blocks, blockhashes, rent, fees, consensus."""

from base64 import b64decode

from solders.message import Message, MessageV0, MessageV1, from_bytes_versioned
from solders.pubkey import Pubkey

from bmv.adapters.sandbox import clock, rules
from bmv.adapters.sandbox.admission import HASH_BLOCKS
from bmv.adapters.sandbox.encodings import landed_json, public_key
from bmv.adapters.sandbox.jsonrpc import (
    BLOCK_NOT_AVAILABLE,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    SLOT_SKIPPED,
    Json,
    RpcError,
)
from bmv.adapters.sandbox.ledger import Block
from bmv.adapters.sandbox.params import check_config
from bmv.adapters.sandbox.rules import Refused
from bmv.adapters.sandbox.versions import refuse_unasked_version
from bmv.adapters.sandbox.view import VERSION, View

FEE_SLOTS = 150
FEE_ADDRESSES_MAX = 128
SAMPLE_SLOTS = 60
SAMPLES_MAX = 720


def get_health(view: View) -> Json:
    """Say "ok"."""
    return "ok"


def get_version(view: View) -> Json:
    """Return the version of the software that the node plays."""
    return {"solana-core": VERSION, "feature-set": 1}


def get_identity(view: View) -> Json:
    """Return the leader's address."""
    return {"identity": str(view.chain.runtime.svm.airdrop_pubkey())}


def get_genesis_hash(view: View) -> Json:
    """Return the hash that the first block was built on."""
    return str(view.chain.genesis)


def get_slot(view: View, config: Json = None) -> Json:
    """Return the slot at a commitment."""
    return view.slot(config)


def get_slot_leader(view: View, config: Json = None) -> Json:
    """Return who leads: always the same."""
    return get_identity(view)["identity"]


def get_block_height(view: View, config: Json = None) -> Json:
    """Return the height at a commitment."""
    view.slot(config)
    return view.block(config).height


def get_epoch_info(view: View, config: Json = None) -> Json:
    """Return where in its epoch the chain is."""
    slot = view.slot(config)
    return {
        "absoluteSlot": slot,
        "blockHeight": view.block(config).height,
        "epoch": slot // clock.EPOCH_SLOTS,
        "slotIndex": slot % clock.EPOCH_SLOTS,
        "slotsInEpoch": clock.EPOCH_SLOTS,
        "transactionCount": None,
    }


def get_latest_blockhash(view: View, config: Json = None) -> Json:
    """Return the newest blockhash at a commitment, and up to which height it may be named."""
    block = view.block(config)
    value = {"blockhash": str(block.newest_hash), "lastValidBlockHeight": block.height + HASH_BLOCKS}
    return view.answer(config, value)


def is_blockhash_valid(view: View, blockhash: str, config: Json = None) -> Json:
    """Say whether a blockhash may still be named at a commitment."""
    return view.answer(config, view.chain.admission.is_young(blockhash, view.block(config)))


def get_minimum_balance_for_rent_exemption(view: View, size: int, config: Json = None) -> Json:
    """Return the lamports at which an account of `size` bytes pays no rent: what the Rent sysvar says."""
    return view.chain.runtime.svm.minimum_balance_for_rent_exemption(size)


def get_fee_for_message(view: View, text: str, config: Json = None) -> Json:
    """Return what a message costs, null where its blockhash is too old."""
    try:
        message = from_bytes_versioned(b64decode(text, validate=True))
        assert isinstance(message, Message | MessageV0 | MessageV1)
        fee = view.chain.runtime.fee_of(message)
    except Refused:
        fee = None
    except Exception:  # solders raises several kinds.
        raise RpcError(INVALID_PARAMS, "failed to deserialize solana_message::VersionedMessage") from None
    young = view.chain.admission.is_young(message.recent_blockhash, view.block(config))
    return view.answer(config, fee if young else None)


def get_recent_prioritization_fees(view: View, keys: list[str] | None = None) -> Json:
    """Return the least priority that landed in each recent slot with these accounts write-locked, µlamports a unit."""
    if len(keys or ()) > FEE_ADDRESSES_MAX:
        raise RpcError(INVALID_PARAMS, f"Too many inputs provided; max {FEE_ADDRESSES_MAX}")
    wanted = {public_key(key) for key in keys or ()}
    blocks = view.chain.ledger.blocks[-FEE_SLOTS:]
    return [{"slot": block.slot, "prioritizationFee": _least_price(block, wanted)} for block in blocks]


def _least_price(block: Block, wanted: set[Pubkey]) -> int:
    prices = []
    for landed in block.landed:
        message = landed.transaction.message
        written = {key for i, key in enumerate(message.account_keys) if rules.is_writable(message, i)}
        if wanted <= written:
            limits = rules.limits_of(message)
            prices.append(limits.priority * rules.MICRO // max(limits.units, 1))
    return min(prices, default=0)


def get_block(view: View, slot: int, config: str | dict[str, Json] | None = None) -> Json:
    """Return a block with its transactions, or their signatures only, or neither."""
    config = {"encoding": config} if isinstance(config, str) else config or {}
    block = _readable_block(view, slot, config)
    shown: dict[str, Json] = {
        "blockhash": str(block.hash),
        "previousBlockhash": str(block.newest_hash),
        "parentSlot": block.parent,
        "blockHeight": block.height,
        "blockTime": block.end_ns // clock.SECOND_NS,
        "rewards": [],
    }
    details = config.get("transactionDetails") or "full"
    if details == "signatures":
        shown["signatures"] = [landed.signature for landed in block.landed]
    elif details == "full":
        rows = []
        for landed in block.landed:
            refuse_unasked_version(landed, config)
            row = landed_json(landed, config.get("encoding") or "json", 0)
            rows.append({part: row[part] for part in ("transaction", "meta", "version")})
        shown["transactions"] = rows
    return shown


def _readable_block(view: View, slot: int, config: Json) -> Block:
    newest = view.slot({"commitment": config.get("commitment"), "minContextSlot": None})
    block = view.chain.ledger.block_at(slot)
    if block is None and slot < newest:
        raise RpcError(SLOT_SKIPPED, f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot")
    if block is None or block.hash is None or slot > newest:
        raise RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
    return block


def get_blocks(view: View, first: int, last: int | dict[str, Json] | None = None, config: Json = None) -> Json:
    """Return the slots that have a block, from `first` to `last`, or to the newest at the commitment."""
    config = last if isinstance(last, dict) else config
    check_config(config)
    end = view.slot(config)
    end = min(end, last) if isinstance(last, int) else end
    return [block.slot for block in view.chain.ledger.blocks if first <= block.slot <= end]


def get_block_time(view: View, slot: int) -> Json:
    """Return the time at the end of a block, whole seconds."""
    return _readable_block(view, slot, {"commitment": "processed"}).end_ns // clock.SECOND_NS


def get_first_available_block(view: View) -> Json:
    """Return the slot of the oldest block that is remembered."""
    return view.chain.ledger.blocks[0].slot


def get_recent_performance_samples(view: View, limit: int | None = None) -> Json:
    """Return slots and transactions of the last minutes, the newest first, as the chain's own clock measures them."""
    blocks = [block for block in view.chain.ledger.blocks if block.hash is not None]
    samples = []
    for end in range(len(blocks), SAMPLE_SLOTS - 1, -SAMPLE_SLOTS):
        part = blocks[end - SAMPLE_SLOTS : end]
        samples.append(
            {
                "slot": part[-1].slot,
                "numSlots": part[-1].slot - part[0].parent,
                "numTransactions": sum(len(block.landed) for block in part),
                "numNonVoteTransactions": sum(len(block.landed) for block in part),
                "samplePeriodSecs": round((part[-1].end_ns - part[0].parent_ns) / clock.SECOND_NS),
            }
        )
    return samples[: SAMPLES_MAX if limit is None else limit]


def get_transaction_count(view: View, config: Json = None) -> Json:
    """Return how many transactions are remembered."""
    return len(view.chain.landed)


def get_ag_genesis_cert(view: View) -> Json:
    """Return the certificate of the switch to Alpenglow, null on TowerBFT; some nodes don't know the method."""
    if view.faults.strike("no_certificate"):
        raise RpcError(METHOD_NOT_FOUND, "Method not found")
    if not view.chain.consensus.certified or view.faults.strike("null_certificate"):
        return None
    block = {"slot": view.chain.first_slot, "block_id": list(bytes(view.chain.genesis))}
    return {"block": block, "signature": {"signature": [0] * 192, "bitmap": [1, 128]}}
