"""A terminal as a screen: its page is drawn over the one before, never cleared, and it is given back as it was."""

import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

QUIT = b"qQ"


class Screen:
    """Draws on the terminal's other screen, where it has one, with what is typed kept off it."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console()
        self._live = self._make()
        self._before: list[Any] | None = None  # Any: what termios gives.

    def _make(self) -> Any:
        from rich.live import Live

        return Live(
            console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )

    @property
    def usable(self) -> bool:
        """Whether there is a terminal that can be drawn on."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, in characters, as they are now."""
        return self._console.size

    def draw(self, lines: "Sequence[RenderableType]") -> None:
        """Draw a page over the one before."""
        from rich.console import Group

        self._live.update(Group(*lines), refresh=True)

    def __enter__(self) -> "Screen":
        if sys.stdin.isatty():
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)  # Ctrl-C still interrupts.
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        if self._before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)
            self._before = None

    def on_keys(self, quit_: Callable[[], None]) -> None:
        """Take in what was typed; `quit_` is called for a q, and where nobody can type any more."""
        try:
            typed = os.read(sys.stdin.fileno(), 64)
        except OSError:
            typed = b""
        if not typed or any(key in QUIT for key in typed):
            quit_()

    def suspend(self) -> None:
        """Give the terminal back and stop, as Ctrl-Z asks; take it again when the process is let go on."""
        self.__exit__(None, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._live = self._make()
        self.__enter__()
