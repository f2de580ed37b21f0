"""What became of an attempt, in the words of the program that it failed in."""

from typing import Any

import pytest
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, MessageV1, TransactionConfig, to_bytes_versioned
from solders.pubkey import Pubkey

from bmv.adapters.openbook.execution.fate import error_words, exceeds_budget, fated
from bmv.adapters.openbook.v1.instructions import PROGRAM_ID as VERSION_1
from bmv.adapters.openbook.v2.market import PROGRAM_ID as VERSION_2
from bmv.adapters.solana.sending.attempt import Attempt, Fate, State, make_attempt

KEY = Keypair.from_seed(bytes([7]) * 32)
OTHER = Pubkey(bytes([9]) * 32)
BODY = [Instruction(program, b"", []) for program in (VERSION_1, VERSION_2, OTHER)]


def attempt_of(version: int) -> Attempt:
    if version:
        message = MessageV1.try_compile(KEY.pubkey(), BODY, Hash.default(), TransactionConfig(0, 1_000, 1 << 20))
    else:
        message = MessageV0.try_compile(KEY.pubkey(), BODY, [], Hash.default())
    data = to_bytes_versioned(message)
    return make_attempt(data, bytes(KEY.sign_message(data)), 900)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"InstructionError": [0, {"Custom": 61}]}, "instruction 0: WOULD_SELF_TRADE (61)"),
        ({"InstructionError": [0, {"Custom": 16779136}]}, "instruction 0: assertion at state.rs:1920 (16779136)"),
        ({"InstructionError": [1, {"Custom": 6038}]}, "instruction 1: OpenOrdersOrderNotFound (6038)"),
        ({"InstructionError": [1, {"Custom": 61}]}, f"instruction 1: error of {VERSION_2} (61)"),
        ({"InstructionError": [2, {"Custom": 1}]}, f"instruction 2: error of {OTHER} (1)"),
        ({"InstructionError": [9, {"Custom": 1}]}, "instruction 9: error of None (1)"),
        ({"InstructionError": [1, "ProgramFailedToComplete"]}, "instruction 1: ProgramFailedToComplete"),
        ("BlockhashNotFound", "BlockhashNotFound"),
        ({"InstructionError": "?"}, "{'InstructionError': '?'}"),
        ({"InstructionError": [None, 1]}, "{'InstructionError': [None, 1]}"),
    ],
)
def test_an_error_is_told_by_the_name_that_its_own_program_gives_it(version: int, error: Any, words: str) -> None:
    assert error_words(attempt_of(version), error) == words


@pytest.mark.parametrize(
    ("error", "short"),
    [
        ({"InstructionError": [1, "ComputationalBudgetExceeded"]}, True),
        ({"InstructionError": [1, "ProgramFailedToComplete"]}, True),
        ("MaxLoadedAccountsDataSizeExceeded", True),
        ({"InstructionError": [1, {"Custom": 6038}]}, False),
        ({"InstructionError": [1, "MissingAccount"]}, False),
        ("BlockhashNotFound", False),
        (None, False),
    ],
)
def test_only_want_of_units_or_bytes_says_that_a_limit_was_too_low(error: Any, short: bool) -> None:
    assert exceeds_budget(error) is short


def test_the_journal_is_told_where_it_landed_what_it_failed_by_and_who_refused_it() -> None:
    attempt = attempt_of(0)
    fate = Fate(
        State.FAILED,
        slot=7,
        error={"InstructionError": [0, {"Custom": 61}]},
        commitment="finalized",
        sent=3,
        refused=(("rpc.example.com", "too many requests"),),
    )

    told = fated(attempt, fate)

    assert (told.signature, told.state) == (attempt.signature, "failed")
    assert told.more == {
        "sent": 3,
        "slot": 7,
        "commitment": "finalized",
        "error": "instruction 0: WOULD_SELF_TRADE (61)",
        "refused": {"rpc.example.com": "too many requests"},
    }


def test_of_what_is_in_no_block_no_slot_is_told() -> None:
    assert fated(attempt_of(0), Fate(State.SENT, sent=1)).more == {"sent": 1}
