"""Our desk on a market: what stands there by one bank, and what may be planned from it, alike for both versions.

`read_desk` is the one read: market, events, our account at the venue and our wallets, of the same bank, so that none of
it contradicts the rest. What rests is not asked of the books unless sizes are wanted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from solders.account import Account
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM

from bmv.adapters.openbook.book import RestingOrder
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.planning import v1 as v1_planning
from bmv.adapters.openbook.planning import v2 as v2_planning
from bmv.adapters.openbook.planning.budget import Shape
from bmv.adapters.openbook.planning.orders import Own
from bmv.adapters.openbook.planning.packing import Frame
from bmv.adapters.openbook.planning.plan import Plan
from bmv.adapters.openbook.planning.seat import Seat, Terms
from bmv.adapters.openbook.v1.accounts import Market as MarketV1
from bmv.adapters.openbook.v1.accounts import OpenOrders
from bmv.adapters.openbook.v1.capabilities import OPENBOOK_V1
from bmv.adapters.openbook.v1.events import EventQueue
from bmv.adapters.openbook.v1.slab import Slab
from bmv.adapters.openbook.v2.bookside import BookSide
from bmv.adapters.openbook.v2.capabilities import OPENBOOK_V2
from bmv.adapters.openbook.v2.heap import EventHeap
from bmv.adapters.openbook.v2.levels import standing
from bmv.adapters.openbook.v2.market import Market as MarketV2
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount
from bmv.adapters.solana.accounts import Snapshot
from bmv.adapters.solana.clock import CLOCK, read_unix_timestamp
from bmv.adapters.solana.rpc import Rpc
from bmv.adapters.solana.tokens import read_token_account
from bmv.ports.errors import DataError
from bmv.ports.messages import Intent

AnyMarket = MarketV1 | MarketV2
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeskSnapshot:
    """A desk as one bank had it.

    Args:
        slot: Of the bank.
        unix_timestamp: The chain's clock there, whole seconds.
        market: The market's account.
        account: Ours at the venue; None: there is none.
        queue: The market's events that wait for the crank: version 1's queue, or version 2's heap.
        base_wallet: Native base in our token account; None: there is no such account.
        quote_wallet: Native quote likewise.
        signer_lamports: What the wallet holds that signs and pays the fees: our own, or our delegate's.
        rent: Lamports that our accounts hold, by address; of those that are there.
        orders: Ours in the books, those that have expired too; None: the books were not read.
    """

    slot: int
    unix_timestamp: int
    market: AnyMarket
    account: OpenOrders | OpenOrdersAccount | None
    queue: EventQueue | EventHeap
    base_wallet: int | None
    quote_wallet: int | None
    signer_lamports: int
    rent: Mapping[Pubkey, int]
    orders: tuple[RestingOrder, ...] | None = None

    @property
    def expires(self) -> bool:
        """Whether orders leave the book at their deadline: on version 2; version 1's is for being placed."""
        return isinstance(self.market, MarketV2)

    def own(self, address: Pubkey, order_ids: Mapping[int, int] | None = None) -> Own:
        """Return what we have, for planning; arguments as of `own_of`."""
        if isinstance(self.account, OpenOrders) and isinstance(self.queue, EventQueue):
            return v1_planning.own_of(self.account, self.queue, address, order_ids)
        if isinstance(self.account, OpenOrdersAccount) and isinstance(self.queue, EventHeap):
            return v2_planning.own_of(self.account, self.queue, address, order_ids)
        return _NOTHING

    def waiting(self, address: Pubkey) -> int:
        """Return how many of our events wait for the crank."""
        return self._owners().count(address)

    def others(self, address: Pubkey) -> frozenset[Pubkey]:
        """Return whose events wait beside ours: a crank may have to name them, and a policy has to know."""
        return frozenset(self._owners()) - {address}

    def _owners(self) -> list[Pubkey]:
        if isinstance(self.queue, EventQueue):
            return [event.owner for event in self.queue.pending()]
        return [event.account for _, event in self.queue.events()]


class _Forms(NamedTuple):
    """How a version reads its accounts."""

    market: Callable[[bytes], AnyMarket]
    account: Callable[[bytes], OpenOrders | OpenOrdersAccount]
    queue: Callable[[bytes], EventQueue | EventHeap]


_V1 = _Forms(MarketV1.decode, OpenOrders.decode, EventQueue.decode)
_V2 = _Forms(MarketV2.decode, OpenOrdersAccount.decode, EventHeap.decode)
_NOTHING = Own(resting=(), slots_free=0, slots_waiting=0, base_free=0, quote_free=0)


async def read_desk(
    rpc: Rpc, seat: Seat, market: AnyMarket, *, least_slot: int, commitment: str, books: bool = False
) -> DeskSnapshot:
    """Read a desk, all of one bank.

    Args:
        market: The market's account as it was read before; which accounts belong to it never changes.
        least_slot: A node that has not reached it is `Lagging`.
        commitment: How firm the bank has to be.
        books: Whether to read the books too, for sizes and expiries of our orders.
    """
    asked = _keys(seat, market, books)
    snapshot = await rpc.accounts(asked, least_slot=least_slot, commitment=commitment)
    return _read(snapshot, seat, market, books)


