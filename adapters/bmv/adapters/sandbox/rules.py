"""What a validator checks and charges, and LiteSVM does not: sizes, compute budgets, loaded bytes, fees.

Sources: SIMD-0385 and SIMD-0296 (transactions of version 1), SIMD-0186 (loaded bytes), SIMD-0170 (default limits); see
solana.md, section 0.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from solders.account import Account
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox.jsonrpc import Json

AnyMessage: TypeAlias = Message | MessageV0 | MessageV1

PACKET_BYTES = 1232  # Legacy and version 0, and everything that Jito takes.
LARGE_BYTES = 4096  # Version 1.
UNITS_MAX = 1_400_000
UNITS_PROGRAM, UNITS_BUILTIN = 200_000, 3_000  # What an instruction gets where no limit is set.
UNITS_COMPUTE_BUDGET = 150
HEAP_BYTES, HEAP_BYTES_MAX = 32 * 1024, 256 * 1024
LOADED_BYTES_MAX = 64 * 1024 * 1024
LOADED_BYTES_EACH = 64  # An account counts this much beyond its data,
LOADED_BYTES_TABLE = 8_248  # a lookup table this much.
SIGNATURE_LAMPORTS = 5_000
MICRO = 1_000_000
NONCE_BYTES = 80
SYSTEM = Pubkey.default()
BUILTINS = frozenset(
    map(
        Pubkey.from_string,
        (
            "11111111111111111111111111111111",
            "ComputeBudget111111111111111111111111111111",
            "Vote111111111111111111111111111111111111111",
            "BPFLoader1111111111111111111111111111111111",
            "BPFLoader2111111111111111111111111111111111",
            "BPFLoaderUpgradeab1e11111111111111111111111",
            "LoaderV411111111111111111111111111111111111",
            "Ed25519SigVerify111111111111111111111111111",
            "KeccakSecp256k11111111111111111111111111111",
        ),
    )
)
PRECOMPILES = frozenset(
    map(
        Pubkey.from_string,
        (
            "Ed25519SigVerify111111111111111111111111111",
            "KeccakSecp256k11111111111111111111111111111",
            "Secp256r1SigVerify1111111111111111111111111",
        ),
    )
)
LIMIT_KINDS = {1: 4, 2: 4, 3: 8, 4: 4}  # First byte of a ComputeBudget instruction -> bytes of its number.


class Refused(Exception):
    """A transaction that enters no block; `error` is the reason, as RPC writes it in JSON."""

    def __init__(self, error: Json) -> None:
        super().__init__(str(error))
        self.error = error


class Limits(NamedTuple):
    """What a transaction may use, and what it pays for priority.

    Args:
        units: Most compute units.
        heap: Bytes of a program's heap.
        loaded: Most bytes of accounts and programs.
        priority: Lamports beyond those for signatures, in total.
    """

    units: int
    heap: int
    loaded: int
    priority: int


def version_of(message: AnyMessage) -> int | str:
    """Return a message's version as RPC writes it: "legacy", 0 or 1."""
    if isinstance(message, MessageV1):
        return 1
    return 0 if isinstance(message, MessageV0) else "legacy"


def is_writable(message: AnyMessage, index: int) -> bool:
    """Say whether a message may write to the account at `index` of its own list."""
    if not isinstance(message, Message):
        return message.is_maybe_writable(index)
    head, count = message.header, len(message.account_keys)
    signed = head.num_required_signatures
    end = signed - head.num_readonly_signed_accounts if index < signed else count - head.num_readonly_unsigned_accounts
    return index < end and not message.demote_program_id(index)


def size_limit(message: AnyMessage) -> int:
    """Return the most bytes that a transaction of this message may have."""
    return LARGE_BYTES if isinstance(message, MessageV1) else PACKET_BYTES


def check_form(transaction: VersionedTransaction) -> None:
    """Refuse a transaction that is too long or malformed, or whose signatures do not fit."""
    message = transaction.message
    try:
        transaction.sanitize()
        if isinstance(message, MessageV1):
            message.validate()
    except Exception as error:  # solders raises several kinds, for a reason that RPC does not tell either.
        raise Refused("SanitizeFailure") from error
    if len(bytes(transaction)) > size_limit(message):
        raise Refused("SanitizeFailure")


