"""Bugs that cost money elsewhere, each planted into the product and found by the simulation, or the simulation is no use.

A mutant takes the place of a method or a function of the product, in the process of one seed only. It is dealt the
faults under which it does harm, and what is wrong then has to be what it is expected to break.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from tests.rigs.anew import carry_anew
from tests.simulation.live.campaign import run

from bmv.adapters.openbook.execution import executor, recovery, telling
from bmv.adapters.openbook.execution.carrier import Carrier
from bmv.adapters.openbook.execution.executor import Executor
from bmv.adapters.openbook.execution.orders import Orders, Stage
from bmv.adapters.openbook.execution.purse import Purse
from bmv.adapters.openbook.execution.telling import Herald
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.sending.attempt import State
from bmv.adapters.solana.sending.courier import Courier
from bmv.adapters.solana.sending.track import Track
from bmv.adapters.solana.sending.watch import look_at
from bmv.core import engine, risk
from bmv.data.journal.attempts import Fated
from bmv.live import journal, recovering
from bmv.live.guard import Guard
from bmv.live.journal import SessionJournal
from bmv.live.market_data import MarketEvents
from bmv.live.minutes import Minutes
from bmv.live.opening import Before
from bmv.live.watch import ChainConditions
from bmv.ports.errors import Refused, StorageError
from bmv.ports.messages import Kind

Planted = Any  # Any: whatever stands at the place.


@dataclass(frozen=True)
class Mutant:
    """A bug.

    Args:
        what: In words.
        words: One of them is in what is found.
        faults: Under which it does harm.
        plant: Puts it into the product.
    """

    what: str
    words: tuple[str, ...]
    faults: tuple[str, ...]
    plant: Callable[[], None]


MUTANTS: dict[str, Mutant] = {}


def mutant(words: str | tuple[str, ...], *faults: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Note a mutant."""

    def noted(plant: Callable[[], None]) -> Callable[[], None]:
        found = (words,) if isinstance(words, str) else words
        MUTANTS[plant.__name__] = Mutant(plant.__doc__ or "", found, faults, plant)
        return plant

    return noted


def put(owner: Planted, name: str, make: Callable[[Planted], Planted]) -> None:
    """Put something in the place of what an owner has by a name, made of that."""
    setattr(owner, name, make(getattr(owner, name)))


def caught(name: str, seeds: Sequence[int]) -> tuple[int | None, list[str]]:
    """Return the first seed that finds a mutant, and what it finds; None: none does."""
    found = MUTANTS[name]
    for seed in seeds:
        for report in run([seed], hands=lambda _: list(found.faults), before=found.plant):
            fitting = [text for text in report.wrong if any(words in text for words in found.words)]
            if fitting:
                return seed, fitting
    return None, []


# Sending.


@mutant("was sent and was not kept")
def sends_before_it_keeps() -> None:
    """Hands bytes to nodes, and keeps them then."""

    def make(keep: Planted) -> Planted:
        async def first(self: Carrier, attempt: Any, part: Any, load: Any) -> bool:
            await asyncio.gather(*(way.send(attempt, time.monotonic) for way in self.courier.ways))
            return bool(await keep(self, attempt, part, load))

        return first

    put(Carrier, "_keep", make)


@mutant("was sent and was not kept", "store_down")
def takes_an_error_for_kept() -> None:
    """Goes on when the store says that it could not keep."""

    def make(commit: Planted) -> Planted:
        async def careless(self: SessionJournal) -> None:
            with suppress(StorageError):
                await commit(self)

        return careless

    put(SessionJournal, "commit", make)


@mutant("is told expired", "late_transaction", "drop_transaction")
def takes_a_time_out_for_a_rejection() -> None:
    """Takes what has not ended within two seconds for rejected."""

    def make(follow: Planted) -> Planted:
        async def impatient(self: Carrier, attempt: Any, landed: Any = None, *more: Any, **named: Any) -> None:
            try:
                async with asyncio.timeout(2.0):
                    await follow(self, attempt, landed, *more, **named)
            except TimeoutError:
                self.alive.pop(attempt.signature, None)
                self.ledger.note(Fated(attempt.signature, "expired", {}).note(self.now_ns()))
                self.orders.lose(attempt.signature)
                if landed is not None and not landed.done():
                    landed.set_result(False)

        return impatient

    put(Carrier, "follow", make)


