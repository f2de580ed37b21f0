"""`bmv chain crank` and `settle`: events of ours taken from the market, and what is free paid out."""

from typing import NamedTuple

from bmv.adapters.openbook.planning.plan import Part
from bmv.adapters.openbook.planning.seat import Terms
from bmv.adapters.openbook.seat.desk import DeskSnapshot, plan
from bmv.adapters.openbook.seat.funds import held_of
from bmv.adapters.openbook.v1.accounts import AccountFlag
from bmv.adapters.openbook.v1.accounts import Market as MarketV1
from bmv.adapters.solana.rpc import CONFIRMED
from bmv.adapters.solana.sending.attempt import State
from bmv.live.chain.hands import Hands
from bmv.live.chain.seated import Seated
from bmv.ports.errors import Refused

ROUNDS = 5  # Others crank too, and trade: what was read may be over when it lands.


class Due(NamedTuple):
    """What is to be done.

    Args:
        events: Of ours that wait for the crank.
        money: Whether something is free.
        reserved: Whether only the market's own crank may take events.
    """

    events: int
    money: bool
    reserved: bool

    def needs(self, pay_out: bool) -> bool:
        """Whether there is something that we can do."""
        return (self.events > 0 and not self.reserved) or (pay_out and self.money)


def due_of(seated: Seated, desk: DeskSnapshot) -> Due:
    """Return what is to be done by a snapshot."""
    address = seated.seat.open_orders
    held = held_of(desk, address)
    return Due(desk.waiting(address), bool(held.base.free or held.quote.free), is_reserved(desk))


def is_reserved(desk: DeskSnapshot) -> bool:
    """Whether only the market's own crank may take events from it."""
    if isinstance(desk.market, MarketV1):
        return bool(desk.market.account_flags & AccountFlag.CRANK_AUTHORITY_REQUIRED)
    return desk.market.consume_events_admin is not None


def check_wallets(desk: DeskSnapshot) -> None:
    """Refuse to pay out to token accounts that are not there."""
    if desk.base_wallet is None or desk.quote_wallet is None:
        raise Refused("there is no token account to pay out to; `bmv chain setup` makes it")


async def settle(hands: Hands, pay_out: bool) -> Due:
    """Crank our events and, if wanted, pay out what is free; return what is left to do after some rounds."""
    for _ in range(ROUNDS):
        desk = await hands.seated.desk(CONFIRMED)
        due = due_of(hands.seated, desk)
        if not due.needs(pay_out):
            return due
        if pay_out:
            check_wallets(desk)
        await _settle_once(hands, desk, pay_out)
    return due_of(hands.seated, await hands.seated.desk(CONFIRMED))


async def _settle_once(hands: Hands, desk: DeskSnapshot, pay_out: bool) -> None:
    """Send what a snapshot asks for, part after part; what fails ends the round."""
    terms = Terms(now=desk.unix_timestamp, crank=True, withdraw=pay_out)
    for part in plan([], desk, hands.seated.seat, terms, hands.frame(desk)).parts:
        outcome = await hands.carry(_words(part), part, desk)
        if outcome.fate.state is not State.FINALIZED:
            return


def _words(part: Part) -> str:
    words = [f"crank of up to {part.cranks} events"] if part.cranks else []
    return " and ".join([*words, *(["settlement"] if part.settles else [])])
