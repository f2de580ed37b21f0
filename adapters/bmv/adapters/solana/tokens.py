"""Mints and token accounts of SPL Token."""

from solders.account import Account
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN_PROGRAM
from solders.token.state import Mint, TokenAccount

MINT_BYTES, TOKEN_ACCOUNT_BYTES = 82, 165
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
