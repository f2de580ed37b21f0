"""The policy of a seat: whose accounts these are, on which market, within which limits."""

from collections.abc import Iterable

from solders.pubkey import Pubkey

from bmv.adapters.openbook.delegate import delegate_of
from bmv.adapters.openbook.planning.seat import Seat
from bmv.adapters.openbook.policy.mandate import Limits, Ours
from bmv.adapters.openbook.policy.policy import Policy
from bmv.adapters.openbook.policy.venue_v1 import VenueV1
from bmv.adapters.openbook.policy.venue_v2 import VenueV2
from bmv.adapters.openbook.seat.desk import AnyMarket, mints_of
from bmv.adapters.openbook.v1.accounts import Market as MarketV1
from bmv.adapters.solana.tokens import associated_account


def make_seat(
    market: Pubkey,
    account: AnyMarket,
    program: Pubkey,
    owner: Pubkey,
    open_orders: Pubkey,
    signer: Pubkey | None = None,
) -> Seat:
    """Return an owner's seat on a market, with the token accounts that wallets use by custom.

    Args:
        market: The market's address.
        account: What stands there.
        program: The venue's.
        open_orders: Our account at the venue; `find_spot` says which.
        signer: Whose key signs; a delegate's, if it is another than the owner's, on version 2. None: the owner's.
    """
    delegated = signer not in (None, owner)
    assert not (delegated and isinstance(account, MarketV1)), "version 1 knows no delegates"
    base, quote = (associated_account(owner, mint) for mint in mints_of(account))
    return Seat(
        market=market,
        owner=owner,
        open_orders=open_orders,
        base_wallet=base,
        quote_wallet=quote,
        program=program,
        delegate=delegate_of(signer, mints_of(account)) if signer is not None and delegated else None,
    )


def ours_of(
    seat: Seat, *, delegates: Iterable[Pubkey] = (), tips: Iterable[Pubkey] = (), successor: Pubkey | None = None
) -> Ours:
    """Return what a policy knows as ours; the referrer's share of our taker fees goes to our own quote account."""
    return Ours(
        owner=seat.owner,
        open_orders=seat.open_orders,
        base=seat.base_wallet,
        quote=seat.quote_wallet,
        referrer=seat.quote_wallet,
        delegates=frozenset(delegates),
        tips=frozenset(tips),
        delegate=seat.delegate,
        successor=successor,
    )


def make_policy(
    seat: Seat,
    account: AnyMarket,
    limits: Limits,
    *,
    delegates: Iterable[Pubkey] = (),
    tips: Iterable[Pubkey] = (),
    successor: Pubkey | None = None,
) -> Policy:
    """Return what decides which messages are signed for a seat.

    Args:
        account: The market's account.
        delegates, tips, successor: As of `Ours`.
    """
    ours = ours_of(seat, delegates=delegates, tips=tips, successor=successor)
    if isinstance(account, MarketV1):
        return Policy(VenueV1(account, ours, seat.program), ours, limits)
    return Policy(VenueV2(account, seat.market, ours, program=seat.program), ours, limits)
