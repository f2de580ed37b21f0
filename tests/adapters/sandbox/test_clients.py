"""What other people's clients see of a node: solana-py's two, raw websockets and httpx."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import websockets
from scene import MINTED, SOL, Scene, fund, heard, key, make_chain, node_of, paid, signed, staged
from solana.exceptions import SolanaRpcException
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import TxOpts
from solana.rpc.websocket_api import SolanaWsClient
from solders.account import Account
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.rpc.responses import (
    AccountNotification,
    LogsNotification,
    ProgramNotification,
    SignatureNotification,
    SlotNotification,
)
from solders.token.state import TokenAccount
from solders.transaction import VersionedTransaction
from spl.token.constants import TOKEN_PROGRAM_ID

from bmv.adapters.sandbox.auction import TIP_ACCOUNTS
from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.finality import ALPENGLOW, TOWER

BLIND = TxOpts(skip_preflight=True)
FIRM = TxOpts(preflight_commitment=Processed)


def run(play: Callable[[Scene], Awaitable[None]], consensus: Any = TOWER) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20), staged(consensus) as scene:
            await play(scene)

    asyncio.run(whole())


def amount(account: Any) -> int:
    return TokenAccount.from_bytes(bytes(account.data)).amount


def base64_of(transaction: VersionedTransaction) -> str:
    return base64.b64encode(bytes(transaction)).decode()


def test_solana_py_sees_that_it_is_connected() -> None:
    async def play(scene: Scene) -> None:
        assert await scene.rpc.is_connected()

    run(play)


@pytest.mark.parametrize("consensus", [TOWER, ALPENGLOW], ids=lambda one: one.name)
def test_a_balance_is_confirmed_one_block_after_it_was_processed(consensus: Any) -> None:
    async def play(scene: Scene) -> None:
        wallet = key(9).pubkey()

        await scene.rpc.request_airdrop(wallet, SOL)

        assert (await scene.rpc.get_balance(wallet, Processed)).value == SOL
        assert (await scene.rpc.get_balance(wallet, Confirmed)).value == 0
        scene.chain.advance()
        assert (await scene.rpc.get_balance(wallet, Confirmed)).value == SOL

    run(play, consensus)


def test_a_blockhash_says_up_to_which_height_it_may_be_named() -> None:
    async def play(scene: Scene) -> None:
        height = (await scene.rpc.get_block_height(Processed)).value

        value = (await scene.rpc.get_latest_blockhash(Processed)).value

        assert value.last_valid_block_height == height + 150

    run(play)


def test_a_transaction_that_is_sent_has_the_signature_that_it_was_given() -> None:
    async def play(scene: Scene) -> None:
        transaction = signed(scene.first, [scene.moved(1)], await scene.blockhash())

        assert (await scene.rpc.send_transaction(transaction, FIRM)).value == transaction.signatures[0]

    run(play)


@pytest.mark.parametrize(
    ("consensus", "levels"),
    [(TOWER, ["processed", "confirmed", "finalized"]), (ALPENGLOW, ["processed", "finalized", "finalized"])],
)
def test_a_status_grows_firm_as_the_consensus_has_it(consensus: Any, levels: list[str]) -> None:
    async def play(scene: Scene) -> None:
        transaction = signed(scene.first, [scene.moved(1)], await scene.blockhash())
        name = (await scene.rpc.send_transaction(transaction, FIRM)).value
        seen = []

        for blocks in (0, 1, 30):
            scene.chain.advance(blocks)
            status = (await scene.rpc.get_signature_statuses([name])).value[0]
            seen.append(str(status.confirmation_status).rpartition(".")[2].lower())

        assert seen == levels

    run(play, consensus)


def test_solana_py_confirms_a_transaction() -> None:
    async def play(scene: Scene) -> None:
        transaction = signed(scene.first, [scene.moved(1)], await scene.blockhash())
        name = (await scene.rpc.send_transaction(transaction, FIRM)).value
        scene.chain.advance()

        assert (await scene.rpc.confirm_transaction(name, Confirmed)).value[0].err is None

    run(play)


def test_a_token_account_says_what_it_holds() -> None:
    async def play(scene: Scene) -> None:
        value = (await scene.rpc.get_token_account_balance(scene.first_tokens)).value

        assert (value.amount, value.decimals, value.ui_amount_string) == (str(MINTED), 6, "1000")

    run(play)


@pytest.mark.parametrize("encoding", ["base64", "base64+zstd"])
def test_several_accounts_are_read_at_once(encoding: str) -> None:
    async def play(scene: Scene) -> None:
        wanted = [scene.first_tokens, scene.second_tokens, key(77).pubkey()]

        value = (await scene.rpc.get_multiple_accounts(wanted, encoding=encoding)).value

        assert [amount(value[0]), amount(value[1]), value[2]] == [MINTED, 0, None]

    run(play)


def test_an_account_over_128_bytes_is_not_written_in_base58() -> None:
    async def play(scene: Scene) -> None:
        with pytest.raises(RPCException, match="base 58"):
            await scene.rpc.get_multiple_accounts([scene.first_tokens], encoding="base58")

    run(play)


def test_accounts_of_a_program_are_filtered_by_size() -> None:
    async def play(scene: Scene) -> None:
        rows = (await scene.rpc.get_program_accounts(TOKEN_PROGRAM_ID, encoding="base64", filters=[165])).value

        assert {row.pubkey for row in rows} == {scene.first_tokens, scene.second_tokens}

    run(play)


def test_a_transaction_that_would_fail_is_refused_with_its_reason() -> None:
    async def play(scene: Scene) -> None:
        fund(scene.chain, scene.second, lamports=SOL)
        theirs = signed(scene.second, [scene.moved(1, owner=scene.second)], await scene.blockhash())

        with pytest.raises(RPCException) as caught:
            await scene.rpc.send_transaction(theirs, FIRM)

        refusal = caught.value.args[0]
        assert type(refusal).__name__ == "SendTransactionPreflightFailureMessage"
        assert "custom program error: 0x4" in refusal.message

    run(play)


def test_a_blockhash_newer_than_the_commitment_of_the_preflight_is_not_found() -> None:
    async def play(scene: Scene) -> None:
        transaction = signed(scene.first, [scene.moved(1)], await scene.blockhash())

        with pytest.raises(RPCException, match="Blockhash not found"):
            await scene.rpc.send_transaction(transaction, TxOpts(preflight_commitment=Finalized))

    run(play)


def test_a_wrong_signature_is_refused() -> None:
    async def play(scene: Scene) -> None:
        transaction = signed(scene.first, [scene.moved(1)], await scene.blockhash())
        forged = VersionedTransaction.populate(transaction.message, [scene.second.sign_message(b"x")])

        with pytest.raises(RPCException, match="did not pass signature verification"):
            await scene.rpc.send_transaction(forged, FIRM)

    run(play)


async def played_with_subscriptions(scene: Scene, ws: SolanaWsClient) -> tuple[list[Any], dict[str, Any], Any]:
    """Subscribe to everything, move 77 tokens, let three blocks go by; return what came."""
    subscribed = {
        "processed": await ws.account_subscribe(
            pubkey=scene.second_tokens, commitment=Processed, encoding="base64+zstd"
        ),
        "confirmed": await ws.account_subscribe(pubkey=scene.second_tokens, commitment=Confirmed, encoding="base64"),
        "slots": await ws.slot_subscribe(),
        "program": await ws.program_subscribe(
            program_id=TOKEN_PROGRAM_ID, commitment=Processed, encoding="base64", filters=[165]
        ),
        "logs": await ws.logs_subscribe(commitment=Processed),
    }
    instructions = [set_compute_unit_limit(5000), set_compute_unit_price(1000), scene.moved(77)]
    transaction = signed(scene.first, instructions, await scene.blockhash())
    await ws.signature_subscribe(signature=transaction.signatures[0], commitment=Confirmed)
    await scene.rpc.send_transaction(transaction, BLIND)
    scene.chain.advance(3)
    return await heard(ws.recv), subscribed, transaction


def test_solana_py_hears_of_everything_it_subscribed_to() -> None:
    async def play(scene: Scene) -> None:
        async with SolanaWsClient(scene.node.websocket_url) as ws:
            came, subscribed, transaction = await played_with_subscriptions(scene, ws)

        accounts = [
            (one.subscription, amount(one.result.value)) for one in came if isinstance(one, AccountNotification)
        ]
        assert accounts == [
            (subscribed["processed"].subscription_id, 77),
            (subscribed["confirmed"].subscription_id, 77),
        ]
        assert sum(isinstance(one, ProgramNotification) for one in came) == 2
        assert [one.result.value.signature for one in came if isinstance(one, LogsNotification)] == [
            transaction.signatures[0]
        ]
        assert sum(isinstance(one, SlotNotification) for one in came) == 3
        assert sum(isinstance(one, SignatureNotification) for one in came) == 1

    run(play)


def test_identical_subscriptions_share_a_number() -> None:
    async def play(scene: Scene) -> None:
        async with SolanaWsClient(scene.node.websocket_url) as ws:
            wanted = {"pubkey": scene.second_tokens, "commitment": Processed, "encoding": "base64"}

            numbers = {(await ws.account_subscribe(**wanted)).subscription_id for _ in range(2)}

            assert len(numbers) == 1

    run(play)


def test_a_signature_that_has_landed_already_is_notified_at_once() -> None:
    async def play(scene: Scene) -> None:
        transaction = signed(scene.first, [scene.moved(1)], await scene.blockhash())
        await scene.rpc.send_transaction(transaction, FIRM)
        scene.chain.advance()
        async with SolanaWsClient(scene.node.websocket_url) as ws:
            await ws.signature_subscribe(signature=transaction.signatures[0], commitment=Confirmed)

            assert isinstance(await asyncio.wait_for(ws.recv(), 1), SignatureNotification)

    run(play)


def test_what_a_fork_takes_back_is_notified_and_may_be_sent_again() -> None:
    async def play(scene: Scene) -> None:
        async with SolanaWsClient(scene.node.websocket_url) as ws:
            await ws.account_subscribe(pubkey=scene.second_tokens, commitment=Processed, encoding="base64")
            await scene.rpc.send_transaction(signed(scene.first, [scene.moved(77)], await scene.blockhash()), BLIND)
            scene.chain.advance(2)
            again = signed(scene.first, [scene.moved(23)], await scene.blockhash())
            await scene.rpc.send_transaction(again, BLIND)
            scene.chain.advance()

            lost = scene.chain.fork(2)
            scene.chain.advance()

            came = [amount(one.result.value) for one in await heard(ws.recv)]
            assert came == [77, 100, 77]
            assert lost == [str(again.signatures[0])]
            assert (await scene.rpc.get_signature_statuses([again.signatures[0]])).value == [None]
            await scene.rpc.send_transaction(again, BLIND)
            assert (await scene.rpc.get_signature_statuses([again.signatures[0]])).value[0] is not None

    run(play)


def test_solana_py_sees_a_cut_websocket() -> None:
    async def play(scene: Scene) -> None:
        async with SolanaWsClient(scene.node.websocket_url) as ws:
            await ws.slot_subscribe()

            scene.node.cut()

            with pytest.raises(Exception, match=r"(?i)clos|connection"):
                await asyncio.wait_for(ws.recv(), 2)

    run(play)


def test_a_blockhash_that_is_too_old_is_refused_before_and_lost_without_preflight() -> None:
    async def play(scene: Scene) -> None:
        old = signed(scene.first, [paid(scene.first, scene.second.pubkey(), SOL)], await scene.blockhash())
        scene.chain.advance(151)

        with pytest.raises(RPCException, match="BlockhashNotFound"):
            await scene.rpc.send_transaction(old, FIRM)

        name = (await scene.rpc.send_transaction(old, BLIND)).value
        assert (await scene.rpc.get_signature_statuses([name])).value == [None]

    run(play)


def test_too_many_requests_reach_clients_with_the_wait() -> None:
    async def play(scene: Scene) -> None:
        scene.node.view.faults.switch_on(Fault("refuse", seconds=2))

        with pytest.raises(SolanaRpcException):
            await scene.rpc.get_slot()

        async with httpx.AsyncClient() as http:
            response = await http.post(scene.node.rpc_url, json={"jsonrpc": "2.0", "id": 7, "method": "getSlot"})
        assert (response.status_code, response.headers["retry-after"], response.json()["id"]) == (429, "2", 7)
        scene.node.view.faults.switch_off()
        assert (await scene.rpc.get_slot(Finalized)).value > 0

    run(play)


async def ask(http: httpx.AsyncClient, path: str, method: str, *params: Any) -> httpx.Response:
    return await http.post(path, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})


def test_a_bundle_lands_and_says_so() -> None:
    async def play(scene: Scene) -> None:
        tipped = [paid(scene.first, scene.second.pubkey(), SOL), paid(scene.first, TIP_ACCOUNTS[0], 10**6)]
        bundle = base64_of(signed(scene.first, tipped, await scene.blockhash()))
        async with httpx.AsyncClient(base_url=scene.node.rpc_url) as http:
            number = (await ask(http, "/api/v1/bundles", "sendBundle", [bundle], {"encoding": "base64"})).json()[
                "result"
            ]
            scene.chain.advance()

            inflight = await ask(
                http, "/api/v1/getInflightBundleStatuses", "getInflightBundleStatuses", [number, "0" * 64]
            )
            status = await ask(http, "/api/v1/getBundleStatuses", "getBundleStatuses", [number])

        assert [row["status"] for row in inflight.json()["result"]["value"]] == ["Landed", "Invalid"]
        assert status.json()["result"]["value"][0]["confirmation_status"] == "confirmed"

    run(play)


def test_a_bundle_lands_whole_or_changes_nothing_and_costs_nothing() -> None:
    async def play(scene: Scene) -> None:
        blockhash = await scene.blockhash()
        good = signed(
            scene.first,
            [paid(scene.first, scene.second.pubkey(), SOL), paid(scene.first, TIP_ACCOUNTS[1], 10**6)],
            blockhash,
        )
        poor = signed(scene.first, [paid(scene.first, scene.second.pubkey(), 10**15)], blockhash)
        wallets = [scene.first.pubkey(), scene.second.pubkey(), TIP_ACCOUNTS[1]]
        before = [scene.chain.account(one) for one in wallets]
        async with httpx.AsyncClient(base_url=scene.node.rpc_url) as http:
            both = [base64_of(good), base64_of(poor)]
            number = (await ask(http, "/api/v1/bundles", "sendBundle", both, {"encoding": "base64"})).json()["result"]
            scene.chain.advance()
            status = await ask(http, "/api/v1/getInflightBundleStatuses", "getInflightBundleStatuses", [number])

        assert status.json()["result"]["value"][0]["status"] == "Failed"
        assert [scene.chain.account(one) for one in wallets] == before
        assert scene.chain.land(good) is None

    run(play)


def test_a_transaction_for_bundles_only_gets_a_bundle_id() -> None:
    async def play(scene: Scene) -> None:
        tipped = signed(scene.first, [paid(scene.first, TIP_ACCOUNTS[1], 10**6)], await scene.blockhash())
        async with httpx.AsyncClient(base_url=scene.node.rpc_url) as http:
            response = await ask(
                http,
                "/api/v1/transactions?bundleOnly=true",
                "sendTransaction",
                base64_of(tipped),
                {"encoding": "base64"},
            )

        assert len(response.headers["x-bundle-id"]) == 64
        assert response.json()["result"] == str(tipped.signatures[0])

    run(play)


def test_a_bundle_without_a_tip_is_refused() -> None:
    async def play(scene: Scene) -> None:
        bundle = base64_of(
            signed(scene.first, [paid(scene.first, scene.second.pubkey(), SOL)], await scene.blockhash())
        )
        async with httpx.AsyncClient(base_url=scene.node.rpc_url) as http:
            response = await ask(http, "/api/v1/bundles", "sendBundle", [bundle], {"encoding": "base64"})

        assert "tip account" in response.json()["error"]["message"]

    run(play)


def test_every_one_of_a_hundred_transactions_lands() -> None:
    async def play(scene: Scene) -> None:
        blockhash = await scene.blockhash()
        sent = [
            signed(scene.first, [paid(scene.first, scene.second.pubkey(), SOL // 100 + i)], blockhash)
            for i in range(100)
        ]
        async with httpx.AsyncClient(base_url=scene.node.rpc_url) as http:
            for one in sent:
                await ask(http, "/", "sendTransaction", base64_of(one), {"encoding": "base64", "skipPreflight": True})

        assert sum(str(one.signatures[0]) in scene.chain.landed for one in sent) == 100

    run(play)


@pytest.mark.parametrize("encoding", ["base64", "base64+zstd"])
def test_raw_websockets_hear_of_an_account_as_large_as_a_side_of_the_book(encoding: str) -> None:
    async def whole() -> None:
        chain, wallet = make_chain(), key(5).pubkey()
        async with node_of(chain) as (node, _), websockets.connect(node.websocket_url, compression=None) as ws:
            wanted = [str(wallet), {"encoding": encoding, "commitment": "processed"}]
            await ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "accountSubscribe", "params": wanted}))
            assert "result" in json.loads(await ws.recv())
            for i in range(20):
                chain.put(wallet, Account(SOL, i.to_bytes(8, "little") + bytes(90_944), TOKEN_PROGRAM_ID))
                chain.advance()
                message = json.loads(await ws.recv())
                assert message["params"]["result"]["value"]["space"] == 90_952

    asyncio.run(whole())


def test_calls_that_are_no_calls_are_refused_in_words() -> None:
    async def play(scene: Scene) -> None:
        async with httpx.AsyncClient(base_url=scene.node.rpc_url) as http:
            codes = [
                (await http.post("/", content=b"{")).json()["error"]["code"],
                (await http.post("/", json=7)).json()["error"]["code"],
                (await ask(http, "/", "getTea")).json()["error"]["code"],
                (await ask(http, "/", "getBalance", "no key")).json()["error"]["code"],
                (await ask(http, "/", "getBalance")).json()["error"]["code"],
                (await ask(http, "/", "getSlot", {"commitment": "certain"})).json()["error"]["code"],
            ]
            several = await http.post("/", json=[{"jsonrpc": "2.0", "id": i, "method": "getHealth"} for i in range(2)])

        assert codes == [-32700, -32600, -32601, -32602, -32602, -32602]
        assert [one["result"] for one in several.json()] == ["ok", "ok"]

    run(play)
