"""Transactions that mix real programs and a double: all or nothing, in order, each part seeing those before it."""

from collections.abc import Mapping

import pytest
from scene import SOL, fund, key, paid, signed
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import VersionedTransaction
from solders.transaction_status import InstructionErrorCustom

from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.double import AccountState, Outcome, Surroundings
from bmv.adapters.sandbox.finality import ALPENGLOW
from bmv.adapters.sandbox.parts import CALLED_BY_CPI, Doubles
from bmv.adapters.sandbox.runtime import make_runtime

PAYER, BOX, OTHER = key(1), key(2), key(3).pubkey()
PROGRAM = Pubkey(bytes([200]) * 32)
UNITS = 1_000
SIZE = 8


class Counter:
    """Plays a program that adds its data's first byte to a number in an account, and fails at 255 with Custom(7).

    Data of two bytes moves that many lamports from the box to the second account.
    """

    program_id = PROGRAM

    def __init__(self) -> None:
        self.seen: list[Surroundings] = []

    def execute(
        self, instruction: Instruction, accounts: Mapping[Pubkey, AccountState], surroundings: Surroundings
    ) -> Outcome:
        self.seen.append(surroundings)
        box = accounts[instruction.accounts[0].pubkey].copy()
        step = instruction.data[0]
        if step == 255 or box.owner != PROGRAM:
            return Outcome(InstructionErrorCustom(7), logs=("Program log: no",), units=UNITS)
        box.data[:8] = (int.from_bytes(box.data[:8], "little") + step).to_bytes(8, "little")
        changed = {instruction.accounts[0].pubkey: box}
        if len(instruction.data) == 2:
            other = accounts[instruction.accounts[1].pubkey].copy()
            box.lamports -= instruction.data[1]
            other.lamports += instruction.data[1]
            changed[instruction.accounts[1].pubkey] = other
        return Outcome(None, changed, ("Program log: counted",), bytes(box.data[:8]), UNITS)


def stage() -> tuple[Chain, Counter]:
    runtime, counter = Doubles(make_runtime()), Counter()
    runtime.play(counter)
    chain = Chain(runtime, ALPENGLOW)
    fund(chain, PAYER)
    return chain, counter


def opened(chain: Chain, extra: int = SOL) -> Instruction:
    lamports = chain.runtime.svm.minimum_balance_for_rent_exemption(SIZE) + extra
    return create_account(
        CreateAccountParams(
            from_pubkey=PAYER.pubkey(), to_pubkey=BOX.pubkey(), lamports=lamports, space=SIZE, owner=PROGRAM
        )
    )


def counted(step: int, moved: int | None = None) -> Instruction:
    metas = [AccountMeta(BOX.pubkey(), False, True), AccountMeta(OTHER, False, True)]
    return Instruction(PROGRAM, bytes([step] if moved is None else [step, moved]), metas)


def land(chain: Chain, *instructions: Instruction, signers: tuple = ()) -> object:
    return chain.land(signed(PAYER, instructions, chain.ledger.open.newest_hash, *signers))


def number(chain: Chain) -> int | None:
    account = chain.account(BOX.pubkey())
    return None if account is None else int.from_bytes(bytes(account.data), "little")


def test_each_part_sees_what_the_parts_before_it_did() -> None:
    chain, counter = stage()

    error = land(chain, opened(chain), counted(3), paid(PAYER, OTHER, SOL), counted(4, moved=9), signers=(BOX,))

    assert error is None
    assert number(chain) == 7
    assert chain.account(OTHER).lamports == SOL + 9
    assert {one.slot for one in counter.seen} == {chain.slot}
    assert counter.seen[0].rent_exempt(SIZE) == chain.runtime.svm.minimum_balance_for_rent_exemption(SIZE)


@pytest.mark.parametrize(
    ("last", "reason"),
    [(counted(255), [4, {"Custom": 7}]), (paid(PAYER, OTHER, 10**15), [4, {"Custom": 1}])],
    ids=["the double fails", "a real program fails"],
)
def test_nothing_remains_of_a_transaction_whose_last_part_fails_but_its_fee(last: Instruction, reason: list) -> None:
    chain, _ = stage()
    before = chain.account(PAYER.pubkey()).lamports

    error = land(chain, opened(chain), counted(3), paid(PAYER, OTHER, SOL), counted(4, moved=9), last, signers=(BOX,))

    assert error == {"InstructionError": reason}
    assert number(chain) is None
    assert chain.account(OTHER) is None
    assert before - chain.account(PAYER.pubkey()).lamports == 2 * 5000


def test_the_fee_is_that_of_the_same_transaction_in_one_piece() -> None:
    chain, _ = stage()
    land(chain, opened(chain), signers=(BOX,))
    before = chain.account(PAYER.pubkey()).lamports

    assert land(chain, set_compute_unit_limit(50_000), set_compute_unit_price(3_000_001), counted(1)) is None

    assert before - chain.account(PAYER.pubkey()).lamports == 5000 + 150_001  # Rounded up.


