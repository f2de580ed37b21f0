"""Parts of a plan become attempts: signed if the policy allows, kept before they are sent, followed to their end."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from solders.message import to_bytes_versioned

from bmv.adapters.openbook.execution.fate import fated
from bmv.adapters.openbook.execution.ledger import Ledger
from bmv.adapters.openbook.execution.orders import Orders
from bmv.adapters.openbook.execution.purse import Purse
from bmv.adapters.openbook.execution.tariff import Tariff
from bmv.adapters.openbook.planning.plan import Part
from bmv.adapters.openbook.planning.routes import LARGE_BYTES, Form
from bmv.adapters.openbook.planning.routing import Course
from bmv.adapters.openbook.planning.tipping import Purpose
from bmv.adapters.openbook.policy.guard import GuardedSigner
from bmv.adapters.openbook.policy.mandate import Moment
from bmv.adapters.openbook.policy.verdict import Refusal
from bmv.adapters.solana.rpc import CONFIRMED
from bmv.adapters.solana.sending.attempt import Attempt, Fate, State, make_attempt
from bmv.adapters.solana.sending.courier import Courier
from bmv.data.journal.attempts import Attempted
from bmv.ports.errors import StorageError
from bmv.ports.signer import SignerError

REFUSALS_KEPT = 100
ANY_COURSE = Course((), Form(1, LARGE_BYTES))


@dataclass(frozen=True, slots=True)
class Load:
    """Parts that go one after the other.

    Args:
        parts: In their order.
        named: Numbers of the orders that each intent of the batch is about.
        moment: What the policy is told, but for the blockhash.
        over_s: Second of the chain's clock from which orders are out of the book by themselves; None: never.
        urgent: Whether they go by the lane of cancels.
        course: By which routes.
        purpose: What they are for.
        next_tip: As of an attempt that is kept.
    """

    parts: Sequence[Part]
    named: Sequence[int]
    moment: Moment
    over_s: int | None = None
    urgent: bool = False
    course: Course = ANY_COURSE
    purpose: Purpose = Purpose.RECENTRE
    next_tip: int = 0


class Ended(NamedTuple):
    """An attempt at its end.

    Args:
        attempt: The bytes.
        fate: What became of them.
        part: What they were made of; None: an earlier process made them.
    """

    attempt: Attempt
    fate: Fate
    part: Part | None


@dataclass(slots=True)
class Carrier:
    """Signs, keeps, sends and follows.

    Args:
        orders: Learns what is sent and what becomes of it.
        courier: Sends.
        guard: Signs what the policy allows.
        ledger: Keeps.
        purse: Learns what may be spent.
        epoch: Of the writer.
        now_ns: The time, ns UTC; it never goes back.
        tariff: Says what transactions cost.
        floor: Slot of the newest final block in which an attempt of ours has ended.
        alive: Attempts whose end is not known, by signature.
        refusals: What our own policy refused: something is wrong with us.
        ended: Attempts that have ended and were not looked at.
        serial: Of the next message; no two are the same.
        trouble: Why something of ours could not be signed last; "": nothing is wrong with us.
    """

    orders: Orders
    courier: Courier
    guard: GuardedSigner
    ledger: Ledger
    purse: Purse
    epoch: int
    now_ns: Callable[[], int]
    tariff: Tariff = field(default_factory=Tariff)
    floor: int = 0
    alive: dict[str, Attempt] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    serial: int = 0
    trouble: str = ""

    async def carry(self, load: Load) -> None:
        """Send parts, each when the one before has landed well; return when all have ended.

        What is not sent, for whatever reason, is refused; cancels of it stay a wish.
        """
        followed = list[asyncio.Task[None]]()
        try:
            good = True
            for part in load.parts:
                attempt = await self._prepare(part, load) if good else None
                if attempt is None:
                    good = False
                    # Orders of an attempt that could not be kept have ended with it.
                    numbers = [load.named[at] for at in part.places]
                    self.orders.refuse(number for number in numbers if number in self.orders.open)
                    continue
                landed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
                followed.append(asyncio.create_task(self.follow(attempt, landed, part=part)))
                good = part is load.parts[-1] or await landed
            await asyncio.gather(*followed)
        finally:
            for task in followed:
                task.cancel()

    async def _prepare(self, part: Part, load: Load) -> Attempt | None:
        """Return an attempt that is signed and kept, so that it may be sent; None: it never will be."""
        young = await self.courier.blockhash()
        self.serial += 1
        message = to_bytes_versioned(part.message(young.hash, self.serial))
        verdict = self.guard.judge(message, load.moment._replace(blockhash=young.hash))
        if isinstance(verdict, Refusal):
            self.refusals[REFUSALS_KEPT - 1 :] = [verdict]
            self.trouble = str(verdict)
            return None
        try:
            signature = await self.guard.sign(verdict)
        except SignerError as error:
            self.trouble = str(error)
            return None
        self.trouble = ""
        legs = load.course.legs(part)
        attempt = make_attempt(message, signature, young.last_height, load.urgent or not part.places, legs)
        if self._is_moot(part, load):
            return None
        return attempt if await self._keep(attempt, part, load) else None

    def _is_moot(self, part: Part, load: Load) -> bool:
        """Whether somebody wants gone what a part places, or another attempt under way cancels what it cancels."""
        cancels = [self.orders.open.get(load.named[at]) for at, _ in part.cancels]
        cancelled = any(order is not None and order.cancels for order in cancels)
        return cancelled or any(self.orders.open[load.named[at]].dying for at in part.places)

    async def _keep(self, attempt: Attempt, part: Part, load: Load) -> bool:
        """Keep an attempt; False: it is not known to be kept, and is never sent."""
        kept = self._attempted(attempt, part, load)
        self.orders.send(attempt.signature, kept.places, kept.cancels, load.over_s)
        self.ledger.note(kept.note(self.now_ns()))
        try:
            await self.ledger.commit()
            wanted = not any(self.orders.open[number].dying for number, _ in kept.places)
        except StorageError:
            wanted = False
        if wanted:
            self.purse.spend(attempt.signature, self.now_ns(), kept.lamports, kept.tip)
            return True
        # Its word may be kept all the same, and then this one is behind it.
        self.ledger.note(fated(attempt, Fate(State.EXPIRED)).note(self.now_ns()))
        self.orders.lose(attempt.signature)
        return False

    def _attempted(self, attempt: Attempt, part: Part, load: Load) -> Attempted:
        """Return what the journal is to know of an attempt.

        An order that has ended since it was planned is not cancelled any more, though the bytes say so: another attempt
        that did it may not have been heard to its end yet, and no two that live are about one order.
        """
        cancels = [number for at, _ in part.cancels if (number := load.named[at]) in self.orders.open]
        return Attempted(
            signature=attempt.signature,
            transaction=attempt.transaction,
            last_height=attempt.last_height,
            ways=tuple(leg.way for leg in attempt.legs) or tuple(way.name for way in self.courier.ways),
            epoch=self.epoch,
            urgent=attempt.urgent,
            places=tuple((load.named[at], client_id) for at, client_id in part.places.items()),
            cancels=tuple(dict.fromkeys(cancels)),
            lamports=self.tariff.cost(part),
            tip=part.tip,
            tip_route=part.tip_route,
            priority=part.head.lamports,
            units=part.head.units,
            purpose=load.purpose.value,
            slot=self.courier.slot,
            next_tip=load.next_tip,
        )

    async def follow(
        self,
        attempt: Attempt,
        landed: "asyncio.Future[bool] | None" = None,
        fate: Fate | None = None,
        send: bool = True,
        part: Part | None = None,
        since: int | None = None,
    ) -> None:
        """Let an attempt that is kept be sent, and note its end.

        Args:
            attempt: The bytes.
            landed: Told once whether it has landed well, in a block that was confirmed at least.
            fate: What was known of it, for one of an earlier process.
            send: Whether to send it, or only to see what becomes of it.
            part: What it was made of.
            since: The oldest slot in which it may have landed, for one of an earlier process; None: not known.
        """
        self.alive[attempt.signature] = attempt

        def hear(fate: Fate) -> None:
            self.ledger.note(fated(attempt, fate).note(self.now_ns()))
            if fate.commitment == CONFIRMED and fate.error is not None:
                self.orders.release(attempt.signature)  # What it was to cancel need not wait until that is final.
            firm = fate.ended or fate.commitment == CONFIRMED
            if landed is not None and not landed.done() and firm:
                landed.set_result(fate.error is None and fate.state not in (State.EXPIRED, State.FORGOTTEN))

        ended = await self.courier.carry(attempt, hear, fate, send, since)
        del self.alive[attempt.signature]
        self.purse.end(attempt.signature, ended.state is not State.EXPIRED, ended.state is State.FAILED)
        self.floor = max(self.floor, ended.slot or 0)
        if ended.state in (State.FINALIZED, State.FORGOTTEN):
            assert ended.slot is not None, "what is final lies in a block"
            self.orders.land(attempt.signature, ended.slot, known=ended.state is State.FINALIZED)
        else:
            self.orders.lose(attempt.signature)
        self.ended.append(Ended(attempt, ended, part))
