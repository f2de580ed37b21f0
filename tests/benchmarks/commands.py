"""Commands started, timed and weighed: how long a process takes from its start to its end, and how much memory.

Linux counts into the peak of a process what its parent held when it started it. Pytest holds a whole tape, so the
commands are started by a process of next to nothing: this file, run as a script.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

BMV = str(Path(sys.executable).with_name("bmv"))
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
BYTES_PER_MB = 1_000_000


class Spent(NamedTuple):
    """What a command took."""

    seconds: float  # Wall time.
    peak_mb: float  # Most memory resident at once.


class Launcher:
    """A small process that starts commands one after another."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, *words: str) -> Spent:
        """Run a command to its end; it must succeed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(words), file=self._process.stdin, flush=True)
        code, seconds, peak_mb, said = json.loads(self._process.stdout.readline())
        assert code == 0, f"{' '.join(words)} ended with {code}:\n{said}"
        return Spent(seconds, peak_mb)

    def close(self) -> None:
        """End."""
        self._process.communicate()


def launch(words: list[str]) -> tuple[int, float, float, str]:
    """Return exit code, seconds, peak in MB and, of a command that failed, what it said."""
    with tempfile.TemporaryFile() as said:
        both = [(os.POSIX_SPAWN_DUP2, said.fileno(), handle) for handle in (1, 2)]
        started = time.perf_counter()
        process = os.posix_spawn(words[0], words, os.environ, file_actions=both)
        _, status, usage = os.wait4(process, 0)
        seconds = time.perf_counter() - started
        said.seek(0)
        code = os.waitstatus_to_exitcode(status)
        peak_mb = usage.ru_maxrss * MAXRSS_BYTES / BYTES_PER_MB
        return code, seconds, peak_mb, said.read().decode(errors="replace") if code else ""


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(launch(json.loads(line))), flush=True)