def plan(
    batch: Sequence[Intent],
    desk: DeskSnapshot,
    seat: Seat,
    terms: Terms,
    frame: Frame,
    order_ids: Mapping[int, int] | None = None,
) -> Plan:
    """Return the transactions of a batch, laid beside what a snapshot of our desk has; `ValueError` without account."""
    if desk.account is None:
        raise ValueError("there is no account at the venue to plan for")
    own = desk.own(seat.open_orders, order_ids)
    if isinstance(desk.market, MarketV1):
        assert isinstance(desk.queue, EventQueue)
        return v1_planning.PlannerV1(desk.market, seat).plan(batch, own, desk.queue, terms, frame)
    assert isinstance(desk.queue, EventHeap)
    return v2_planning.PlannerV2(desk.market, seat).plan(batch, own, desk.queue, terms, frame)


def shape_of(market: AnyMarket) -> Shape:
    """Return what steps on a market take."""
    return v1_planning.SHAPE if isinstance(market, MarketV1) else v2_planning.SHAPE


def locks_of(market: AnyMarket) -> tuple[Pubkey, Pubkey, Pubkey]:
    """Return the market's accounts that every order writes to: for them one comes before others, by its fee."""
    return market.bids, market.asks, _events(market)


def mints_of(market: AnyMarket) -> tuple[Pubkey, Pubkey]:
    """Return the mints of base and quote."""
    if isinstance(market, MarketV1):
        return market.coin_mint, market.pc_mint
    return market.base_mint, market.quote_mint


def slots_of(market: AnyMarket) -> int:
    """Return how many orders an account holds."""
    return (OPENBOOK_V1 if isinstance(market, MarketV1) else OPENBOOK_V2).order_slots


def _keys(seat: Seat, market: AnyMarket, books: bool) -> list[Pubkey]:
    ours = [seat.open_orders, seat.base_wallet, seat.quote_wallet, seat.signer]
    return [seat.market, _events(market), CLOCK, *ours, *((market.bids, market.asks) if books else ())]


def _events(market: AnyMarket) -> Pubkey:
    return market.event_q if isinstance(market, MarketV1) else market.event_heap


def _read(snapshot: Snapshot, seat: Seat, market: AnyMarket, books: bool) -> DeskSnapshot:
    forms = _V1 if isinstance(market, MarketV1) else _V2
    reading = _Reading(snapshot, seat.program)
    ours = (seat.open_orders, seat.base_wallet, seat.quote_wallet)
    signer = snapshot.accounts[seat.signer]
    return DeskSnapshot(
        slot=snapshot.slot,
        unix_timestamp=reading.clock(),
        market=reading.own(seat.market, forms.market),
        account=_account(reading, seat, forms),
        queue=reading.own(_events(market), forms.queue),
        base_wallet=reading.tokens(seat.base_wallet),
        quote_wallet=reading.tokens(seat.quote_wallet),
        signer_lamports=0 if signer is None else signer.lamports,
        rent={key: one.lamports for key in ours if reading.is_there(key) and (one := snapshot.accounts[key])},
        orders=_orders(reading, seat, market) if books else None,
    )


def _account(reading: "_Reading", seat: Seat, forms: "_Forms") -> OpenOrders | OpenOrdersAccount | None:
    if not reading.is_there(seat.open_orders):
        return None
    account = reading.own(seat.open_orders, forms.account)
    if (account.market, account.owner) != (seat.market, seat.owner):
        raise DataError(f"account {seat.open_orders}: is of {account.owner} on market {account.market}, and not ours")
    if isinstance(account, OpenOrdersAccount) and seat.delegate is not None and seat.delegate.key != account.delegate:
        raise DataError(
            f"account {seat.open_orders}: has {account.delegate or 'nobody'} as its delegate, and not "
            f"{seat.delegate.key}, whose key is to sign; `bmv chain setup` with its owner's key changes that"
        )
    return account


def _orders(reading: "_Reading", seat: Seat, market: AnyMarket) -> tuple[RestingOrder, ...]:
    own = (seat.open_orders,)
    found = list[RestingOrder]()
    for key in (market.bids, market.asks):
        if isinstance(market, MarketV1):
            found += [order for order in reading.own(key, Slab.decode).orders(own) if order.own]
        else:
            found += [order for order in standing(reading.own(key, BookSide.decode), own) if order.own]
    return tuple(found)


class _Reading:
    """Accounts of a snapshot that have to be there."""

    def __init__(self, snapshot: Snapshot, program: Pubkey) -> None:
        self._accounts, self._program = snapshot.accounts, program

    def own(self, key: Pubkey, decode: Callable[[bytes], T]) -> T:
        """Return an account of the venue's program, decoded; `DataError` where it is none."""
        account = self._there(key)
        if account.owner != self._program:
            raise DataError(f"account {key}: belongs to program {account.owner}, not to {self._program}")
        try:
            return decode(account.data)
        except Malformed as error:
            raise DataError(f"account {key}: {error}") from error

    def is_there(self, key: Pubkey) -> bool:
        """Whether an account is there that anybody made; lamports that somebody sent to an address make none."""
        account = self._accounts[key]
        return account is not None and account.owner != SYSTEM_PROGRAM

    def tokens(self, key: Pubkey) -> int | None:
        """Return what a token account holds, None where there is none."""
        if not self.is_there(key):
            return None
        try:
            return read_token_account(self._there(key)).amount
        except ValueError as error:
            raise DataError(f"token account {key}: {error}") from None

    def clock(self) -> int:
        """Return the chain's time."""
        try:
            return read_unix_timestamp(self._there(CLOCK))
        except ValueError as error:
            raise DataError(f"clock {CLOCK}: {error}") from None

    def _there(self, key: Pubkey) -> Account:
        account = self._accounts[key]
        if account is None:
            raise DataError(f"account {key}: is not there")
        return account
