"""What a configuration implies: which accounts are ours, how much may go out, and what the moment allows."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from solders.hash import Hash
from solders.pubkey import Pubkey

from bmv.adapters.openbook.delegate import Delegate

UNITS_MAX = 1_400_000  # The chain allows a transaction no more.
LOADED_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The accounts of one owner on one market.

    Args:
        owner: The wallet whose accounts these are.
        open_orders: His account on the market.
        base, quote: His token accounts, which orders are paid from and settlement pays to.
        referrer: Gets the referrer's part of taker fees: an account of his own, of quote; None: nobody does.
        delegates: Who else may trade for his account, on version 2.
        tips: To whom a tip may be paid; empty: to nobody.
        delegate: Who signs and pays in the owner's place, on version 2; None: he does himself.
        successor: To whose wallet everything may go, while a key is rotated; None: to nobody's.
    """

    owner: Pubkey
    open_orders: Pubkey
    base: Pubkey
    quote: Pubkey
    referrer: Pubkey | None = None
    delegates: frozenset[Pubkey] = frozenset()
    tips: frozenset[Pubkey] = frozenset()
    delegate: Delegate | None = None
    successor: Pubkey | None = None

    @property
    def signer(self) -> Pubkey:
        """Whose key signs, and pays the fees."""
        return self.owner if self.delegate is None else self.delegate.key

    def of_signer(self) -> "Ours":
        """Return what is the signer's own: a delegate's wallets are not the owner's."""
        if self.delegate is None:
            return self
        key, base, quote = self.delegate
        return replace(self, owner=key, base=base, quote=quote, delegate=None, delegates=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one transaction may do.

    Args:
        order_lots_max: Base lots of an order.
        order_quote_lots_max: Price × size of an order, quote lots.
        total_quote_lots_max: Price × size of all its orders together, quote lots.
        order_life_s_max: Seconds until an order's deadline at most, and then each must have one: `max_ts` on version 1,
            its expiry on version 2; None: orders need none.
        takes: Whether orders may trade at once; else they are post-only.
        priority_lamports_max: Fee beyond that of signatures, in total.
        units_max: Compute units.
        loaded_bytes_max: Bytes of accounts and programs.
        tip_lamports_max: All its tips together.
        wrap_lamports_max: SOL that goes into one's own wrapped SOL.
        rent_lamports_max: What a new open-orders account of version 1 is given.
        deposit_max: Native base and quote that go into our own account at the venue, on version 2.
    """

    order_lots_max: int
    order_quote_lots_max: int
    total_quote_lots_max: int
    order_life_s_max: int | None = None
    takes: bool = False
    priority_lamports_max: int = 0
    units_max: int = UNITS_MAX
    loaded_bytes_max: int = LOADED_BYTES_MAX
    tip_lamports_max: int = 0
    wrap_lamports_max: int = 0
    rent_lamports_max: int = 0
    deposit_max: tuple[int, int] = (0, 0)


class Moment(NamedTuple):
    """What is known as a message is built.

    Args:
        blockhash: The one it must name: it ends 150 blocks later, and is no durable nonce.
        now_s: The chain's clock, Unix seconds.
        price_min, price_max: Between which prices orders may lie, ticks, both included; None: none may be placed.
        others: Open-orders accounts of others whose events may be settled, as the market's queue names them.
    """

    blockhash: Hash
    now_s: int = 0
    price_min: int | None = None
    price_max: int | None = None
    others: frozenset[Pubkey] = frozenset()
