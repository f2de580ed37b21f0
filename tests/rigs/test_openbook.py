"""The fuzzer and the comparison with the genuine programs, in short; at length they are commands."""

from collections.abc import Callable
from random import Random

import pytest
from solders.transaction_status import InstructionErrorCustom
from tests.rigs import against_genuine, genuine_v1
from tests.rigs.fuzz_openbook import Target, fuzz, targets


@pytest.mark.parametrize("make", targets().values(), ids=targets())
def test_damaged_bytes_are_refused_or_read_as_they_stand(make: Callable[[], Target]) -> None:
    counts = fuzz(make(), 400, seed=3)

    assert min(counts.values()) > 20, counts


@pytest.mark.parametrize("name", ["v1"])
def test_the_double_does_what_the_genuine_program_does(name: str) -> None:
    version = against_genuine.load(name)
    file = against_genuine.genuine_file(version)
    if file is None:
        pytest.skip(f"{version.VARIABLE} names no genuine program")

    kinds = against_genuine.compare(version, file, sequences=25, seed=1)

    assert kinds["NewOrderV3: ok"] > 100


def test_random_sequences_reach_matches_cranks_and_refusals() -> None:
    """Or the comparison would compare nothing."""
    double = genuine_v1.DOUBLE()
    reached = set()
    for seed in range(12):
        sequence = genuine_v1.SEQUENCE(Random(seed))
        states = sequence.world.accounts
        for _ in range(sequence.calls()):
            call = sequence.next()
            for meta in call.instruction.accounts:
                states.setdefault(meta.pubkey, against_genuine.AccountState(0, bytearray(), against_genuine.SYSTEM))
            around = against_genuine.Surroundings(call.unix_timestamp, 1, against_genuine.LAMPORTS_PER_BYTE)
            outcome = double.execute(call.instruction, states, around)
            states |= outcome.accounts
            reached.add("ok" if outcome.error is None else getattr(outcome.error, "code", str(outcome.error)))
            reached |= {"fill" for line in outcome.logs if line.startswith("Program data: UmlH")}
            assert outcome.error != InstructionErrorCustom(2**32 - 1)

    assert {"ok", "fill", 34, 41, 51, 59, 61, 63} <= reached
