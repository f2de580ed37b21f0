"""What a wallet holds, as a sandbox's endpoint says it."""

import asyncio

from bmv.adapters.sandbox.wiring import USER_BASE, USER_LAMPORTS, USER_QUOTE, Settings, make_sandbox
from bmv.adapters.solana.balances import Balances, read_balances
from bmv.adapters.solana.rpc import Rpc, make_client


async def _held() -> Balances:
    async with make_sandbox(Settings()) as box, make_client() as client:
        return await read_balances(Rpc(client, box.node.rpc_url), box.world.user.address)


def test_a_wallet_holds_what_it_was_given() -> None:
    held = asyncio.run(_held())

    assert held.lamports == USER_LAMPORTS
    assert sorted(each.amount for each in held.tokens) == sorted([str(USER_BASE), str(USER_QUOTE)])
    assert held.lines()[0] == "SOL       100"
    assert {each["decimals"] for each in held.table()["tokens"]} == {6, 9}
