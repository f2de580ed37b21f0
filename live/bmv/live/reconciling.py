"""`bmv reconcile`: what the journal says of a market beside what the chain shows, and who is right."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmv.adapters.cli.named_market import look
from bmv.adapters.config import Config, compile
from bmv.adapters.openbook.execution.recovery import Left, carried, read_left
from bmv.adapters.solana.rpc import FINALIZED, make_client
from bmv.core.accounting import worth
from bmv.core.standing import moved
from bmv.live.chain.opening import PATIENCE_S
from bmv.live.chain.seated import Seated, take_seat
from bmv.live.chain.upkeep import read_taken, taken_note
from bmv.live.clock import SystemClock
from bmv.live.control.place import hold, session_place
from bmv.live.folder import LIVE
from bmv.live.journal import begin_session
from bmv.live.notes import (
    ACCEPTED,
    Holding,
    account_note,
    chain_note,
    read_chain,
    read_holding,
    read_standing,
    said_note,
)
from bmv.live.onchain import differences, held_on, price_now
from bmv.live.opening import open_minutes, session_market
from bmv.live.stores import journal_of, newest, open_sessions, words_of
from bmv.ports.errors import DataError, Refused
from bmv.ports.messages import Tier
from bmv.ports.storage import SessionStore, Word


@dataclass(frozen=True, slots=True)
class Comparison:
    """A journal beside the chain.

    Args:
        session: The newest of the market; None: there was none.
        left: What that left open; None likewise.
        expected: What it says is held; None: it does not say.
        found: What the chain shows; None: we have no account there.
        waiting: Events of ours that wait for the crank; what they will move is counted in `found`.
        resting: Orders of ours in the book, by a final bank.
        slot: Of that bank.
        breaker: How it stands.
        lines: How they differ, in words.
    """

    session: str | None
    left: Left | None
    expected: Holding | None
    found: Holding | None
    waiting: int
    resting: int
    slot: int
    breaker: str
    lines: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return it as `bmv reconcile --json` prints it."""
        left = self.left
        return {
            "session": self.session,
            "equal": not self.lines and self.found is not None,
            "differences": list(self.lines),
            "open_by_journal": None if left is None else len(left.orders),
            "attempts_by_journal": None if left is None else len(left.attempts),
            "events_waiting": self.waiting,
            "resting": self.resting,
            "slot": self.slot,
            "breaker": self.breaker,
            "expected": None if self.expected is None else list(self.expected),
            "found": None if self.found is None else list(self.found),
        }


async def compare(path: Path, config: Config) -> Comparison:
    """Read journal and chain, and change nothing."""
    async with make_client() as client, open_sessions(journal_of(path, config), path.parent) as store:
        seated = await take_seat(path, config, client, PATIENCE_S)
        return await _compared(store, seated, config)


async def accept(path: Path, config: Config) -> Comparison:
    """Write down that the chain is right: a session without an event, from which the next goes on.

    What is held and what was known are apart by a deposit, a withdrawal, a trade by hand; none of these is a profit or
    a loss of ours, so what the breaker counts from moves with it. `Refused` where orders rest or may come to, or
    another process trades: what is held then is not what will be.
    """
    async with AsyncExitStack() as opened:
        opened.enter_context(
            hold(session_place(path, config, LIVE))
        )  # The session that is written ends the one before.
        client = await opened.enter_async_context(make_client())
        store = await opened.enter_async_context(open_sessions(journal_of(path, config), path.parent))
        seated = await take_seat(path, config, client, PATIENCE_S)
        compared = await _compared(store, seated, config)
        found = _refuse_unsure(compared)
        moves = await _worth_of_difference(compared.expected, found, path, config, seated)
        now_ns = SystemClock().now_ns()
        begun = await begin_session(store, f"{LIVE}/{session_market(config)}", now_ns)
        for note in carried(read_left(begun.before), begun.epoch, now_ns):
            begun.journal.note(note)
        if (slot := read_chain(begun.before)) is not None:
            begun.journal.note(chain_note(now_ns, slot))
        standing = read_standing(begun.before)
        stands = None if standing is None else moved(standing, moves)
        open_minutes(begun, LIVE, session_market(config), config, stands, ACCEPTED, (), now_ns)
        said = said_note(now_ns, ACCEPTED, differences=list(compared.lines), breaker_moves_by=moves)
        begun.journal.note(said)
        begun.journal.note(account_note(now_ns, str(seated.seat.open_orders)))
        begun.journal.note(found.note(now_ns))
        begun.journal.note(taken_note(now_ns, read_taken(begun.before)))
        await begun.journal.commit()
        return compared


def _refuse_unsure(compared: Comparison) -> Holding:
    """Return what the chain shows; `Refused` where that is not what will be held."""
    left = compared.left
    if compared.resting or (left is not None and (left.orders or left.attempts)):
        raise Refused("orders of ours rest or may come to; `bmv chain cancel-all` first, or begin a session")
    if compared.found is None:
        raise Refused("we have no account on this market; `bmv chain setup` makes it")
    if compared.waiting:
        raise Refused("events of ours wait for the crank; `bmv chain settle` first")
    return compared.found


async def _worth_of_difference(
    expected: Holding | None, found: Holding, path: Path, config: Config, seated: Seated
) -> int:
    """Return in quanta what is held beyond what was known, base at today's price; `Refused` where there is none."""
    if expected is None:
        return 0
    market, more = compile.market(config), found.position - expected.position
    if not more:
        return found.cash - expected.cash
    endpoints = seated.readers.endpoints
    _, inspection, _ = await seated.readers.ask(lambda _: look(path, config, endpoints))
    price = price_now(inspection)
    if price is None:
        raise Refused("the market has no price now, and what the base is worth that came or went can't be told; later")
    return found.cash - expected.cash + worth(market.half, market.divisor, more, 2 * price)


async def _compared(store: SessionStore, seated: Seated, config: Config) -> Comparison:
    desk = await seated.desk(FINALIZED)
    address, market = seated.seat.open_orders, compile.market(config)
    found = None if desk.account is None else held_on(seated, desk, market)
    words, session = await _newest_words(store, config)
    expected = read_holding(words, market.half)
    standing = read_standing(words)
    lines = () if expected is None or found is None else tuple(differences(expected, found, market))
    return Comparison(
        session,
        read_left(words) if words else None,
        expected,
        found,
        desk.waiting(address) if desk.account is not None else 0,
        len(desk.own(address).resting),
        desk.slot,
        "armed" if standing is None else Tier(standing.tier).name.lower(),
        lines,
    )


async def _newest_words(store: SessionStore, config: Config) -> tuple[list[Word], str | None]:
    try:
        session = await newest(store, f"{LIVE}/{session_market(config)}")
        return await words_of(store, session), session
    except DataError:
        return [], None
