"""The control port: faults on and off, forks, a chain that stands still, nodes that lag, by plain HTTP and JSON.

It is no part of a validator. It listens on loopback only, and whoever reaches it may do everything: but no page that a
browser on this machine shows.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.faults import KINDS, fault_of
from bmv.adapters.sandbox.jsonrpc import Json, RpcError, parsed
from bmv.adapters.sandbox.node import HOST, Node
from bmv.adapters.sandbox.pace import Pace
from bmv.adapters.sandbox.web import Request, Response, WebServer, json_response

BLOCKS_MAX = 10_000


class Controlled(Protocol):
    """What the port controls."""

    nodes: list[Node]
    pace: Pace

    @property
    def chain(self) -> Chain:
        """The chain."""
        ...

    async def add_node(self, lag: int) -> Node:
        """Open another endpoint, late by some blocks."""
        ...


class Control:
    """Serves the control port of a sandbox."""

    def __init__(self, sandbox: Controlled) -> None:
        self._sandbox = sandbox
        self._web = WebServer(self._answer)
        self._actions: dict[str, Callable[[Json], Awaitable[Json]]] = {
            "/faults": self._switch_on,
            "/faults/off": self._switch_off,
            "/cut": self._cut,
            "/fork": self._fork,
            "/advance": self._advance,
            "/pause": self._pause,
            "/resume": self._resume,
            "/dark": self._dark,
            "/light": self._light,
            "/node": self._node,
        }
        self.url = ""

    async def start(self, port: int = 0) -> None:
        """Listen; the system chooses the port for 0."""
        self.url = f"http://{HOST}:{await self._web.start(HOST, port)}"

    async def stop(self) -> None:
        """Stop listening."""
        await self._web.stop()

    async def _answer(self, request: Request) -> Response:
        if not _is_local(request):
            return _refused(f"expected a program on this machine, by {HOST} or localhost", 403)
        if request.verb == "GET":
            return json_response(self._state()) if request.path == "/" else _refused("expected GET /", 404)
        action = self._actions.get(request.path)
        if request.verb != "POST" or action is None:
            known = ", ".join(self._actions)
            return _refused(f"{request.verb} {request.path}: expected GET / or POST {known}", 404)
        try:
            asked = parsed(request.body or b"{}")
            if not isinstance(asked, dict):
                raise ValueError(f"expected an object, found {type(asked).__name__}")
            return json_response(await action(asked))
        except (RpcError, ValueError, TypeError) as error:
            return _refused(str(error), 400)

    def _state(self) -> Json:
        chain = self._sandbox.chain
        return {
            "slot": chain.slot,
            "height": chain.height,
            "finalized": chain.block("finalized").slot,
            "unix_timestamp": chain.unix_timestamp,
            "consensus": chain.consensus.name,
            "dark": chain.dark,
            "paused": self._sandbox.pace.paused,
            "nodes": [_node_json(node) for node in self._sandbox.nodes],
            "kinds": KINDS,
        }

    def _chosen(self, asked: Json) -> Node:
        number = asked.pop("node", 0)
        if not isinstance(number, int) or not 0 <= number < len(self._sandbox.nodes):
            raise ValueError(f"node: expected 0 to {len(self._sandbox.nodes) - 1}, found {number}")
        return self._sandbox.nodes[number]

    async def _switch_on(self, asked: Json) -> Json:
        """`{"kind", "share", "count", "methods", "seconds", "body", "node"}`: all but the kind may be left out."""
        node = self._chosen(asked)
        node.view.faults.switch_on(fault_of(asked))
        return node.view.faults.to_json()

    async def _switch_off(self, asked: Json) -> Json:
        """`{"kinds", "node"}`: all kinds where none is named."""
        node = self._chosen(asked)
        node.view.faults.switch_off(asked.get("kinds") or ())
        return node.view.faults.to_json()

    async def _cut(self, asked: Json) -> Json:
        """Break every websocket of a node."""
        self._chosen(asked).cut()
        return {}

    async def _fork(self, asked: Json) -> Json:
        """`{"blocks"}`: let the newest blocks vanish, one where no number is given."""
        return {"lost": self._sandbox.chain.fork(_count(asked, "blocks"))}

    async def _advance(self, asked: Json) -> Json:
        """`{"blocks"}`: let blocks go by at once."""
        for _ in range(_count(asked, "blocks")):
            self._sandbox.pace.step()
        return {"slot": self._sandbox.chain.slot}

    async def _pause(self, asked: Json) -> Json:
        """Open no blocks until resumed."""
        self._sandbox.pace.paused = True
        return {"slot": self._sandbox.chain.slot}

    async def _resume(self, asked: Json) -> Json:
        """Open blocks again."""
        self._sandbox.pace.paused = False
        return {"slot": self._sandbox.chain.slot}

    async def _dark(self, asked: Json) -> Json:
        """Let slots go by in which nothing lands and nothing becomes final."""
        self._sandbox.chain.go_dark()
        return {"slot": self._sandbox.chain.slot}

    async def _light(self, asked: Json) -> Json:
        """Go on after the last final block, with slot numbers that were used before."""
        return {"lost": self._sandbox.chain.go_on(), "slot": self._sandbox.chain.slot}

    async def _node(self, asked: Json) -> Json:
        """`{"lag"}`: open another endpoint, late by so many blocks."""
        return _node_json(await self._sandbox.add_node(_count(asked, "lag", least=0)))


def _refused(reason: str, status: int) -> Response:
    return json_response({"error": reason}, status)


def _is_local(request: Request) -> bool:
    """Say whether a request is no browser's: those name the page they come from, or a host that a page bent here."""
    host = request.headers.get("host", HOST).rsplit(":", 1)[0]
    return "origin" not in request.headers and host in (HOST, "localhost")


def _count(asked: Json, name: str, least: int = 1) -> int:
    number = asked.get(name, 1)
    if not isinstance(number, int) or not least <= number <= BLOCKS_MAX:
        raise ValueError(f"{name}: expected {least} to {BLOCKS_MAX}, found {number}")
    return number


def _node_json(node: Node) -> Json:
    return {
        "rpc": node.rpc_url,
        "websocket": node.websocket_url,
        "lag": node.view.lag,
        "faults": node.view.faults.to_json(),
    }
