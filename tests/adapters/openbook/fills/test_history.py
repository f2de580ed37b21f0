"""What a node tells of the past: everything after a slot, oldest first, or a declared error."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.rigs.planned import VENUES, Stage, place, staged

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.fills.fill import Logged
from bmv.adapters.openbook.fills.history import CUT_OFF, read_history
from bmv.adapters.openbook.fills.v2 import OwnFillsV2
from bmv.adapters.openbook.v2.heap import EventHeap
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount
from bmv.adapters.sandbox.faults import Faults
from bmv.adapters.sandbox.rpc import METHODS, call
from bmv.adapters.sandbox.view import View
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import Rpc

Change = Callable[[str, Any], Any]


def read(stage: Stage, after: int, page: int = 1_000, change: Change = lambda method, result: result) -> list[Logged]:
    """Read the history of the market from the sandbox's node, whose results `change` may change."""
    view = View(stage.world.chain, Faults(1))

    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        result = json.loads(json.dumps(call(METHODS, view, asked["method"], asked["params"])))
        return httpx.Response(
            200, json={"jsonrpc": "2.0", "id": asked["id"], "result": change(asked["method"], result)}
        )

    async def whole() -> list[Logged]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await read_history(Rpc(client, "http://node.example.com"), stage.seat.market, after, page=page)

    return asyncio.run(whole())


def acted(venue: str) -> Stage:
    """Return a stage on which we were filled a few times, at once and through the heap, all of it final."""
    stage = staged(venue)
    stage.do([place(1 + at, Side.BID, 14_982 - at, 5) for at in range(3)])
    for size in (1, 2, 6):
        stage.take(Side.ASK, 14_980, size)
    stage.crank()
    stage.world.chain.advance(3)
    return stage


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("page", [1, 2, 3, 1_000])
def test_all_that_landed_after_a_slot_is_told_oldest_first_whatever_the_page(venue: str, page: int) -> None:
    stage = staged(venue)
    after = stage.world.chain.slot
    stage = acted(venue)  # The same chain again, and further.
    landed = [
        (block.slot, one.signature, tuple(one.result.logs))
        for block in stage.world.chain.ledger.blocks
        for one in block.landed
        if stage.seat.market in one.keys and block.slot > after and one.result.error is None
    ]

    history = read(stage, after, page)

    assert [(one.slot, one.logs.signature, one.logs.lines) for one in history] == landed
    assert len(landed) == 4


def test_fills_are_found_after_an_absence_by_history_alone() -> None:
    stage = staged("openbook-v2")
    seat, chain = stage.seat, stage.world.chain
    heap, account = stage.events(), stage.account()
    assert isinstance(heap, EventHeap)
    assert isinstance(account, OpenOrdersAccount)
    reader = OwnFillsV2(
        seat.market,
        stage.state,
        seat.open_orders,
        OwnFillsV2.begin(seat.market, stage.state, seat.open_orders, chain.slot, heap, account),
    )
    chain.advance()
    stage.do([place(1, Side.BID, 14_980, 50)])
    for size in (1, 2, 6):
        stage.take(Side.ASK, 14_980, size)
        stage.crank()
    chain.advance(3)
    heap, account = stage.events(), stage.account()
    assert isinstance(heap, EventHeap)
    assert isinstance(account, OpenOrdersAccount)

    fills = reader.read(chain.slot - 1, heap, account, read(stage, reader.mark.slot)).fills

    assert [(fill.size, fill.client_id) for fill in fills] == [(1, 1), (2, 1), (6, 1)]
    assert reader.check(account) is None


def test_logs_that_a_node_does_not_keep_are_cut_off() -> None:
    def forget(method: str, result: Any) -> Any:
        if method == "getTransaction":
            result["meta"]["logMessages"] = None
        return result

    assert {one.logs.lines for one in read(acted("openbook-v2"), 0, change=forget)} == {CUT_OFF}


HOSTILE: list[tuple[str, Any]] = [
    ("getTransaction", None),
    ("getTransaction", {}),
    ("getTransaction", {"slot": 1, "meta": {"err": None, "logMessages": []}}),
    ("getTransaction", {"slot": 1, "meta": None}),
    ("getTransaction", "x"),
    ("getSignaturesForAddress", None),
    ("getSignaturesForAddress", {"signature": "x"}),
    ("getSignaturesForAddress", [{"signature": "x"}]),
    ("getSignaturesForAddress", [{"signature": "x", "slot": "1", "err": None}]),
    ("getSignaturesForAddress", [{"signature": 1, "slot": 1, "err": None}]),
    ("getSignaturesForAddress", [{"signature": "x", "slot": slot, "err": None} for slot in (1, 2)]),
    ("getSignaturesForAddress", [{"signature": "x", "slot": 7, "err": None}] * 20),
]


@pytest.mark.parametrize(("method", "answer"), HOSTILE)
def test_an_answer_that_cannot_be_used_is_an_error_of_the_endpoint(method: str, answer: Any) -> None:
    def change(asked: str, result: Any) -> Any:
        return answer if asked == method else result

    with pytest.raises(EndpointError, match=r"node\.example\.com"):
        read(acted("openbook-v2"), 0, page=20, change=change)


@pytest.mark.parametrize("lines", ["x", [1], {}])
def test_logs_that_are_no_lines_are_an_error_of_the_endpoint(lines: Any) -> None:
    def change(method: str, result: Any) -> Any:
        if method == "getTransaction":
            result["meta"]["logMessages"] = lines
        return result

    with pytest.raises(EndpointError):
        read(acted("openbook-v2"), 0, change=change)
