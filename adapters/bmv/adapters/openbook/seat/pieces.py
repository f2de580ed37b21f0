"""What sets a seat up and takes it down: each account with its rent, and the instructions that make and close it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountWithSeedParams, TransferParams, create_account_with_seed, transfer

from bmv.adapters.openbook.delegate import delegate_of
from bmv.adapters.openbook.planning.seat import Seat
from bmv.adapters.openbook.seat.desk import AnyMarket, DeskSnapshot, mints_of
from bmv.adapters.openbook.seat.find import Spot, seed_of
from bmv.adapters.openbook.seat.funds import held_of
from bmv.adapters.openbook.v1 import instructions as v1
from bmv.adapters.openbook.v1 import keys as by
from bmv.adapters.openbook.v1.accounts import Market as MarketV1
from bmv.adapters.openbook.v1.layout import OPEN_ORDERS_BYTES
from bmv.adapters.openbook.v2 import funds
from bmv.adapters.openbook.v2.instructions import build
from bmv.adapters.openbook.v2.market import Market as MarketV2
from bmv.adapters.openbook.v2.open_orders import (
    OPEN_ORDERS_SIZE,
    OpenOrdersAccount,
    indexer_address,
    indexer_size,
)
from bmv.adapters.solana.balances import in_whole
from bmv.adapters.solana.tokens import (
    NATIVE_MINT,
    TOKEN_ACCOUNT_BYTES,
    close_token_account,
    create_associated_account,
    sync_native,
)

WRAPPED = "wrapped SOL"  # Of a piece.
NAME = "bmv"  # Of an account of version 2; nothing reads it.
Rent = Callable[[int], int]  # From bytes of an account to the lamports that the chain asks for them.


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that is done to set up or take down.

    Args:
        name: What it is, in words.
        address: Of the account.
        lamports: What it costs, or gives back.
        returns: Whether `bmv chain close` gives that back.
        instructions: What does it.
        wraps: Whether the lamports are SOL that is wrapped, and no rent.
        deposit: Native base and quote that it puts into our account at the venue.
    """

    name: str
    address: Pubkey
    lamports: int
    returns: bool
    instructions: tuple[Instruction, ...]
    wraps: bool = False
    deposit: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a seat should be like.

    Args:
        delegate: Who else may trade for the account, on version 2; None: whoever may now.
        wrapped_lamports: Wrapped SOL that is held at least.
        deposit: Native base and quote that lie in the account at least, on version 2.
        lacking: Token accounts of the delegate that are not there.
    """

    delegate: Pubkey | None = None
    wrapped_lamports: int = 0
    deposit: tuple[int, int] = (0, 0)
    lacking: frozenset[Pubkey] = frozenset()


def sizes_of(market: AnyMarket, spot: Spot) -> list[int]:
    """Return the bytes of accounts whose rent has to be known to set a seat up."""
    own = [OPEN_ORDERS_BYTES] if isinstance(market, MarketV1) else [OPEN_ORDERS_SIZE, *_listed(spot)]
    return [TOKEN_ACCOUNT_BYTES, *own]


def _listed(spot: Spot) -> tuple[int, int]:
    """Return the bytes of the indexer before and after one more account."""
    least = indexer_size(spot.listed)
    return least, least + indexer_size(1) - indexer_size(0)


def missing(seat: Seat, desk: DeskSnapshot, spot: Spot, wish: Wish, rent: Rent) -> list[Piece]:
    """Return what a seat still lacks, in the order in which it is made; nothing: it is set up.

    All but a delegate's own token accounts is the owner's to make.
    """
    payers = _payers(seat, desk.market, wish, rent)
    if seat.delegate is not None:
        return list(payers)
    return [
        *_token_accounts(seat, desk, rent),
        *_wrapping(seat, desk, wish),
        *(_account(seat, desk.market, spot, wish, rent) if desk.account is None else []),
        *payers,
        *_delegating(seat, desk, wish),
        *_depositing(seat, desk, wish),
    ]


def wrapped_wallet(seat: Seat, market: AnyMarket) -> Pubkey | None:
    """Return our account of wrapped SOL, None where the market trades none."""
    both = zip((seat.base_wallet, seat.quote_wallet), mints_of(market), strict=True)
    return next((wallet for wallet, mint in both if mint == NATIVE_MINT), None)


def _token_accounts(seat: Seat, desk: DeskSnapshot, rent: Rent) -> Iterator[Piece]:
    base, quote = mints_of(desk.market)
    for what, mint, wallet, held in (
        ("base", base, seat.base_wallet, desk.base_wallet),
        ("quote", quote, seat.quote_wallet, desk.quote_wallet),
    ):
        if held is None:
            made = create_associated_account(seat.owner, seat.owner, mint)
            yield Piece(f"token account of {what}", wallet, rent(TOKEN_ACCOUNT_BYTES), mint == NATIVE_MINT, (made,))


def _wrapping(seat: Seat, desk: DeskSnapshot, wish: Wish) -> Iterator[Piece]:
    wallet = wrapped_wallet(seat, desk.market)
    if wallet is None:
        return
    held = (desk.base_wallet if wallet == seat.base_wallet else desk.quote_wallet) or 0
    lacking = wish.wrapped_lamports - held
    if lacking > 0:
        sent = transfer(TransferParams(from_pubkey=seat.owner, to_pubkey=wallet, lamports=lacking))
        yield Piece(WRAPPED, wallet, lacking, True, (sent, sync_native(wallet)), wraps=True)


def _account(seat: Seat, market: AnyMarket, spot: Spot, wish: Wish, rent: Rent) -> Iterator[Piece]:
    if isinstance(market, MarketV1):
        yield _account_v1(seat, rent(OPEN_ORDERS_BYTES))
        return
    indexer = indexer_address(seat.owner, seat.program)[0]
    before, after = map(rent, _listed(spot))
    if not spot.indexed:
        made = funds.CreateOpenOrdersIndexer(payer=seat.owner, owner=seat.owner, open_orders_indexer=indexer)
        yield Piece("indexer of our accounts", indexer, before, True, (build(made, seat.program),))
    opened = funds.CreateOpenOrdersAccount(
        name=NAME,
        payer=seat.owner,
        owner=seat.owner,
        delegate_account=wish.delegate,
        open_orders_indexer=indexer,
        open_orders_account=seat.open_orders,
        market=seat.market,
    )
    lamports = rent(OPEN_ORDERS_SIZE) + after - before
    yield Piece("open-orders account", seat.open_orders, lamports, True, (build(opened, seat.program),))


def _account_v1(seat: Seat, lamports: int) -> Piece:
    made = create_account_with_seed(
        CreateAccountWithSeedParams(
            from_pubkey=seat.owner,
            to_pubkey=seat.open_orders,
            base=seat.owner,
            seed=seed_of(seat.market),
            lamports=lamports,
            space=OPEN_ORDERS_BYTES,
            owner=seat.program,
        )
    )
    keys = by.InitKeys(open_orders=seat.open_orders, owner=seat.owner, market=seat.market)
    begun = v1.build(v1.InitOpenOrders(keys=keys), seat.program)
    return Piece("open-orders account", seat.open_orders, lamports, True, (made, begun))


def _delegating(seat: Seat, desk: DeskSnapshot, wish: Wish) -> Iterator[Piece]:
    if not isinstance(desk.account, OpenOrdersAccount) or wish.delegate in (None, desk.account.delegate):
        return
    said = funds.SetDelegate(owner=seat.owner, open_orders_account=seat.open_orders, delegate_account=wish.delegate)
    yield Piece(f"delegate {wish.delegate}", seat.open_orders, 0, False, (build(said, seat.program),))


def _payers(seat: Seat, market: AnyMarket, wish: Wish, rent: Rent) -> Iterator[Piece]:
    """Yield the delegate's own token accounts, which are named in orders and hold nothing."""
    if wish.delegate is None:
        return
    delegate = delegate_of(wish.delegate, mints_of(market))
    for what, mint, account in zip(("base", "quote"), mints_of(market), delegate[1:], strict=True):
        if account in wish.lacking:
            made = create_associated_account(seat.signer, wish.delegate, mint)
            yield Piece(f"token account of {what}, the delegate's", account, rent(TOKEN_ACCOUNT_BYTES), False, (made,))


