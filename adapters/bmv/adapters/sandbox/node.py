"""A node: a view of the chain behind JSON-RPC over HTTP, websocket pubsub and Jito's endpoints, on loopback."""

import asyncio
import json
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.jito import REGIONS, BlockEngine, Limit, floor_json, limited
from bmv.adapters.sandbox.jsonrpc import INTERNAL, INVALID_PARAMS, INVALID_REQUEST, Json, RpcError, answer, parsed
from bmv.adapters.sandbox.pubsub import Pubsub
from bmv.adapters.sandbox.relay import Relay
from bmv.adapters.sandbox.rpc import METHODS, call
from bmv.adapters.sandbox.view import View
from bmv.adapters.sandbox.web import Request, Response, WebServer, json_response

HOST = "127.0.0.1"
MESSAGE_BYTES_MAX = 4096  # A longer message of a client ends its websocket, as on a validator.
OUTBOX_MAX = 10_000  # A client that is that many notifications behind is cut off.
ATTEMPTS = 50  # To find two ports side by side.
CALLS_KEPT = 1_000
JITO = "/api/v1/"
RELAY = "/relay"
TIP_STREAM = "/api/v1/bundles/tip_stream"
TIPS_EVERY_S = 1.0
SILENT_S = 60.0
TOO_MANY = {"code": 429, "message": "Too many requests for a specific RPC call"}


class Node:
    """One endpoint, or two: HTTP and websocket.

    Args:
        view: What it sees.
        ping_s: Seconds between pings to websocket clients; None: none, as on a validator.
        jito_rate: Calls a second that each region of Jito's answers; None: any number.
    """

    def __init__(self, view: View, ping_s: float | None = None, jito_rate: float | None = None) -> None:
        self.view = view
        self.calls: deque[tuple[str, Json]] = deque(maxlen=CALLS_KEPT)  # What clients sent, for tests to look at.
        self.keys: deque[str] = deque(maxlen=CALLS_KEPT)  # With which clients came to Jito, for tests to look at.
        self._jito, self._relay = BlockEngine(view), Relay(view)
        self._limit, self._jito_rate = Limit(jito_rate, time.monotonic), jito_rate or 1.0
        self._pubsub = Pubsub(view)
        self._web = WebServer(self._answer)
        self._ping_s = ping_s
        self._websocket: Server | None = None
        self._connections: set[ServerConnection] = set()
        self.rpc_url = self.websocket_url = ""

    def __repr__(self) -> str:
        lag = f", {self.view.lag} blocks late" if self.view.lag else ""
        return (
            f"<Node {self.rpc_url}: slot {self.view.slot({'commitment': 'processed'})}{lag}, "
            f"{len(self._connections)} websockets, {len(self._pubsub)} subscriptions>"
        )

    async def start(self, port: int = 0) -> None:
        """Listen on `port`, and for websockets on the one after, as clients expect; the system chooses for 0."""
        for attempt in range(ATTEMPTS):
            chosen = await self._web.start(HOST, port)
            try:
                self._websocket = await self._listen(chosen + 1)
                break
            except (OSError, OverflowError):  # That port is another's, or there is none.
                await self._web.stop()
                if port or attempt == ATTEMPTS - 1:
                    raise
        self.rpc_url, self.websocket_url = f"http://{HOST}:{chosen}", f"ws://{HOST}:{chosen + 1}"
        self.view.chain.on_freeze.append(self._pubsub.tell)

    async def _listen(self, port: int) -> Server:
        return await serve(
            self._serve, HOST, port, ping_interval=self._ping_s, max_size=MESSAGE_BYTES_MAX, compression=None
        )

    async def stop(self) -> None:
        """Stop listening and break what is open."""
        with suppress(ValueError):
            self.view.chain.on_freeze.remove(self._pubsub.tell)
        await self._web.stop()
        self.cut()
        if self._websocket is not None:
            self._websocket.close()
            await self._websocket.wait_closed()

    async def __aenter__(self) -> "Node":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def cut(self) -> None:
        """Break every websocket without a farewell."""
        for connection in list(self._connections):
            connection.transport.abort()

    async def _answer(self, request: Request) -> Response:
        """Answer one HTTP request: a call, or several at once."""
        if request.verb == "GET":
            return _page(request, self.view)
        try:
            called = parsed(request.body)
        except RpcError as error:
            return json_response(answer(None, error))
        if isinstance(called, list) and called:
            return _merged([self._answer_one(request, one) for one in called])
        return self._answer_one(request, called)

    def _answer_one(self, request: Request, called: Json) -> Response:
        if not _is_call(called):
            return json_response(answer(None, RpcError(INVALID_REQUEST, "Invalid request")))
        method, params, identity = called["method"], called.get("params"), called.get("id")
        self.calls.append((method, params))
        faults = self.view.faults
        if refused := self._refusal(method, identity) or self._refusal_of_jito(request):
            return refused
        result, headers = self._outcome(request, method, params)
        delay = faults.strike("delay", method)
        return Response(
            json.dumps(answer(identity, result)).encode(),
            headers=headers,
            reset=faults.strike("lose_answer", method) is not None,
            wait_s=delay.seconds if delay else 0.0,
        )

    def _refusal(self, method: str, identity: Json) -> Response | None:
        """Return what goes wrong before a call is done, if anything does."""
        faults = self.view.faults
        if faults.strike("reset", method):
            return Response(reset=True)
        if faults.strike("fail", method):
            return Response(b"Service Unavailable", 503, {"content-type": "text/plain"})
        if (fault := faults.strike("refuse", method)) is not None:
            return _too_many(fault, identity)
        return None

    def _refusal_of_jito(self, request: Request) -> Response | None:
        """Return what Jito does with a call instead of taking it, if anything."""
        region = _region_of(request.path)
        if region is None:
            return None
        if key := request.headers.get("x-jito-auth") or "".join(request.query.get("uuid", ())):
            self.keys.append(key)
        faults = self.view.faults
        if faults.strike("region_down", region):
            return Response(b"Service Unavailable", 503, {"content-type": "text/plain"})
        if silent := faults.strike("jito_silent", region):
            return Response(reset=True, wait_s=silent.seconds or SILENT_S)
        if limit := faults.strike("jito_limit", region):
            return json_response(limited(self._jito_rate, limit.seconds or 1.0), 429)
        body = self._limit.refusal(region)
        return None if body is None else json_response(body, 429)

    def _outcome(self, request: Request, method: str, params: Json) -> tuple[Json | RpcError, dict[str, str]]:
        headers: dict[str, str] = {}

        def outcome() -> Json:
            region = _region_of(request.path)
            if request.path == RELAY:
                return self._relay.call(method, _listed(params))
            if region is None:
                return call(METHODS, self.view, method, params)
            bundle_only = "true" in request.query.get("bundleOnly", ())
            result, more = self._jito.call(method, _listed(params), bundle_only, region)
            headers.update(more)
            return result

        return _settled(outcome), headers

    async def _stream_tips(self, connection: ServerConnection) -> None:
        """Tell the tip floor again and again, until the client leaves."""
        self._connections.add(connection)
        try:
            while True:
                await connection.send(json.dumps(floor_json(self.view.auction.world.floor)))
                await asyncio.sleep(TIPS_EVERY_S)
        except ConnectionClosed:
            pass
        finally:
            self._connections.discard(connection)

    async def _serve(self, connection: ServerConnection) -> None:
        if connection.request is not None and connection.request.path == TIP_STREAM:
            await self._stream_tips(connection)
            return
        outbox: asyncio.Queue[str] = asyncio.Queue(OUTBOX_MAX)

        def send(text: str) -> None:
            try:
                outbox.put_nowait(text)
            except asyncio.QueueFull:
                connection.transport.abort()

        self._connections.add(connection)
        pump = asyncio.create_task(_pump(connection, outbox))
        try:
            async for text in connection:
                self._take(send, text)
        except ConnectionClosed:
            pass
        finally:
            pump.cancel()
            self._connections.discard(connection)
            self._pubsub.forget(send)

    def _take(self, send: Callable[[str], None], text: str | bytes) -> None:
        """Answer one message of a websocket."""
        called = _settled(lambda: parsed(text))
        if not isinstance(called, RpcError) and not _is_call(called):
            called = RpcError(INVALID_REQUEST, "Invalid request")
        if isinstance(called, RpcError):
            send(json.dumps(answer(None, called)))
            return
        method, params = called["method"], called.get("params")
        self.calls.append((method, params))
        result = _settled(lambda: self._pubsub.call(send, method, _listed(params)))
        send(json.dumps(answer(called.get("id"), result)))
        if method == "signatureSubscribe":
            self._pubsub.look_for_signatures()


