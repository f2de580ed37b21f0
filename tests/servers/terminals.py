"""A terminal of a test's own, with a command in it: what it draws, what is typed, how large it is."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"  # Of the other screen.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HOME = "\x1b[H"
PATIENCE_S = 60.0
# The command gets the terminal as its controlling one, so that Ctrl-C is a signal and a new size is told.
IN_TERMINAL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
SIZES = ("LINES", "COLUMNS")  # Whoever runs the tests may have set them, and they win over the terminal's own.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in SIZES} | {"TERM": "xterm-256color"}


class Terminal:
    """A command in a terminal of `columns` times `rows`."""

    def __init__(self, words: list[str], columns: int, rows: int) -> None:
        self.drawn = ""
        self._ours, theirs = pty.openpty()
        self.resize(columns, rows)
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_TERMINAL, "-m", "bmv.adapters.cli", *words],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=ENVIRONMENT,
        )  # fmt: skip
        os.close(theirs)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Type what is echoed nowhere."""
        os.write(self._ours, text.encode())

    @property
    def echoes(self) -> bool:
        """Whether what is typed shows up on the terminal."""
        return bool(termios.tcgetattr(self._ours)[3] & termios.ECHO)

    def pages(self) -> list[list[str]]:
        """Return what was drawn on the other screen, page by page, as lines without their styles."""
        inside = self.drawn.partition(ENTER)[2].partition(LEAVE)[0]
        return [CONTROL.sub("", page).split("\r\n") for page in inside.split(HOME)[1:]]

    def wait_for(self, words: str) -> list[str]:
        """Return the first whole page that is drawn from now on and has these words on it."""
        seen = len(self.pages())
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            for page in self.pages()[seen:-1]:
                if words in "\n".join(page):
                    return page
            assert self._read(), f"the command ended: {CONTROL.sub('', self.drawn)[-2000:]}"
        raise AssertionError(f"{words!r} never came: {self.pages()[-1:]}")

    def wait_for_line(self, words: str) -> None:
        """Wait until these words were drawn, on whichever screen."""
        while words not in self.drawn:
            assert self._read(), f"the command ended: {CONTROL.sub('', self.drawn)[-2000:]}"

    def end(self) -> int:
        """Wait until the command has ended; return its code."""
        while self._read():
            pass
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """End the command, whatever it does."""
        self.process.kill()
        self.process.wait(PATIENCE_S)
        os.close(self._ours)

    def _read(self) -> bool:
        """Take in what was drawn; False when there will be no more."""
        with suppress(OSError):  # How Linux says that the other side is closed.
            if not select.select([self._ours], [], [], PATIENCE_S)[0]:
                raise AssertionError("nothing is drawn any more")
            text = os.read(self._ours, 1 << 16)
            self.drawn += text.decode()
            return bool(text)
        return False


@contextmanager
def terminal(*words: str, columns: int = 80, rows: int = 24) -> Iterator[Terminal]:
    """Give a terminal in which `bmv` runs with these words."""
    it = Terminal(list(words), columns, rows)
    try:
        yield it
    finally:
        it.close()
