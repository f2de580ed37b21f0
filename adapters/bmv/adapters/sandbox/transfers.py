"""What SPL Token's Transfer does when another program calls it: balances, checks and log lines.

Only what a program may call it with is played: one owner's signature, no multisig. Source: solana-program/token,
`program/src/processor.rs: process_transfer`; the lines are those of the SPL Token that LiteSVM of solders 0.29 brings.
"""

from collections.abc import Callable

from solders.pubkey import Pubkey
from solders.token import ID as TOKEN
from solders.transaction_status import InstructionErrorCustom, InstructionErrorFieldless

from bmv.adapters.sandbox.double import AccountState, InstructionError
from bmv.adapters.sandbox.tokens import ACCOUNT_BYTES

_MINT, _OWNER, _AMOUNT = slice(0, 32), slice(32, 64), slice(64, 72)
_DELEGATE_TAG, _DELEGATE, _STATE = slice(72, 76), slice(76, 108), 108
_IS_NATIVE, _DELEGATED = slice(109, 113), slice(121, 129)
_FROZEN = 2
_U64_MAX = 2**64 - 1

_INSUFFICIENT_FUNDS, _MINT_MISMATCH, _OWNER_MISMATCH, _ACCOUNT_FROZEN = 1, 3, 4, 17


def mint_of(data: bytes | bytearray) -> bytes:
    """Return the mint of a token account."""
    return bytes(data[_MINT])


def owner_of(data: bytes | bytearray) -> bytes:
    """Return whose a token account is."""
    return bytes(data[_OWNER])


def amount_of(data: bytes | bytearray) -> int:
    """Return what a token account holds, in native units."""
    return int.from_bytes(data[_AMOUNT], "little")


def transfer(
    source: AccountState, target: AccountState, authority: bytes, amount: int, say: Callable[[str], None]
) -> InstructionError | None:
    """Move `amount` from `source` to `target` (the same state if they are the same account), and say what is logged.

    Returns why it failed, or None. The authority's signature is the caller's to check.
    """
    say(f"Program {TOKEN} invoke [2]")
    error = _check(source, target, authority, amount)
    if error is None:
        _move(source, target, authority, amount)
        say(f"Program {TOKEN} success")
        return None
    if isinstance(error, InstructionErrorCustom):
        say(f"Program log: Error: {_TEXTS[error.code]}")
        say(f"Program {TOKEN} failed: custom program error: {hex(error.code)}")
    else:
        say(f"Program {TOKEN} failed: invalid account data for instruction")
    return error


_TEXTS = {
    _INSUFFICIENT_FUNDS: "insufficient funds",
    _MINT_MISMATCH: "Account not associated with this Mint",
    _OWNER_MISMATCH: "owner does not match",
    _ACCOUNT_FROZEN: "Account is frozen",
}


def _check(source: AccountState, target: AccountState, authority: bytes, amount: int) -> InstructionError | None:
    for state in (source, target):
        if len(state.data) != ACCOUNT_BYTES or not state.data[_STATE]:
            return InstructionErrorFieldless.InvalidAccountData
        if state.data[_STATE] == _FROZEN:
            return InstructionErrorCustom(_ACCOUNT_FROZEN)
    if amount_of(source.data) < amount:
        return InstructionErrorCustom(_INSUFFICIENT_FUNDS)
    if mint_of(source.data) != mint_of(target.data):
        return InstructionErrorCustom(_MINT_MISMATCH)
    if _is_delegate(source, authority):
        if int.from_bytes(source.data[_DELEGATED], "little") < amount:
            return InstructionErrorCustom(_INSUFFICIENT_FUNDS)
    elif owner_of(source.data) != authority:
        return InstructionErrorCustom(_OWNER_MISMATCH)
    return None


def _is_delegate(source: AccountState, authority: bytes) -> bool:
    return source.data[_DELEGATE_TAG] == b"\1\0\0\0" and source.data[_DELEGATE] == authority


def _move(source: AccountState, target: AccountState, authority: bytes, amount: int) -> None:
    if source is target or not amount:
        return
    if _is_delegate(source, authority):
        left = int.from_bytes(source.data[_DELEGATED], "little") - amount
        source.data[_DELEGATED] = left.to_bytes(8, "little")
        if not left:
            source.data[_DELEGATE_TAG] = bytes(4)
    for state, change in ((source, -amount), (target, amount)):
        state.data[_AMOUNT] = (amount_of(state.data) + change).to_bytes(8, "little")
        if source.data[_IS_NATIVE] == b"\1\0\0\0":
            state.lamports += change


def empty_account(mint: Pubkey, owner: Pubkey, amount: int, lamports: int) -> AccountState:
    """Return a token account of `owner` that holds `amount`."""
    assert 0 <= amount <= _U64_MAX
    data = bytearray(ACCOUNT_BYTES)
    data[_MINT], data[_OWNER], data[_STATE] = bytes(mint), bytes(owner), 1
    data[_AMOUNT] = amount.to_bytes(8, "little")
    return AccountState(lamports, data, TOKEN)
