"""A harmless transaction of version 1, and what a node's simulation of it says. Source: SIMD-0385.

It moves nothing from the payer to the payer, is not signed, and is never sent.
"""

from base64 import b64encode

from solders.hash import Hash
from solders.message import MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from bmv.adapters.solana.errors import Json, NodeError
from bmv.live.doctor.seen import Taken, VersionOne

UNITS = 10_000
LOADED_BYTES = 1 << 20
UNREADABLE = -32602  # What a node says that does not know the version.
CHAIN_REFUSES = ("UnsupportedVersion", "SanitizeFailure")
SIMULATION = {
    "encoding": "base64",
    "commitment": "processed",
    "sigVerify": False,
    "replaceRecentBlockhash": True,
}


def encoded(payer: Pubkey) -> str:
    """Return the transaction in base64.

    >>> from base64 import b64decode
    >>> b64decode(encoded(Pubkey.default()))[0] == 0x81
    True
    """
    nothing = transfer(TransferParams(from_pubkey=payer, to_pubkey=payer, lamports=0))
    limits = TransactionConfig(compute_unit_limit=UNITS, loaded_accounts_data_size_limit=LOADED_BYTES)
    message = MessageV1.try_compile(payer, [nothing], Hash.default(), limits)
    return b64encode(bytes(VersionedTransaction.populate(message, [Signature.default()]))).decode()


def read_simulation(result: Json) -> VersionOne:
    """Return what a simulation means: where it failed for its payer's sake, the version was read but not executed."""
    try:
        error = result["value"]["err"]
    except (KeyError, TypeError):
        return VersionOne(Taken.UNKNOWN, "it answers the simulation with what can't be used")
    if error is None:
        return VersionOne(Taken.YES, "a simulated one succeeds")
    if error in CHAIN_REFUSES:
        return VersionOne(Taken.NO, f"the chain refuses a simulated one: {error}")
    return VersionOne(Taken.UNKNOWN, f"a simulated one is read, and not executed: {error}")


def read_refusal(error: NodeError) -> VersionOne:
    """Return what it means that a node refuses the simulation."""
    if error.code == UNREADABLE:
        return VersionOne(Taken.NO, "it can't read one")
    return VersionOne(Taken.UNKNOWN, f"it refuses to simulate one: {error.message} ({error.code})")
