"""Everything that can go wrong by command, one test a kind: it strikes while it is on, and not before or after."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import websockets
from scene import SOL, fund, key, make_chain, paid, signed
from solders.account import Account
from solders.message import MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox.chain import FIRST_HEIGHT
from bmv.adapters.sandbox.faults import KINDS, Fault, Faults
from bmv.adapters.sandbox.finality import ALPENGLOW, TOWER
from bmv.adapters.sandbox.node import Node
from bmv.adapters.sandbox.pace import Pace
from bmv.adapters.sandbox.view import View

PAYER, OTHER = key(1), key(2).pubkey()
CONFIG = {"encoding": "base64", "skipPreflight": True}


class Stage:
    """A node, and a client of it over HTTP."""

    def __init__(self, node: Node, http: httpx.AsyncClient) -> None:
        self.node, self.http, self.chain = node, http, node.view.chain

    def on(self, kind: str, **choices: Any) -> None:
        self.node.view.faults.switch_on(Fault(kind, **choices))

    async def ask(self, method: str, *params: Any) -> Any:
        response = await self.http.post("/", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        return response.json() if response.headers["content-type"] == "application/json" else response

    async def send(self, lamports: int = SOL) -> VersionedTransaction:
        transaction = signed(PAYER, [paid(PAYER, OTHER, lamports)], self.chain.ledger.open.newest_hash)
        await self.ask("sendTransaction", base64.b64encode(bytes(transaction)).decode(), CONFIG)
        return transaction

    def landed(self, transaction: VersionedTransaction) -> bool:
        return str(transaction.signatures[0]) in self.chain.landed


def run(play: Callable[[Stage], Awaitable[None]], consensus: Any = ALPENGLOW) -> None:
    async def whole() -> None:
        chain = make_chain(consensus)
        fund(chain, PAYER)
        async with (
            asyncio.timeout(20),
            Node(View(chain, Faults(5))) as node,
            httpx.AsyncClient(base_url=node.rpc_url) as http,
        ):
            await play(Stage(node, http))

    asyncio.run(whole())


def test_429s_strike_as_often_as_asked_with_the_body_that_was_given() -> None:
    async def play(stage: Stage) -> None:
        jito = {"jsonrpc": "2.0", "error": {"code": -32097, "message": "Retry after 1606ms"}, "id": None}
        stage.on("refuse", count=2, methods=["getSlot"], seconds=3, body=jito)

        answers = [await stage.ask("getSlot") for _ in range(3)]

        assert answers[:2] == [jito, jito]
        assert "result" in answers[2]
        assert "result" in await stage.ask("getHealth")

    run(play)


def test_a_reset_loses_the_call_and_a_lost_answer_does_not() -> None:
    async def play(stage: Stage) -> None:
        for kind, lands in (("reset", False), ("lose_answer", True)):
            stage.on(kind, count=1)
            transaction = signed(PAYER, [paid(PAYER, OTHER, SOL + lands)], stage.chain.ledger.open.newest_hash)
            with pytest.raises(httpx.TransportError):
                await stage.ask("sendTransaction", base64.b64encode(bytes(transaction)).decode(), CONFIG)
            assert stage.landed(transaction) == lands

    run(play)


def test_a_server_may_be_unavailable() -> None:
    async def play(stage: Stage) -> None:
        stage.on("fail", count=1)

        assert (await stage.ask("getSlot")).status_code == 503
        assert "result" in await stage.ask("getSlot")

    run(play)


def test_answers_come_late() -> None:
    async def play(stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        stage.on("delay", seconds=0.2, count=1)
        begun = loop.time()
        await stage.ask("getSlot")
        assert loop.time() - begun >= 0.2

    run(play)


def test_a_transaction_is_taken_and_never_lands() -> None:
    async def play(stage: Stage) -> None:
        stage.on("drop_transaction", count=1)

        assert [stage.landed(await stage.send(SOL + i)) for i in range(2)] == [False, True]

    run(play)


def test_an_endpoint_refuses_version_1() -> None:
    async def play(stage: Stage) -> None:
        config = TransactionConfig(compute_unit_limit=10_000, loaded_accounts_data_size_limit=1 << 20)
        message = MessageV1.try_compile(
            PAYER.pubkey(), [paid(PAYER, OTHER, SOL)], stage.chain.ledger.open.newest_hash, config
        )
        text = base64.b64encode(bytes(VersionedTransaction(message, [PAYER]))).decode()
        stage.on("refuse_version_1", count=1)

        answers = [await stage.ask("sendTransaction", text, CONFIG) for _ in range(2)]

        assert answers[0]["error"]["code"] == -32602
        assert "result" in answers[1]

    run(play)


@pytest.mark.parametrize(
    ("consensus", "kind", "expected"),
    [
        (ALPENGLOW, None, "certificate"),
        (TOWER, None, "null"),
        (ALPENGLOW, "null_certificate", "null"),
        (ALPENGLOW, "no_certificate", "unknown"),
        (TOWER, "no_certificate", "unknown"),
    ],
)
def test_the_genesis_certificate_is_there_null_or_unknown(consensus: Any, kind: str | None, expected: str) -> None:
    async def play(stage: Stage) -> None:
        if kind:
            stage.on(kind)
        answer = await stage.ask("getAgGenesisCert")

        if expected == "unknown":
            assert answer["error"]["code"] == -32601
        elif expected == "null":
            assert answer["result"] is None
        else:
            assert answer["result"]["block"]["slot"] == stage.chain.first_slot

    run(play, consensus)


async def notified(stage: Stage, blocks: int) -> list[int]:
    """Subscribe to an account that changes in each of some blocks; return the numbers that came."""
    wallet = key(9).pubkey()
    async with websockets.connect(stage.node.websocket_url, compression=None) as ws:
        wanted = [str(wallet), {"encoding": "base64", "commitment": "processed"}]
        await ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "accountSubscribe", "params": wanted}))
        await ws.recv()
        for i in range(1, blocks + 1):
            stage.chain.put(wallet, Account(i, b"", Pubkey.default()))
            stage.chain.advance()
        came = []
        while True:
            try:
                message = json.loads(await asyncio.wait_for(ws.recv(), 0.2))
            except TimeoutError:
                break
            came.append(message["params"]["result"]["value"]["lamports"])
        await asyncio.wait_for(await ws.ping(), 2)  # Whatever is lost, the socket is alive.
        return came


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(None, [1, 2, 3, 4]), ("drop", [2, 3, 4]), ("double", [1, 1, 2, 3, 4]), ("reorder", [2, 1, 3, 4])],
)
def test_notifications_are_dropped_doubled_and_reordered(kind: str | None, expected: list[int]) -> None:
    async def play(stage: Stage) -> None:
        if kind:
            stage.on(kind, count=1)
        assert await notified(stage, 4) == expected

    run(play)


def test_a_silent_stall_answers_pings_and_nothing_else() -> None:
    async def play(stage: Stage) -> None:
        stage.on("silence")
        assert await notified(stage, 5) == []
        stage.node.view.faults.switch_off(["silence"])
        assert await notified(stage, 2) == [1, 2]

    run(play)


def test_a_cut_socket_ends_its_subscriptions() -> None:
    async def play(stage: Stage) -> None:
        async with websockets.connect(stage.node.websocket_url) as ws:
            await ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "slotSubscribe"}))
            await ws.recv()
            assert "1 subscriptions" in repr(stage.node)
            stage.node.cut()
            with pytest.raises(websockets.ConnectionClosed):
                await ws.recv()
        await asyncio.sleep(0.05)
        assert "0 subscriptions" in repr(stage.node)

    run(play)


def test_a_block_vanishes_and_a_leader_misses_its_slot() -> None:
    chain, faults = make_chain(ALPENGLOW), Faults()
    pace = Pace(chain, lambda: None, faults, 1.0)
    faults.switch_on(Fault("fork", count=1), Fault("skip", count=1))
    seen = []

    for _ in range(4):
        seen.append((chain.slot - chain.first_slot, chain.height - FIRST_HEIGHT))
        pace.step()

    assert seen == [(0, 0), (2, 1), (3, 1), (4, 2)]  # The first block is final, a slot is missed, a block vanishes.
    assert faults.to_json() == []


def test_a_lagging_node_is_late_and_does_not_know_a_new_blockhash() -> None:
    async def play(stage: Stage) -> None:
        late = View(stage.chain, Faults(), lag=3)
        before = stage.chain.slot
        stage.chain.advance(5)
        transaction = await stage.send()

        assert late.slot({"commitment": "processed"}) == before + 2
        assert late.slot({"commitment": "finalized"}) == before + 1
        async with Node(late) as node, httpx.AsyncClient(base_url=node.rpc_url) as http:
            other = Stage(node, http)
            newest = signed(PAYER, [paid(PAYER, OTHER, 5 * SOL)], stage.chain.ledger.open.newest_hash)
            text = base64.b64encode(bytes(newest)).decode()
            answer = await other.ask(
                "sendTransaction", text, {"encoding": "base64", "preflightCommitment": "processed"}
            )
            assert answer["error"]["data"]["err"] == "BlockhashNotFound"
            asked = await other.ask("getSlot", {"commitment": "processed", "minContextSlot": stage.chain.slot})
            assert asked["error"]["code"] == -32016
            name = str(transaction.signatures[0])
            assert (await other.ask("getSignatureStatuses", [name]))["result"]["value"] == [None]
            stage.chain.advance(3)
            assert (await other.ask("getSignatureStatuses", [name]))["result"]["value"][0][
                "confirmationStatus"
            ] == "processed"

    run(play)


def test_a_chain_stands_still_and_goes_on_with_slot_numbers_used_before() -> None:
    async def play(stage: Stage) -> None:
        stage.chain.advance()
        final = stage.chain.block("finalized").slot
        stage.chain.go_dark()
        stage.chain.advance(10)
        seen = stage.chain.slot
        transaction = await stage.send()

        assert not stage.landed(transaction)
        assert (await stage.ask("getSlot", {"commitment": "finalized"}))["result"] == final
        stage.chain.go_on()

        assert stage.chain.slot == final + 1 < seen
        assert stage.landed(await stage.send(2 * SOL))
        stage.chain.advance()
        assert (await stage.ask("getSlot", {"commitment": "finalized"}))["result"] == final + 1

    run(play)


def test_faults_strike_by_share_and_alike_for_the_same_seed() -> None:
    def strikes(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.switch_on(Fault("drop", share=0.3))
        return [faults.strike("drop") is not None for _ in range(1000)]

    assert strikes(1) == strikes(1) != strikes(2)
    assert 250 < sum(strikes(1)) < 350


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"kind": "tea"}, "is no fault"),
        ({"kind": "drop", "share": 2}, "0 to 1"),
        ({"kind": "drop", "count": 0}, "at least 1"),
        ({"kind": "delay", "seconds": -1}, "0 to 86400"),
    ],
)
def test_a_fault_that_can_not_be_is_refused_in_words(choices: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault(**choices)


def test_every_kind_says_what_it_does() -> None:
    assert all(text.endswith(".") for text in KINDS.values())