def _depositing(seat: Seat, desk: DeskSnapshot, wish: Wish) -> Iterator[Piece]:
    held, market = held_of(desk, seat.open_orders), desk.market
    base, quote = (max(wanted - there.free - there.locked, 0) for wanted, there in zip(wish.deposit, held, strict=True))
    if not (base or quote) or not isinstance(market, MarketV2):
        return
    put = funds.Deposit(
        base_amount=base,
        quote_amount=quote,
        owner=seat.owner,
        user_base_account=seat.base_wallet,
        user_quote_account=seat.quote_wallet,
        open_orders_account=seat.open_orders,
        market=seat.market,
        market_base_vault=market.market_base_vault,
        market_quote_vault=market.market_quote_vault,
    )
    name = f"deposit of {in_whole(base, market.base_decimals)} base, {in_whole(quote, market.quote_decimals)} quote"
    yield Piece(name, seat.open_orders, 0, True, (build(put, seat.program),), deposit=(base, quote))


def closing(seat: Seat, desk: DeskSnapshot, spot: Spot, *, unwraps: bool = True) -> Sequence[Piece]:
    """Return what takes a seat down: our account, the indexer if it lists no other, and wrapped SOL.

    Our account has to be empty. Token accounts stay, they may hold coins; that of wrapped SOL becomes SOL, if wanted.
    """
    pieces = list(_account_closing(seat, desk, spot)) if desk.account is not None else []
    wallet = wrapped_wallet(seat, desk.market) if unwraps else None
    if wallet is not None and wallet in desk.rent:
        closed = close_token_account(wallet, seat.owner)
        pieces.append(Piece(WRAPPED, wallet, desk.rent[wallet], True, (closed,)))
    return pieces


def _account_closing(seat: Seat, desk: DeskSnapshot, spot: Spot) -> Iterator[Piece]:
    lamports = desk.rent[seat.open_orders]
    if isinstance(desk.market, MarketV1):
        keys = by.CloseKeys(open_orders=seat.open_orders, owner=seat.owner, destination=seat.owner, market=seat.market)
        instruction = v1.build(v1.CloseOpenOrders(keys=keys), seat.program)
        yield Piece("open-orders account", seat.open_orders, lamports, True, (instruction,))
        return
    indexer = indexer_address(seat.owner, seat.program)[0]
    closed = funds.CloseOpenOrdersAccount(
        owner=seat.owner,
        open_orders_indexer=indexer,
        open_orders_account=seat.open_orders,
        sol_destination=seat.owner,
    )
    yield Piece("open-orders account", seat.open_orders, lamports, True, (build(closed, seat.program),))
    if spot.listed == 1:
        last = funds.CloseOpenOrdersIndexer(owner=seat.owner, open_orders_indexer=indexer, sol_destination=seat.owner)
        name = "indexer of our accounts"
        yield Piece(name, indexer, spot.indexer_lamports, True, (build(last, seat.program),))
