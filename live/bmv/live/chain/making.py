"""`bmv chain setup` and `close`: what a seat lacks is made, or what it has is given back, in one transaction."""

from collections.abc import Sequence

from solders.pubkey import Pubkey

from bmv.adapters.config.mandate import Extra, delegates_of
from bmv.adapters.openbook.delegate import delegate_of
from bmv.adapters.openbook.seat.desk import DeskSnapshot, mints_of
from bmv.adapters.openbook.seat.find import KEY
from bmv.adapters.openbook.seat.funds import held_of
from bmv.adapters.openbook.seat.pieces import WRAPPED, Piece, Wish, closing, missing, sizes_of, wrapped_wallet
from bmv.adapters.report.tables import Column, say_table
from bmv.adapters.solana.balances import SOL_DECIMALS, in_whole
from bmv.adapters.solana.errors import Json
from bmv.adapters.solana.rpc import CONFIRMED, FINALIZED
from bmv.adapters.solana.sending.attempt import State
from bmv.adapters.solana.sending.fees import SIGNATURE_LAMPORTS
from bmv.adapters.solana.tokens import TOKEN_ACCOUNT_BYTES
from bmv.live.chain.hands import Hands
from bmv.live.chain.seated import Seated
from bmv.live.chain.settling import settle
from bmv.live.chain.upkeep import keep_upkeep
from bmv.ports.errors import BmvError, DataError, Refused, UsageError

SETUP, CLOSING = "setup", "closing"  # How their transactions are called.
ROUNDS = 3  # A transaction may never land; what was read is read again then.
COLUMNS = (Column("what", "left"), Column("account", "left"), Column("SOL"), Column("on closing", "left"))


class Failed(BmvError):
    """It was tried, and is not done."""


async def lacking(seated: Seated, desk: DeskSnapshot, wrapped_lamports: int) -> list[Piece]:
    """Return what a seat lacks; `wrapped_lamports` of wrapped SOL are held in the end, at least."""
    if wrapped_lamports and wrapped_wallet(seated.seat, desk.market) is None:
        raise UsageError("--wrap: neither base nor quote of this market is wrapped SOL")
    rents = {size: await seated.rent(size) for size in sizes_of(desk.market, seated.spot)}
    delegate = delegate_of_seat(seated)
    wish = Wish(
        delegate=delegate,
        wrapped_lamports=wrapped_lamports,
        deposit=_deposit(seated),
        lacking=frozenset()
        if delegate is None
        else await _absent(seated, delegate_of(delegate, mints_of(desk.market))[1:]),
    )
    pieces = missing(seated.seat, desk, seated.spot, wish, rents.__getitem__)
    _check_deposit(seated, desk, pieces)
    if seated.spot.blocked_by and desk.account is None:
        raise DataError(
            f"{seated.seat.open_orders}: is where our account would lie, and somebody sent {seated.spot.blocked_by} "
            f"lamports there, so that it can't be made; make one with another tool, and name it as {KEY}"
        )
    return pieces


def delegate_of_seat(seated: Seated) -> Pubkey | None:
    """Return who trades for the owner: who signs, or whom the configuration names."""
    if seated.seat.delegate is not None:
        return seated.seat.delegate.key
    return next((one for one in delegates_of(seated.config) if one != seated.seat.owner), None)


async def _absent(seated: Seated, accounts: Sequence[Pubkey]) -> frozenset[Pubkey]:
    """Return those of some accounts that nobody has made."""
    least = seated.readers.least_slot
    snapshot = await seated.readers.ask(lambda rpc: rpc.accounts(accounts, least_slot=least, commitment=CONFIRMED))
    return frozenset(key for key in accounts if snapshot.accounts[key] is None)


def _deposit(seated: Seated) -> tuple[int, int]:
    """Return what is to lie at the venue, in native base and quote."""
    live, lots = seated.config.live, seated.lots
    wanted = (live.deposit_base, lots.base_decimals), (live.deposit_quote, lots.quote_decimals)
    base, quote = (int(amount.scaleb(decimals)) for amount, decimals in wanted)
    return base, quote


def _check_deposit(seated: Seated, desk: DeskSnapshot, pieces: Sequence[Piece]) -> None:
    """Refuse to begin what the wallet has not got."""
    wrapped = wrapped_wallet(seated.seat, desk.market)
    fresh = sum(piece.lamports for piece in pieces if piece.wraps)
    lots = seated.lots
    for at, (what, wallet, held, decimals) in enumerate(
        (
            ("base", seated.seat.base_wallet, desk.base_wallet, lots.base_decimals),
            ("quote", seated.seat.quote_wallet, desk.quote_wallet, lots.quote_decimals),
        )
    ):
        has = (held or 0) + (fresh if wallet == wrapped else 0)
        wants = sum(piece.deposit[at] for piece in pieces)
        if wants > has:
            raise Refused(
                f"live.deposit_{what}: {in_whole(wants, decimals)} more are to be deposited, and {wallet} holds "
                f"{in_whole(has, decimals)}; nothing was sent"
            )


