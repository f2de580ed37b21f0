"""A small good configuration, as a file that tests may spoil."""

from collections.abc import Callable
from pathlib import Path

import pytest

GOOD = """\
version = 1
[market]
symbol = "SOL/USDC"
tick_size = "0.01"
lot_size = "0.001"
maker_fee_bps = "-0.5"
taker_fee_bps = 4
[grid.bid]
levels = 3
first_bps = 10
step_bps = 5
step_ratio = 2
total_size = 7
size_ratio = 2
[grid.ask]
levels = 1
total_size = "1.5"
[inventory]
start_base = 10
start_quote = 2000
max_position = 5
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a text as `my.toml` and return its path."""

    def _write(text: str) -> Path:
        file = tmp_path / "my.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return _write


@pytest.fixture
def good(write: Write) -> Path:
    """The path of a good file."""
    return write(GOOD)
