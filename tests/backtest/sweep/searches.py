"""A small tape and sweeps over it, for the tests of sweeps."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bmv.adapters.config import Config, build
from bmv.data.ticks.synth.synth import BENIGN, synth

ROWS = 60_000
TABLE: dict[str, Any] = {
    "version": 1,
    "market": {
        "symbol": "SOL/USDC", "tick_size": "0.01", "lot_size": "0.001", "maker_fee_bps": 1, "taker_fee_bps": 5,
    },
    "pivot": {"window_s": 30, "history_s": 600},
    "grid": {
        "bid": {"levels": 2, "first_bps": 4, "step_bps": 4, "total_size": 2},
        "ask": {"levels": 2, "first_bps": 4, "step_bps": 4, "total_size": 2},
    },
    "inventory": {"start_base": 50, "start_quote": 10_000, "max_position": 20},
    "simulation": {"entry_latency_ms": 50, "response_latency_ms": 50},
}  # fmt: skip
BOTH = ("grid.bid.first_bps,grid.ask.first_bps=2:10:2", "pivot.window_s=10:50:10")


def lake(folder: Path, rows: int = ROWS, seed: int = 3) -> Path:
    """Make a tape up, and return its lake."""
    synth(folder, seed, rows, shape=BENIGN)
    return folder


def configured(**sections: Any) -> Config:
    """Return a configuration; `sections` replace those of `TABLE`."""
    return build(**{**TABLE, **sections})


def written(folder: Path, *more: str) -> Path:
    """Write the same configuration as a file, with lines of TOML behind it."""
    from bmv.adapters.config import dump

    text = dump(configured()).split("[sweep]")[0]
    file = folder / "maker.toml"
    file.write_text(text + "\n" + "\n".join(more))
    return file


def bmv(*args: object, cwd: Path, trials: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own."""
    return subprocess.run(
        command(args), cwd=cwd, env=environment(trials), capture_output=True, text=True, check=False, **options
    )


def command(args: Sequence[object]) -> list[str]:
    """Return the command line of `bmv`."""
    return [sys.executable, "-m", "bmv.adapters.cli", *map(str, args)]


def environment(trials: Path) -> dict[str, str]:
    """Return the environment in which the register of trials lies at `trials`."""
    return {**os.environ, "BMV_TRIALS": str(trials)}
