"""One execution: what every instruction is given, and the one thing that all do: let SPL Token move money."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey
from solders.transaction_status import InstructionErrorFieldless

from bmv.adapters.openbook.v1.codes import DexErrorCode
from bmv.adapters.sandbox.double import Surroundings
from bmv.adapters.sandbox.openbook_v1.failing import Failure, Panic, check, fail
from bmv.adapters.sandbox.openbook_v1.loading import Account
from bmv.adapters.sandbox.transfers import transfer


@dataclass(frozen=True, slots=True)
class Context:
    """One execution: the accounts in order, the clock, and where lines of the log go."""

    program_id: Pubkey
    accounts: Sequence[Account]
    surroundings: Surroundings
    say: Callable[[str], None]

    def release(self) -> None:
        """Give every account back, as when a function of the program returns."""
        for account in self.accounts:
            account.release()


def or_assertion(load: Callable[[], None], line: int) -> None:
    """Do `load`; whatever is wrong is an assertion in `line`, as where the program throws its own reason away."""
    try:
        load()
    except Panic:
        raise
    except Failure:
        check(False, "state", line)


def send(context: Context, source: Account, target: Account, authority: Account, amount: int) -> None:
    """Let SPL Token move `amount`; what it refuses ends the instruction."""
    if source.borrowed or target.borrowed or authority.borrowed:
        raise fail(DexErrorCode.TRANSFER_FAILED)
    for account in (source, target):
        if not account.writable:
            context.say(f"{Pubkey.from_bytes(account.key)}'s writable privilege escalated")
            raise Failure(InstructionErrorFieldless.PrivilegeEscalation)
    error = transfer(source.state, target.state, authority.key, amount, context.say)
    if error is not None:
        raise Failure(error)