@mutant("was placed by", "refuse", "refuse")
def signs_anew_what_was_refused() -> None:
    """Signs the same orders once more, with another blockhash, where a node refuses them."""

    def make(keep: Planted) -> Planted:
        async def twice(self: Carrier, attempt: Any, part: Any, load: Any) -> bool:
            kept = bool(await keep(self, attempt, part, load))
            if kept and part.places:
                asyncio.get_running_loop().create_task(carry_anew(self, attempt, part, load, 0.1))
            return kept

        return twice

    put(Carrier, "_keep", make)


@mutant(("is told finalized", "is told failed"), "fork", "fork", "halt")
def believes_any_block() -> None:
    """Takes what any block shows for final."""

    async def look(self: Courier, tracks: Any) -> None:
        try:
            seen, statuses = await look_at(self.reader(), tracks)
        except EndpointError:
            return
        self._seen_s, self.height = self._clock(), max(self.height, seen.final_height)
        firm = [None if status is None else status._replace(commitment="finalized") for status in statuses]
        self._tell(track for track, status in zip(tracks, firm, strict=True) if track.hear(seen, status))

    put(Courier, "_look", lambda _: look)


@mutant("is told expired", "lie")
def believes_what_is_not_found() -> None:
    """Takes what a node does not find for expired, whatever the height."""

    def make(missing: Planted) -> Planted:
        def hasty(self: Track, look: Any) -> Any:
            fate = missing(self, look)
            return replace(fate, state=State.EXPIRED) if fate.sent > 1 else fate

        return hasty

    put(Track, "_missing", make)


@mutant("no SOL to spare", "poor")
def spends_its_last_sol() -> None:
    """Heeds no floor of SOL."""
    put(Purse, "allows", lambda _: lambda self, *more: True)
    put(ChainConditions, "sol_is_low", lambda _: lambda self: "")


@mutant("that it could not keep", "store_full", "store_full")
def signs_what_it_can_not_keep() -> None:
    """Signs on while the store takes nothing, for each try two words more."""

    def make(keep: Planted) -> Planted:
        async def careless(self: Executor) -> bool:
            await keep(self)
            return True

        return careless

    put(Executor, "_keep", make)


# Orders.


@mutant(("may rest", "rest at the end", "does not end", "has rested", "to stop"))
def loses_cancels() -> None:
    """Forgets of every other order that it is to be cancelled, where it rests already."""

    def make(wish: Planted) -> Planted:
        def deaf(self: Orders, intent: Any) -> None:
            resting = [order for order in self.open.values() if order.stage is Stage.RESTING and not order.dying]
            wish(self, intent)
            for order in resting:
                order.dying = order.dying and bool(order.number % 2)

        return deaf

    put(Orders, "_wish_away", make)


@mutant("lots held", "price_run", "price_run")
def ignores_its_limit() -> None:
    """Heeds no limit of the position, neither in the core nor in the guard."""
    put(risk, "position_room", lambda _: lambda *more: 10**9)
    put(Guard, "_leaves_position", lambda _: lambda self, intent: False)


@mutant("after the last row", "silence", "black_hole", "frozen")
def heeds_no_staleness() -> None:
    """Quotes on a market of which nothing is heard any more."""

    def make(withdrawal: Planted) -> Planted:
        def sure(params: Any, state: Any) -> int:
            params.stale_ns = 0
            return int(withdrawal(params, state))

        return sure

    def make_hearing(heard: Planted) -> Planted:
        return lambda self, word: [event for event in heard(self, word) if event.kind != Kind.FEED or event.code]

    put(engine, "withdrawal", make)
    put(Guard, "_is_stale", lambda _: lambda self: False)
    put(MarketEvents, "heard", make_hearing)


# Money.


@mutant(("changed by", "differ"))
def turns_a_sign() -> None:
    """Takes bought for sold."""

    def make(tell: Planted) -> Planted:
        def wrongly(self: Herald, event: Any) -> None:
            tell(self, event._replace(side=-event.side) if event.kind == Kind.FILLED else event)

        return wrongly

    put(Herald, "_tell", make)