def check_signatures(transaction: VersionedTransaction) -> None:
    """Refuse a transaction with a signature that does not fit."""
    if not all(transaction.verify_with_results()):
        raise Refused("SignatureFailure")


def limits_of(message: AnyMessage) -> Limits:
    """Return what a message asks for: version 1 in its head, the others by ComputeBudget instructions.

    Version 1 has nothing by default, and its ComputeBudget instructions have no effect.
    """
    if isinstance(message, MessageV1):
        config = message.config
        return Limits(
            units=min(config.compute_unit_limit or 0, UNITS_MAX),
            heap=config.heap_size or HEAP_BYTES,
            loaded=min(config.loaded_accounts_data_size_limit or 0, LOADED_BYTES_MAX),
            priority=config.priority_fee or 0,
        )
    asked = _compute_budget(message)
    units = min(asked.get(2, _default_units(message)), UNITS_MAX)
    loaded = asked.get(4, LOADED_BYTES_MAX)
    if loaded == 0:
        raise Refused("InvalidLoadedAccountsDataSizeLimit")
    priority = -(-asked.get(3, 0) * units // MICRO)  # Rounded up.
    return Limits(units, asked.get(1, HEAP_BYTES), min(loaded, LOADED_BYTES_MAX), priority)


def _compute_budget(message: Message | MessageV0) -> dict[int, int]:
    """Return the number of each kind of ComputeBudget instruction that is there."""
    asked: dict[int, int] = {}
    for index, (program, data) in enumerate(called(message)):
        if program != COMPUTE_BUDGET:
            continue
        kind = data[0] if data else 0
        number = int.from_bytes(data[1:], "little")
        if len(data) - 1 != LIMIT_KINDS.get(kind):
            raise Refused({"InstructionError": [index, "InvalidInstructionData"]})
        if kind == 1 and not (HEAP_BYTES <= number <= HEAP_BYTES_MAX and number % 1024 == 0):
            raise Refused({"InstructionError": [index, "InvalidInstructionData"]})
        if kind in asked:
            raise Refused({"DuplicateInstruction": index})
        asked[kind] = number
    return asked


def _default_units(message: Message | MessageV0) -> int:
    return sum(UNITS_BUILTIN if program in BUILTINS else UNITS_PROGRAM for program, _ in called(message))


def called(message: AnyMessage) -> Iterable[tuple[Pubkey, bytes]]:
    """Yield the program and the data of each instruction."""
    keys = message.account_keys
    for instruction in message.instructions:
        yield keys[instruction.program_id_index], bytes(instruction.data)


def signatures_of(message: AnyMessage) -> int:
    """Return the signatures that a message pays for: its own, and those that programs check for it."""
    checked = sum(data[0] for program, data in called(message) if program in PRECOMPILES and data)
    return message.header.num_required_signatures + checked


def fee_of(message: AnyMessage, signature_lamports: int = SIGNATURE_LAMPORTS) -> int:
    """Return the lamports that a message costs, landed or failed: its signatures and its priority."""
    return signature_lamports * signatures_of(message) + limits_of(message).priority


def check_payer(payer: Account | None, fee: int, rent: Callable[[int], int]) -> None:
    """Refuse a transaction whose payer can't pay its fee.

    Who was exempt from rent stays so, or is left with nothing. Source: agave, `svm/src/account_loader.rs:
    validate_fee_payer`.

    Args:
        payer: The first account of the message, which pays.
        fee: Lamports.
        rent: From an account's bytes to the lamports with which it is exempt.
    """
    if payer is None:
        raise Refused("AccountNotFound")
    is_nonce = len(payer.data) == NONCE_BYTES
    if payer.owner != SYSTEM or (payer.data and not is_nonce):
        raise Refused("InvalidAccountForFee")
    exempt = rent(len(payer.data))
    left = payer.lamports - fee
    if left < (exempt if is_nonce else 0):
        raise Refused("InsufficientFundsForFee")
    if 0 < left < exempt <= payer.lamports:
        raise Refused({"InsufficientFundsForRent": {"account_index": 0}})


def loaded_bytes(sizes: Sequence[int], tables: int) -> int:
    """Return the bytes that a transaction loads.

    Args:
        sizes: Bytes of data of each account that exists, programs and what they point to included, each once.
        tables: How many lookup tables it reads.
    """
    return sum(sizes) + LOADED_BYTES_EACH * len(sizes) + LOADED_BYTES_TABLE * tables
