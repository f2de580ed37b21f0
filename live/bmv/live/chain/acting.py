"""The commands of `bmv chain` that send: each shows what it will do, asks, does it, and says what became of it."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bmv.adapters.cli.options import JSON, SETS, Amount, Local
from bmv.adapters.cli.wallet import PASSPHRASE
from bmv.ports.errors import Refused

if TYPE_CHECKING:
    from bmv.adapters.openbook.planning.orders import Own
    from bmv.adapters.solana.errors import Json
    from bmv.live.chain.hands import Hands
    from bmv.live.chain.seated import Seated

GIVE_UP_S = 600.0
LAMPORTS = 10**9
NOT_DONE = "nothing was done"
YES = click.option("--yes", is_flag=True, help="Do it without asking.")


def acting(command: Callable[..., Any]) -> Callable[..., Any]:  # Any: a function that Click makes a command of.
    """Return a command with the argument and options that all of these have."""
    for option in reversed((click.argument("config", type=Local()), SETS, YES, PASSPHRASE, JSON)):
        command = option(command)
    return command


@click.command()
@acting
@click.option("--wrap", type=Amount(), metavar="SOL", help="Hold at least so much wrapped SOL, where it is traded.")
@click.pass_context
def setup(
    ctx: click.Context,
    config: Path,
    sets: tuple[str, ...],
    yes: bool,
    passphrase_file: Path | None,
    as_json: bool,
    wrap: Decimal | None,
) -> None:
    """Make what trading on a market needs: token accounts, our account at the venue, its delegate and deposit.

    Shows each account with the rent that the chain asks for it and whether it comes back, asks, and makes all of them
    in one transaction. Run again it finds nothing to do. --wrap adds to our wrapped SOL until so much is held.

    \b
    Examples:
      bmv chain setup live.toml
      bmv chain setup live.toml --wrap 5 --yes
    """
    from bmv.adapters.solana.rpc import CONFIRMED
    from bmv.live.chain.making import check_means, lacking, pieces_json, say_pieces, set_up
    from bmv.live.chain.opening import at_our_seat, confirm, hands_of
    from bmv.live.chain.trust import refuse_doubtful

    wrapped = int((wrap or Decimal(0)) * LAMPORTS)

    async def act(seated: "Seated") -> int:
        await refuse_doubtful(config, seated)
        desk = await seated.desk(CONFIRMED)
        pieces = await lacking(seated, desk, wrapped)
        if seated.seat.delegate is not None and desk.account is None:
            raise Refused(f"{seated.seat.owner} has no account here; set it up with its key, and live.delegate")
        if not pieces:
            _tell(as_json, {"made": [], "attempts": []}, "nothing to do: the seat is set up")
            return 0
        if not as_json:
            say_pieces(pieces)
        await check_means(seated, desk, pieces)
        if not confirm("make this?", yes):
            return _stopped()
        async with hands_of(seated, passphrase_file, _say(as_json)) as hands:
            await set_up(hands, pieces, desk, wrapped)
        _tell(as_json, {"made": pieces_json(pieces), **_attempts(hands)}, "done: the seat is set up")
        return 0

    ctx.exit(at_our_seat(config, sets, act, stubborn=True))


@click.command("cancel-all")
@acting
@click.option("--no-watch", is_flag=True, help="Do not wait until what was sent before can't land any more.")
@click.option(
    "--give-up-after",
    type=click.FloatRange(1, 86_400),
    default=GIVE_UP_S,
    show_default=True,
    metavar="SECONDS",
    help="End with 1 where the book is not clear by then.",
)
@click.pass_context
def cancel_all(
    ctx: click.Context,
    config: Path,
    sets: tuple[str, ...],
    yes: bool,
    passphrase_file: Path | None,
    as_json: bool,
    no_watch: bool,
    give_up_after: float,
) -> None:
    """Cancel every order of ours on the market, until the finalized chain shows none.

    Stop what trades first. Ends with 0 only when none is left and, unless --no-watch, nothing that was sent before can
    land any more: that takes 150 blocks, half a minute to a minute. Else it ends with 1 and says what is left.

    \b
    Examples:
      bmv chain cancel-all live.toml
      bmv chain cancel-all live.toml --yes --json
    """
    from bmv.live.chain.clearing import clear
    from bmv.live.chain.opening import at_our_seat, confirm, hands_of

    async def act(seated: "Seated") -> int:
        if not seated.spot.exists:
            _tell(as_json, {"cleared": True, "left": [], "alive": [], "attempts": []}, _no_account(seated))
            return 0
        if not confirm(f"cancel every order of {seated.seat.owner} on {seated.seat.market}?", yes):
            return _stopped()
        async with hands_of(seated, passphrase_file, _say(as_json), stubborn=True) as hands:
            try:
                async with asyncio.timeout(give_up_after):
                    await clear(hands, watch=not no_watch)
            except TimeoutError:
                left = await _left(seated)
                _tell(as_json, _not_cleared(hands, left), f"given up after {give_up_after:g} s: {_words(hands, left)}")
                return 1
        _tell(as_json, {"cleared": True, "left": [], "alive": [], **_attempts(hands)}, "done: no order of ours is left")
        return 0

    ctx.exit(at_our_seat(config, sets, act, patience_s=give_up_after, stubborn=True))


@click.command()
@acting
@click.pass_context
def crank(
    ctx: click.Context, config: Path, sets: tuple[str, ...], yes: bool, passphrase_file: Path | None, as_json: bool
) -> None:
    """Take our events from the market's queue, so that their slots are free and their money can be paid out.

    \b
    Example:
      bmv chain crank live.toml --yes
    """
    ctx.exit(_settle(config, sets, yes, passphrase_file, as_json, pay_out=False))


@click.command()
@acting
@click.pass_context
def settle(
    ctx: click.Context, config: Path, sets: tuple[str, ...], yes: bool, passphrase_file: Path | None, as_json: bool
) -> None:
    """Pay out to our token accounts what is free at the venue, and crank our events first.

    \b
    Example:
      bmv chain settle live.toml --yes
    """
    ctx.exit(_settle(config, sets, yes, passphrase_file, as_json, pay_out=True))


def _settle(
    config: Path, sets: tuple[str, ...], yes: bool, passphrase_file: Path | None, as_json: bool, *, pay_out: bool
) -> int:
    from bmv.adapters.solana.rpc import CONFIRMED
    from bmv.live.chain.opening import at_our_seat, confirm, hands_of
    from bmv.live.chain.settling import check_wallets, due_of, settle

    async def act(seated: "Seated") -> int:
        desk = await seated.desk(CONFIRMED)
        due = due_of(seated, desk)
        if not due.needs(pay_out):
            waits = " by us: only the market's own crank takes our events" if due.events else ""
            _tell(as_json, {"done": True, "events_left": due.events, "attempts": []}, f"nothing to do{waits}")
            return 0
        if pay_out:
            check_wallets(desk)
        if not confirm(f"{due.events} events of ours wait; {'settle' if pay_out else 'crank them'}?", yes):
            return _stopped()
        async with hands_of(seated, passphrase_file, _say(as_json)) as hands:
            due = await settle(hands, pay_out)
        done = not due.needs(pay_out)
        words = "done" if done else "not done yet: events or money are left; run it again"
        _tell(as_json, {"done": done, "events_left": due.events, **_attempts(hands)}, words)
        return 0 if done else 1

    return at_our_seat(config, sets, act, stubborn=True)


@click.command()
@acting
@click.pass_context
def close(
    ctx: click.Context, config: Path, sets: tuple[str, ...], yes: bool, passphrase_file: Path | None, as_json: bool
) -> None:
    """Close our account on the market and take its rent back; wrapped SOL becomes SOL.

    Refuses while orders rest: run cancel-all first. Cranks and settles what is left. Token accounts stay, other than
    that of wrapped SOL, and the indexer of version 2 where it lists accounts of other markets.

    \b
    Example:
      bmv chain close live.toml
    """
    from bmv.adapters.openbook.seat.pieces import closing
    from bmv.adapters.solana.rpc import CONFIRMED
    from bmv.live.chain.making import close, pieces_json, refuse_delegate, refuse_resting, say_pieces
    from bmv.live.chain.opening import at_our_seat, confirm, hands_of

    async def act(seated: "Seated") -> int:
        refuse_delegate(seated)
        desk = await seated.desk(CONFIRMED)
        refuse_resting(seated, desk)
        pieces = closing(seated.seat, desk, seated.spot)
        if not pieces:
            _tell(as_json, {"closed": [], "attempts": []}, "nothing to do: there is nothing to close")
            return 0
        if not as_json:
            say_pieces(pieces)
        if not confirm("close this?", yes):
            return _stopped()
        async with hands_of(seated, passphrase_file, _say(as_json)) as hands:
            closed = await close(hands)
        back = sum(piece.lamports for piece in closed)
        page = {"closed": pieces_json(closed), "lamports_back": back, **_attempts(hands)}
        _tell(as_json, page, f"done: {_sol(back)} SOL came back")
        return 0

    ctx.exit(at_our_seat(config, sets, act, stubborn=True))


def _say(as_json: bool) -> Callable[[str], None]:
    """Return who says how it goes on: with JSON the error stream, which keeps the other for the page."""
    return lambda line: click.echo(line, err=as_json)


def _tell(as_json: bool, page: "Json", words: str) -> None:
    """Say how it ended."""
    click.echo(json.dumps(page) if as_json else words)


def _stopped() -> int:
    click.echo(NOT_DONE, err=True)
    return 1


def _attempts(hands: "Hands") -> "Json":
    return {"attempts": [outcome.to_json() for outcome in hands.outcomes]}


def _no_account(seated: "Seated") -> str:
    return f"nothing to do: {seated.seat.owner} has no account on market {seated.seat.market}"


async def _left(seated: "Seated") -> "Own | None":
    """Return what rests at the end, None where nobody says."""
    from bmv.adapters.solana.errors import EndpointError

    try:
        async with asyncio.timeout(5):
            return (await seated.desk()).own(seated.seat.open_orders)
    except (EndpointError, TimeoutError):
        return None


def _not_cleared(hands: "Hands", left: "Own | None") -> "Json":
    orders = None if left is None else [str(order.order_id) for order in left.resting]
    return {"cleared": False, "left": orders, "alive": sorted(hands.alive), **_attempts(hands)}


def _words(hands: "Hands", left: "Own | None") -> str:
    count = "nobody says how many orders" if left is None else f"{len(left.resting)} orders"
    names = "" if left is None else "".join(f"\n  {order.side.name.lower()} {order.order_id}" for order in left.resting)
    return f"{count} of ours rest, and {len(hands.alive)} transactions may still land; run it again{names}"


def _sol(lamports: int) -> str:
    from bmv.adapters.solana.balances import SOL_DECIMALS, in_whole

    return in_whole(lamports, SOL_DECIMALS)
