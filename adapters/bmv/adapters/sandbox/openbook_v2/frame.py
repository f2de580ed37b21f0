"""One call of the program: its accounts, what it logs, and the other programs it calls."""

from collections.abc import Mapping, Sequence

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.transaction_status import InstructionErrorCustom, InstructionErrorFieldless

from bmv.adapters.openbook.v2.codes import Build
from bmv.adapters.openbook.v2.logs import Log, write_line, write_log
from bmv.adapters.openbook.v2.market import Market
from bmv.adapters.openbook.v2.metas import SYSTEM_PROGRAM
from bmv.adapters.sandbox.double import AccountState, Surroundings
from bmv.adapters.sandbox.openbook_v2.allocation import Allocation
from bmv.adapters.sandbox.openbook_v2.events import Heap
from bmv.adapters.sandbox.openbook_v2.failure import Failure, borrow_failed, occurred, thrown
from bmv.adapters.sandbox.openbook_v2.memory import View
from bmv.adapters.sandbox.openbook_v2.position import OpenOrders
from bmv.adapters.sandbox.openbook_v2.sides import Book
from bmv.adapters.sandbox.transfers import transfer

PENALTY_EVENT_HEAP = {Build.V1_7: 0, Build.MASTER_2024_04: 500}  # Lamports for each time that one made it grow.
_LOADED = ("open_orders_account", "bids", "asks", "event_heap")
_SYSTEM_INSUFFICIENT = 1  # Of the system program: ResultWithNegativeLamports.


class Frame:
    """What an instruction works on. Accounts are copies: the caller takes those that changed.

    Args:
        names: The accounts that the instruction names, in order.
    """

    def __init__(
        self,
        build: Build,
        instruction: Instruction,
        accounts: Mapping[Pubkey, AccountState],
        surroundings: Surroundings,
        names: Sequence[str],
    ) -> None:
        self.build = build
        self.program = instruction.program_id
        self.metas = list(instruction.accounts)
        self.names = {name: place for place, name in enumerate(names)}
        keys = {meta.pubkey for meta in self.metas}
        self.accounts = {key: _own(accounts[key]) for key in keys}
        self.surroundings = surroundings
        self.logs: list[str] = []
        self.memory = Allocation(build, self.metas)

    @property
    def now(self) -> int:
        """Second of the clock."""
        return self.surroundings.unix_timestamp

    @property
    def remaining(self) -> list[AccountMeta]:
        """Accounts after those that the instruction names."""
        return self.metas[len(self.names) :]

    def meta(self, name: str) -> AccountMeta:
        return self.metas[self.names[name]]

    def key(self, name: str) -> Pubkey:
        return self.meta(name).pubkey

    def given(self, name: str) -> Pubkey | None:
        """Return an account that may be absent."""
        key = self.key(name)
        return None if key == self.program else key

    def state(self, name: str) -> AccountState:
        return self.accounts[self.key(name)]

    def market(self) -> View:
        return View(Market, self.state("market").data, 8)

    def open_orders(self) -> OpenOrders:
        return OpenOrders(self.state("open_orders_account").data)

    def book(self) -> Book:
        return Book(self.state("bids").data, self.state("asks").data)

    def heap(self) -> Heap:
        return Heap(self.state("event_heap").data)

    def is_expired(self) -> bool:
        """Whether the market's time is over."""
        expiry = int(self.market().time_expiry)
        return expiry != 0 and expiry < self.now

    def maker(self, key: Pubkey) -> OpenOrders | None:
        """Return the account of a maker if it is among the remaining ones.

        Raises:
            Failure: It is read-only, or the instruction's own, which is in use.
        """
        meta = next((meta for meta in self.remaining if meta.pubkey == key), None)
        if meta is None:
            return None
        if not self._is_passed_writable(key):
            raise occurred(self.build, "AccountNotMutable")
        if "open_orders_account" in self.names and key == self.key("open_orders_account"):
            raise borrow_failed()
        return OpenOrders(self.accounts[key].data)

    def is_writable(self, name: str) -> bool:
        """Whether an account was passed as writable, in whichever place."""
        return self._is_passed_writable(self.key(name))

    def is_signer(self, name: str) -> bool:
        """Whether an account signed, in whichever place."""
        return any(meta.is_signer for meta in self.metas if meta.pubkey == self.key(name))

    def _is_passed_writable(self, key: Pubkey) -> bool:
        return any(meta.is_writable for meta in self.metas if meta.pubkey == key)

    def say(self, text: str) -> None:
        """Log a line."""
        self.logs.append(f"Program log: {text}")

    def emit(self, *logs: Log) -> None:
        """Log events."""
        for log in logs:
            self.memory.log(len(write_log(log)))
            self.logs.append(write_line(log))

    def require(self, holds: bool, name: str, site: str, values: tuple[object, object] | None = None) -> None:
        """Fail unless a condition holds."""
        if not holds:
            raise thrown(self.build, name, site, values)

    def require_least(self, value: int, least: int, name: str, site: str) -> None:
        """Fail unless a number is at least another."""
        self.require(value >= least, name, site, (value, least))

    def transfer_tokens(self, amount: int, source: str, target: str, authority: str) -> None:
        """Have SPL Token move an amount; nothing is called for 0."""
        if amount == 0:
            return
        if self.key(authority) in self._loaded():
            raise borrow_failed()
        signer = bytes(self.key(authority))
        error = transfer(self.state(source), self.state(target), signer, amount, self.logs.append)
        if error is not None:
            raise Failure(error)

    def _loaded(self) -> set[Pubkey]:
        """Return the program's own accounts that an instruction holds while it calls another program."""
        return {self.key(name) for name in _LOADED if name in self.names}

    def transfer_lamports(self, amount: int, source: str, target: str, depth: int = 2) -> None:
        """Have the system program move lamports; nothing is called for 0."""
        if amount == 0:
            return
        self.logs.append(f"Program {SYSTEM_PROGRAM} invoke [{depth}]")
        payer = self.state(source)
        if payer.data:
            self.logs.append("Transfer: `from` must not carry data")
            self.logs.append(f"Program {SYSTEM_PROGRAM} failed: invalid program argument")
            raise Failure(InstructionErrorFieldless.InvalidArgument)
        if payer.lamports < amount:
            self.logs.append(f"Transfer: insufficient lamports {payer.lamports}, need {amount}")
            self.logs.append(f"Program {SYSTEM_PROGRAM} failed: custom program error: 0x1")
            raise Failure(InstructionErrorCustom(_SYSTEM_INSUFFICIENT))
        payer.lamports -= amount
        self.state(target).lamports += amount
        self.logs.append(f"Program {SYSTEM_PROGRAM} success")

    def changed(self, before: Mapping[Pubkey, AccountState]) -> dict[Pubkey, AccountState]:
        """Return the accounts that are no longer as they were."""
        return {key: state for key, state in self.accounts.items() if state != before[key]}


def _own(state: AccountState) -> AccountState:
    """Return a copy, except of a program, which is large and never changes."""
    return state if state.executable else state.copy()
