"""HTTP for the sandbox: just enough of it to carry JSON, on asyncio's streams."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from bmv.adapters.sandbox.jsonrpc import Json

BODY_BYTES_MAX = 1 << 20
REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    413: "Content Too Large",
    429: "Too Many Requests",
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

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port, which the system chooses for 0."""
        self._server = await asyncio.start_server(self._serve, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and break what is open."""
        if self._server is not None:
            self._server.close()
        self.cut()
        if self._server is not None:
            await self._server.wait_closed()

    def cut(self) -> None:
        """Break every connection without a farewell."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while (request := await _read(reader, writer)) is not None:
                response = await self._handler(request)
                if response.wait_s:
                    await asyncio.sleep(response.wait_s)
                if response.reset:
                    writer.transport.abort()
                    return
                writer.write(_head(response) + response.body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # The client is gone, or speaks no HTTP.
        finally:
            self._writers.discard(writer)
            writer.close()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """Return the next request, None when the client has left."""
    line = await reader.readline()
    if not line:
        return None
    verb, target, _ = line.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while head := (await reader.readline()).decode("latin-1").strip():
        name, _, value = head.partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    size = int(headers.get("content-length", 0))
    if not 0 <= size <= BODY_BYTES_MAX:
        writer.write(_head(Response(status=413)))
        return None
    parts = urlsplit(target)
    return Request(verb, parts.path, parse_qs(parts.query), await reader.readexactly(size), headers)


def _head(response: Response) -> bytes:
    headers = {
        "content-type": "application/json",
        "content-length": str(len(response.body)),
        **response.headers,
    }
    lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Error')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
