"""A transaction's message taken apart, whichever its version; what is not written as everybody writes it is refused.

solders reads more than it should, bytes behind the end for one: what it read is written again, and must be the same.
"""

from itertools import chain
from typing import NamedTuple, TypeAlias

from solders.hash import Hash
from solders.instruction import AccountMeta, CompiledInstruction, Instruction
from solders.message import Message, MessageV0, MessageV1, TransactionConfig, from_bytes_versioned, to_bytes_versioned
from solders.pubkey import Pubkey

from bmv.adapters.openbook.policy.verdict import Code, Forbidden

AnyMessage: TypeAlias = Message | MessageV0 | MessageV1

V0, V1 = 0x80, 0x81  # First byte; below it is a legacy message's number of signatures.
BYTES_MAX = {False: 1_232, True: 4_096}  # Of the whole transaction; True: of version 1.
V1_ACCOUNTS_MAX = V1_INSTRUCTIONS_MAX = 64
SIGNATURE_BYTES = 64


class Parsed(NamedTuple):
    """What a message says.

    Args:
        payer: Pays the fee.
        rights: Of every account: whether it signs, and whether it may be written to.
        instructions: In order, each account with its rights.
        config: What version 1 says of compute budget and fee; None: instructions say it.
    """

    payer: Pubkey
    rights: dict[Pubkey, tuple[bool, bool]]
    instructions: list[Instruction]
    blockhash: Hash
    config: TransactionConfig | None


def parse(data: bytes) -> Parsed:
    """Take a message apart; `Forbidden` for one that is not well formed, of another version, or with lookup tables."""
    message = _read(data)
    keys = message.account_keys
    if len(set(keys)) != len(keys):
        raise Forbidden(Code.FORM, "an account is named twice")
    rights = _rights(message)
    metas = [AccountMeta(key, *right) for key, right in rights.items()]
    instructions = [_instruction(one, keys, metas) for one in message.instructions]
    config = message.config if isinstance(message, MessageV1) else None
    return Parsed(keys[0], rights, instructions, message.recent_blockhash, config)


def _read(data: bytes) -> AnyMessage:
    if not data:
        raise Forbidden(Code.FORM, "no message: it has no bytes")
    if data[0] > V1:
        raise Forbidden(Code.VERSION, f"a message of version {data[0] & 0x7F}, and legacy, 0 and 1 are known")
    try:
        message = from_bytes_versioned(data)
        again = to_bytes_versioned(message)
    except ValueError as error:
        raise Forbidden(Code.FORM, f"no message: {error}") from None
    if again != data:
        raise Forbidden(
            Code.FORM, f"no message as it should be written: {len(data)} bytes, of which {len(again)} are read"
        )
    if isinstance(message, MessageV0) and message.address_table_lookups:
        raise Forbidden(Code.LOOKUP_TABLE, "accounts from lookup tables, which hide what is signed")
    _check_counts(message, len(data))
    return message


def _check_counts(message: AnyMessage, size: int) -> None:
    """Refuse a message whose counts do not fit together, or which is larger than the chain takes."""
    head, count = message.header, len(message.account_keys)
    signed = head.num_required_signatures
    fits = head.num_readonly_signed_accounts < signed <= count
    if not fits or head.num_readonly_unsigned_accounts > count - signed:
        raise Forbidden(Code.FORM, f"{count} accounts of which {signed} sign, and the counts do not fit together")
    is_v1 = isinstance(message, MessageV1)
    whole = size + SIGNATURE_BYTES * signed + (0 if is_v1 else 1)
    if whole > BYTES_MAX[is_v1]:
        raise Forbidden(Code.FORM, f"a transaction of {whole} bytes, and {BYTES_MAX[is_v1]} is the most")
    if is_v1 and (count > V1_ACCOUNTS_MAX or len(message.instructions) > V1_INSTRUCTIONS_MAX):
        raise Forbidden(
            Code.FORM, f"{count} accounts and {len(message.instructions)} instructions, and 64 are the most"
        )
    if not message.instructions:
        raise Forbidden(Code.FORM, "a message without an instruction")


def _rights(message: AnyMessage) -> dict[Pubkey, tuple[bool, bool]]:
    """Return of every account whether it signs and may be written to, as the header says."""
    head, keys = message.header, message.account_keys
    signed = head.num_required_signatures
    counts = (
        (signed - head.num_readonly_signed_accounts, (True, True)),
        (head.num_readonly_signed_accounts, (True, False)),
        (len(keys) - signed - head.num_readonly_unsigned_accounts, (False, True)),
        (head.num_readonly_unsigned_accounts, (False, False)),
    )
    each = chain.from_iterable([right] * count for count, right in counts)
    return dict(zip(keys, each, strict=True))


def _instruction(one: CompiledInstruction, keys: list[Pubkey], metas: list[AccountMeta]) -> Instruction:
    indices = bytes(one.accounts)
    most = max((one.program_id_index, *indices))
    if most >= len(keys):
        raise Forbidden(Code.FORM, f"an instruction names account {most}, and there are {len(keys)}")
    return Instruction(keys[one.program_id_index], bytes(one.data), [metas[index] for index in indices])
