"""A network in memory, between processes of one simulated machine: bytes in order, late, held up, or lost with a link.

It takes the place of sockets below asyncio's transports, so that HTTP, websockets and all above them are the real ones.
"""

import asyncio
import contextvars
import os
import random
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.live.loop import PROCESS, Process, SimLoop

FIRST_PORT = 20_000
APART_S = 1e-6  # Between two pieces on one link.
LOOK_S = 0.05
EOF = object()


@dataclass
class Weather:
    """How it is on the way to one port.

    Args:
        least_s, more_s: How long bytes take.
        black: Whether nothing gets through for now; what was sent comes when that is over.
    """

    least_s: float = 0.001
    more_s: float = 0.003
    black: bool = False


class _Socket:
    """What protocols ask of a socket."""

    family, type, proto = socket.AF_INET, socket.SOCK_STREAM, 0

    def __init__(self, host: str, port: int) -> None:
        self._name = (host, port)

    def getsockname(self) -> tuple[str, int]:
        return self._name

    getpeername = getsockname

    def setsockopt(self, *_: Any) -> None:
        pass

    def getsockopt(self, *_: Any) -> bytes:
        return struct.pack("=iII", os.getpid(), os.geteuid(), os.getegid())  # As SO_PEERCRED tells them.

    def fileno(self) -> int:
        return -1


class End(asyncio.Transport):
    """One end of a link."""

    def __init__(self, network: "Network", weather: Weather, port: int) -> None:
        super().__init__({"socket": (fake := _Socket("127.0.0.1", port))})
        self._extra.update(peername=fake.getpeername(), sockname=fake.getsockname())  # type: ignore[attr-defined]
        self._network, self._weather = network, weather
        self.process, self.context = PROCESS.get(), contextvars.copy_context()
        self.peer: End
        self._protocol: Any = None
        self._inbox: deque[Any] = deque()  # What is on its way here, in order: bytes, the end, or why the link is lost.
        self._flying = self._due = 0  # Of those, how many are about to arrive, and how many have.
        self._last_s = 0.0
        self._paused = self._closing = self._lost = self._began = False

    def begin(self, protocol: Any) -> None:
        self._protocol = protocol
        protocol.connection_made(self)
        self._began = True
        self._deliver()

    # What protocols ask.

    def get_protocol(self) -> Any:
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            self._network.loop.call_soon(self._deliver, context=self.context)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: Any) -> None:
        if not self._closing and data:
            self.peer._send(bytes(data))

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._closing:
            self.peer._send(EOF)

    def close(self) -> None:
        if not self._closing:
            self.peer._send(EOF)
            self._end(None)

    def abort(self) -> None:
        if not self._closing:
            self.peer._send(ConnectionResetError(104, "Connection reset by peer"))
            self._end(None)

    # What the link does.

    def _send(self, what: Any) -> None:
        """Let something be on its way to this end."""
        if self._lost:
            return
        self._inbox.append(what)
        if not self._weather.black:
            self._schedule(1)

    def _schedule(self, pieces: int) -> None:
        network = self._network
        self._flying += pieces
        for _ in range(pieces):
            at_s = network.loop.time() + self._weather.least_s + network.dice.random() * self._weather.more_s
            self._last_s = max(at_s, self._last_s + APART_S)
            network.loop.call_at(self._last_s, self._arrive, context=self.context)

    def heal(self) -> None:
        """Let what was held up come."""
        self._schedule(len(self._inbox) - self._flying - self._due)

    def _arrive(self) -> None:
        self._flying -= 1
        self._due += 1
        self._deliver()

    def _deliver(self) -> None:
        while self._began and self._due and not self._paused and not self._lost:
            self._due -= 1
            what = self._inbox.popleft()
            if isinstance(what, bytes):
                self._protocol.data_received(what)
            elif what is EOF:
                if not self._protocol.eof_received():
                    self.close()
            else:
                self._end(what)

    def _end(self, why: Exception | None) -> None:
        if not self._lost:
            self._closing = self._lost = True
            self._network.ends.pop(self, None)
            self._network.loop.call_soon(self._protocol.connection_lost, why, context=self.context)

    def cut(self) -> None:
        """Break the link for both: by a reset."""
        if not self._lost and self._protocol is not None:
            self._end(ConnectionResetError(104, "Connection reset by peer"))
        self.peer._send(ConnectionResetError(104, "Connection reset by peer"))