def _is_call(called: Json) -> bool:
    return isinstance(called, dict) and isinstance(called.get("method"), str)


def _listed(params: Json) -> list[Json]:
    if not isinstance(params, list | None):
        raise RpcError(INVALID_PARAMS, "Invalid params: expected a list")
    return params or []


def _settled(call: Callable[[], Json]) -> Json | RpcError:
    """Return what a call came to, or why it was refused. A bug of ours must not look like a fault of the network."""
    try:
        return call()
    except RpcError as error:
        return error
    except Exception as error:
        traceback.print_exc()
        return RpcError(INTERNAL, f"{type(error).__name__}: {error}")


async def _pump(connection: ServerConnection, outbox: asyncio.Queue[str]) -> None:
    with suppress(ConnectionClosed):
        while True:
            await connection.send(await outbox.get())


def _region_of(path: str) -> str | None:
    """Return which of Jito's regions a path is of, None where it is none of Jito's.

    >>> _region_of("/api/v1/bundles"), _region_of("/ny/api/v1/bundles"), _region_of("/")
    ('', 'ny', None)
    """
    head, found, _ = path.partition(JITO)
    region = head.removeprefix("/")
    return region if found and region in REGIONS else None


def _page(request: Request, view: View) -> Response:
    if request.path == "/health":
        return Response(b"ok", headers={"content-type": "text/plain"})
    if request.path == "/api/v1/bundles/tip_floor":
        return json_response(floor_json(view.auction.world.floor))
    return json_response({"error": f"{request.path}: expected a POST of JSON-RPC"}, 404)


def _too_many(fault: Fault, identity: Json) -> Response:
    body = fault.body or {"jsonrpc": "2.0", "error": TOO_MANY, "id": identity}
    return json_response(body, 429, {"retry-after": f"{fault.seconds:g}"} if fault.seconds else {})


def _merged(responses: list[Response]) -> Response:
    """Return one answer to several calls; the worst of them says how it goes out."""
    broken = next((one for one in responses if one.reset or one.status != 200), None)
    if broken is not None:
        return broken
    wait_s = max(one.wait_s for one in responses)
    return Response(b"[" + b",".join(one.body for one in responses) + b"]", wait_s=wait_s)