def test_compute_units_are_shared_by_all_parts() -> None:
    chain, _ = stage()
    land(chain, opened(chain), signers=(BOX,))
    enough = 150 + UNITS + 150 + UNITS

    for limit, error in (
        (enough, None),
        (enough - 1, {"InstructionError": [3, "ComputationalBudgetExceeded"]}),
        (1200, {"InstructionError": [2, "ComputationalBudgetExceeded"]}),
    ):
        assert land(chain, set_compute_unit_limit(limit), counted(1), paid(PAYER, OTHER, SOL), counted(1)) == error


def test_the_logs_read_as_if_it_were_one_run() -> None:
    chain, _ = stage()
    land(chain, opened(chain), counted(3), paid(PAYER, OTHER, SOL), signers=(BOX,))

    logs = chain.ledger.open.landed[-1].result.logs

    system = "Program 11111111111111111111111111111111"
    assert list(logs) == [
        f"{system} invoke [1]",
        f"{system} success",
        f"Program {PROGRAM} invoke [1]",
        "Program log: counted",
        f"Program return: {PROGRAM} AwAAAAAAAAA=",
        f"Program {PROGRAM} consumed 1000 of 205850 compute units",
        f"Program {PROGRAM} success",
        f"{system} invoke [1]",
        f"{system} success",
    ]


def test_what_a_double_returned_last_is_returned() -> None:
    chain, _ = stage()

    land(chain, opened(chain), counted(3), signers=(BOX,))

    assert chain.ledger.open.landed[-1].result.returned == (PROGRAM, (3).to_bytes(8, "little"))


def test_a_double_may_be_simulated_and_leaves_no_trace() -> None:
    chain, _ = stage()
    land(chain, opened(chain), paid(PAYER, OTHER, SOL), signers=(BOX,))
    before = {one: chain.account(one) for one in (PAYER.pubkey(), BOX.pubkey(), OTHER)}

    result, after = chain.simulate(signed(PAYER, [counted(5, moved=1)], chain.ledger.open.newest_hash), [BOX.pubkey()])

    assert result.error is None
    assert bytes(after[0].data)[0] == 5
    assert {one: chain.account(one) for one in before} == before


def test_a_fork_takes_back_what_a_double_wrote() -> None:
    chain, _ = stage()
    land(chain, opened(chain), signers=(BOX,))
    chain.advance(2)
    land(chain, counted(5))

    chain.fork()

    assert number(chain) == 0


def test_an_account_that_a_double_leaves_short_of_rent_undoes_the_transaction() -> None:
    chain, _ = stage()
    land(chain, opened(chain, extra=5), signers=(BOX,))
    land(chain, paid(PAYER, OTHER, SOL))

    assert land(chain, counted(1, moved=6)) == {"InsufficientFundsForRent": {"account_index": 1}}
    assert number(chain) == 0
    assert land(chain, counted(1, moved=5)) is None


def test_version_1_reaches_a_double_and_its_compute_budget_instructions_do_nothing() -> None:
    chain, _ = stage()
    land(chain, opened(chain), signers=(BOX,))
    config = TransactionConfig(compute_unit_limit=5_000, loaded_accounts_data_size_limit=1 << 20, priority_fee=77)
    instructions = [set_compute_unit_limit(1), set_compute_unit_price(10**9), counted(2)]
    message = MessageV1.try_compile(PAYER.pubkey(), instructions, chain.ledger.open.newest_hash, config)
    before = chain.account(PAYER.pubkey()).lamports

    assert chain.land(VersionedTransaction(message, [PAYER])) is None

    assert number(chain) == 2
    assert before - chain.account(PAYER.pubkey()).lamports == 5077
    assert chain.ledger.open.landed[-1].result.units == 2 * 150 + UNITS


def test_the_stub_of_a_double_fails_where_nobody_plays_it() -> None:
    chain, _ = stage()
    land(chain, opened(chain), signers=(BOX,))
    transaction = signed(PAYER, [counted(1)], chain.ledger.open.newest_hash)

    outcome = chain.runtime.svm.send_transaction(transaction)

    assert outcome.err().err.code == CALLED_BY_CPI


def test_a_double_that_breaks_leaves_nothing_behind() -> None:
    chain, _ = stage()
    held = chain.account(PAYER.pubkey())
    broken = Instruction(PROGRAM, b"", counted(1).accounts)
    transaction = signed(PAYER, [opened(chain), counted(1), broken], chain.ledger.open.newest_hash, BOX)

    with pytest.raises(IndexError):
        chain.land(transaction)

    assert chain.account(PAYER.pubkey()) == held
    assert chain.account(BOX.pubkey()) is None
