"""The control port, and the sandbox as a whole behind its endpoints."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from bmv.adapters.sandbox.wiring import Sandbox, Settings, make_sandbox
from bmv.adapters.solana.endpoints import websocket_of

FAST = Settings(venue="openbook-v1", speed=4)


def run(play: Callable[[Sandbox, httpx.AsyncClient], Awaitable[None]], settings: Settings = FAST) -> None:
    async def whole() -> None:
        async with (
            asyncio.timeout(40),
            make_sandbox(settings) as box,
            httpx.AsyncClient(base_url=box.control.url, timeout=20) as http,
        ):
            await play(box, http)

    asyncio.run(whole())


async def rpc(url: str, method: str, *params: object) -> dict:
    async with httpx.AsyncClient(timeout=20) as http:
        return (await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})).json()


def test_the_chain_goes_on_by_itself_pauses_and_resumes() -> None:
    async def play(box: Sandbox, http: httpx.AsyncClient) -> None:
        begun = box.chain.slot
        while box.chain.slot < begun + 3:
            await asyncio.sleep(0.01)

        paused = (await http.post("/pause")).json()["slot"]
        await asyncio.sleep(0.3)
        assert (await http.get("/")).json()["slot"] == paused
        assert (await http.post("/advance", json={"blocks": 3})).json()["slot"] == paused + 3
        await http.post("/resume")
        while box.chain.slot < paused + 5:
            await asyncio.sleep(0.01)

    run(play)


def test_a_fault_is_switched_on_and_off() -> None:
    async def play(box: Sandbox, http: httpx.AsyncClient) -> None:
        shown = (await http.post("/faults", json={"kind": "fail", "methods": ["getSlot"]})).json()
        assert [fault["kind"] for fault in shown] == ["fail"]
        async with httpx.AsyncClient() as other:
            assert (
                await other.post(box.node.rpc_url, json={"jsonrpc": "2.0", "id": 1, "method": "getSlot"})
            ).status_code == 503
        assert (await http.post("/faults/off")).json() == []
        assert "result" in await rpc(box.node.rpc_url, "getSlot")

    run(play)


def test_a_second_node_lags() -> None:
    async def play(box: Sandbox, http: httpx.AsyncClient) -> None:
        await http.post("/pause")
        node = (await http.post("/node", json={"lag": 5})).json()

        slots = [
            (await rpc(url, "getSlot", {"commitment": "processed"}))["result"]
            for url in (box.node.rpc_url, node["rpc"])
        ]

        assert slots[0] - slots[1] == 5
        assert all(one.websocket_url == websocket_of(one.rpc_url) for one in box.nodes)
        await http.post("/faults", json={"kind": "drop", "node": 1})
        assert [len(one["faults"]) for one in (await http.get("/")).json()["nodes"]] == [0, 1]

    run(play)


def test_a_fork_and_the_dark_by_command() -> None:
    async def play(box: Sandbox, http: httpx.AsyncClient) -> None:
        await http.post("/pause")
        slot = box.chain.slot
        assert "lost" in (await http.post("/fork")).json()
        assert box.chain.slot == slot + 1
        assert (await http.post("/fork", json={"blocks": 9})).status_code == 400
        await http.post("/dark")
        await http.post("/advance", json={"blocks": 7})
        assert (await http.get("/")).json()["dark"]
        assert (await http.post("/light")).json()["slot"] < slot + 7

    run(play)


def test_calls_of_the_control_port_that_make_no_sense_are_refused_in_words() -> None:
    async def play(box: Sandbox, http: httpx.AsyncClient) -> None:
        for path, asked in (
            ("/faults", {"kind": "tea"}),
            ("/faults", {"sort": "drop"}),
            ("/faults", {"kind": "drop", "node": 4}),
            ("/advance", {"blocks": -1}),
            ("/node", {"lag": 99}),
        ):
            response = await http.post(path, json=asked)
            assert response.status_code == 400, path
            assert response.json()["error"]
        assert (await http.post("/tea")).status_code == 404

    run(play)


def test_the_market_is_found_by_its_address_and_its_vaults_hold_what_it_says() -> None:
    async def play(box: Sandbox, http: httpx.AsyncClient) -> None:
        value = (
            await rpc(
                box.node.rpc_url,
                "getAccountInfo",
                str(box.world.market.address),
                {"encoding": "base64", "commitment": "finalized"},
            )
        )["result"]["value"]
        state = box.world.market.state
        held = (
            await rpc(box.node.rpc_url, "getTokenAccountBalance", str(state.coin_vault), {"commitment": "processed"})
        )["result"]["value"]

        assert value["space"] == 388
        assert (
            int(held["amount"])
            == box.world.market.state.coin_deposits_total + box.world.market.state.coin_fees_accrued
            > 0
        )

    run(play, Settings(venue="openbook-v1", speed=0.01))


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_transactions_of_the_market_can_be_read_with_logs_and_called_instructions(venue: str) -> None:
    async def play(box: Sandbox, http: httpx.AsyncClient) -> None:
        url, market = box.node.rpc_url, str(box.world.market.address)
        rows = (await rpc(url, "getSignaturesForAddress", market, {"limit": 5, "commitment": "confirmed"}))["result"]

        shown = (
            await rpc(
                url,
                "getTransaction",
                rows[0]["signature"],
                {"encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 1},
            )
        )["result"]

        assert len(rows) == 5
        assert shown["slot"] == rows[0]["slot"]
        assert shown["meta"]["logMessages"][0].endswith("invoke [1]")
        assert shown["meta"]["err"] is None
        block = (
            await rpc(
                url,
                "getBlock",
                rows[0]["slot"],
                {"maxSupportedTransactionVersion": 1, "transactionDetails": "signatures"},
            )
        )["result"]
        assert rows[0]["signature"] in block["signatures"]

    run(play, Settings(venue=venue, speed=0.01))


def test_a_browsers_page_does_not_reach_the_control_port() -> None:
    async def play(box: Sandbox, http: httpx.AsyncClient) -> None:
        for headers in ({"origin": "https://example.com"}, {"host": "example.com"}):
            assert (await http.post("/faults", json={"kind": "fail"}, headers=headers)).status_code == 403
        assert (await http.get("/")).json()["nodes"][0]["faults"] == []

    run(play)
