"""What the benchmarks share: a day's tape in memory and at rest, and a stopwatch.

The modules beside this file are imported by name, so that the folder must be on the path.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from commands import Launcher
from stopwatch import Stopwatch
from tapes import DAY_ROWS, columns, lake

from bmv.ports.market_data import Columns

SAID = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def day() -> Columns:
    """A day of 10 M rows, read beforehand, so that reading it is not measured."""
    return columns(DAY_ROWS)


@pytest.fixture(scope="session")
def day_lake() -> Path:
    """The same day at rest."""
    return lake(DAY_ROWS)


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """Starts commands and measures them."""
    launcher = Launcher()
    yield launcher
    launcher.close()


@pytest.fixture
def watch(request: pytest.FixtureRequest, benchmark: Any) -> Stopwatch:
    """Takes the times of this test; what it says stands below the tables at the end of the session."""
    lines = request.config.stash.setdefault(SAID, [])
    return Stopwatch(benchmark, lambda line: lines.append(f"{request.node.name}: {line}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was said."""
    if lines := config.stash.get(SAID, []):
        terminalreporter.section("found")
        terminalreporter.write_line("\n".join(lines))
