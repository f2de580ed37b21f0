"""What clients send that is no call, or none that can be answered: it is refused, and the chain goes on."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import websockets
from scene import Scene, heard, make_chain, paid, signed, staged

from bmv.adapters.sandbox import rpc
from bmv.adapters.sandbox.encodings import TOO_LARGE
from bmv.adapters.sandbox.faults import Faults, fault_of
from bmv.adapters.sandbox.jito import BlockEngine
from bmv.adapters.sandbox.jsonrpc import INVALID_PARAMS, PARSE_ERROR, RpcError, parsed
from bmv.adapters.sandbox.view import View

DEEP = "[" * 3_000
MINT = "So11111111111111111111111111111111111111112"
BAD_CONFIGS: list[Any] = [
    ["x"],
    {"commitment": ["finalized"]},
    {"commitment": "soon"},
    {"encoding": "base32"},
    {"dataSlice": 5},
    {"dataSlice": {"offset": -5, "length": 1}},
    {"minContextSlot": "1"},
]
BAD_FILTERS: list[Any] = [[5], [{}], {"dataSize": 1}, [{"memcmp": {}}], [{"memcmp": {"offset": 0, "bytes": "0"}}]]
BAD_CALLS: list[tuple[str, Any]] = [
    ("getAccountInfo", {"key": MINT}),
    ("getAccountInfo", [MINT, "processed"]),
    ("getMultipleAccounts", [MINT]),
    ("getMinimumBalanceForRentExemption", [-1]),
    ("getMinimumBalanceForRentExemption", [True]),
    ("requestAirdrop", [MINT, 2**64]),
    ("getBlock", ["1"]),
    ("getBlocks", [0, "1"]),
    ("isBlockhashValid", [{}]),
    ("getSignatureStatuses", [5]),
    ("getSignaturesForAddress", [MINT, {"limit": "1"}]),
    ("getRecentPerformanceSamples", ["1"]),
    ("getTokenAccountsByOwner", [MINT, "mint"]),
    ("sendTransaction", ["AA==", {"encoding": ["base64"]}]),
]


def run(play: Callable[[Scene], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(60), staged() as scene:
            await play(scene)

    asyncio.run(whole())


async def call(url: str, method: str, params: Any) -> Any:
    async with httpx.AsyncClient(timeout=20) as http:
        return (await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params})).json()


def code(method: str, params: Any) -> int:
    """Return the error's number that a node answers a call with."""
    with pytest.raises(RpcError) as refused:
        rpc.call(rpc.METHODS, View(make_chain(), Faults()), method, params)
    return refused.value.code


@pytest.mark.parametrize(("method", "params"), BAD_CALLS)
def test_parameters_of_another_type_are_refused_as_such(method: str, params: Any) -> None:
    assert code(method, params) == INVALID_PARAMS


@pytest.mark.parametrize("config", BAD_CONFIGS)
def test_a_configuration_of_another_form_is_refused_as_such(config: Any) -> None:
    assert code("getAccountInfo", [MINT, config]) == INVALID_PARAMS


@pytest.mark.parametrize("filters", BAD_FILTERS)
def test_filters_of_another_form_are_refused_as_such(filters: Any) -> None:
    assert code("getProgramAccounts", [MINT, {"filters": filters}]) == INVALID_PARAMS


@pytest.mark.parametrize(
    ("method", "params"), [("sendTransaction", []), ("sendBundle", [5]), ("getBundleStatuses", [[[5]]])]
)
def test_jito_refuses_parameters_of_another_type(method: str, params: list[Any]) -> None:
    with pytest.raises(RpcError) as refused:
        BlockEngine(View(make_chain(), Faults())).call(method, params, bundle_only=False)
    assert refused.value.code == INVALID_PARAMS


def test_json_that_is_nested_too_deep_is_a_parse_error() -> None:
    async def play(scene: Scene) -> None:
        async with httpx.AsyncClient() as http:
            answered = (await http.post(scene.node.rpc_url, content=DEEP * 40)).json()
        assert answered["error"]["code"] == -32700
        async with websockets.connect(scene.node.websocket_url) as socket:
            await socket.send(DEEP)
            assert json.loads(await socket.recv())["error"]["code"] == -32700

    run(play)


@pytest.mark.parametrize("text", ['{"id": NaN, "method": "getHealth"}', '{"id": 1, "method": "getHealth"', "\xff"])
def test_what_is_no_json_is_a_parse_error(text: str) -> None:
    with pytest.raises(RpcError) as refused:
        parsed(text.encode("latin-1"))
    assert refused.value.code == PARSE_ERROR