class Listener(asyncio.AbstractServer):
    """Who takes connections at a port."""

    def __init__(self, network: "Network", make: Callable[[], Any], port: int) -> None:
        self.network, self.make, self.port = network, make, port
        self.context, self.process = contextvars.copy_context(), PROCESS.get()
        self.sockets = (_Socket("127.0.0.1", port),)

    def close(self) -> None:
        if self.network.listeners.get(self.port) is self:
            del self.network.listeners[self.port]

    def is_serving(self) -> bool:
        return self.network.listeners.get(self.port) is self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.network.loop

    async def start_serving(self) -> None:
        pass

    async def wait_closed(self) -> None:
        pass


@dataclass
class Network:
    """All links there are.

    Args:
        loop: In whose time.
        dice: Say how long bytes take.
    """

    loop: SimLoop
    dice: random.Random
    listeners: dict[int, Listener] = field(default_factory=dict)
    here: dict[Process | None, Listener] = field(default_factory=dict)  # Local sockets.
    weather: dict[int, Weather] = field(default_factory=dict)
    ends: dict[End, int] = field(default_factory=dict)  # Those of clients and servers, with their port.
    _port: int = FIRST_PORT

    def __post_init__(self) -> None:
        self.loop.network = self

    def at(self, port: int) -> Weather:
        """Return how it is on the way to a port."""
        return self.weather.setdefault(port, Weather())

    def listen(self, make: Callable[[], Any], host: str, port: int) -> Listener:
        """Take connections at a port; the next free one for 0."""
        if not port:
            self._port += 10
            port = self._port
        if port in self.listeners:
            raise OSError(98, "Address already in use")
        self.listeners[port] = Listener(self, make, port)
        return self.listeners[port]

    def listen_here(self, make: Callable[[], Any], process: Process | None) -> Listener:
        """Take connections at a process's local socket."""
        self.here[process] = Listener(self, make, -1)
        return self.here[process]

    async def connect(self, make: Callable[[], Any], host: str, port: int) -> tuple[End, Any]:
        """Connect to a port of this machine."""
        weather = self.at(port)
        await asyncio.sleep(weather.least_s + self.dice.random() * weather.more_s)
        while weather.black:
            await asyncio.sleep(LOOK_S)
        listener = self.listeners.get(port)
        if listener is None or (listener.process is not None and listener.process.dead):
            raise ConnectionRefusedError(111, "Connection refused")
        return self._linked(make, listener, weather, port)

    async def connect_here(self, make: Callable[[], Any], process: Process) -> tuple[End, Any]:
        """Connect to the local socket of a process."""
        listener = self.here.get(process)
        if listener is None or process.dead:
            raise ConnectionRefusedError(111, "Connection refused")
        return self._linked(make, listener, Weather(), -1)

    def _linked(self, make: Callable[[], Any], listener: Listener, weather: Weather, port: int) -> tuple[End, Any]:
        ours = End(self, weather, port)
        theirs = listener.context.copy().run(End, self, weather, port)
        ours.peer, theirs.peer = theirs, ours
        self.ends[ours] = self.ends[theirs] = port
        self.loop.call_soon(lambda: theirs.begin(listener.make()), context=theirs.context)
        protocol = make()
        ours.begin(protocol)
        return ours, protocol

    def blacken(self, port: int) -> None:
        """Let nothing through to a port any more."""
        self.at(port).black = True

    def heal(self, port: int) -> None:
        """Let through again what was held up."""
        if self.at(port).black:
            self.weather[port].black = False
            for end, to in list(self.ends.items()):
                if to == port:
                    end.heal()

    def cut(self, port: int) -> int:
        """Break every link to a port by a reset; return how many."""
        found = [end for end, to in self.ends.items() if to == port and end.process is not None]
        for end in found:
            end.cut()
        return len(found)

    def lose(self, process: Process) -> None:
        """Close what a process had open, as the system does for one that is killed."""
        for end in [end for end in self.ends if end.process is process]:
            self.ends.pop(end, None)
            end._closing = end._lost = True
            end.peer._send(ConnectionResetError(104, "Connection reset by peer"))
        for port in [port for port, listener in self.listeners.items() if listener.process is process]:
            del self.listeners[port]
        self.here.pop(process, None)
