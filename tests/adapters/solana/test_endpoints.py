"""Which endpoint is asked: none that wants to be left alone, then the healthiest, then the first."""

import asyncio

import pytest

from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.wiring import Settings, make_sandbox
from bmv.adapters.solana.consensus import Consensus, read_consensus
from bmv.adapters.solana.endpoints import SEND, Endpoint, Endpoints
from bmv.adapters.solana.errors import Lagging, RateLimited
from bmv.adapters.solana.health import COOL_MAX_S, Health
from bmv.adapters.solana.rpc import Rpc, make_client
from bmv.ports.errors import ConfigError


def endpoints() -> tuple[Endpoint, Endpoint, Endpoints]:
    first, second = Endpoint("https://first.example.com", "wss://x"), Endpoint("https://second.example.com", "wss://y")
    return first, second, Endpoints([first, second])


def test_the_first_is_chosen_as_long_as_it_answers() -> None:
    first, second, both = endpoints()
    second.health.note_answer(good=True)

    assert both.choose(0.0) is first
    assert both.choose(0.0, without=first) is second


def test_one_that_fails_is_left_for_one_that_does_not() -> None:
    first, second, both = endpoints()
    for _ in range(3):
        first.health.note_answer(good=False)

    assert both.choose(0.0) is second


def test_one_that_asked_to_be_left_alone_is_left_alone_for_that_long() -> None:
    first, second, both = endpoints()
    first.health.note_limit(100.0, 30.0)

    assert both.choose(120.0) is second
    assert both.choose(131.0) is first


def test_where_all_want_to_be_left_alone_the_one_that_does_for_the_shortest_is_chosen() -> None:
    first, second, both = endpoints()
    first.health.note_limit(100.0, 30.0)
    second.health.note_limit(100.0, 10.0)

    assert both.choose(101.0) is second


def test_no_endpoint_is_left_alone_for_longer_than_is_sane() -> None:
    health = Health()
    health.note_limit(0.0, 1e9)

    assert health.cool_until_s == COOL_MAX_S


def test_endpoints_without_a_reader_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"live\.endpoints: expected at least one"):
        Endpoints([Endpoint("https://a.example.com", "wss://a", (SEND,))])


def test_an_endpoint_never_shows_its_key() -> None:
    endpoint = Endpoint("https://user:pw@a.example.com/secret?api-key=secret", "wss://a/secret")

    assert "secret" not in repr(endpoint)
    assert "pw" not in repr(endpoint)
    assert "secret" not in endpoint.name


def test_consensus_is_asked_and_where_nobody_says_the_slower_rule_is_reckoned_with() -> None:
    async def play() -> None:
        for consensus, expected in (("alpenglow", Consensus.ALPENGLOW), ("tower", Consensus.TOWER)):
            async with make_sandbox(Settings(consensus=consensus)) as box, make_client() as client:
                rpc = Rpc(client, box.node.rpc_url)
                assert await read_consensus(rpc) is expected
                box.node.view.faults.switch_on(Fault("no_certificate", count=1))
                assert await read_consensus(rpc) is Consensus.UNKNOWN
                box.node.view.faults.switch_on(Fault("refuse", count=1))
                assert await read_consensus(rpc) is Consensus.UNKNOWN
        assert Consensus.UNKNOWN.final_slots == Consensus.TOWER.final_slots == 31
        assert Consensus.ALPENGLOW.final_slots == 1

    asyncio.run(play())


def test_too_many_requests_are_told_with_the_wait_that_the_node_asks_for() -> None:
    async def play() -> None:
        async with make_sandbox(Settings()) as box, make_client() as client:
            health = Health()
            rpc = Rpc(client, box.node.rpc_url, health=health)
            box.node.view.faults.switch_on(Fault("refuse", count=1, seconds=7))
            with pytest.raises(RateLimited) as refused:
                await rpc.slot()
            assert refused.value.retry_after_s == 7
            assert health.limited == 1
            assert health.cool_until_s > 0
            assert health.failing == 0

    asyncio.run(play())


def test_a_member_that_lags_answers_that_it_does_and_not_the_past() -> None:
    async def play() -> None:
        async with make_sandbox(Settings()) as box, make_client() as client:
            late = await box.add_node(lag=5)
            newest = await Rpc(client, box.node.rpc_url).slot()
            with pytest.raises(Lagging):
                await Rpc(client, late.rpc_url).accounts([box.world.market.address], least_slot=newest)

    asyncio.run(play())


def test_an_endpoint_that_is_named_twice_is_no_second_opinion() -> None:
    one, same = (Endpoint("http://one.example", "ws://one.example") for _ in range(2))

    assert Endpoints([one, same]).choose(0.0, without=one) is None
