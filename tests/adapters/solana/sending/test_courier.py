"""Attempts carried over real connections to a chain on which things go wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

import pytest
from solders.compute_budget import set_compute_unit_price
from solders.message import MessageV0, MessageV1, TransactionConfig, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.wiring import Sandbox, Settings, make_sandbox
from bmv.adapters.solana.endpoints import Endpoint, Endpoints
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import Rpc, make_client
from bmv.adapters.solana.sending.attempt import Attempt, Fate, State, make_attempt
from bmv.adapters.solana.sending.courier import Courier, Habits

SPEED = 10
QUICK = Habits(resend_s=0.04, look_s=0.04, renew_s=0.1, stale_s=1.0, blind_s=0.5, ask_s=5, cool_s=0.1, rate=100)
Play = Callable[[Sandbox, Courier], Awaitable[None]]
PAYEE = Pubkey(bytes([9]) * 32)
NUMBERS = count(10_000_000)


def run(play: Play, settings: Settings | None = None, lags: Sequence[int] = (), habits: Habits = QUICK) -> None:
    async def whole() -> None:
        async with asyncio.timeout(90), make_sandbox(settings or Settings(speed=SPEED)) as box, make_client() as client:
            nodes = [box.node, *[await box.add_node(lag) for lag in lags]]
            ends = Endpoints([Endpoint(node.rpc_url, node.websocket_url) for node in nodes])
            async with Courier(ends, Rpc(client, box.node.rpc_url), habits).open() as courier:
                await play(box, courier)

    asyncio.run(whole())


async def built(
    box: Sandbox, courier: Courier, version: int = 0, urgent: bool = False, lamports: int = 10**7
) -> Attempt:
    """Return a transfer like no other."""
    young = await courier.blockhash()
    key = box.world.user.key
    pays = transfer(TransferParams(from_pubkey=key.pubkey(), to_pubkey=PAYEE, lamports=lamports))
    number = next(NUMBERS)
    if version:
        config = TransactionConfig(number - 10_000_000, 10_000, 32 << 20)
        message = MessageV1.try_compile(key.pubkey(), [pays], young.hash, config)
    else:
        message = MessageV0.try_compile(
            key.pubkey(), [set_compute_unit_price(number - 10_000_000), pays], [], young.hash
        )
    data = to_bytes_versioned(message)
    return make_attempt(data, bytes(key.sign_message(data)), young.last_height, urgent)


def times_landed(chain: Chain, attempt: Attempt) -> int:
    return sum(landed.signature == attempt.signature for block in chain.ledger.blocks for landed in block.landed)


@pytest.mark.parametrize("consensus", ["alpenglow", "tower"])
@pytest.mark.parametrize("version", [0, 1])
def test_an_attempt_lands_and_is_told_as_it_becomes_final(consensus: str, version: int) -> None:
    async def play(box: Sandbox, courier: Courier) -> None:
        attempt, told = await built(box, courier, version), list[State]()

        fate = await courier.carry(attempt, lambda fate: told.append(fate.state))

        assert fate.state is State.FINALIZED
        assert fate.slot == box.chain.landed[attempt.signature].slot
        assert told[0] is State.SENT
        assert told[-1] is State.FINALIZED
        assert box.chain.block("finalized").slot >= (fate.slot or 0)

    run(play, Settings(speed=SPEED, consensus=consensus))


def test_a_transaction_that_fails_is_told_with_its_error_when_that_is_final() -> None:
    async def play(box: Sandbox, courier: Courier) -> None:
        fate = await courier.carry(await built(box, courier, lamports=10**18))

        assert (fate.state, fate.error) == (State.FAILED, {"InstructionError": [1, {"Custom": 1}]})

    run(play)


def test_every_attempt_lands_once_or_expires_though_sends_and_answers_are_lost_and_blocks_vanish() -> None:
    async def play(box: Sandbox, courier: Courier) -> None:
        box.node.view.faults.switch_on(
            Fault("drop_transaction", 0.6),
            Fault("lose_answer", 0.2),
            Fault("refuse", 0.2, seconds=0),
            Fault("reset", 0.1),
            Fault("late_transaction", 0.3, blocks=150),
            Fault("fork", 0.1),
        )
        attempts = [await built(box, courier) for _ in range(25)]

        fates = await asyncio.gather(*(courier.carry(attempt) for attempt in attempts))

        landed = [times_landed(box.chain, attempt) for attempt in attempts]
        assert [fate.state is State.FINALIZED for fate in fates] == [bool(times) for times in landed]
        assert max(landed) == 1
        assert {fate.state for fate in fates} <= {State.FINALIZED, State.EXPIRED}
        assert sum(landed) > 12

    run(play)


def test_an_attempt_whose_sends_are_all_lost_expires_when_the_final_height_is_past_its_last() -> None:
    async def play(box: Sandbox, courier: Courier) -> None:
        box.node.view.faults.switch_on(Fault("drop_transaction"))
        attempt = await built(box, courier)

        fate = await courier.carry(attempt)

        assert fate.state is State.EXPIRED
        assert fate.sent > 1
        assert box.chain.block("finalized").height > attempt.last_height
        assert times_landed(box.chain, attempt) == 0

    run(play, Settings(speed=40))


def test_a_node_that_lags_lets_no_attempt_expire_that_landed() -> None:
    async def play(box: Sandbox, courier: Courier) -> None:
        late = box.nodes[1]
        box.node.view.faults.switch_on(Fault("fail", methods=["getSignatureStatuses", "getEpochInfo"]))
        attempt = await built(box, courier)

        fate = await courier.carry(attempt)

        assert fate.state is State.FINALIZED
        assert late.view.block({"commitment": "finalized"}).slot >= (fate.slot or 0)

    run(play, lags=[30])


def test_bytes_that_an_endpoint_refuses_land_by_another_and_the_refusal_is_told() -> None:
    async def play(box: Sandbox, courier: Courier) -> None:
        box.nodes[1].view.faults.switch_on(Fault("refuse_version_1"))
        told = list[Fate]()

        fate = await courier.carry(await built(box, courier, version=1), told.append)

        assert fate.state is State.FINALIZED
        assert any("version" in words for one in told for _, words in one.refused)

    run(play, lags=[0])


def test_nobody_to_ask_makes_it_unknown_and_it_is_found_when_somebody_is() -> None:
    async def play(box: Sandbox, courier: Courier) -> None:
        attempt, told = await built(box, courier), list[State]()
        blind = ["getEpochInfo", "getSignatureStatuses", "getLatestBlockhash"]
        box.node.view.faults.switch_on(Fault("fail", methods=blind))

        def hear(fate: Fate) -> None:
            told.append(fate.state)
            if fate.state is State.UNKNOWN:
                assert isinstance(courier.failed(), EndpointError)
                box.node.view.faults.switch_off(["fail"])

        fate = await courier.carry(attempt, hear)

        assert State.UNKNOWN in told
        assert fate.state is State.FINALIZED

    run(play)


def test_a_cancel_leaves_within_two_seconds_while_placements_get_too_many_requests() -> None:
    async def play(box: Sandbox, courier: Courier) -> None:
        placing = [await built(box, courier) for _ in range(30)]
        box.node.view.faults.switch_on(Fault("refuse", methods=["sendTransaction"], seconds=60))
        carried = [asyncio.create_task(courier.carry(attempt)) for attempt in placing]
        while not any(method == "sendTransaction" for method, _ in box.node.calls) or courier._sending:
            await asyncio.sleep(0.02)  # Until all that was on its way is refused.
        box.node.view.faults.switch_off(["refuse"])

        begun = asyncio.get_running_loop().time()
        fate = await courier.carry(await built(box, courier, urgent=True))
        took_s = asyncio.get_running_loop().time() - begun

        assert fate.state is State.FINALIZED
        assert took_s < 2
        assert not any(times_landed(box.chain, attempt) for attempt in placing), "they were asked to wait a minute"
        for task in carried:
            task.cancel()

    run(play)


def test_an_attempt_of_an_earlier_process_is_told_as_it_ended() -> None:
    async def play(box: Sandbox, courier: Courier) -> None:
        attempt = await built(box, courier)
        first = await courier.carry(attempt)
        sent = len([method for method, _ in box.node.calls if method == "sendTransaction"])

        again = await courier.carry(attempt, fate=Fate(State.UNKNOWN))

        assert (again.state, again.slot) == (State.FINALIZED, first.slot)
        assert times_landed(box.chain, attempt) == 1
        assert sent >= 1

    run(play)


def test_a_node_that_has_forgotten_when_an_attempt_may_have_landed_does_not_let_it_expire() -> None:
    async def play(box: Sandbox, courier: Courier) -> None:
        attempt = await built(box, courier)
        landed = await courier.carry(attempt)
        box.pace.paused = True
        for _ in range(1_800):  # More blocks than the chain remembers.
            box.chain.advance()
        box.pace.paused = False
        assert attempt.signature not in box.chain.landed

        carried = asyncio.create_task(courier.carry(attempt, fate=Fate(State.UNKNOWN), send=False))
        await asyncio.sleep(0.5)

        assert landed.state is State.FINALIZED
        assert not carried.done()
        carried.cancel()

    run(play)


def test_a_chain_that_stands_still_and_goes_back_lets_an_attempt_land_once() -> None:
    async def play(box: Sandbox, courier: Courier) -> None:
        box.chain.go_dark()
        carried = asyncio.create_task(courier.carry(attempt := await built(box, courier)))
        for _ in range(40):
            box.pace.step()
        await asyncio.sleep(0.2)
        assert not carried.done()

        box.chain.go_on()

        fate = await carried
        assert (fate.state, times_landed(box.chain, attempt)) == (State.FINALIZED, 1)

    run(play)


def test_a_bug_in_whoever_listens_is_raised_and_not_waited_out() -> None:
    async def play(box: Sandbox, courier: Courier) -> None:
        def trip(fate: Fate) -> None:
            if fate.state is State.FINALIZED:
                raise ZeroDivisionError

        with pytest.raises(RuntimeError, match="stopped working"):
            await courier.carry(await built(box, courier), trip)

    run(play)


def test_a_key_stands_in_no_repr() -> None:
    ends = Endpoints([Endpoint("https://rpc.example.com/?api-key=hush", "wss://rpc.example.com/?api-key=hush")])

    async def play() -> str:
        async with make_client() as client:
            courier = Courier(ends, Rpc(client, "https://rpc.example.com/?api-key=hush"))
            return f"{courier!r} {courier.ways!r} {courier.failed()!r}"

    assert "hush" not in asyncio.run(play())
