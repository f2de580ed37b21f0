"""The house stays the house."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ["core", "ports", "adapters", "backtest", "live", "data"]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_holds_one_package_of_the_shared_namespace(room: str) -> None:
    """An ``__init__.py`` beside the room's package would hide every other room from the import system."""
    assert [p.name for p in (ROOT / room / "bmv").iterdir() if p.name != "__pycache__"] == [room]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_tells_type_checkers_that_it_is_typed(room: str) -> None:
    assert (ROOT / room / "bmv" / room / "py.typed").exists()


def test_the_lock_names_no_place_but_hashes() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()

    assert sum("--hash=sha256:" in line for line in lines) > len([line for line in lines if "==" in line]) > 30
    assert not [line for line in lines if "://" in line or "index-url" in line or "find-links" in line]
