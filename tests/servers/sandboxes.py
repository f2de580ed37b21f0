"""A sandbox that runs beside a test, in a thread of its own, behind real sockets."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from bmv.adapters.cli.sandbox import _facts
from bmv.adapters.sandbox.pace import Pace
from bmv.adapters.sandbox.wiring import Sandbox, Settings, World, make_world

WAIT_S = 60


class Running(NamedTuple):
    """A sandbox that runs, and where what it wrote is."""

    world: World
    rpc: str
    config: str
    control: str

    @property
    def market(self) -> str:
        return str(self.world.market.address)

    def command(self, path: str, **words: object) -> Any:
        """Give the sandbox a command, as anybody would: on its control port."""
        return httpx.post(f"{self.control}{path}", json=words, timeout=WAIT_S).raise_for_status().json()


def dead_endpoint() -> str:
    """Return where nobody listens, with a path that may not be shown."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}/secret-path"


async def _serve(box: Sandbox, out: Path, ready: "Future[dict[str, str]]", end: threading.Event) -> None:
    async with box:
        ready.set_result(_facts(box, out))
        while not end.is_set():
            await asyncio.sleep(0.02)


@contextmanager
def running(
    settings: Settings, out: Path, change: Callable[[World], None] | None = None, *, asleep: bool = False
) -> Iterator[Running]:
    """Give a sandbox; its configuration and wallet lie in `out`; `change` may break its world before anybody looks.

    Args:
        asleep: Whether nobody trades there, and nobody cranks.
    """
    world = make_world(settings)
    if change is not None:
        change(world)
    box, end = Sandbox(settings, world), threading.Event()
    if asleep:
        box.pace = Pace(world.chain, lambda: None, box.node.view.faults, settings.slot_ms / 1000 / settings.speed)
    ready: Future[dict[str, str]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(box, out, ready, end)))
    thread.start()
    try:
        facts = ready.result(WAIT_S)
        yield Running(world, facts["rpc"], facts["config"], facts["control"])
    finally:
        end.set()
        thread.join(WAIT_S)
