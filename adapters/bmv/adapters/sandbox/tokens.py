"""SPL Token: how its accounts are sized, and the instructions that the sandbox's making needs.

The library for these (`spl.token`) costs a third of a second to import, which is a third of what a start may take.
"""

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN

MINT_BYTES, ACCOUNT_BYTES = 82, 165
MINT_TO, INITIALIZE_ACCOUNT_3, INITIALIZE_MINT_2 = 7, 18, 20  # First byte of the data.


def initialize_mint(mint: Pubkey, decimals: int, authority: Pubkey) -> Instruction:
    """Make an empty account a token that `authority` may mint and nobody may freeze."""
    data = bytes([INITIALIZE_MINT_2, decimals]) + bytes(authority) + bytes([0])
    return Instruction(TOKEN, data, [AccountMeta(mint, False, True)])


def initialize_account(account: Pubkey, mint: Pubkey, owner: Pubkey) -> Instruction:
    """Make an empty account hold a token for `owner`."""
    metas = [AccountMeta(account, False, True), AccountMeta(mint, False, False)]
    return Instruction(TOKEN, bytes([INITIALIZE_ACCOUNT_3]) + bytes(owner), metas)


def mint_to(mint: Pubkey, account: Pubkey, authority: Pubkey, native: int) -> Instruction:
    """Make so many native units more of a token, and put them into an account."""
    metas = [
        AccountMeta(mint, False, True),
        AccountMeta(account, False, True),
        AccountMeta(authority, True, False),
    ]
    return Instruction(TOKEN, bytes([MINT_TO]) + native.to_bytes(8, "little"), metas)
