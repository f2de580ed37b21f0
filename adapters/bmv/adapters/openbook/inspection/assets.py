"""Whether the coins of a market are what it says: its mints, and the vaults that hold them."""

from dataclasses import dataclass

from solders.pubkey import Pubkey
from solders.token.state import Mint, TokenAccount, TokenAccountState

from bmv.adapters.openbook.inspection.reading import Reading
from bmv.adapters.openbook.inspection.records import Asset
from bmv.adapters.solana.tokens import read_mint, read_token_account


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a market says of one of its coins.

    Args:
        what: "base" or "quote".
        decimals: As the market has them; None: it keeps none.
        authority: Who has to own the vault; None: unknown, which is a finding already.
        owed: Native units that the vault has to hold.
    """

    what: str
    mint: Pubkey
    decimals: int | None
    vault: Pubkey
    authority: Pubkey | None
    owed: int


def inspect_asset(reading: Reading, claim: Claim) -> Asset:
    """Check a claim, and return what is true."""
    mint, vault = _mint(reading, claim), _vault(reading, claim)
    if mint is not None:
        _check_decimals(reading, claim, mint)
    if vault is not None:
        _check_vault(reading, claim, vault)
    return Asset(
        mint=claim.mint,
        decimals=mint.decimals if mint is not None else None,
        vault=claim.vault,
        held=vault.amount if vault is not None else None,
        owed=claim.owed,
        freezer=mint.freeze_authority if mint is not None else None,
    )


def _mint(reading: Reading, claim: Claim) -> Mint | None:
    account = reading.account(f"{claim.what} mint", claim.mint)
    try:
        return None if account is None else read_mint(account)
    except ValueError as error:
        reading.refuse(True, f"{claim.what} mint {claim.mint}: {_reason(error)}")
        return None


def _vault(reading: Reading, claim: Claim) -> TokenAccount | None:
    account = reading.account(f"{claim.what} vault", claim.vault)
    try:
        return None if account is None else read_token_account(account)
    except ValueError as error:
        reading.refuse(True, f"{claim.what} vault {claim.vault}: {_reason(error)}")
        return None


def _reason(error: ValueError) -> str:
    """Return what is wrong as a clause; what the library says is a sentence of its own."""
    text = str(error)
    return text if text[:1].islower() else f"can't be read: {text[:1].lower()}{text[1:]}"


def _check_decimals(reading: Reading, claim: Claim, mint: Mint) -> None:
    wrong = claim.decimals is not None and claim.decimals != mint.decimals
    text = f"{claim.what} mint {claim.mint}: has {mint.decimals} decimals, and the market counts with {claim.decimals}"
    reading.refuse(wrong, text)


def _check_vault(reading: Reading, claim: Claim, vault: TokenAccount) -> None:
    what = f"{claim.what} vault {claim.vault}:"
    reading.refuse(vault.mint != claim.mint, f"{what} holds coins of {vault.mint}, not of {claim.mint}")
    foreign = claim.authority is not None and vault.owner != claim.authority
    reading.refuse(foreign, f"{what} is owned by {vault.owner}, not by the market's authority {claim.authority}")
    reading.refuse(vault.state == TokenAccountState.Frozen, f"{what} is frozen: nothing is paid out")
    reading.refuse(vault.delegate is not None, f"{what} may be spent from by a delegate, {vault.delegate}")
    reading.refuse(vault.close_authority is not None, f"{what} may be closed by {vault.close_authority}")
    text = f"{what} holds {vault.amount} native units, and the market owes {claim.owed}"
    reading.refuse(vault.amount < claim.owed, text)
