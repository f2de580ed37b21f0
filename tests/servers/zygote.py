"""Processes of `bmv` that begin with everything imported: for rigs that start hundreds of them, and kill them.

What is started is a process of its own like any other, forked from one that has read the code and done nothing else.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

CODE = """
import json, os, sys
from bmv.adapters.cli.main import main
for line in sys.stdin:
    words, out, err = json.loads(line)
    pid = os.fork()
    if not pid:
        for path, handle in ((os.devnull, 0), (out, 1), (err, 2)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), handle)
        code = 1
        try:
            code = main(words)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Zygote:
    """Starts one process after the other.

    Args:
        modules: That each begins with.
        folder: Where outputs lie.
    """

    def __init__(self, modules: Sequence[str], folder: Path, env: dict[str, str]) -> None:
        code = "".join(f"import {name}\n" for name in modules) + CODE
        self._out, self._err = folder / "out", folder / "err"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        )

    def __enter__(self) -> "Zygote":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def start(self, words: Sequence[str]) -> int:
        """Begin a command, and return the id of its process."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([list(words), str(self._out), str(self._err)]) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; return its code, below 0 where a signal ended it, and what it printed."""
        code = int(self._line())
        return code, self._out.read_text(), self._err.read_text()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that starts others has ended"
        return line
