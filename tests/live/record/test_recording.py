"""A recorder beside a sandbox: what it kept and what it says it missed is what the chain did."""

import asyncio
from pathlib import Path

import pytest
from tests.rigs import recording

from bmv.adapters.sandbox.wiring import Settings


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_every_slot_is_recorded_row_for_row_and_the_trades_are_the_markets_own_count(
    venue: str, tmp_path: Path
) -> None:
    result = asyncio.run(recording.run(Settings(venue=venue, speed=10), 150, 1, False, tmp_path))

    assert result.wrong == []
    assert result.trades > 5
    assert result.rows > 100


@pytest.mark.parametrize(("venue", "consensus"), [("openbook-v1", "tower"), ("openbook-v2", "alpenglow")])
def test_with_every_fault_on_what_is_not_recorded_lies_in_a_gap(venue: str, consensus: str, tmp_path: Path) -> None:
    settings = Settings(venue=venue, speed=10, consensus=consensus, seed=5)

    result = asyncio.run(recording.run(settings, 500, 5, True, tmp_path))

    assert result.wrong == []
    assert result.faults
    assert result.rows > 100
