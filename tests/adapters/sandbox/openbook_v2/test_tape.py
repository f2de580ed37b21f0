"""The double plays the golden tapes to the genuine programs' bytes, logs, returned values and errors."""

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.transaction_status import InstructionErrorCustom
from tests.rigs.golden_v2 import GoldenTape, accounts_before, read_tape

from bmv.adapters.openbook.v2 import funds, orders
from bmv.adapters.openbook.v2.codes import Build
from bmv.adapters.openbook.v2.instructions import Known, build, parse
from bmv.adapters.openbook.v2.open_orders import indexer_address, open_orders_address
from bmv.adapters.sandbox.double import AccountState, Outcome, Surroundings
from bmv.adapters.sandbox.openbook_v2.program import OpenBookV2

BUILDS = pytest.mark.parametrize("version", Build, ids=lambda version: version.value)


def cancel_all(placed: Instruction) -> Known:
    """Return what cancels all orders of whoever placed that one."""
    by = parse(placed)
    assert isinstance(by, orders.PlaceOrder)
    return orders.CancelAllOrders(
        side_option=None,
        limit=255,
        signer=by.signer,
        open_orders_account=by.open_orders_account,
        market=by.market,
        bids=by.bids,
        asks=by.asks,
    )


def settle_again(tape: GoldenTape) -> Known:
    settled = parse(tape.steps[28].instruction)
    assert isinstance(settled, funds.SettleFunds)
    return settled


def second_account(tape: GoldenTape) -> Known:
    placed = parse(tape.steps[69].instruction)
    assert isinstance(placed, orders.PlaceOrderPegged)
    owner = placed.signer
    return funds.CreateOpenOrdersAccount(
        name="",
        payer=owner,
        owner=owner,
        open_orders_indexer=indexer_address(owner)[0],
        open_orders_account=open_orders_address(owner, 2)[0],
        market=placed.market,
    )


def unrecorded(tape: GoldenTape, number: int) -> list[Known]:
    """Return what was done before a step and not recorded, as its accounts betray."""
    if number == 39:
        return [cancel_all(tape.steps[38].instruction)]
    if number == 67:
        return [cancel_all(tape.steps[65].instruction), settle_again(tape)]
    return [second_account(tape)] if number == 69 else []


def run(double: OpenBookV2, instruction: Instruction, states: dict[Pubkey, AccountState], now: int) -> Outcome:
    outcome = double.execute(instruction, states, Surroundings(now, 1, 6_960))
    states.update(outcome.accounts)
    return outcome


@BUILDS
def test_the_whole_tape_is_played_to_the_same_bytes_logs_returned_values_and_errors(version: Build) -> None:
    tape, double = read_tape(version), OpenBookV2(version)
    states = accounts_before(tape)
    shown = {}

    for step in tape.steps:
        for known in unrecorded(tape, step.number):
            assert run(double, build(known), states, step.unix_timestamp).error is None
        outcome = run(double, step.instruction, states, step.unix_timestamp)

        error = outcome.error
        named = f"Custom({error.code})" if isinstance(error, InstructionErrorCustom) else str(error).split(".")[-1]
        assert (error is None) == (step.error == ""), step.name
        assert error is None or named in step.error, step.name
        data = [line.removeprefix("Program data: ") for line in outcome.logs if line.startswith("Program data: ")]
        assert data == step.program_data, step.name
        assert outcome.return_data == step.return_data, step.name
        shown |= step.accounts_after
        for name, expected in shown.items():
            if name != "indexer_maker":  # Another account of its owner, which the tape does not show, changes it.
                assert bytes(states[tape.tracked[name]].data) == expected, (step.number, step.name, name)
    assert bytes(states[tape.tracked["indexer_maker"]].data) == shown["indexer_maker"]


def test_the_double_changes_nothing_that_it_was_given() -> None:
    tape = read_tape(Build.V1_7)
    states = accounts_before(tape)
    before = {key: state.copy() for key, state in states.items()}

    outcome = OpenBookV2().execute(tape.steps[0].instruction, states, Surroundings(0, 1, 6_960))

    assert outcome.error is None
    assert len(outcome.accounts) == 7
    assert states == before
