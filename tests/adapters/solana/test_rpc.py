"""Whatever an endpoint answers, the client gives what was asked for or a declared error, and shows no secret."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import zstandard
from solders.pubkey import Pubkey

from bmv.adapters.solana.accounts import ACCOUNT_BYTES_MAX, Snapshot, unpack
from bmv.adapters.solana.errors import EndpointError, Lagging, NodeError
from bmv.adapters.solana.rpc import Rpc
from bmv.ports.errors import ConfigError

URL = "https://user:pw@rpc.example.com/v1/path-key?api-key=query-key"
KEYS = [Pubkey(bytes([n]) * 32) for n in (1, 2)]
DATA = bytes(range(200))
ACCOUNT = {
    "lamports": 5,
    "data": [b64encode(zstandard.compress(DATA)).decode(), "base64+zstd"],
    "owner": str(KEYS[1]),
    "executable": False,
    "rentEpoch": 2**64 - 1,
    "space": 200,
}

Answer = Callable[[dict[str, Any]], httpx.Response]


def ask(answer: Answer, *, bytes_max: int = 1 << 20, least_slot: int = 0) -> Snapshot:
    """Ask for two accounts of an endpoint that answers so."""

    async def whole() -> Snapshot:
        transport = httpx.MockTransport(lambda request: answer(json.loads(request.content)))
        async with httpx.AsyncClient(transport=transport) as client:
            return await Rpc(client, URL, bytes_max).accounts(KEYS, least_slot=least_slot)

    return asyncio.run(whole())


def result(value: Any) -> Answer:
    return lambda asked: httpx.Response(200, json={"jsonrpc": "2.0", "id": asked["id"], "result": value})


def accounts(*values: Any, slot: Any = 9) -> Answer:
    return result({"context": {"slot": slot}, "value": list(values)})


def refusal(code: Any) -> Answer:
    error = {"code": code, "message": "no"}
    return lambda asked: httpx.Response(200, json={"jsonrpc": "2.0", "id": asked["id"], "error": error})


def test_accounts_come_with_the_slot_of_their_bank() -> None:
    snapshot = ask(accounts(ACCOUNT, None))

    first = snapshot.accounts[KEYS[0]]
    assert first is not None
    assert (snapshot.slot, first.data, first.lamports, first.owner) == (9, DATA, 5, KEYS[1])
    assert snapshot.accounts[KEYS[1]] is None


def test_one_call_names_all_accounts_how_firm_and_from_which_slot() -> None:
    asked = []

    def answer(call: dict[str, Any]) -> httpx.Response:
        asked.append(call)
        return accounts(None, None)(call)

    ask(answer, least_slot=4)

    (call,) = asked
    options = {"encoding": "base64+zstd", "commitment": "confirmed", "minContextSlot": 4}
    assert (call["method"], call["params"]) == ("getMultipleAccounts", [[str(key) for key in KEYS], options])


def test_a_node_that_ignores_the_encoding_is_understood() -> None:
    plain = {**ACCOUNT, "data": [b64encode(DATA).decode(), "base64"]}

    first = ask(accounts(plain, None)).accounts[KEYS[0]]

    assert first is not None
    assert first.data == DATA


def test_a_lagging_node_is_known_as_one() -> None:
    with pytest.raises(Lagging):
        ask(refusal(-32016))


def test_a_refusal_has_its_code() -> None:
    with pytest.raises(NodeError) as refused:
        ask(refusal(-32602))

    assert refused.value.code == -32602
    assert not isinstance(refused.value, Lagging)


PACKED = zstandard.compress(DATA)
UNUSABLE: list[tuple[Answer, str]] = [
    (lambda asked: httpx.Response(429), "refuses for too many requests"),
    (lambda asked: httpx.Response(500, json={}), "answers 500"),
    (lambda asked: httpx.Response(200, content=b"<html>"), "no JSON"),
    (lambda asked: httpx.Response(200, content=b"[" * 100_000), "no JSON"),
    (lambda asked: httpx.Response(200, json=[]), "no answer to the call"),
    (lambda asked: httpx.Response(200, json={"id": 99, "result": 1}), "no answer to the call"),
    (lambda asked: httpx.Response(200, json={"id": asked["id"]}), "neither a result nor an error"),
    (lambda asked: httpx.Response(200, content=b" " * (2 << 20)), "more than 1048576 bytes"),
    (refusal("x"), "an error without a code"),
    (result(None), "neither slot nor accounts"),
    (result({"value": []}), "neither slot nor accounts"),
    (accounts(), "0 accounts where 2"),
    (accounts(None, None, slot="9"), "a slot that is no number"),
    (accounts({}, None), "lacks a field"),
    (accounts({**ACCOUNT, "owner": "?"}, None), "can't be used"),
    (accounts({**ACCOUNT, "lamports": -1}, None), "lacks a field"),
    (accounts({**ACCOUNT, "space": 201}, None), "201 bytes came with 200"),
    (accounts({**ACCOUNT, "data": ["%%", "base64"]}, None), "no base64"),
    (accounts({**ACCOUNT, "data": ["", "jsonParsed"]}, None), "came in 'jsonParsed'"),
    (accounts({**ACCOUNT, "data": [b64encode(b"none").decode(), "base64+zstd"]}, None), "can't be unpacked"),
    (accounts({**ACCOUNT, "data": [b64encode(PACKED[:-3]).decode(), "base64+zstd"]}, None), "cut off"),
]


@pytest.mark.parametrize(("answer", "why"), UNUSABLE)
def test_what_can_not_be_used_is_a_declared_error(answer: Answer, why: str) -> None:
    with pytest.raises(EndpointError, match=why):
        ask(answer)


def test_an_answer_from_before_the_least_slot_is_not_taken() -> None:
    with pytest.raises(EndpointError, match="slot 9, and 10 was asked for"):
        ask(accounts(None, None), least_slot=10)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
def test_an_endpoint_that_is_away_is_a_declared_error(error: type[httpx.TransportError]) -> None:
    def answer(asked: dict[str, Any]) -> httpx.Response:
        raise error(f"no way to {URL}")

    with pytest.raises(EndpointError) as away:
        ask(answer)

    assert str(away.value).startswith("https://rpc.example.com: ")


@pytest.mark.parametrize(("answer", "why"), UNUSABLE)
def test_no_error_shows_a_key_of_the_endpoint(answer: Answer, why: str) -> None:
    with pytest.raises(EndpointError) as failed:
        ask(answer)

    assert "rpc.example.com" in str(failed.value)
    assert not any(secret in str(failed.value) for secret in ("pw", "path-key", "query-key"))


@pytest.mark.parametrize(
    "url", ["", "rpc.example.com", "ftp://rpc.example.com", "https://", "http://[::1", "http://a:b"]
)
def test_what_is_no_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match=r"endpoint: expected a URL such as https://rpc\.example\.com, found"):
        Rpc(httpx.AsyncClient(), url)


def test_a_small_frame_that_unpacks_without_end_is_not_unpacked() -> None:
    bomb = zstandard.compress(bytes(20 * ACCOUNT_BYTES_MAX))
    assert len(bomb) < 50_000

    with pytest.raises(ValueError, match="an account of more than"):
        unpack(b64encode(bomb).decode(), "base64+zstd")


@pytest.mark.parametrize("size", [None, 0, 5_999, 6_000, 6_001, -1, "6000", 1 << 70])
@pytest.mark.parametrize("says", [True, False])
def test_what_a_node_says_of_an_accounts_size_changes_nothing_of_what_is_unpacked(size: object, says: bool) -> None:
    data = bytes(range(250)) * 24
    packer = zstandard.ZstdCompressor().compressobj(size=len(data) if says else -1)
    packed = packer.compress(data) + packer.flush()

    assert unpack(b64encode(packed).decode(), "base64+zstd", size) == data
    with pytest.raises(ValueError, match="cut off"):
        unpack(b64encode(packed[:-2]).decode(), "base64+zstd", size)
