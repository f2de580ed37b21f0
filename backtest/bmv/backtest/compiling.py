"""What a user meets while the loop is compiled, once for each version: a line that says so, and a Ctrl-C that works.

LLVM hands code over in callbacks from C, and destructors free it. A signal that came meanwhile reaches Python in one of
them, and what it raises there is printed and lost: so it is raised when that is over.
"""

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from bmv.backtest import codecache
from bmv.backtest.fused import machine_code
from bmv.data.files.user_folders import notice

LOSING = ("_raw_object_cache_notify", "_raw_object_cache_getbuffer", "__del__")  # Functions that nobody catches from.
AGAIN_S = 0.05
NOTE = "note: the first run compiles the engine: half a minute on a quiet machine, then never again for this version"

Handler = Callable[[int, FrameType | None], object]


def load_machine_code() -> None:
    """Load the loop, or compile it, which a terminal is told of; Ctrl-C and SIGTERM break it off."""
    tell_of_compiling()
    with interruptible():
        machine_code()


def tell_of_compiling() -> None:
    """Say on a terminal that the loop is about to be compiled, if it is."""
    if sys.stderr.isatty() and not codecache.folder().is_dir():
        notice(NOTE)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let what a handler of SIGINT or SIGTERM raises come through, wherever LLVM stands."""
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():  # Handlers can be set in this one only.
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                if callable(handler):
                    stack.callback(signal.signal, number, handler)
                    signal.signal(number, _where_it_counts(handler))
        yield


def _where_it_counts(handler: Handler) -> Handler:
    def handle(number: int, frame: FrameType | None) -> None:
        if _is_lost_in(frame):
            threading.Timer(AGAIN_S, _thread.interrupt_main, (number,)).start()
        else:
            handler(number, frame)

    return handle


def _is_lost_in(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name in LOSING:
            return True
        frame = frame.f_back
    return False
