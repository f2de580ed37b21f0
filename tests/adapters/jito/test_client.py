"""Our client of the block engine against the sandbox's, over real connections."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from bmv.adapters.jito import codec
from bmv.adapters.jito.client import JitoClient
from bmv.adapters.jito.codec import Hint, Said
from bmv.adapters.jito.floor import ToldFloor
from bmv.adapters.jito.stream import follow_floor
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.faults import Fault, Faults
from bmv.adapters.sandbox.node import Node
from bmv.adapters.sandbox.relay import TIP_ACCOUNTS, found_accounts
from bmv.adapters.sandbox.rpc_transactions import airdrop
from bmv.adapters.sandbox.runtime import make_runtime
from bmv.adapters.sandbox.view import View
from bmv.data.landing.accounts import JITO_TIP_ACCOUNTS
from bmv.data.landing.model import FLOOR

KEY = Keypair.from_seed(bytes([7]) * 32)
SECRET = "c0ffee00-canary-not-to-be-shown"
REGIONS = ("ny", "tokyo")


@dataclass
class Scene:
    """A node, a client of its Jito, and who pays."""

    node: Node
    client: JitoClient
    chain: Chain

    def tipped(self, lamports: int = 10_000, to: str = JITO_TIP_ACCOUNTS[0]) -> bytes:
        paid = transfer(TransferParams(from_pubkey=KEY.pubkey(), to_pubkey=Pubkey.from_string(to), lamports=lamports))
        blockhash = self.chain.ledger.open.newest_hash
        return bytes(VersionedTransaction(MessageV0.try_compile(KEY.pubkey(), [paid], [], blockhash), [KEY]))

    def on(self, kind: str, **more: object) -> None:
        self.node.view.faults.switch_on(Fault(kind, **more))  # type: ignore[arg-type]

    async def hint(self, bundle: str) -> Hint:
        answer = await self.client.call(codec.inflight_statuses([bundle]))
        return codec.read_hints(answer.result, [bundle])[bundle]


@asynccontextmanager
async def staged(jito_rate: float | None = None):
    chain = Chain(make_runtime())
    view = View(chain, Faults())
    found_accounts(chain)
    chain.land(airdrop(view, KEY.pubkey(), 10**9))
    async with Node(view, jito_rate=jito_rate) as node, httpx.AsyncClient() as http:
        urls = {name: f"{node.rpc_url}/{name}" for name in REGIONS}
        yield Scene(node, JitoClient(http, urls, ("x-jito-auth", SECRET)), chain)


def run(play: Callable[[Scene], Awaitable[None]], jito_rate: float | None = None) -> None:
    async def whole() -> None:
        async with asyncio.timeout(30), staged(jito_rate) as scene:
            await play(scene)

    asyncio.run(whole())


def test_what_is_sent_lands_as_a_bundle_and_its_status_says_so() -> None:
    async def play(scene: Scene) -> None:
        sent = scene.tipped()

        answer = await scene.client.call(codec.send_transaction(sent))
        assert answer.said is Said.TAKEN
        assert await scene.hint(answer.bundle) is Hint.PENDING
        scene.chain.advance()

        assert await scene.hint(answer.bundle) is Hint.LANDED
        assert answer.result in scene.chain.landed

    run(play)


def test_a_bundle_that_landed_may_be_told_invalid() -> None:
    async def play(scene: Scene) -> None:
        answer = await scene.client.call(codec.send_transaction(scene.tipped()))
        scene.chain.advance()
        scene.on("bundle_invalid")

        assert await scene.hint(answer.bundle) is Hint.NOTHING
        assert answer.result in scene.chain.landed

    run(play)


def test_a_bundle_pulled_apart_lands_all_the_same_and_its_status_is_failed() -> None:
    async def play(scene: Scene) -> None:
        scene.on("bundle_apart")
        answer = await scene.client.call(codec.send_transaction(scene.tipped()))
        scene.chain.advance(3)

        assert answer.result in scene.chain.landed
        assert await scene.hint(answer.bundle) is Hint.FAILED

    run(play)


def test_a_dropped_bundle_was_taken() -> None:
    async def play(scene: Scene) -> None:
        scene.on("bundle_drop")
        answer = await scene.client.call(codec.send_transaction(scene.tipped()))
        scene.chain.advance(20)

        assert answer.said is Said.TAKEN
        assert answer.result not in scene.chain.landed

    run(play)


def test_one_call_a_second_a_region_and_the_wait_is_read_from_the_words() -> None:
    async def play(scene: Scene) -> None:
        first = await scene.client.call(codec.tip_accounts())
        second = await scene.client.call(codec.tip_accounts())
        third = await scene.client.call(codec.tip_accounts())
        again = await scene.client._ask(scene.client.regions.each["ny"], codec.tip_accounts())

        assert [first.said, second.said] == [Said.TAKEN] * 2, "two regions"
        assert third.said in (Said.BUSY, Said.TAKEN)
        assert again.said is Said.BUSY
        assert again.wait_s is not None
        assert 0 < again.wait_s <= 1.1

    run(play, jito_rate=1.0)


def test_a_region_that_is_down_is_passed_over() -> None:
    async def play(scene: Scene) -> None:
        await scene.client.measure()
        scene.on("region_down", methods=["ny"])
        said = [(await scene.client.call(codec.tip_accounts())).said for _ in range(4)]

        assert said.count(Said.TAKEN) >= 3

    run(play)


def test_a_region_that_lags_does_not_know_a_young_blockhash_and_another_does() -> None:
    async def play(scene: Scene) -> None:
        scene.chain.advance(10)
        scene.on("region_late", methods=["ny"], blocks=5)
        sent = scene.tipped()

        late = await scene.client._ask(scene.client.regions.each["ny"], codec.send_transaction(sent))
        other = await scene.client._ask(scene.client.regions.each["tokyo"], codec.send_transaction(sent))

        assert "Blockhash not found" in late.words
        assert other.said is Said.TAKEN

    run(play)


def test_the_floor_comes_by_asking_and_by_the_stream() -> None:
    async def play(scene: Scene) -> None:
        asked = await scene.client.floor(scene.node.rpc_url)
        told: list[ToldFloor] = []
        heard = asyncio.Event()

        async def nothing() -> None:
            return None

        def hear(floor: ToldFloor) -> None:
            told.append(floor)
            heard.set()

        follows = asyncio.create_task(
            follow_floor(scene.node.websocket_url + "/api/v1/bundles/tip_stream", nothing, hear)
        )
        await heard.wait()
        follows.cancel()

        assert asked is not None
        assert asked.floor == told[0].floor == FLOOR

    run(play)


def test_the_key_goes_to_the_engine_and_into_no_text_of_ours() -> None:
    async def play(scene: Scene) -> None:
        answers = list((await scene.client.measure()).values())
        scene.on("reset", count=2)
        answers += [await scene.client.call(codec.tip_accounts()) for _ in range(2)]

        assert list(scene.node.keys) == [SECRET] * 2, "those that came through"
        shown = [repr(scene.client), repr(answers), repr(scene.client.regions), str(answers[0].words)]
        assert not any(SECRET in text for text in shown)

    run(play)


@pytest.mark.parametrize(("tip", "taken"), [(4_999, False), (5_000, True)])
def test_a_relay_wants_a_tip_of_its_own(tip: int, taken: bool) -> None:
    async def play(scene: Scene) -> None:
        sent = base64.b64encode(scene.tipped(tip, str(TIP_ACCOUNTS[0]))).decode()
        body = {"jsonrpc": "2.0", "id": 1, "method": "sendTransaction", "params": [sent, {"encoding": "base64"}]}
        async with httpx.AsyncClient() as http:
            answer = (await http.post(scene.node.rpc_url + "/relay", json=body)).json()

        assert ("result" in answer) == taken
        assert (len(scene.chain.landed) == 2) == taken, "an airdrop, and this"

    run(play)


def test_the_engine_cuts_what_is_too_long_and_so_refuses_it() -> None:
    async def play(scene: Scene) -> None:
        answer = await scene.client.call(codec.Call("/api/v1/transactions", "sendTransaction", ["AAAA" * 500]))

        assert answer.said is Said.REFUSED

    run(play)
