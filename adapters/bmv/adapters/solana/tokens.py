"""Mints and token accounts of SPL Token: read, found and made.

The library for these (`spl.token`) costs a third of a second to import, which is a third of what a start may take.
"""

from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.token import ID as TOKEN_PROGRAM
from solders.token.state import Mint, TokenAccount

MINT_BYTES, TOKEN_ACCOUNT_BYTES = 82, 165
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
NATIVE_MINT = Pubkey.from_string("So11111111111111111111111111111111111111112")  # Of wrapped SOL.
TRANSFER_TOKENS = b"\x03"  # First byte; the amount follows.
CREATE_IDEMPOTENT, CLOSE_ACCOUNT, SYNC_NATIVE = b"\x01", b"\x09", b"\x11"  # Whole data.
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")


def read_mint(account: Account) -> Mint:
    """Return a mint of SPL Token; ValueError says what the account is instead."""
    _check(account, MINT_BYTES)
    return Mint.from_bytes(account.data)


def read_token_account(account: Account) -> TokenAccount:
    """Return a token account of SPL Token; ValueError says what the account is instead."""
    _check(account, TOKEN_ACCOUNT_BYTES)
    return TokenAccount.from_bytes(account.data)


def _check(account: Account, size: int) -> None:
    if account.owner == TOKEN_2022:
        raise ValueError("is of Token-2022, and OpenBook's programs speak SPL Token only")
    if account.owner != TOKEN_PROGRAM:
        raise ValueError(f"belongs to program {account.owner}, not to SPL Token")
    if len(account.data) != size:
        raise ValueError(f"has {len(account.data)} bytes, not {size}")


def associated_account(owner: Pubkey, mint: Pubkey) -> Pubkey:
    """Return the address of an owner's token account."""
    return Pubkey.find_program_address([bytes(owner), bytes(TOKEN_PROGRAM), bytes(mint)], ASSOCIATED)[0]


def create_associated_account(payer: Pubkey, owner: Pubkey, mint: Pubkey) -> Instruction:
    """Make an owner's token account, unless it is there."""
    metas = [
        AccountMeta(payer, True, True),
        AccountMeta(associated_account(owner, mint), False, True),
        AccountMeta(owner, False, False),
        AccountMeta(mint, False, False),
        AccountMeta(SYSTEM_PROGRAM, False, False),
        AccountMeta(TOKEN_PROGRAM, False, False),
    ]
    return Instruction(ASSOCIATED, CREATE_IDEMPOTENT, metas)


def sync_native(account: Pubkey) -> Instruction:
    """Let an account of wrapped SOL count the lamports that were sent to it."""
    return Instruction(TOKEN_PROGRAM, SYNC_NATIVE, [AccountMeta(account, False, True)])


def transfer_tokens(source: Pubkey, target: Pubkey, owner: Pubkey, amount: int) -> Instruction:
    """Move tokens, a native amount, from an owner's account to another of the same mint."""
    metas = [AccountMeta(source, False, True), AccountMeta(target, False, True), AccountMeta(owner, True, False)]
    return Instruction(TOKEN_PROGRAM, TRANSFER_TOKENS + amount.to_bytes(8, "little"), metas)


def close_token_account(account: Pubkey, owner: Pubkey) -> Instruction:
    """Give the rent of a token account back to its owner: an empty one's, or of wrapped SOL together with the SOL."""
    metas = [AccountMeta(account, False, True), AccountMeta(owner, False, True), AccountMeta(owner, True, False)]
    return Instruction(TOKEN_PROGRAM, CLOSE_ACCOUNT, metas)
