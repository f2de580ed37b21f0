"""A client of a sandbox's chain without a socket between: the same calls, the same JSON, at the speed of a function."""

import json

import httpx

from bmv.adapters.sandbox.faults import Faults
from bmv.adapters.sandbox.jsonrpc import RpcError, answer
from bmv.adapters.sandbox.rpc import METHODS, call
from bmv.adapters.sandbox.view import View
from bmv.adapters.sandbox.wiring import World
from bmv.adapters.solana.rpc import Rpc


def rpc_of(world: World, refused: frozenset[str] = frozenset()) -> Rpc:
    """Return a client of a world's chain; methods in `refused` are not known there."""
    view = View(world.chain, Faults())
    methods = {name: method for name, method in METHODS.items() if name not in refused}

    def handle(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        try:
            outcome = call(methods, view, asked["method"], asked["params"])
        except RpcError as error:
            outcome = error
        return httpx.Response(200, json=answer(asked["id"], outcome))

    return Rpc(httpx.AsyncClient(transport=httpx.MockTransport(handle)), "http://chain.test")
