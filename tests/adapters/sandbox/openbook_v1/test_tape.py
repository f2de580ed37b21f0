"""The double plays the golden tape to the genuine program's bytes, logs and errors."""

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.transaction_status import InstructionErrorCustom
from tests.rigs.golden_v1 import Tape, accounts_before, read

from bmv.adapters.openbook.logs import PREFIX
from bmv.adapters.openbook.v1.accounts import Market
from bmv.adapters.openbook.v1.instructions import CancelOrdersByClientIds, ConsumeEvents, build
from bmv.adapters.openbook.v1.keys import CancelKeys, CrankKeys
from bmv.adapters.sandbox.double import AccountState, Surroundings
from bmv.adapters.sandbox.openbook_v1.program import OpenBookV1


def unrecorded(tape: Tape, number: int) -> list[Instruction]:
    """What was done before a step and not recorded, as its accounts betray: cranks, and one cancel."""
    market = Market.decode(tape.steps[1].after["market"])
    maker, taker = tape.keys["open_orders_maker"], tape.keys["open_orders_taker"]
    crank = build(ConsumeEvents(keys=CrankKeys.of(market, [maker, taker]), limit=20))
    if number == 34:
        owner = tape.parsed()[2].keys.owner
        keys = CancelKeys.of(market, open_orders=maker, owner=owner)
        return [build(CancelOrdersByClientIds(keys=keys, client_order_ids=(301,))), crank]
    return [crank] if number in (31, 36) else []


def run(double: OpenBookV1, instruction: Instruction, states: dict[Pubkey, AccountState], now: int):
    outcome = double.execute(instruction, states, Surroundings(now, 1, 6_960))
    states.update(outcome.accounts)
    return outcome


def test_the_whole_tape_is_played_to_the_same_bytes_logs_and_errors() -> None:
    tape, double = read(), OpenBookV1()
    states = accounts_before(tape)
    names = {key: name for name, key in tape.keys.items()}

    for number, step in enumerate(tape.steps):
        touched = {}
        for instruction in unrecorded(tape, number):
            done = run(double, instruction, states, step.unix_timestamp)
            assert done.error is None
            touched |= done.accounts
        outcome = run(double, step.instruction, states, step.unix_timestamp)
        touched |= outcome.accounts

        assert outcome.error == (None if step.error is None else InstructionErrorCustom(step.error)), step.name
        assert [line[len(PREFIX) :] for line in outcome.logs if line.startswith(PREFIX)] == step.program_data, step.name
        for name, data in step.after.items():
            assert bytes(states[tape.keys[name]].data) == data, (step.name, name)
        if number > 1:  # The tape begins to show accounts with its second step.
            assert {names[key] for key in touched if key in names} == set(step.after), step.name


def test_the_double_changes_nothing_that_it_was_given() -> None:
    tape = read()
    states = accounts_before(tape)
    before = {key: state.copy() for key, state in states.items()}

    outcome = OpenBookV1().execute(tape.steps[0].instruction, states, Surroundings(0, 1, 6_960))

    assert outcome.error is None
    assert outcome.accounts
    assert states == before
