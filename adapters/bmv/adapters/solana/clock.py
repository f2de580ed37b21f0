"""The chain's own clock, as programs read it."""

from solders.account import Account
from solders.pubkey import Pubkey

CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
SYSVARS = Pubkey.from_string("Sysvar1111111111111111111111111111111111111")
LAST_RESTART = Pubkey.from_string("SysvarLastRestartS1ot1111111111111111111111")  # Changes when a cluster restarts.
SLOWEST_SLOT_NS = 400_000_000  # What is reckoned with until slots are measured: none of Solana's were ever longer.
CLOCK_BYTES, TIMESTAMP_AT = 40, 32


def read_unix_timestamp(account: Account) -> int:
    """Return the chain's time in whole seconds since 1970; ValueError where the account is not its clock."""
    if account.owner != SYSVARS or len(account.data) < CLOCK_BYTES:
        raise ValueError(f"is no clock: {len(account.data)} bytes of program {account.owner}")
    return int.from_bytes(account.data[TIMESTAMP_AT:CLOCK_BYTES], "little", signed=True)


def read_slot(account: Account) -> int:
    """Return the slot that the chain's clock is of."""
    return int.from_bytes(account.data[:8], "little")


def read_restart_slot(data: bytes) -> int:
    """Return the slot at which the cluster restarted last, from the bytes of `LAST_RESTART`; 0: never."""
    return int.from_bytes(data[:8], "little")
