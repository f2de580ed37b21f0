"""The end of the control socket that a session serves: whoever asks slowly, wrongly or not at all costs it nothing."""

import asyncio
import logging
import os
import socket
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from bmv.live.control.place import Place, bind, hold, peer_uid
from bmv.live.control.protocol import REQUEST_MAX, Lines, Request, decode_request, encode_answer, encode_error
from bmv.live.control.steered import Outcome, Steered
from bmv.ports.errors import BmvError, Refused

LOG = logging.getLogger(__name__)
CHUNK = 4_096  # Bytes of one read.


@dataclass(frozen=True, slots=True)
class Patience:
    """How much a session bears.

    Args:
        connections: Most at once; the one that has been idle longest makes room.
        line_s: For a whole line, once somebody is connected or was answered.
        answer_s: For an answer to be taken.
        farewell_s: For answers that are under way when the session ends.
    """

    connections: int = 16
    line_s: float = 10.0
    answer_s: float = 5.0
    farewell_s: float = 2.0


class Control:
    """Serves the control socket while it is entered.

    Entering takes the place: `Refused` where the session already runs. Nothing of a session may begin before that, its
    journal least of all, whose next writer ends the one before: take the place first by `hold`, and say `held`. What is
    asked is done in tasks of the loop that entered it; a request that was begun goes on though whoever asked has gone.

    Args:
        place: Where the socket lies.
        session: What is asked.
        patience: How much it bears.
        held: Whether whoever enters holds the place already, by `hold`, since before the session began.
    """

    def __init__(self, place: Place, session: Steered, patience: Patience | None = None, *, held: bool = False) -> None:
        self.place, self.session = place, session
        self._holding = nullcontext() if held else hold(place)
        self.patience = patience or Patience()
        self.answered = self.refused = self.faults = 0
        self._tasks = set[asyncio.Task[None]]()
        self._idle = dict[asyncio.Task[None], asyncio.StreamWriter]()  # Longest first.
        self._held = ExitStack()
        self._server: asyncio.Server | None = None
        self._ending = False

    def __repr__(self) -> str:
        counts = f"{self.answered} answered, {self.refused} refused, {self.faults} faults"
        return f"<Control {self.place.name}: {len(self._tasks)} connected, {counts}>"

    async def __aenter__(self) -> Self:
        with ExitStack() as held:
            held.enter_context(self._holding)
            listener = held.enter_context(socket.socket(socket.AF_UNIX))
            bind(listener, self.place)
            held.callback(self.place.socket.unlink, missing_ok=True)
            self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=CHUNK)
            self._held = held.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._ending = True
        with self._held:
            self._server.close()
            for writer in self._idle.values():
                writer.transport.abort()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self.patience.farewell_s)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection, or turn it away."""
        uid = peer_uid(writer.get_extra_info("socket"))
        if uid not in (None, 0, os.geteuid()):  # Root may do anything here as it is.
            self.refused += 1
            LOG.warning("control socket: user %s was turned away", uid)
            writer.transport.abort()
            return
        if len(self._tasks) >= self.patience.connections and not self._make_room():
            self.refused += 1
            writer.write(encode_error(Refused(f"{self.patience.connections} requests are under way; try again")))
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _make_room(self) -> bool:
        for task, writer in self._idle.items():
            del self._idle[task]
            self._tasks.discard(task)
            writer.transport.abort()
            task.cancel()
            return True
        return False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes over a connection, line by line, until it ends or is no use."""
        task = asyncio.current_task()
        assert task is not None
        writer.transport.set_write_buffer_limits(high=0)
        lines, waiting = Lines(REQUEST_MAX), list[bytes]()
        try:
            while not self._ending:
                self._idle[task] = writer
                if not waiting:
                    waiting = await self._next(reader, lines)
                self._idle.pop(task, None)
                answer = await self._answer(waiting.pop(0))
                writer.write(answer)
                async with asyncio.timeout(self.patience.answer_s):
                    await writer.drain()
        except BmvError as error:  # A line that does not end: nothing behind it can be understood.
            self.refused += 1
            writer.write(encode_error(error))
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(self.patience.answer_s):
                    await writer.drain()
        except (TimeoutError, OSError, EOFError):
            pass  # Slow, or gone.
        finally:
            self._idle.pop(task, None)
            writer.transport.abort()

    async def _next(self, reader: asyncio.StreamReader, lines: Lines) -> list[bytes]:
        """Return the next lines, one at least; `EOFError` where there is none."""
        async with asyncio.timeout(self.patience.line_s):
            while True:
                data = await reader.read(CHUNK)
                if not data:
                    raise EOFError
                if found := lines.feed(data):
                    return found

    async def _answer(self, line: bytes) -> bytes:
        """Return the line that answers one: never raises but where the session is cancelled."""
        try:
            answer = encode_answer(await self._do(decode_request(line)))
        except BmvError as error:
            self.refused += 1
            return encode_error(error)
        except Exception as error:
            self.faults += 1
            fault = BmvError(f"{type(error).__name__}: {error}; this is a fault of bmv, not yours")
            LOG.exception("control socket: a request failed")
            return encode_error(fault)
        self.answered += 1
        return answer

    async def _do(self, request: Request) -> Any:  # Any: whatever the session answers.
        session = self.session
        match request.name:
            case "status":
                return await session.status()
            case "orders":
                return list(await session.orders())
            case "fills":
                return list(await session.fills(request.limit))
            case "health":
                return await session.health()
            case "pause":
                return _outcome(await session.pause())
            case "resume":
                return _outcome(await session.resume())
            case "rearm":
                return _outcome(await session.rearm())
            case "stop":
                return _outcome(await session.stop(request.mode))
            case "flatten":
                return _outcome(await session.flatten())
            case "set":
                return _outcome(await session.set(request.key, request.value))
        raise AssertionError(request)


def _outcome(outcome: Outcome) -> dict[str, Any]:  # Any: facts of the session.
    return {"done": outcome.done, "message": outcome.message, **outcome.facts}
