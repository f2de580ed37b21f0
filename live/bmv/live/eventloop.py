"""The event loop that sessions run on: uvloop where it is installed, else that of Python."""

import asyncio
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run work to its end, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=_factory()) as runner:
        return runner.run(work)


def loop_name() -> str:
    """Return what `run` runs on, such as `uvloop 0.23.0`."""
    return "asyncio, for uvloop is not installed" if _factory() is None else f"uvloop {version('uvloop')}"


def _factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # Not on Windows.
    except ImportError:
        return None
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made
