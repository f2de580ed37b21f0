"""What signs and sends for our seat, and says slot by slot what becomes of it.

Every transaction is of version 0 and within one packet: on a bad day no endpoint has to know anything newer. Each pays
as much for its priority as `live.max_priority_fee_lamports` allows: they are few, and it matters that they land.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from bmv.adapters.config.mandate import NOTHING_EXTRA, Extra, delegates_of, limits_of
from bmv.adapters.openbook.planning.budget import Fee, Head, units_limit
from bmv.adapters.openbook.planning.packing import Frame
from bmv.adapters.openbook.planning.plan import Part
from bmv.adapters.openbook.planning.routes import PACKET_BYTES, Form
from bmv.adapters.openbook.policy.guard import GuardedSigner
from bmv.adapters.openbook.policy.mandate import Moment
from bmv.adapters.openbook.policy.verdict import Refusal
from bmv.adapters.openbook.seat.desk import DeskSnapshot, shape_of
from bmv.adapters.openbook.seat.rights import make_policy
from bmv.adapters.openbook.v1.accounts import Market as MarketV1
from bmv.adapters.openbook.v1.codes import describe
from bmv.adapters.openbook.v2.codes import error_name
from bmv.adapters.solana.balances import SOL_DECIMALS, in_whole
from bmv.adapters.solana.errors import EndpointError, Json
from bmv.adapters.solana.rpc import CONFIRMED
from bmv.adapters.solana.sending.attempt import Fate, State, make_attempt
from bmv.adapters.solana.sending.blockhash import Young
from bmv.adapters.solana.sending.courier import Courier
from bmv.adapters.solana.sending.fees import SIGNATURE_LAMPORTS
from bmv.live.chain.seated import Seated
from bmv.ports.errors import Refused
from bmv.ports.signer import Signer

HASH_S = 20.0  # For so long a blockhash is waited for.
PIECE_UNITS = 100_000  # Of one account made or closed, four times what was measured.
AS_MUCH_AS_ALLOWED = 2**50  # Of a price for units: the cap decides.
SAID = {
    State.LANDED: "landed",
    State.FINALIZED: "is final",
    State.FAILED: "failed, and did nothing but cost its fee",
    State.EXPIRED: "never landed, and never will",
    State.FORGOTTEN: "can't land any more, and no endpoint remembers whether it did",
    State.UNKNOWN: "is on its way, and no endpoint answers what became of it",
}


class TooPoor(Refused):
    """The wallet can't pay the fee."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a transaction.

    Args:
        what: It was to do.
        why: It failed, in the program's own words; "": it did not.
        lamports: That it cost, where it is in a block: base fee and priority.
    """

    what: str
    signature: str
    fate: Fate
    why: str = ""
    lamports: int = SIGNATURE_LAMPORTS

    def to_json(self) -> Json:
        """Return it as JSON has it."""
        row = {"what": self.what, "signature": self.signature, "state": str(self.fate.state), "slot": self.fate.slot}
        return {**row, "error": self.why or None}


@dataclass(slots=True)
class Hands:
    """Signs and sends.

    Args:
        seated: For which seat.
        key: Signs, behind a policy.
        courier: Sends.
        say: Hears what happens, a line at a time.
        least_lamports: What a wallet keeps, or the chain takes no fee from it.
        stubborn: Whether to wait for an endpoint as long as it takes.
        outcomes: Of all that was sent.
        keep: Hears what is about to be sent, and its signature.
    """

    seated: Seated
    key: Signer
    courier: Courier
    say: Callable[[str], None]
    least_lamports: int
    stubborn: bool = False
    outcomes: list[Outcome] = field(default_factory=list)
    keep: Callable[[str, str], None] = lambda what, signature: None
    alive: set[str] = field(default_factory=set)  # Signatures of what may still land.
    _said: str = ""

    def frame(self, desk: DeskSnapshot, together: int = 1) -> Frame:
        """Return what parts of a plan have in common, where so many are under way together and the wallet pays all."""
        fee = self._fee(desk, together)
        return Frame(Form(0, PACKET_BYTES), self.seated.seat.signer, fee, shape_of(desk.market))

    def _fee(self, desk: DeskSnapshot, together: int = 1) -> Fee:
        """Return the priority: what is allowed, or what a poor wallet has left. One that can pay nothing is refused."""
        spare = (desk.signer_lamports - self.least_lamports) // together - SIGNATURE_LAMPORTS
        if spare < 0:
            needed = self.least_lamports + SIGNATURE_LAMPORTS * together
            has, wants = (in_whole(lamports, SOL_DECIMALS) for lamports in (desk.signer_lamports, needed))
            raise TooPoor(f"{self.seated.seat.signer} holds {has} SOL, and needs {wants} to pay a fee; send it some")
        return Fee(AS_MUCH_AS_ALLOWED, min(self.seated.config.live.max_priority_fee_lamports, spare))

    async def blockhash(self) -> Young:
        """Return a young blockhash; `EndpointError` where no endpoint gives one for a while, unless `stubborn`."""
        while True:
            try:
                async with asyncio.timeout(HASH_S):
                    return await self.courier.blockhash()
            except TimeoutError:
                failed = self.courier.failed() or EndpointError("no endpoint gives a blockhash")
            if not self.stubborn:
                raise failed
            self.say_once(f"{failed}; waiting for one")

    def say_once(self, line: str) -> None:
        """Say what holds things up, once as long as it is the same."""
        if line != self._said:
            self._said = line
            self.say(line)

    async def carry(self, what: str, part: Part, desk: DeskSnapshot, *, urgent: bool = False) -> Outcome:
        """Send a part of a plan, and return what became of it at its end."""
        young = await self.blockhash()
        message, priority = bytes(to_bytes_versioned(part.message(young.hash))), part.head.lamports
        return await self._send(what, message, young, desk, priority, urgent=urgent)

    async def carry_pieces(
        self, what: str, instructions: Sequence[Instruction], desk: DeskSnapshot, extra: Extra = NOTHING_EXTRA
    ) -> Outcome:
        """Send instructions in one transaction, all or nothing."""
        young = await self.blockhash()
        head = self._head(desk, len(instructions))
        message = bytes(to_bytes_versioned(head.message(list(instructions), young.hash)))
        return await self._send(what, message, young, desk, head.lamports, extra=extra)

    async def carry_all(self, to: Pubkey, desk: DeskSnapshot) -> Outcome | None:
        """Send all SOL of the wallet but for the fee; None: there is no more than that.

        The chain takes a wallet that is left with nothing, or with an account's rent, and nothing in between: so the
        fee is asked for.
        """
        young, signer = await self.blockhash(), self.seated.seat.signer
        head = replace(self, least_lamports=0)._head(desk, 1)

        def draining(fee: int) -> bytes:
            lamports = max(desk.signer_lamports - fee, 0)
            sent = transfer(TransferParams(from_pubkey=signer, to_pubkey=to, lamports=lamports))
            return bytes(to_bytes_versioned(head.message([sent], young.hash)))

        fee = await self._ask_fee(draining(0), SIGNATURE_LAMPORTS + head.lamports)
        if desk.signer_lamports <= fee:
            return None
        return await self._send("all SOL", draining(fee), young, desk, head.lamports, extra=Extra(successor=to))

    async def _ask_fee(self, message: bytes, reckoned: int) -> int:
        """Return what a message costs, as a node says it, or as it is reckoned where none does."""
        text = b64encode(message).decode()
        try:
            answer = await self.seated.readers.ask(
                lambda rpc: rpc.call("getFeeForMessage", text, {"commitment": CONFIRMED})
            )
        except EndpointError:
            return reckoned
        lamports = answer.get("value") if isinstance(answer, dict) else None
        return lamports if type(lamports) is int and lamports >= 0 else reckoned

    def _head(self, desk: DeskSnapshot, count: int) -> Head:
        limit, fee = units_limit(PIECE_UNITS * count), self._fee(desk)
        return Head(0, self.seated.seat.signer, limit, 0, fee.price(limit), fee.lamports(limit))

    async def _send(
        self,
        what: str,
        message: bytes,
        young: Young,
        desk: DeskSnapshot,
        priority: int,
        *,
        extra: Extra = NOTHING_EXTRA,
        urgent: bool = False,
    ) -> Outcome:
        signature = await self._sign(message, young.hash, desk, extra)
        attempt = make_attempt(message, signature, young.last_height, urgent)
        self.keep(what, attempt.signature)
        self.alive.add(attempt.signature)
        fate = await self.courier.carry(attempt, _Teller(what, self.say).hear)
        self.alive.discard(attempt.signature)
        if fate.slot is not None:
            self.seated.readers.reached(fate.slot)
        cost = SIGNATURE_LAMPORTS + priority
        outcome = Outcome(what, attempt.signature, fate, self._why(fate.error), cost)
        if outcome.why:
            self.say(f"{what} failed: {outcome.why}")
        self.outcomes.append(outcome)
        return outcome

    async def _sign(self, message: bytes, blockhash: Hash, desk: DeskSnapshot, extra: Extra) -> bytes:
        """Sign what the policy allows: no order may be placed at all."""
        config, seat = self.seated.config, self.seated.seat
        policy = make_policy(
            seat,
            desk.market,
            limits_of(config, None, extra),
            delegates=delegates_of(config),
            successor=extra.successor,
        )
        guard = GuardedSigner(self.key, policy)
        others = desk.others(seat.open_orders)
        verdict = guard.judge(message, Moment(blockhash, desk.unix_timestamp, others=others))
        if isinstance(verdict, Refusal):
            raise Refused(str(verdict))
        return await guard.sign(verdict)

    def _why(self, error: Json) -> str:
        """Return why a transaction failed, by the program's own name where it is the program's."""
        if error is None:
            return ""
        try:
            at, reason = error["InstructionError"]
            code = reason["Custom"]
        except (KeyError, TypeError, ValueError):
            return str(error)
        first = isinstance(self.seated.identity.market, MarketV1)
        name = describe(code) if first else error_name(code)
        return f"instruction {at}: {name or 'unknown error'} ({code})"


class _Teller:
    """Says what is new of one attempt."""

    def __init__(self, what: str, say: Callable[[str], None]) -> None:
        self._what, self._say = what, say
        self._refused = set[tuple[str, str]]()

    def hear(self, fate: Fate) -> None:
        for node, words in set(fate.refused) - self._refused:
            self._refused.add((node, words))
            self._say(f"{node}: does not take {self._what}: {words}")
        if fate.state in SAID:
            at = "" if fate.slot is None else f"slot {fate.slot}: "
            self._say(f"{at}{self._what} {SAID[fate.state]}")