@mutant(("changed by", "differ"))
def takes_rebates_for_fees() -> None:
    """Turns the sign of fees."""

    def make(tell: Planted) -> Planted:
        return lambda self, event: tell(self, event._replace(fee=-event.fee))

    put(Herald, "_tell", make)


@mutant(("changed by", "traded", "fills of", "stray", "differ"), "price_run")
def counts_fills_twice() -> None:
    """Takes in each fill two times."""

    def make(fill: Planted) -> Planted:
        def twice(self: Orders, one: Any, seen: Any) -> None:
            fill(self, one, seen)
            fill(self, one, seen)

        return twice

    put(Orders, "_fill", make)


# Who begins, and what he knows.


@mutant(("was sent and was not kept", "waited in vain"), "twice", "sleeps")
def is_not_fenced() -> None:
    """Takes a refusal of the store, which another has taken over, for kept."""

    def make(commit: Planted) -> Planted:
        async def careless(self: SessionJournal) -> None:
            try:
                await commit(self)
            except Refused:
                self.kept += len(self._words)
                self._words.clear()

        return careless

    put(SessionJournal, "commit", make)


@mutant(("after another took over", "waited in vain", "was placed by"), "twice")
def ends_no_session_before() -> None:
    """Begins a session, and lets the one before be written to."""

    def make(_: Planted) -> Planted:
        async def polite(store: Any, session: str, epoch: int, ts_ns: int) -> Any:
            return [word async for page in store.read(session) for word in page]

        return polite

    put(journal, "_end", make)


@mutant("halted as it is", "halted")
def forgets_the_breaker() -> None:
    """Begins with a breaker that is armed."""
    put(recovering, "before_of", lambda _: lambda words: Before(None, stopped=True))


@mutant("halted as it is", "halted")
def passes_by_the_breaker() -> None:
    """Quotes on though the breaker has halted."""

    def make(withdrawal: Planted) -> Planted:
        def bold(params: Any, state: Any) -> int:
            tier = state.tier
            state.tier = 0
            try:
                return int(withdrawal(params, state))
            finally:
                state.tier = tier

        return bold

    put(engine, "withdrawal", make)


@mutant("paused as it is", "paused")
def forgets_a_pause() -> None:
    """Begins to quote though an operator paused the session before."""

    def make(commit: Planted) -> Planted:
        async def forgetful(self: Minutes) -> None:
            paused, self.paused = self.paused, False
            try:
                await commit(self)
            finally:
                self.paused = paused

        return forgetful

    put(Minutes, "commit", make)


@mutant(("says nothing of attempt", "knows nothing of them"), "kill", "late_transaction")
def forgets_what_flies() -> None:
    """Begins, and knows nothing of transactions that may still land."""
    put(recovering, "read_left", lambda read: lambda words: read(words)._replace(attempts=()))


@mutant(("knows nothing of them", "lots held", "orders rest", "stray", "has rested"), "kill", "kill")
def forgets_what_rests() -> None:
    """Begins, and knows nothing of orders that rest."""
    put(recovering, "read_left", lambda read: lambda words: read(words)._replace(orders=()))


@mutant(("differ", "changed by"), "kill", "price_run", "kill")
def forgets_how_far_it_read() -> None:
    """Begins to read fills from now on, and not from where the session before had read."""
    put(recovering, "read_left", lambda read: lambda words: read(words)._replace(mark=None))


@mutant(("was placed by", "rests 2 times", "knows nothing", "AssertionError", "changed by"), "kill", "kill")
def numbers_from_one() -> None:
    """Gives the numbers of orders anew in each session."""
    for module in (executor, recovery, telling):
        put(module, "number_at_venue", lambda _: lambda epoch, order: 1 << 32 | order)


@mutant(("comes out otherwise", "says nothing", "has no end", "changed by"), "store_down", "commit_unknown")
def drops_what_it_could_not_keep() -> None:
    """Forgets words whose keeping failed."""

    def make(commit: Planted) -> Planted:
        async def forgetful(self: SessionJournal) -> None:
            try:
                await commit(self)
            except StorageError:
                self._words.clear()
                raise

        return forgetful

    put(SessionJournal, "commit", make)
