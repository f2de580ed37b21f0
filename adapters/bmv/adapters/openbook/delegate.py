"""Who trades for an owner on version 2, from what the owner deposited: a key that lies where the bot runs."""

from collections.abc import Iterable
from typing import NamedTuple

from solders.pubkey import Pubkey

from bmv.adapters.solana.tokens import associated_account


class Delegate(NamedTuple):
    """A key that trades for somebody's account at the venue.

    An order names a token account to be paid from where the deposit is too small. Of an order that a delegate signs it
    is one of its own, which holds nothing: so the owner's wallet is never named, and never paid from.

    Args:
        key: Signs, and pays the fees.
        base, quote: Its own token accounts.
    """

    key: Pubkey
    base: Pubkey
    quote: Pubkey


def delegate_of(key: Pubkey, mints: Iterable[Pubkey]) -> Delegate:
    """Return a delegate with the token accounts that wallets use by custom; mints of base and quote."""
    base, quote = (associated_account(key, mint) for mint in mints)
    return Delegate(key, base, quote)
