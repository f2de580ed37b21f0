"""What is signed: never the same bytes twice."""

import pytest
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import from_bytes_versioned, to_bytes_versioned
from solders.pubkey import Pubkey

from bmv.adapters.openbook.execution.carrier import fresh_message
from bmv.adapters.openbook.planning.budget import Head
from bmv.adapters.openbook.planning.plan import Part

YOUNG, YOUNGER = Hash(bytes([1]) * 32), Hash(bytes([2]) * 32)


def part(version: int) -> Part:
    """Return a cancel of some order."""
    head = Head(version, Pubkey(bytes([7]) * 32), units=50_000, loaded=200_000, price=0, lamports=0)
    return Part(head, (Instruction(Pubkey(bytes([8]) * 32), b"\1", []),), 200, {(0, 1): 5}, {}, 0, False)


@pytest.mark.parametrize("version", [0, 1])
def test_a_cancel_that_is_repeated_by_one_blockhash_is_another_transaction(version: int) -> None:
    signed = list[bytes]()
    for _ in range(3):
        signed.append(fresh_message(part(version), YOUNG, signed))

    assert len(set(signed)) == 3
    assert {len(message) for message in signed} == {len(signed[0])}
    assert signed[0] == to_bytes_versioned(part(version).message(YOUNG))
    assert {from_bytes_versioned(message).recent_blockhash for message in signed} == {YOUNG}


def test_by_another_blockhash_it_is_built_as_it_was_planned() -> None:
    signed = [fresh_message(part(1), YOUNG, ())]

    assert fresh_message(part(1), YOUNGER, signed) == to_bytes_versioned(part(1).message(YOUNGER))