def test_no_calls_at_once_are_an_invalid_request() -> None:
    async def play(scene: Scene) -> None:
        async with httpx.AsyncClient() as http:
            answered = (await http.post(scene.node.rpc_url, json=[])).json()
            one = (await http.post(scene.node.rpc_url, json=[{"id": 1, "method": "getHealth"}])).json()
        assert (answered["error"]["code"], answered["id"]) == (-32600, None)
        assert [answer["result"] for answer in one] == ["ok"]

    run(play)


MANY = b"".join(b"x-%d: y\r\n" % number for number in range(200))
CHUNKS = b"transfer-encoding: chunked\r\n\r\n" + b"10\r\n" + bytes(16) + b"\r\n0\r\n\r\n"
BAD_REQUESTS: dict[str, tuple[bytes, int]] = {
    "no first line of HTTP": (b"hello\r\n\r\n", 400),
    "too many headers": (b"POST / HTTP/1.1\r\n" + MANY + b"\r\n", 431),
    "a header that is too long": (b"POST / HTTP/1.1\r\nx: " + b"y" * 200_000 + b"\r\n\r\n", 431),
    "a body in chunks": (b"POST / HTTP/1.1\r\n" + CHUNKS, 411),
    "a length that is none": (b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
    "a length that is too great": (b"POST / HTTP/1.1\r\ncontent-length: 9999999\r\n\r\n" + bytes(300_000), 413),
    "a length beyond all numbers": (b"POST / HTTP/1.1\r\ncontent-length: " + b"9" * 5_000 + b"\r\n\r\n", 413),
}


@pytest.mark.parametrize(("sent", "status"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_request_that_can_not_be_read_is_answered_by_its_status(sent: bytes, status: int) -> None:
    async def play(scene: Scene) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(scene.node.rpc_url).port)
        writer.write(sent)
        writer.write_eof()
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert json.loads(body)["error"]
        assert (await call(scene.node.rpc_url, "getHealth", []))["result"] == "ok"

    run(play)


def test_no_subscription_can_stop_the_chain() -> None:
    async def play(scene: Scene) -> None:
        key = str(scene.first_tokens)
        wrong = [["accountSubscribe", [key, config]] for config in BAD_CONFIGS]
        wrong += [["programSubscribe", [MINT, {"filters": filters}]] for filters in BAD_FILTERS]
        wrong += [["accountSubscribe", {"a": 1}], [5, []], ["accountSubscribe", [5]]]
        async with websockets.connect(scene.node.websocket_url) as socket:
            for method, params in wrong:
                await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
                assert json.loads(await socket.recv())["error"]["code"] in (-32600, -32602), (method, params)
            scene.chain.advance(3)

    run(play)


def test_a_notification_that_base58_can_not_hold_says_so() -> None:
    async def play(scene: Scene) -> None:
        async with websockets.connect(scene.node.websocket_url) as socket:
            asked = [str(scene.first_tokens), {"commitment": "processed"}]
            await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "accountSubscribe", "params": asked}))
            assert "result" in json.loads(await socket.recv())
            moving = signed(scene.first, [scene.moved(1)], await scene.blockhash())
            assert scene.chain.land(moving) is None
            scene.chain.advance()
            [text] = await heard(socket.recv)
        assert json.loads(text)["params"]["result"]["value"]["data"] == TOO_LARGE

    run(play)


def test_a_transaction_that_the_node_knows_to_have_landed_fails_its_preflight() -> None:
    async def play(scene: Scene) -> None:
        moving = signed(scene.first, [paid(scene.first, scene.second.pubkey(), 10**9)], await scene.blockhash())
        text = base64.b64encode(bytes(moving)).decode()
        sent = [text, {"encoding": "base64", "preflightCommitment": "confirmed"}]
        scene.chain.advance()
        for _ in range(2):  # It lands, and a node at confirmed has not heard of it yet.
            assert "result" in await call(scene.node.rpc_url, "sendTransaction", sent)
        scene.chain.advance(2)
        answered = await call(scene.node.rpc_url, "sendTransaction", sent)
        assert answered["error"]["code"] == -32002
        assert answered["error"]["data"]["err"] == "AlreadyProcessed"

    run(play)


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": ["fail"]},
        {"kind": "fail", "share": "1"},
        {"kind": "fail", "count": 1.5},
        {"kind": "fail", "methods": "getSlot"},
        {"kind": "delay", "seconds": float("inf")},
    ],
)
def test_a_fault_of_another_form_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=list(asked)[-1]):
        fault_of(asked)
