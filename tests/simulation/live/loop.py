"""A machine that is simulated: an event loop whose time jumps, whose order is diced, and whose processes can be killed.

Time goes on only when everybody waits. Whatever may run at one instant runs in an order that the seed chooses, so that
many seeds try many orders and one seed always the same. A process is everything that was begun in its name: killed,
nothing of it ever runs again, no clean-up either; stopped, it runs later.
"""

import asyncio
import contextvars
import gc
import heapq
import random
import selectors
import time
from asyncio import events
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bmv.live.control import place

BEGAN_S = 1_000.0  # Of the clock that never goes back, when a simulation begins.
DISK_S = 0.001  # What the disk takes at least, for each call.


@dataclass(eq=False)
class Process:
    """What runs in one name.

    Args:
        name: For reports.
        wall_ns: By how much its machine's clock is off.
    """

    name: str
    wall_ns: int = 0
    dead: bool = False
    stopped: bool = False
    held: list[asyncio.Handle] = field(default_factory=list)  # What it would have done while it was stopped.
    tasks: list["asyncio.Task[Any]"] = field(default_factory=list)  # All it ever began, so that none is swept up.

    @property
    def folder(self) -> Path:
        """Where its machine keeps local sockets."""
        return Path(f"machine-{self.name}").absolute()

    def __repr__(self) -> str:
        return f"<Process {self.name}{' dead' if self.dead else ' stopped' if self.stopped else ''}>"


PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class _Nothing(selectors.BaseSelector):
    """Waits for no file: there are none."""

    def __init__(self) -> None:
        self._kept: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, fileobj if isinstance(fileobj, int) else fileobj.fileno(), events, data)
        self._kept[key.fd] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._kept.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def select(self, timeout: float | None = None) -> list[Any]:
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._kept


class _Numbered:
    """Hashes by its number and not by its place in memory, so that sets are in the same order everywhere."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class _Task(_Numbered, asyncio.Task):  # type: ignore[type-arg]  # Whatever it returns.
    pass


class _Future(_Numbered, asyncio.Future):  # type: ignore[type-arg]  # The same.
    pass


class SimLoop(asyncio.SelectorEventLoop):
    """An event loop in a time of its own.

    Args:
        seed: Says in which order happens what may happen at one instant.
        steps_max: Callbacks after which a simulation is said to go in circles.
    """

    def __init__(self, seed: int, steps_max: int = 20_000_000) -> None:
        super().__init__(_Nothing())
        self._now_s = BEGAN_S
        self._dice = random.Random(f"order {seed}")
        self._numbers = 0
        self._free_s: dict[object, float] = {}  # When a thread has done what it was given.
        self.steps, self._steps_max = 0, steps_max
        self.network: Any = None  # Of `tests.simulation.live.network`.
        self.disk: Any = None  # Of `tests.simulation.live.faults`.
        self.unheard: list[str] = []  # Exceptions that nobody took.
        self.set_task_factory(_make_task)
        self.set_exception_handler(_note)

    # Time and order.

    def time(self) -> float:
        return self._now_s

    def create_future(self) -> "asyncio.Future[Any]":
        made = _Future(loop=self)
        made.number = self.numbered()
        return made

    def numbered(self) -> int:
        """Return a number that nobody else has."""
        self._numbers += 1
        return self._numbers

    def _run_once(self) -> None:
        scheduled, ready = self._scheduled, self._ready  # type: ignore[attr-defined]  # Of asyncio's base loop.
        if not ready and not self._stopping:  # type: ignore[attr-defined]  # The same.
            while scheduled and scheduled[0]._cancelled:
                heapq.heappop(scheduled)._scheduled = False
            if not scheduled:
                raise RuntimeError("everybody waits, and nobody for a time")
            self._now_s = max(self._now_s, scheduled[0]._when)
        while scheduled and scheduled[0]._when <= self._now_s:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            ready.append(handle)
        now = [handle for handle in ready if not handle._cancelled and self._may_run(handle)]
        ready.clear()
        self._dice.shuffle(now)
        for handle in now:
            # One that ran before it may have killed, stopped or cancelled it.
            if not handle._cancelled and self._may_run(handle):
                self.steps += 1
                handle._run()
        if self.steps > self._steps_max:
            raise RuntimeError(f"{self.steps} steps, and no end")

    def _may_run(self, handle: asyncio.Handle) -> bool:
        process = handle._context.get(PROCESS)  # type: ignore[attr-defined]  # Of asyncio's handles.
        if process is None or not (process.dead or process.stopped):
            return True
        if not process.dead:
            process.held.append(handle)
        return False

    # Processes.

    def begin(self, process: Process, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Begin the main task of a process."""
        context = contextvars.copy_context()
        context.run(PROCESS.set, process)
        return context.run(self.create_task, work)

    def kill(self, process: Process) -> None:
        """Let nothing of a process ever run again."""
        process.dead = True
        process.held.clear()
        for task in process.tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # Of asyncio's tasks.
        self.network.lose(process)

    def stop_process(self, process: Process) -> None:
        """Let nothing of a process run for now; its sockets stay."""
        process.stopped = True

    def go_on(self, process: Process) -> None:
        """Let a stopped process run, all that it has missed first."""
        process.stopped = False
        self._ready.extend(process.held)  # type: ignore[attr-defined]  # Of asyncio's base loop.
        process.held.clear()

    # The world outside.

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
        """Do something in a thread: it is done at an instant after now, and its caller hears of it later still.

        In between its process may be killed, or stopped, so that what was done is never heard of.
        """
        process, future = PROCESS.get(), self.create_future()
        before_s, after_s, fault = self.disk.draw(process, func) if self.disk else (DISK_S, 0.0, None)
        at_s = max(self._now_s, self._free_s.get(executor, 0.0)) + before_s

        def answer(result: Any, error: BaseException | None) -> None:
            if not future.done():
                future.set_result(result) if error is None else future.set_exception(error)

        def work() -> None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = func(*args) if fault is None else fault(lambda: func(*args))
            except Exception as raised:
                error = raised
            self.call_later(after_s, answer, result, error)

        self._free_s[executor] = at_s
        self.call_at(at_s, work)
        return future

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        raise AssertionError(f"{host}: a simulation knows no names, only addresses")

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        return await self.network.connect(protocol_factory, host, port)

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        return self.network.listen(protocol_factory, host, port)

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, *, sock: Any = None, **_: Any) -> Any:
        return self.network.listen_here(protocol_factory, PROCESS.get())


