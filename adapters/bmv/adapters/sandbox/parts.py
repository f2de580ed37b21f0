"""Transactions of which a double plays a part: executed instruction by instruction, all or nothing.

LiteSVM holds a stub at the double's address, and knows nothing of the double. So a transaction that calls one is cut:
runs of other instructions go to LiteSVM, each as a transaction of its own; what a double changed is written between
them. Each part sees what the parts before it did. If one fails, every account is put back as it was, and only the fee
is gone.

What that leaves out, and who would see it:

* A program of LiteSVM that calls the double's program itself (by CPI) gets the stub, which fails with `CALLED_BY_CPI`.
* LiteSVM checks rent after each part instead of once, so an account that is short of it in between is refused.
* A program that reads the sysvar of instructions sees those of its own part.
* Instructions that a double would call itself show in the logs only, not among the inner instructions.
* The compute units of a double are from a table.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from solders.account import Account
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message, MessageV1
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_status import InstructionErrorCustom, InstructionErrorFieldless

from bmv.adapters.sandbox import rules
from bmv.adapters.sandbox.double import AccountState, Double, InstructionError, Outcome, Surroundings
from bmv.adapters.sandbox.elf import returning
from bmv.adapters.sandbox.errors import reason_in_words
from bmv.adapters.sandbox.jsonrpc import Json
from bmv.adapters.sandbox.rules import AnyMessage, Limits
from bmv.adapters.sandbox.runtime import (
    EMPTY,
    IDLE,
    Result,
    Runtime,
    idle_logs,
    result_of,
)

CALLED_BY_CPI = 0xD0B1E
STUB = returning(CALLED_BY_CPI)
STAND_IN = Pubkey.find_program_address([b"pays for parts"], COMPUTE_BUDGET)[0]
STAND_IN_LAMPORTS = 10**12
TOO_FAR = "ComputationalBudgetExceeded"

Part = tuple[int, Sequence[Instruction]]  # Index of the first instruction, and the instructions.


class Doubles(Runtime):
    """A runtime in which doubles play some programs."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.svm, runtime.signature_lamports)
        self._doubles: dict[Pubkey, Double] = {}

    def play(self, double: Double) -> None:
        """Let a double play its program from now on."""
        self._doubles[double.program_id] = double
        self.svm.add_program(double.program_id, STUB)

    def run_whole(self, transaction: VersionedTransaction, limits: Limits) -> Result:
        """Execute a transaction: in parts if it calls a double, else as any other."""
        if not any(program in self._doubles for program, _ in rules.called(transaction.message)):
            return super().run_whole(transaction, limits)
        message = transaction.message
        keys, writable = self.keys(message)
        if writable & self._doubles.keys():
            return Result("InvalidWritableAccount", entered=False)
        charged = self.charge_only(message, None)
        before = {key: self.account(key) for key in writable}
        result = _Run(self, self._doubles, message, keys, writable, limits).run()
        if result.error is None:
            result = result._replace(error=self._short_of_rent(keys, before))
        if result.error is not None:
            self.restore(before)
        return result._replace(fee=charged.fee)

    def _short_of_rent(self, keys: Sequence[Pubkey], before: Mapping[Pubkey, Account | None]) -> Json:
        """Return the error of an account that has less than it owes for rent, and was not so before."""
        for index, key in enumerate(keys):
            account = self.account(key) if key in before else None
            if account is None or account == before[key]:
                continue
            if account.lamports < self.svm.minimum_balance_for_rent_exemption(len(account.data)):
                return {"InsufficientFundsForRent": {"account_index": index}}
        return None


