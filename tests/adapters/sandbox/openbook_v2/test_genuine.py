"""The double against the genuine program, in short; at length it is `python -m tests.rigs.against_genuine`."""

import pytest
from tests.rigs import against_genuine


def test_the_double_does_what_the_genuine_program_does() -> None:
    version = against_genuine.load("v2")
    file = against_genuine.genuine_file(version)
    if file is None:
        pytest.skip(f"{version.VARIABLE} names no genuine program")

    kinds = against_genuine.compare(version, file, sequences=20, seed=1)

    assert kinds["PlaceOrder: ok"] > 100
