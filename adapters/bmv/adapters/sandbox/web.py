"""HTTP for the sandbox: just enough of it to carry JSON, on asyncio's streams."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from bmv.adapters.sandbox.jsonrpc import Json

BODY_BYTES_MAX = 1 << 20
HEADERS_MAX = 100
DIGITS_MAX = 20  # Of a length: Python refuses to read numbers of some thousands.
PARTING_S = 1.0
REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    411: "Length Required",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its verb, path, query and body, and its headers by their name in small letters."""

    verb: str
    path: str
    query: dict[str, list[str]]
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. `reset`: instead of it the connection breaks; `wait_s`: it comes that much later."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    reset: bool = False
    wait_s: float = 0.0


Handler = Callable[[Request], Awaitable[Response]]


def json_response(value: Json, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a response that carries JSON."""
    return Response(json.dumps(value).encode(), status, headers or {})


class WebServer:
    """Serves one handler on a port of loopback, with connections that stay open."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._stopping = asyncio.Event()

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port, which the system chooses for 0."""
        self._server = await asyncio.start_server(self._serve, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and break what is open; whoever waits for a late answer waits no longer."""
        self._stopping.set()
        if self._server is not None:
            self._server.close()
        self.cut()
        if self._server is not None:
            await self._server.wait_closed()

    def cut(self) -> None:
        """Break every connection without a farewell."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while (request := await _read(reader, writer)) is not None:
                response = await self._handler(request)
                if response.wait_s:
                    await self._wait(response.wait_s)
                if response.reset:
                    writer.transport.abort()
                    return
                writer.write(_head(response) + response.body)
                await writer.drain()
        except NotRead as refused:
            await _part(reader, writer, refused.response)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client is gone.
        finally:
            self._writers.discard(writer)
            writer.close()


async def _part(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, response: Response) -> None:
    """Answer last, and take in for a while what still comes: a connection closed on it would lose the answer."""
    with suppress(ConnectionError, TimeoutError):
        writer.write(_head(response) + response.body)
        writer.write_eof()
        async with asyncio.timeout(PARTING_S):
            while await reader.read(1 << 16):
                pass


class NotRead(Exception):
    """A request that is not read to its end."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.response = json_response({"error": reason}, status, {"connection": "close"})


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """Return the next request, None when the client has left."""
    line = await _line(reader)
    if not line:
        return None
    verb, path, query = _target(line)
    headers = await _headers(reader)
    size = _size(headers)
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return Request(verb, path, query, await reader.readexactly(size), headers)


async def _line(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readline()).decode("latin-1").rstrip("\r\n")
    except ValueError:  # Longer than the stream's limit.
        raise NotRead(431, "a line of the head is too long") from None


def _target(line: str) -> tuple[str, str, dict[str, list[str]]]:
    """Return the verb, path and query of a request's first line."""
    try:
        verb, target, _ = line.split(" ", 2)
        parts = urlsplit(target)
    except ValueError:
        raise NotRead(400, "the first line is none of HTTP") from None
    return verb, parts.path, parse_qs(parts.query)


async def _headers(reader: asyncio.StreamReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(HEADERS_MAX):
        line = await _line(reader)
        if not line:
            return headers
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    raise NotRead(431, f"more than {HEADERS_MAX} headers")


def _size(headers: dict[str, str]) -> int:
    """Return how many bytes the body has; one without a length is not read."""
    if "transfer-encoding" in headers:
        raise NotRead(411, "a body needs a content-length; in chunks it is not read")
    text = headers.get("content-length", "0")
    if not text.isascii() or not text.isdigit():
        raise NotRead(400, "content-length is no number")
    if len(text) > DIGITS_MAX or int(text) > BODY_BYTES_MAX:
        raise NotRead(413, f"a body may have {BODY_BYTES_MAX} bytes")
    return int(text)


def _head(response: Response) -> bytes:
    headers = {
        "content-type": "application/json",
        "content-length": str(len(response.body)),
        **response.headers,
    }
    lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Error')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