def _make_task(loop: SimLoop, work: Any, context: contextvars.Context | None = None) -> "asyncio.Task[Any]":
    task: Any = _Task(work, loop=loop) if context is None else _Task(work, loop=loop, context=context)
    task.number = loop.numbered()
    if (process := PROCESS.get()) is not None:
        process.tasks.append(task)
    return task


def _note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    assert isinstance(loop, SimLoop)
    loop.unheard.append(f"{context.get('message')}: {error!r}")


def _folders() -> list[Path]:
    """Return what the environment of a process names."""
    process = PROCESS.get()
    assert process is not None, "the world has no sockets of its own"
    return [process.folder]


@contextmanager
def machine(loop: SimLoop, wall_ns: int) -> Iterator[None]:
    """Let this process live in the time of a loop, whichever clock it asks, and each simulated one on its own machine.

    The same is done to a process of the system by libfaketime and by its environment: nobody who asks has to know.

    Args:
        wall_ns: What the clocks of the machines said when it began, ns UTC.
    """

    def gone_ns() -> int:
        return round((loop.time() - BEGAN_S) * 1e9)

    def wall() -> int:
        process = PROCESS.get()
        return wall_ns + gone_ns() + (0 if process is None else process.wall_ns)

    faked: dict[str, Callable[[], float]] = {
        "monotonic": loop.time,
        "monotonic_ns": lambda: round(loop.time() * 1e9),
        "time": lambda: wall() / 1e9,
        "time_ns": wall,
    }
    genuine = {name: getattr(time, name) for name in faked}
    folders = place.runtime_paths
    swept = gc.isenabled()
    try:
        gc.disable()  # What it sweeps up is told to have ended, at an instant that nobody chose.
        for name, clock in faked.items():
            setattr(time, name, clock)
        place.runtime_paths = _folders
        events.set_event_loop(loop)
        yield
    finally:
        for name, clock in genuine.items():
            setattr(time, name, clock)
        place.runtime_paths = folders
        events.set_event_loop(None)
        if swept:
            gc.enable()
