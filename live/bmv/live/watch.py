"""What watches the world while a session trades, and acts when it is not as it should be, whatever the strategy says.

Each condition has a code, and one act: no order is let out; all are cancelled until it is well again; all are cancelled
and an operator has to look; or the breaker is halted. What is done is a note of the journal, and the engine hears of it
as of an operator's word, so that a replay knows it too.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from bmv.adapters.openbook.feed.words import Cause
from bmv.adapters.solana.balances import SOL_DECIMALS, in_whole
from bmv.data.journal.attempts import FATE, read_fate
from bmv.live.guard import Guard
from bmv.live.market_data import MarketEvents
from bmv.live.notes import Holding
from bmv.live.onchain import ChainVenue, differences, held_on
from bmv.live.skew import Skew
from bmv.ports.clock import Clock
from bmv.ports.market import Market
from bmv.ports.storage import Note

LOOK_S = 0.5
TROUBLE_S = 30.0  # For so long an execution may fail to look or to sign before that counts.
DARK_ATTEMPTS = 4  # So many transactions in a row that never landed: nothing of ours lands any more.
DARK_S = 60.0  # After which one more is tried.
COMPARE_S = 60.0  # By then at the latest what is held is compared with the chain anew.
SEEN_TWICE = 2  # A difference counts when two final banks show it.
GONE_BACK = (Cause.RESTARTED, Cause.WENT_BACK)
ANOTHER = (Cause.PROGRAM, Cause.ANOTHER_CHAIN)


class Act(StrEnum):
    """What is done."""

    HOLD = "hold"  # No order is let out.
    CANCEL = "cancel"  # All are cancelled, and it quotes again when things are well.
    PAUSE = "pause"  # All are cancelled, until an operator says otherwise.
    HALT = "halt"  # The breaker halts, until an operator re-arms it.


class Condition(NamedTuple):
    """One thing that may be wrong.

    Args:
        code: Its name.
        act: What is done about it.
        why: Returns what is wrong, "" while nothing is.
    """

    code: str
    act: Act
    why: Callable[[], str]


class Orders(NamedTuple):
    """What a watch may ask of a session.

    Args:
        pause: Cancel all, until it is told to resume.
        latch: Cancel all, until an operator says otherwise, to this session or to one after it.
        resume: Quote again.
        halt: Halt the breaker.
    """

    pause: Callable[[str], None]
    latch: Callable[[str], None]
    resume: Callable[[str], None]
    halt: Callable[[str], None]


@dataclass(slots=True)
class Watch:
    """Looks at its conditions again and again, and acts.

    Args:
        conditions: What may be wrong.
        guard: Lets no order out while something is.
        orders: What may be asked of the session.
        note: Hears code, act, whether it begins, and why; for the journal, the log and the metrics.
        acknowledge: Called when an operator has looked at what was latched.
    """

    conditions: Sequence[Condition]
    guard: Guard
    orders: Orders
    note: Callable[[str, Act, bool, str], None]
    acknowledge: Callable[[], None] = lambda: None
    wrong: dict[str, str] = field(default_factory=dict)  # Why, by code, of what is wrong now.
    latched: set[str] = field(default_factory=set)  # What an operator has to look at.

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def forgive(self) -> None:
        """Take it that an operator has looked at what was wrong: what has not happened since is over."""
        self.latched.clear()
        self.acknowledge()
        self.look()
        latching = {condition.code for condition in self.conditions if condition.act in (Act.PAUSE, Act.HALT)}
        self.latched |= latching & set(self.wrong)  # What is not over stays latched.

    def look(self) -> None:
        """Look at all conditions once."""
        for condition in self.conditions:
            why = condition.why()
            if bool(why) != (condition.code in self.wrong):
                self._change(condition, why)
            elif why:
                self.wrong[condition.code] = why
        self.guard.blocked = next((f"{code}: {why}" for code, why in self.wrong.items()), "")

    def _change(self, condition: Condition, why: str) -> None:
        code, act = condition.code, condition.act
        if why:
            self.wrong[code] = why
            self.note(code, act, True, why)
            if act is Act.HALT and code not in self.latched:
                self.orders.halt(f"{code}: {why}")
            elif act is Act.CANCEL:
                self.orders.pause(f"{code}: {why}")
            elif act is Act.PAUSE:
                self.orders.latch(f"{code}: {why}")
            if act in (Act.HALT, Act.PAUSE):
                self.latched.add(code)
            return
        del self.wrong[code]
        self.note(code, act, False, "")
        if act is Act.CANCEL and not self._holds_back():
            self.orders.resume(f"{code} is over")

    def _holds_back(self) -> bool:
        """Whether something else that is wrong keeps all cancelled."""
        cancelling = {condition.code for condition in self.conditions if condition.act is Act.CANCEL}
        return bool(cancelling & set(self.wrong)) or bool(self.latched)


@dataclass(slots=True)
class ChainConditions:
    """What may be wrong with a chain and our way to it.

    Args:
        venue: Our way there.
        rows: What is heard of the market.
        clock: The session's time.
        holding: Returns what the engine knows that is held.
        market: In whose units that is said.
        unkept: Returns why the journal's last commit failed, "" if it did not.
        slots_max: Most slots that market data may be behind; None: any.
        monotonic: Seconds that never go back.
        wall_ns: The machine's clock, ns UTC.
    """

    venue: ChainVenue
    rows: MarketEvents
    clock: Clock
    holding: Callable[[], Holding]
    market: Market
    unkept: Callable[[], str] = lambda: ""
    slots_max: int | None = None
    monotonic: Callable[[], float] = time.monotonic
    wall_ns: Callable[[], int] = time.time_ns
    _trouble_s: float | None = None
    _lost: int = 0  # Transactions in a row that never landed.
    _lost_s: float = 0.0
    _refused: object = None  # The newest refusal that an operator has looked at.
    _stray: int = 0  # Fills of no order that he has looked at.
    _compared_s: float | None = None  # When what is held was compared last, or was to be for the first time.
    _differs: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=SEEN_TWICE))

    def all(self) -> list[Condition]:
        """Return the conditions."""
        return [
            Condition("clock", Act.HOLD, Skew(self.wall_ns, self.clock.now_ns, lambda: self.rows.unix_timestamp).why),
            Condition("sol", Act.HOLD, self.sol_is_low),
            Condition("slots", Act.CANCEL, self.data_are_behind),
            Condition("dark", Act.CANCEL, self.chain_is_dark),
            Condition("trouble", Act.CANCEL, self.execution_fails),
            Condition("journal", Act.CANCEL, self.journal_fails),
            Condition("policy", Act.PAUSE, self.policy_refused),
            Condition("restart", Act.PAUSE, lambda: self._down(GONE_BACK)),
            Condition("another", Act.HALT, lambda: self._down(ANOTHER)),
            Condition("reconcile", Act.HALT, self.chain_differs),
            Condition("unreconciled", Act.CANCEL, self.nothing_compares),
            Condition("stray", Act.HALT, self.fills_are_stray),
        ]

    def heard(self, note: Note) -> None:
        """Take in a note of the journal: what became of a transaction."""
        if note.topic != FATE:
            return
        fate = read_fate(note)
        state = fate.state
        if state == "expired":
            if fate.more.get("sent") == 0:
                return  # It could not be kept, or was not wanted any more: that says nothing of the chain.
            self._lost += 1
            self._lost_s = self.monotonic()
        elif state in ("landed", "finalized", "failed"):
            self._lost = 0

    def sol_is_low(self) -> str:
        """Say that the wallet can't pay much longer."""
        desk, floor = self.venue.executor.desk, self.venue.executor.house.purse.floor
        if desk is None or desk.signer_lamports >= floor:
            return ""
        has, least = (in_whole(lamports, SOL_DECIMALS) for lamports in (desk.signer_lamports, floor))
        return f"the wallet holds {has} SOL, and risk.min_sol is {least}"

    def data_are_behind(self) -> str:
        """Say how many slots the market that is quoted on lies behind the chain, where that is too many."""
        now, heard = self.venue.executor.house.courier.slot, self.rows.slot
        if self.slots_max is None or not now or not heard or now - heard <= self.slots_max:
            return ""
        return f"market data are {now - heard} slots behind, and risk.stale_after_slots is {self.slots_max}"

    def chain_is_dark(self) -> str:
        """Say that nothing of ours lands any more, though the chain goes on."""
        if self._lost >= DARK_ATTEMPTS and self.monotonic() - self._lost_s < DARK_S:
            return f"{self._lost} transactions in a row never landed"
        return ""

    def execution_fails(self) -> str:
        """Say what the execution has failed to do for a while."""
        trouble = self.venue.executor.trouble
        if not trouble:
            self._trouble_s = None
            return ""
        if self._trouble_s is None:
            self._trouble_s = self.monotonic()
        return trouble if self.monotonic() - self._trouble_s > TROUBLE_S else ""

    def journal_fails(self) -> str:
        """Say why nothing can be kept, and so nothing be sent."""
        return self.unkept()

    def policy_refused(self) -> str:
        """Say what our own policy would not sign: something is wrong with us."""
        refusals = self.venue.executor.carrier.refusals
        return str(refusals[-1]) if refusals and refusals[-1] is not self._refused else ""

    def fills_are_stray(self) -> str:
        """Say that fills are of no order that we know."""
        stray = len(self.venue.executor.orders.stray) - self._stray
        return f"{stray} fills of ours are of no open order" if stray else ""

    def acknowledge(self) -> None:
        """Take it that an operator has looked at what our policy refused, and at fills of no order."""
        executor = self.venue.executor
        self._refused = executor.carrier.refusals[-1] if executor.carrier.refusals else None
        self._stray = len(executor.orders.stray)

    def chain_differs(self) -> str:
        """Say how what the chain shows differs from what the engine knows, once two final banks show it."""
        executor = self.venue.executor
        desk = executor.desk
        if desk is not None and not executor.orders.untold and (not self._differs or self._differs[-1][0] != desk.slot):
            found = held_on(self.venue.seat.seated, desk, self.market)
            self._differs.append((desk.slot, "; ".join(differences(self.holding(), found, self.market))))
            self._compared_s = self.monotonic()
        return self._twice()

    def nothing_compares(self) -> str:
        """Say that what is held could not be compared with the chain for too long, whatever the reason."""
        if self._compared_s is None:
            self._compared_s = self.monotonic()
        silent_s = self.monotonic() - self._compared_s
        return f"what is held was not compared with the chain for {silent_s:.0f} s" if silent_s > COMPARE_S else ""

    def _twice(self) -> str:
        seen = [why for _, why in self._differs]
        return seen[-1] if len(seen) == SEEN_TWICE and all(seen) else ""

    def _down(self, causes: Sequence[Cause]) -> str:
        """Say why the feed is down for one of these causes, or was since the last look."""
        fell = [down for cause in causes if (down := self.rows.fell.pop(cause, None)) is not None]
        down = self.rows.down
        if down is not None and down.cause in causes:
            fell.append(down)
        return f"the feed is down: {fell[-1].why}" if fell else ""
