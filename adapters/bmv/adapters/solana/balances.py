"""What a wallet holds, as an endpoint says: lamports, and tokens of SPL Token."""

from decimal import Decimal
from typing import Any, NamedTuple

from solders.pubkey import Pubkey
from solders.token import ID as TOKEN_PROGRAM

from bmv.adapters.solana.accounts import ENCODING, read_account
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import ACCOUNTS_MAX, FINALIZED, Rpc
from bmv.adapters.solana.tokens import read_mint, read_token_account

SOL_DECIMALS = 9


class Holding(NamedTuple):
    """What one token account holds.

    Args:
        native: Smallest units.
        decimals: How many of its digits stand behind the point; None: the mint could not be read.
    """

    account: Pubkey
    mint: Pubkey
    native: int
    decimals: int | None

    @property
    def amount(self) -> str:
        """The amount in whole tokens, or in smallest units where they are not known."""
        return f"{self.native} smallest units" if self.decimals is None else in_whole(self.native, self.decimals)


class Balances(NamedTuple):
    """What a wallet holds at the finalized bank."""

    lamports: int
    tokens: tuple[Holding, ...]

    def lines(self) -> list[str]:
        """Return it as one reads it."""
        tokens = [f"token     {each.amount} of {each.mint} in {each.account}" for each in self.tokens]
        return [f"SOL       {in_whole(self.lamports, SOL_DECIMALS)}", *tokens]

    def table(self) -> dict[str, Any]:  # Any: JSON.
        """Return it as JSON has it, in smallest units."""
        tokens = [
            {"account": str(each.account), "mint": str(each.mint), "native": each.native, "decimals": each.decimals}
            for each in self.tokens
        ]
        return {"lamports": self.lamports, "tokens": tokens}


def in_whole(native: int, decimals: int) -> str:
    """Return an amount in whole units.

    >>> in_whole(1_500_000_000, 9), in_whole(0, 6)
    ('1.5', '0')
    """
    text = f"{Decimal(native).scaleb(-decimals):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


async def read_balances(rpc: Rpc, owner: Pubkey) -> Balances:
    """Ask an endpoint what a wallet holds; `EndpointError` where that can't be known."""
    options = {"encoding": ENCODING, "commitment": FINALIZED}
    held = await rpc.call("getBalance", str(owner), {"commitment": FINALIZED})
    tokens = await rpc.call("getTokenAccountsByOwner", str(owner), {"programId": str(TOKEN_PROGRAM)}, options)
    try:
        lamports = int(held["value"])
        accounts = [(Pubkey.from_string(each["pubkey"]), read_account(each["account"])) for each in tokens["value"]]
        states = [(key, read_token_account(account)) for key, account in accounts if account is not None]
    except (KeyError, TypeError, ValueError):
        raise EndpointError(f"{rpc.endpoint}: answers with balances that can't be used") from None
    decimals = await _decimals(rpc, [state.mint for _, state in states])
    return Balances(lamports, tuple(Holding(key, each.mint, each.amount, decimals[each.mint]) for key, each in states))


async def _decimals(rpc: Rpc, mints: list[Pubkey]) -> dict[Pubkey, int | None]:
    """Return the decimals of mints; None for those that can't be read, and those beyond one call."""
    asked = list(dict.fromkeys(mints))[:ACCOUNTS_MAX]
    known: dict[Pubkey, int | None] = dict.fromkeys(mints)
    if not asked:
        return known
    snapshot = await rpc.accounts(asked, commitment=FINALIZED)
    for mint, account in snapshot.accounts.items():
        try:
            known[mint] = None if account is None else read_mint(account).decimals
        except ValueError:
            known[mint] = None
    return known
