"""Metrics, health and readiness over HTTP, on this machine only, from a thread of their own.

It takes GET of three paths from whoever is on this machine and says `Host: localhost`, `127.0.0.1` or `[::1]`: a page
in a browser, whose host's name was made to lead here, does not.
"""

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from prometheus_client import CONTENT_TYPE_LATEST

from bmv.adapters.telemetry.pulse import Pulse
from bmv.ports.errors import ConfigError

LOOPBACK = "127.0.0.1"
HOSTS = ("127.0.0.1", "localhost", "[::1]")
REQUEST_S = 2.0  # For a request to come in whole, and for its answer to be taken.
CONNECTIONS_MAX = 8
Answer = tuple[int, str, bytes]  # Status, type, body.


class Exposition:
    """Serves `/metrics`, `/health` and `/ready` while it is entered.

    Args:
        port: On the loopback; 0: any, which is then `port`.
        metrics: Returns all metrics as Prometheus reads them; called from other threads.
        pulse: Whether the session is alive, and ready.
    """

    def __init__(self, port: int, metrics: Callable[[], bytes], pulse: Pulse) -> None:
        self.port = port
        self._metrics, self._pulse = metrics, pulse
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        try:
            self._server = _Server((LOOPBACK, self.port), self.answer)
        except OSError as error:
            raise ConfigError(f"live.metrics_port: {self.port} can't be listened on: {error.strerror}") from None
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="bmv-metrics", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> Answer:
        """Return what is answered to a GET of a path."""
        pulse = self._pulse
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, self._metrics()
        if path == "/health":
            return _json(pulse.alive, {"alive": pulse.alive, "silent_s": round(pulse.silent_s, 1)})
        if path == "/ready":
            why = pulse.why if pulse.alive else f"its loop has not turned for {pulse.silent_s:.0f} s"
            return _json(pulse.ready, {"ready": pulse.ready, "why": why})
        return 404, "text/plain; charset=utf-8", b"expected /metrics, /health or /ready\n"


def _json(well: bool, facts: dict[str, Any]) -> Answer:  # Any: what JSON holds.
    return (200 if well else 503), "application/json", json.dumps(facts).encode() + b"\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # Whoever takes no answer must not hold up the end of a session.
    allow_reuse_address = True
    request_queue_size = CONNECTIONS_MAX

    def __init__(self, address: tuple[str, int], answer: Callable[[str], Answer]) -> None:
        self.answer = answer
        self.free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        super().__init__(address, _Handler)

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any
    ) -> None:  # Any: as the base has it.
        """Take a request into a thread of its own, or close it where too many are under way."""
        if self.free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any
    ) -> None:  # Any: as above.
        """Answer a request, and make room for another."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of whoever went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = REQUEST_S
    server_version, sys_version = "bmv", ""

    def do_GET(self) -> None:
        """Answer a request of somebody on this machine."""
        host = self.headers.get("Host", "").rpartition(":")
        name = host[0] if host[1] and host[2].isdecimal() else self.headers.get("Host", "")
        if name.lower() not in HOSTS:
            status, kind, body = 403, "text/plain; charset=utf-8", b"expected Host: localhost\n"
        else:
            status, kind, body = self.server.answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: what is asked for every few seconds would drown the rest."""
