"""A line over a websocket: opened, greeted, heard until it ends or falls silent."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from bmv.adapters.prices.line import Line, LineError, retry_after_s
from bmv.adapters.prices.quote import Farewell, Message
from bmv.adapters.prices.settings import NS_PER_S
from bmv.ports.clock import Clock

MESSAGE_BYTES_MAX = 1 << 16
OPEN_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0
QUOTELESS_NS = 120 * NS_PER_S  # Heartbeats may go on when a subscription is dead.

Hear = Callable[[str | bytes], Message]


async def listen(line: Line, clock: Clock, hear: Hear) -> NoReturn:
    """Hear a line until it ends, which is a `LineError`; what `hear` raises for a message ends it too."""
    try:
        async with connect(
            line.address,
            additional_headers=dict(line.headers),
            compression=None,
            max_size=MESSAGE_BYTES_MAX,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            proxy=None if line.is_here else True,
        ) as connection:
            for text in line.venue.greeting(line.symbol):
                await connection.send(text)
            await _hear_all(line, clock, hear, connection)
    except InvalidStatus as error:
        status = error.response.status_code
        wait_s = retry_after_s(status, {name.lower(): value for name, value in error.response.headers.raw_items()})
        raise LineError(f"{line.shown}: answers {status}", wait_s) from None
    except ConnectionClosed as error:
        raise LineError(f"{line.shown}: closed ({error.rcvd.code if error.rcvd else 'without a farewell'})") from None
    except TimeoutError:
        raise LineError(f"{line.shown}: does not answer within {OPEN_TIMEOUT_S:g} s") from None
    except (OSError, ImportError, WebSocketException) as error:  # Their texts may name the address.
        raise LineError(f"{line.shown}: can't be reached ({type(error).__name__})") from None


async def _hear_all(line: Line, clock: Clock, hear: Hear, connection: ClientConnection) -> NoReturn:
    silence = _Silence(line, clock)
    watch = asyncio.create_task(silence.watch(connection))
    try:
        while True:
            message = await connection.recv()
            content = hear(message)
            silence.note(content)
            if isinstance(content, Farewell):
                raise LineError(f"{line.shown}: {content.why}")
    except ConnectionClosed:
        if silence.broken:
            raise LineError(f"{line.shown}: {silence.broken}") from None
        raise
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


class _Silence:
    """Cuts a connection on which nothing, or no quote, was heard for too long, however well its pings are answered."""

    def __init__(self, line: Line, clock: Clock) -> None:
        self._clock, self._limit_ns = clock, int(line.venue.silence_s * NS_PER_S)
        self._heard_ns = self._quoted_ns = clock.now_ns()
        self.broken = ""

    def note(self, content: Message) -> None:
        self._heard_ns = self._clock.now_ns()
        if content is not None:
            self._quoted_ns = self._heard_ns

    async def watch(self, connection: ClientConnection) -> None:
        while not self.broken:
            due_ns = min(self._heard_ns + self._limit_ns, self._quoted_ns + QUOTELESS_NS)
            await self._clock.sleep_until(due_ns)
            now_ns = self._clock.now_ns()
            if now_ns >= self._heard_ns + self._limit_ns:
                self.broken = f"silent for {self._limit_ns // NS_PER_S} s"
            elif now_ns >= self._quoted_ns + QUOTELESS_NS:
                self.broken = f"no quote for {QUOTELESS_NS // NS_PER_S} s"
        connection.transport.abort()
