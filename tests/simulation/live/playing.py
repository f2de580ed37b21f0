"""Seeds played by a command in a process of its own, for tests: it sets clocks, and plants bugs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def simulate(*words: str, **environment: str) -> tuple[int, str]:
    """Run the command of the simulation, and return its exit code and what it said."""
    command = [sys.executable, "-m", "tests.simulation.live", *words]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=False
    )
    print(done.stdout)
    return done.returncode, done.stdout
