"""The rig of `wholeness.py` in short: a few kills, a few full disks."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from wholeness import KINDS, Place, Writers, killed, on_full_disks, place


@pytest.fixture(scope="module")
def there() -> Iterator[Place]:
    """Where whole things stand."""
    with place() as made:
        yield made


@pytest.fixture(scope="module")
def writers() -> Iterator[Writers]:
    """Who can be killed."""
    made = Writers()
    yield made
    made.close()


@pytest.mark.parametrize("name", ["run over a run", "sweep", "export over a file"])
def test_a_killed_writer_leaves_what_is_whole_or_nothing(name: str, there: Place, writers: Writers) -> None:
    found = killed(KINDS[name], there, writers, kills=2, seed=7)

    assert found.total() == 2


@pytest.mark.parametrize("name", ["run", "run over a run", "sweep", "export"])
def test_a_full_disk_leaves_what_is_whole_or_nothing(name: str, there: Place) -> None:
    try:
        found = on_full_disks(KINDS[name], there, [16, 256, 3_072, 65_536])
    except PermissionError as error:
        pytest.skip(str(error))

    assert found["new"] > 0
    assert found.total() - found["new"] > 0
