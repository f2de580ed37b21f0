"""What others pay, as a node tells it."""

import asyncio
from typing import cast

import pytest
from solders.pubkey import Pubkey

from bmv.adapters.sandbox.wiring import Settings, make_sandbox
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import Rpc, make_client
from bmv.adapters.solana.sending.fees import price_of, read_fee, read_price


def test_a_market_where_nobody_pays_is_free_and_a_node_is_asked_for_its_accounts() -> None:
    async def play() -> tuple[int, list[object]]:
        async with make_sandbox(Settings(speed=10)) as box, make_client() as client:
            keys = [Pubkey(bytes([n]) * 32) for n in (1, 2)]
            price = await read_price(Rpc(client, box.node.rpc_url), keys)
            return price, [params for method, params in box.node.calls if method == "getRecentPrioritizationFees"]

    price, asked = asyncio.run(play())

    assert price == 0
    assert asked == [[[str(Pubkey(bytes([n]) * 32)) for n in (1, 2)]]]


def test_one_slot_that_was_dear_is_no_reason_to_pay_and_old_slots_are_none() -> None:
    assert price_of([0] * 49 + [10**9]) == 0
    assert price_of([10**9] * 50 + [5] * 50) == 5
    assert price_of([1, 2, 3, 4]) == 3


class Answering:
    """A node that answers one thing, whatever it is asked."""

    endpoint = "node"

    def __init__(self, answer: object) -> None:
        self.answer = answer

    async def call(self, method: str, *params: object) -> object:
        return self.answer


@pytest.mark.parametrize("answer", [None, 5_000, {}, {"value": 0}, {"value": -5}, {"value": "5000"}, {"value": True}])
def test_a_fee_that_is_no_number_of_lamports_is_no_answer(answer: object) -> None:
    with pytest.raises(EndpointError, match="getFeeForMessage"):
        asyncio.run(read_fee(cast(Rpc, Answering(answer)), b""))


def test_a_node_that_does_not_know_the_blockhash_says_nothing_of_the_fee() -> None:
    assert asyncio.run(read_fee(cast(Rpc, Answering({"value": None})), b"")) is None
