"""A sandbox that runs beside a test, in a thread of its own, behind real sockets."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx
from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.cli.sandbox import _facts
from bmv.adapters.sandbox.pace import Pace
from bmv.adapters.sandbox.wiring import Sandbox, Settings, World, make_world

WAIT_S = 60
T = TypeVar("T")


class Running(NamedTuple):
    """A sandbox that runs, and where what it wrote is."""

    world: World
    rpc: str
    config: str
    control: str

    @property
    def market(self) -> str:
        return str(self.world.market.address)

    def account(self, key: Pubkey) -> Account | None:
        """Return an account as it is now; the chain's own thread may hold it for a moment."""
        return patiently(lambda: self.world.chain.account(key))

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


def patiently(read: Callable[[], T]) -> T:
    """Return what is read of a chain that another thread writes to: solders refuses it in the very moment."""
    for _ in range(1_000):
        try:
            return read()
        except RuntimeError as error:
            if "borrowed" not in str(error):
                raise
            time.sleep(0.001)
    raise TimeoutError("the chain is held for ever")


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
