"""What the simulation's tests share; they stand beside their helpers, so that this folder must be on the path."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def ticks() -> Path:
    """The folder of recorded ticks, which is no part of the project."""
    folder = Path(os.environ.get("BMV_TICKS", Path(__file__).parents[2].parent / "shared" / "ticks"))
    if not folder.is_dir():
        pytest.skip(f"there are no recorded ticks at {folder}; set BMV_TICKS to where they are")
    return folder
