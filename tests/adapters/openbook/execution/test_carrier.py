"""What is signed: never the same bytes twice."""

import pytest
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey

from bmv.adapters.openbook.planning.budget import Head
from bmv.adapters.openbook.planning.plan import Part

YOUNG = Hash(bytes([1]) * 32)


def part(version: int) -> Part:
    """Return a cancel of some order."""
    head = Head(version, Pubkey(bytes([7]) * 32), units=50_000, loaded=200_000, price=0, lamports=0)
    return Part(head, (Instruction(Pubkey(bytes([8]) * 32), b"\1", []),), 200, {(0, 1): 5}, {}, 0, False)


@pytest.mark.parametrize("version", [0, 1])
def test_a_cancel_that_is_repeated_by_one_blockhash_is_another_transaction(version: int) -> None:
    signed = [to_bytes_versioned(part(version).message(YOUNG, serial)) for serial in range(1_000)]

    assert len(set(signed)) == 1_000
    assert len({len(message) for message in signed}) == 1