async def check_means(seated: Seated, desk: DeskSnapshot, pieces: Sequence[Piece]) -> None:
    """Refuse to begin what the wallet can't pay."""
    fee = SIGNATURE_LAMPORTS + seated.config.live.max_priority_fee_lamports
    needed = sum(piece.lamports for piece in pieces) + fee + await seated.rent(0)
    if desk.signer_lamports < needed:
        has, wants = (in_whole(lamports, SOL_DECIMALS) for lamports in (desk.signer_lamports, needed))
        raise Refused(f"{seated.seat.signer} holds {has} SOL, and this takes {wants} with its fee; nothing was sent")


def say_pieces(pieces: Sequence[Piece]) -> None:
    """Print what will be made."""
    rows = [
        (piece.name, str(piece.address), in_whole(piece.lamports, SOL_DECIMALS), "comes back" if piece.returns else "-")
        for piece in pieces
    ]
    say_table(COLUMNS, rows)


def pieces_json(pieces: Sequence[Piece]) -> Json:
    """Return pieces as JSON has them."""
    return [
        {"what": one.name, "account": str(one.address), "lamports": one.lamports, "comes_back": one.returns}
        for one in pieces
    ]


async def set_up(hands: Hands, pieces: Sequence[Piece], desk: DeskSnapshot, wrapped_lamports: int) -> None:
    """Make what is lacking, and see by the finalized chain that it is there."""
    seated, made = hands.seated, [(piece.address, piece.lamports) for piece in pieces if not piece.wraps]
    for _ in range(ROUNDS):
        if not pieces:
            break
        instructions = [one for piece in pieces for one in piece.instructions]
        extra = Extra(
            rent_lamports=sum(piece.lamports for piece in pieces if not piece.wraps),
            wrap_lamports=sum(piece.lamports for piece in pieces if piece.wraps),
            deposit=(sum(piece.deposit[0] for piece in pieces), sum(piece.deposit[1] for piece in pieces)),
        )
        outcome = await hands.carry_pieces(SETUP, instructions, desk, extra)
        if outcome.fate.state is State.FAILED:
            raise Failed(f"setup failed: {outcome.why}; nothing was made")
        desk = await seated.desk(FINALIZED)
        pieces = await lacking(seated, desk, wrapped_lamports)
    if not pieces:
        keep_upkeep(hands, SETUP, made)
    else:
        raise Failed(f"setup is not done after {ROUNDS} attempts; it may be run again at any time")


async def close(hands: Hands, *, unwraps: bool = True) -> list[Piece]:
    """Crank, settle, and close our accounts; return what came back. Orders may not rest."""
    seated = hands.seated
    refuse_resting(seated, await seated.desk(CONFIRMED))
    for _ in range(ROUNDS):
        await settle(hands, pay_out=True)
        desk = await seated.desk(CONFIRMED)
        refuse_resting(seated, desk)
        refuse_money(seated, desk)
        pieces = list(closing(seated.seat, desk, await seated.find(), unwraps=unwraps))
        if not pieces:
            return []  # What was sent before did it.
        outcome = await hands.carry_pieces(CLOSING, [one for each in pieces for one in each.instructions], desk)
        if outcome.fate.state is State.FINALIZED:
            keep_upkeep(hands, CLOSING, [(piece.address, -await _rent_of(seated, piece)) for piece in pieces])
            return pieces
    raise Failed(f"closing is not done after {ROUNDS} attempts; it may be run again at any time")


async def _rent_of(seated: Seated, piece: Piece) -> int:
    """Return what of a piece that was closed is rent: the rest of wrapped SOL is ours all along."""
    if piece.name != WRAPPED:
        return piece.lamports
    return min(piece.lamports, await seated.rent(TOKEN_ACCOUNT_BYTES))


def refuse_delegate(seated: Seated) -> None:
    """Refuse what is the owner's to do."""
    if seated.seat.delegate is not None:
        raise Refused(f"this is for {seated.seat.owner} to do, whose account it is; live.wallet is a delegate's key")


def refuse_resting(seated: Seated, desk: DeskSnapshot) -> None:
    """Refuse to close an account with orders in the book."""
    resting = len(desk.own(seated.seat.open_orders).resting)
    if resting:
        raise Refused(f"orders of ours rest, {resting} of them; run `bmv chain cancel-all` first")


def refuse_money(seated: Seated, desk: DeskSnapshot) -> None:
    """Refuse to close an account that is not empty."""
    held = held_of(desk, seated.seat.open_orders)
    if not held.is_empty:
        raise Refused(
            f"{seated.seat.open_orders} still holds money: base {held.base}, quote {held.quote}, in native units; "
            "events of ours may wait for the market's own crank"
        )
