"""Where we trade and on what terms: our accounts on one market, and what the caller says with each batch."""

from dataclasses import dataclass

from solders.pubkey import Pubkey

from bmv.adapters.openbook.delegate import Delegate
from bmv.adapters.openbook.planning.orders import Own

MARGIN_S = 2  # The chain's clock is its leaders': between it and any other lie whole seconds.


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Our accounts on a market.

    Args:
        market: The market's address.
        owner: Whose account at the venue and wallets these are.
        open_orders: Our account at the venue; it exists.
        base_wallet: Token account that asks are paid from.
        quote_wallet: Token account that bids are paid from, and the referrer of the settlement: half of our own taker
            fees comes back.
        program: The venue's.
        delegate: Who signs for the owner, and pays from what lies at the venue alone; None: he signs himself.
    """

    market: Pubkey
    owner: Pubkey
    open_orders: Pubkey
    base_wallet: Pubkey
    quote_wallet: Pubkey
    program: Pubkey
    delegate: Delegate | None = None

    @property
    def signer(self) -> Pubkey:
        """Whose key signs, and pays the fees."""
        return self.owner if self.delegate is None else self.delegate.key

    @property
    def base_payer(self) -> Pubkey:
        """Token account that asks are paid from where too little lies at the venue."""
        return self.base_wallet if self.delegate is None else self.delegate.base

    @property
    def quote_payer(self) -> Pubkey:
        """Token account that bids are paid from likewise."""
        return self.quote_wallet if self.delegate is None else self.delegate.quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What goes with one batch.

    Args:
        now: The chain's clock, whole seconds.
        until: Second of the chain's clock after which version 1 may not place an order any more, and from which
            version 2 has it out of the book; `MARGIN_S` sooner is what is sent. None: for ever.
        settle_above: Native base and quote, free in our account at the venue, above which they are paid out; None:
            never.
        withdraw: Pay out at the end whatever is free then.
        crank: Crank our events also where they block nothing.
        save_units: Where two ways need as many transactions, take that of fewer compute units, though orders then have
            ids by their place in the batch.
    """

    now: int
    until: int | None = None
    settle_above: tuple[int, int] | None = None
    withdraw: bool = False
    crank: bool = False
    save_units: bool = False

    @property
    def deadline(self) -> int | None:
        """The second that is sent."""
        return None if self.until is None else self.until - MARGIN_S

    @property
    def late(self) -> bool:
        """Whether nothing may be placed any more."""
        return self.deadline is not None and self.deadline <= self.now

    def settles(self, own: Own) -> bool:
        """Whether to settle."""
        if self.withdraw or self.settle_above is None:
            return self.withdraw
        base, quote = self.settle_above
        return own.base_free > base or own.quote_free > quote
