"""How a session on the chain goes on from what an earlier one left."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from bmv.adapters.config import Config, compile
from bmv.adapters.openbook.execution.recovery import Left, carried, read_left
from bmv.adapters.solana.clock import LAST_RESTART, read_restart_slot
from bmv.adapters.solana.rpc import Rpc
from bmv.core.standing import Standing
from bmv.live.chain.seated import Seated, wallet_of
from bmv.live.chain.upkeep import taken_in
from bmv.live.journal import Begun
from bmv.live.minutes import Minutes
from bmv.live.notes import GUARD, Holding, account_note, chain_note, read_account, read_chain, read_holding
from bmv.live.onchain import RECOVER_S, ChainVenue, Seat, differences
from bmv.live.opening import before_of
from bmv.ports.errors import DataError, Refused
from bmv.ports.market import Market
from bmv.ports.messages import Event, Kind


class Inherited(NamedTuple):
    """What a session has from the one before.

    Args:
        standing: How the breaker stood; None: it begins anew.
        left: What may still be alive on the chain.
        expected: What the chain has to show that is held; None: nobody knows.
        restart_slot: At which the cluster had restarted last; None: nobody knows.
    """

    standing: Standing | None
    left: Left
    expected: Holding | None
    restart_slot: int | None


ALONE = Inherited(None, read_left(()), None, None)  # Of a session that goes on from nothing.


def inherit(begun: Begun, seat: Seat, config: Config, now_ns: int) -> Inherited:
    """Return what a session has from the one before, and write down what the one after it has to know of that.

    `Refused` where orders of another account than today's may live.
    """
    left, expected = read_left(begun.before), read_holding(begun.before, compile.market(config).half)
    account = str(seat.seated.seat.open_orders)
    if (was := read_account(begun.before)) not in (None, account):  # The keys were rotated.
        refuse_orders_of(was, left)
        left, expected = left._replace(mark=None), None
    for note in carried(left, begun.epoch, now_ns):
        begun.journal.note(note)
    begun.journal.note(account_note(now_ns, account))
    own = seat.seated.seat
    for note in taken_in(wallet_of(config), own.owner, own.market, begun.before, now_ns):
        begun.journal.note(note)
    return Inherited(before_of(begun.before).standing, left, expected, read_chain(begun.before))


def refuse_orders_of(account: str | None, left: Left) -> None:
    """Raise `Refused` where orders of another account of ours than today's may rest."""
    if left.orders or left.attempts:
        raise Refused(
            f"the session before traded for account {account}, and {len(left.orders)} orders and {len(left.attempts)} "
            "transactions of it may live; `bmv chain cancel-all` with live.open_orders naming it clears its book"
        )


async def recover(
    c: Any, expected: Holding | None, *, accept: bool
) -> None:  # Any: a container's attributes are known to it alone.
    """See what an earlier process left to its end, compare journal and chain, and tell the engine what is held.

    Somebody may want it stopped meanwhile: then nothing is compared, and the session ends as it would later on.
    """
    venue, minutes, market, session = c.venue(), c.minutes(), c.market(), c.session()
    waiting = asyncio.ensure_future(venue.until_idle(RECOVER_S))
    asked = asyncio.ensure_future(session.asked())
    await asyncio.wait({waiting, asked}, return_when=asyncio.FIRST_COMPLETED)
    stopped = session.stopping is not None
    for task in (asked, waiting) if stopped else (asked,):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if stopped:
        return
    if not await waiting:
        refuse_left(venue)
    found = await venue.held()
    for fill in minutes.legacy:
        expected = None if expected is None else expected.after(fill, market.half)
    refuse_unlike(expected, found, market, accept)
    minutes.hold(found)
    c.loop().tell(Event(Kind.BALANCE, c.clock().now_ns(), size=found.position, fee=found.cash))
    minutes.knows = True
    await minutes.commit()


async def heed_restart(
    seated: Seated, was: int | None, minutes: Minutes, now_ns: int, say: Callable[[str], None]
) -> None:
    """Write down when the cluster restarted last, and say it where that was while no session ran.

    What was confirmed may be undone then; so nothing is placed before journal and chain were compared, as ever.

    Args:
        was: Slot of the restart that the session before knew of; None: nobody knows.
    """

    async def read(rpc: Rpc) -> int | None:
        account = (await rpc.accounts([LAST_RESTART])).accounts[LAST_RESTART]
        return None if account is None else read_restart_slot(account.data)

    slot = await seated.readers.ask(read)
    if slot is None:
        return
    minutes.note(chain_note(now_ns, slot))
    if was is not None and slot != was:
        why = f"the cluster restarted at slot {slot:,} since the session before began"
        minutes.say(GUARD, code="restart", act="compare", begins=True, why=why)
        say(f"{why}: journal and chain are compared before anything is placed")


def refuse_unlike(expected: Holding | None, found: Holding, market: Market, accepted: bool) -> None:
    """Raise `Refused` where journal and chain differ and nobody has decided that the chain is right."""
    if expected is None or accepted:
        return
    if lines := differences(expected, found, market):
        raise Refused(
            "journal and chain differ, and nothing was placed:\n  "
            + "\n  ".join(lines)
            + "\n`bmv reconcile CONFIG` shows more; with --accept it says that the chain is right (a deposit, a "
            "withdrawal, trades by hand), and the next session begins from there"
        )


def refuse_left(venue: ChainVenue) -> None:
    """Raise `DataError`: what an earlier process left did not come to its end in time."""
    executor = venue.executor
    raise DataError(
        f"what an earlier process left has not come to its end within {RECOVER_S:.0f} s: {executor!r}"
        f"{'; ' + executor.trouble if executor.trouble else ''}; nothing was placed. "
        "`bmv chain cancel-all` clears the book"
    )