class _Run:
    """One transaction on its way through its parts."""

    def __init__(
        self,
        runtime: Doubles,
        doubles: Mapping[Pubkey, Double],
        message: AnyMessage,
        keys: Sequence[Pubkey],
        writable: set[Pubkey],
        limits: Limits,
    ) -> None:
        self._runtime, self._doubles, self._message = runtime, doubles, message
        self._keys, self._writable, self._limits = keys, writable, limits
        self._signers = set(keys[: message.header.num_required_signatures])
        self._index = {key: index for index, key in enumerate(keys)}
        self._logs: list[str] = []
        self._inner: list[Json] = []
        self._units = 0
        self._returned: tuple[Pubkey, bytes] | None = None

    def run(self) -> Result:
        """Execute part after part, up to the first that fails."""
        error = None
        for first, instructions in self._parts():
            double = self._doubles.get(instructions[0].program_id)
            error = self._execute(first, instructions) if double is None else self._play(double, first, instructions[0])
            if error is not None:
                break
        return Result(error, True, self._logs, self._units, returned=self._returned, inner=self._inner)

    def _parts(self) -> Iterator[Part]:
        """Yield each instruction of a double alone, the others in runs."""
        called = list(enumerate(map(self._instruction, self._message.instructions)))
        for doubled, group in groupby(called, lambda pair: pair[1].program_id in self._doubles):
            pairs = list(group)
            if doubled:
                yield from ((index, [instruction]) for index, instruction in pairs)
            else:
                yield pairs[0][0], [instruction for _, instruction in pairs]

    def _instruction(self, compiled: Json) -> Instruction:
        """Return an instruction with its addresses; rights are the transaction's, as the runtime has it."""
        metas = [self._meta(self._keys[index]) for index in compiled.accounts]
        return Instruction(self._keys[compiled.program_id_index], bytes(compiled.data), metas)

    def _meta(self, key: Pubkey) -> AccountMeta:
        return AccountMeta(key, is_signer=key in self._signers, is_writable=key in self._writable)

    def _execute(self, first: int, instructions: Sequence[Instruction]) -> Json:
        """Let LiteSVM execute a run of instructions, paid for by an account that nobody else knows."""
        self._runtime.allow(self._limits.units - self._units, self._limits.heap)
        self._runtime.put(STAND_IN, Account(STAND_IN_LAMPORTS, b"", EMPTY.owner))
        message = Message.new_with_blockhash(list(map(self._idle, instructions)), STAND_IN, Hash.default())
        unsigned = [Signature.default()] * message.header.num_required_signatures
        result = result_of(self._runtime.svm.send_transaction(VersionedTransaction.populate(message, unsigned)))
        self._runtime.put(STAND_IN, None)
        self._logs += idle_logs(result.logs)
        self._units += result.units
        self._returned = result.returned
        own = [self._index.get(key, 0) for key in message.account_keys]
        self._inner += [[_renumbered(one, own) for one in group] for group in result.inner]
        return _shifted(result.error, first, own)

    def _idle(self, instruction: Instruction) -> Instruction:
        """Return an instruction; one of the compute budget has no effect in version 1."""
        if not isinstance(self._message, MessageV1) or instruction.program_id != COMPUTE_BUDGET:
            return instruction
        return Instruction(IDLE, bytes(instruction.data), list(instruction.accounts))

    def _play(self, double: Double, index: int, instruction: Instruction) -> Json:
        """Let a double play an instruction, and write down what it changed."""
        named = {meta.pubkey for meta in instruction.accounts}
        states = {key: state_of(self._runtime.account(key)) for key in named}
        outcome = double.execute(instruction, states, self._surroundings())
        left = self._limits.units - self._units
        error = reason_json(outcome.error) if outcome.units <= left else TOO_FAR
        self._tell(double.program_id, outcome, error, left)
        self._inner.append([])
        if error is not None:
            return {"InstructionError": [index, error]}
        self._write(outcome.accounts, states)
        self._returned = (double.program_id, outcome.return_data) if outcome.return_data else None
        return None

    def _surroundings(self) -> Surroundings:
        clock = self._runtime.svm.get_clock()
        per_byte = self._runtime.svm.minimum_balance_for_rent_exemption(0) // 128
        return Surroundings(clock.unix_timestamp, clock.slot, per_byte)

    def _tell(self, program: Pubkey, outcome: Outcome, error: Json, left: int) -> None:
        units = min(outcome.units, left)
        self._units += units
        self._logs += [f"Program {program} invoke [1]", *outcome.logs]
        if outcome.return_data and error is None:
            self._logs.append(f"Program return: {program} {b64encode(outcome.return_data).decode()}")
        self._logs.append(f"Program {program} consumed {units} of {left} compute units")
        end = "success" if error is None else f"failed: {reason_in_words(error)}"
        self._logs.append(f"Program {program} {end}")

    def _write(self, changed: Mapping[Pubkey, AccountState], before: Mapping[Pubkey, AccountState]) -> None:
        moved = sum(state.lamports - before[key].lamports for key, state in changed.items())
        assert moved == 0, f"a double made {moved} lamports"
        for key, state in changed.items():
            assert key in self._writable, f"a double wrote to {key}, which is read-only"
            self._runtime.put(key, account_of(state))


def state_of(account: Account | None) -> AccountState:
    """Return an account as doubles see it."""
    one = account or EMPTY
    return AccountState(one.lamports, bytearray(one.data), one.owner, one.executable)


def account_of(state: AccountState) -> Account | None:
    """Return an account as LiteSVM holds it; without lamports there is none."""
    if state.lamports == 0:
        return None
    return Account(state.lamports, bytes(state.data), state.owner, state.executable)


def reason_json(error: InstructionError | None) -> Json:
    """Return an instruction's error as RPC writes it."""
    if error is None:
        return None
    if isinstance(error, InstructionErrorCustom):
        return {"Custom": error.code}
    if isinstance(error, InstructionErrorFieldless):
        return str(error).rpartition(".")[2]
    return {"BorshIoError": error.value}


def _renumbered(called: Json, own: Sequence[int]) -> Json:
    """Return a called instruction of a part in the numbers of the whole transaction."""
    accounts = [own[index] for index in called["accounts"]]
    return {**called, "programIdIndex": own[called["programIdIndex"]], "accounts": accounts}


def _shifted(error: Json, first: int, own: Sequence[int]) -> Json:
    """Return the error of a part in the numbers of the whole transaction."""
    if not isinstance(error, dict):
        return error
    if "InstructionError" in error:
        index, reason = error["InstructionError"]
        return {"InstructionError": [first + index, reason]}
    if "InsufficientFundsForRent" in error:
        return {"InsufficientFundsForRent": {"account_index": own[error["InsufficientFundsForRent"]["account_index"]]}}
    return error
