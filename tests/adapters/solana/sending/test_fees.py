"""What others pay, as a node tells it."""

import asyncio

from solders.pubkey import Pubkey

from bmv.adapters.sandbox.wiring import Settings, make_sandbox
from bmv.adapters.solana.rpc import Rpc, make_client
from bmv.adapters.solana.sending.fees import price_of, read_price


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
