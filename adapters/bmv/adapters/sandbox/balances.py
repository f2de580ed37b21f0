"""What the accounts of a transaction hold, as `getTransaction` shows it before and after."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from solders.account import Account
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN

from bmv.adapters.sandbox.jsonrpc import Json
from bmv.adapters.sandbox.tokens import ACCOUNT_BYTES, MINT_BYTES

DECIMALS_AT = 44  # Of a mint.


def balances(keys: Sequence[Pubkey], account: Callable[[Pubkey], Account | None]) -> Json:
    """Return the lamports of each account, and the token amounts of those that hold tokens.

    Returns:
        `lamports`: a list, by index of the account; `tokens`: rows as RPC writes `preTokenBalances`.
    """
    held = [account(key) for key in keys]
    tokens = [
        token_row(index, bytes(one.data), account)
        for index, one in enumerate(held)
        if one is not None and one.owner == TOKEN and len(one.data) == ACCOUNT_BYTES
    ]
    return {"lamports": [0 if one is None else one.lamports for one in held], "tokens": tokens}


def token_row(index: int, data: bytes, account: Callable[[Pubkey], Account | None]) -> Json:
    """Return one row of token balances."""
    mint = Pubkey(data[:32])
    return {
        "accountIndex": index,
        "mint": str(mint),
        "owner": str(Pubkey(data[32:64])),
        "programId": str(TOKEN),
        "uiTokenAmount": amount(int.from_bytes(data[64:72], "little"), decimals(account(mint))),
    }


def decimals(mint: Account | None) -> int:
    """Return the decimals of a mint, 0 where it is none."""
    return bytes(mint.data)[DECIMALS_AT] if mint is not None and len(mint.data) >= MINT_BYTES else 0


def amount(native: int, places: int) -> Json:
    """Return a token amount as RPC writes it.

    >>> amount(1_500_000, 6)
    {'amount': '1500000', 'decimals': 6, 'uiAmount': 1.5, 'uiAmountString': '1.5'}
    """
    exact = Decimal(native).scaleb(-places)
    text = f"{exact:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return {"amount": str(native), "decimals": places, "uiAmount": float(exact), "uiAmountString": text}
