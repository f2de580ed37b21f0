"""The policy: a message in, an approval or a refusal out. It has no I/O, no clock, and no way round it."""

from collections.abc import Iterable
from typing import Protocol

from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from bmv.adapters.openbook.policy import venue_v1
from bmv.adapters.openbook.policy.demand import Demand
from bmv.adapters.openbook.policy.fees import check_fees
from bmv.adapters.openbook.policy.mandate import Limits, Moment, Ours
from bmv.adapters.openbook.policy.message import Parsed, parse
from bmv.adapters.openbook.policy.money import PROGRAMS, Money
from bmv.adapters.openbook.policy.orders import check_orders
from bmv.adapters.openbook.policy.verdict import Approved, Code, Forbidden, Refusal, approve


class Venue(Protocol):
    """A market of either version, as far as one owner may touch it."""

    @property
    def program(self) -> Pubkey:
        """The market's program."""
        ...

    @property
    def mints(self) -> tuple[Pubkey, Pubkey]:
        """Of base and quote."""
        ...

    def check(self, instruction: Instruction, moment: Moment) -> Demand:
        """Return what an instruction demands, or raise `Forbidden`."""
        ...


class Policy:
    """Decides which messages one owner's key signs on one market.

    Args:
        venue: The market.
        ours: The accounts of the owner.
        limits: How much a transaction may do.
    """

    def __init__(self, venue: Venue, ours: Ours, limits: Limits) -> None:
        self._venue, self._ours, self._limits = venue, ours, limits
        makes = venue.program if isinstance(venue, venue_v1.VenueV1) else None
        self._money = Money(ours.of_signer(), venue.mints, makes)

    @property
    def signer(self) -> Pubkey:
        """Whose key may sign what is approved."""
        return self._ours.signer

    def judge(self, message: bytes, moment: Moment) -> Approved | Refusal:
        """Say whether a message may be signed.

        Args:
            message: What would be signed: a message of a transaction, legacy, version 0 or version 1.
            moment: What is known now.
        """
        message = bytes(message)
        try:
            self._check(message, moment)
        except Forbidden as error:
            return error.refusal
        return approve(message, self)

    def _check(self, message: bytes, moment: Moment) -> None:
        parsed = parse(message)
        if parsed.payer != self.signer:
            raise Forbidden(Code.PAYER, f"{parsed.payer} pays, and not {self.signer}")
        if parsed.blockhash != moment.blockhash:
            raise Forbidden(Code.BLOCKHASH, f"names blockhash {parsed.blockhash}, and not {moment.blockhash}")
        check_fees(parsed, self._limits)
        demands = [self._demand(one, moment) for one in parsed.instructions if one.program_id != COMPUTE_BUDGET]
        _check_rights(parsed, demands)
        self._check_tip(parsed, demands)
        self._check_lamports(demands)
        check_orders([order for demand in demands for order in demand.orders], self._limits, moment)

    def _demand(self, instruction: Instruction, moment: Moment) -> Demand:
        if instruction.program_id == self._venue.program:
            return self._venue.check(instruction, moment)
        if instruction.program_id in PROGRAMS:
            return self._money.check(instruction)
        raise Forbidden(Code.PROGRAM, f"program {instruction.program_id}, which no maker on this market needs")

    def _check_tip(self, parsed: Parsed, demands: list[Demand]) -> None:
        """Refuse a tip without what it is paid for in the same message, and more than one: it pays one route."""
        tips = sum(demand.tip > 0 for demand in demands)
        if tips > 1:
            raise Forbidden(Code.LAMPORTS, f"{tips} tips, and one pays for all there is")
        if tips and all(one.program_id != self._venue.program for one in parsed.instructions):
            raise Forbidden(Code.LAMPORTS, "a tip without an order: it would be paid for nothing")

    def _check_lamports(self, demands: list[Demand]) -> None:
        for what, sent, most in (
            ("tips", sum(demand.tip for demand in demands), self._limits.tip_lamports_max),
            ("wrapped SOL", sum(demand.wrapped for demand in demands), self._limits.wrap_lamports_max),
            ("rent", sum(demand.rent for demand in demands), self._limits.rent_lamports_max),
        ):
            if sent > most:
                raise Forbidden(Code.LAMPORTS, f"{sent} lamports of {what}, and {most} is the most")
        for at, what in enumerate(("base", "quote")):
            sent, most = sum(demand.deposit[at] for demand in demands), self._limits.deposit_max[at]
            if sent > most:
                raise Forbidden(Code.DEPOSIT, f"a deposit of {sent} native {what}, and {most} is the most")


def _check_rights(parsed: Parsed, demands: list[Demand]) -> None:
    """Refuse an account that signs or is written to where no instruction needs it, or that none names at all."""
    needed = {parsed.payer: (True, True)}
    for meta in _named(parsed, demands):
        signs, writes = needed.get(meta.pubkey, (False, False))
        needed[meta.pubkey] = (signs or meta.is_signer, writes or meta.is_writable)
    for key, right in parsed.rights.items():
        if needed.get(key) != right:
            raise Forbidden(Code.RIGHTS, f"{key} is {_say(right)}, and should be {_say(needed.get(key))}")


def _named(parsed: Parsed, demands: list[Demand]) -> Iterable[AccountMeta]:
    for demand in demands:
        yield from demand.accounts
    for instruction in parsed.instructions:
        yield AccountMeta(instruction.program_id, False, False)


def _say(right: tuple[bool, bool] | None) -> str:
    if right is None:
        return "absent"
    return f"{'a signer' if right[0] else 'no signer'} and {'written to' if right[1] else 'read'}"
