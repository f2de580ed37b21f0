"""A feed over real connections: it says when it is down, and why, and comes up again by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from solders.account import Account
from solders.pubkey import Pubkey
from tests.rigs.feed import go_back

from bmv.adapters.openbook.feed.feed import Feed, Limits, _Change
from bmv.adapters.openbook.feed.follow import Broken
from bmv.adapters.openbook.feed.words import Cause, Doubted, Down, Notice, Up, Update, Word
from bmv.adapters.openbook.v2.market import PROGRAM_ID as V2_PROGRAM_ID
from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.wiring import Sandbox, Settings, make_sandbox
from bmv.adapters.solana.clock import LAST_RESTART
from bmv.adapters.solana.endpoints import Endpoint, Endpoints
from bmv.adapters.solana.programs import UPGRADEABLE, deployment_slot
from bmv.ports.errors import DataError

FAST = Settings(venue="openbook-v2", speed=10)
LIMITS = Limits(stale_s=1.0, stale_slots=30, look_s=0.1, backoff_max_s=0.2)
WITHIN_S = 60.0


class Listener:
    """Hears what a feed says."""

    def __init__(self) -> None:
        self.words: list[Word] = []

    def __call__(self, word: Word) -> None:
        self.words.append(word)

    def count(self, kind: type) -> int:
        return sum(isinstance(word, kind) for word in self.words)

    async def until(self, done: Callable[["Listener"], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not done(self):
                await asyncio.sleep(0.02)

    async def up(self, times: int = 1) -> None:
        await self.until(lambda heard: heard.count(Up) >= times)
        seen = self.count(Update)
        await self.until(lambda heard: heard.count(Update) > seen + 5)

    async def down(self) -> Down:
        await self.until(lambda heard: heard.count(Down) > 0)
        return next(word for word in self.words if isinstance(word, Down))


Play = Callable[[Sandbox, Listener], Awaitable[None]]


def follow(play: Play, settings: Settings = FAST, nodes: int = 1, limits: Limits = LIMITS) -> list[Word]:
    """Follow the market of a sandbox by `nodes` endpoints while `play` does things to it; return what was said."""

    async def whole() -> list[Word]:
        async with make_sandbox(settings) as box:
            ends = [box.node, *[await box.add_node(0) for _ in range(nodes - 1)]]
            endpoints = Endpoints([Endpoint(node.rpc_url, node.websocket_url) for node in ends])
            feed, heard = Feed(box.world.market.address, endpoints, limits, dice=Random(1)), Listener()
            running = asyncio.create_task(feed.run(heard))
            try:
                await heard.up()
                await play(box, heard)
            finally:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running
            return heard.words

    return asyncio.run(whole())


def after_down(words: list[Word]) -> list[Word]:
    """Return what was said between going down and coming up again."""
    down = next(place for place, word in enumerate(words) if isinstance(word, Down))
    rest = words[down + 1 :]
    up = next((place for place, word in enumerate(rest) if isinstance(word, Up)), len(rest))
    return rest[:up]


def test_a_node_that_tells_nothing_while_another_goes_on_is_silent() -> None:
    async def play(box: Sandbox, heard: Listener) -> None:
        box.node.view.faults.switch_on(Fault("silence"))
        assert (await heard.down()).cause is Cause.SILENT
        box.node.view.faults.switch_off()
        await heard.up(times=2)

    words = follow(play, nodes=2)

    assert not [word for word in after_down(words) if isinstance(word, Update)]


def test_a_chain_that_stands_still_everywhere_is_halted() -> None:
    async def play(box: Sandbox, heard: Listener) -> None:
        box.pace.paused = True
        assert (await heard.down()).cause is Cause.HALTED
        box.pace.paused = False
        await heard.up(times=2)

    follow(play, nodes=2)


def test_a_silence_that_nobody_can_explain_is_stale_and_that_there_is_no_second_opinion_is_said() -> None:
    async def play(box: Sandbox, heard: Listener) -> None:
        box.node.view.faults.switch_on(Fault("silence"))
        assert (await heard.down()).cause is Cause.STALE

    words = follow(play)

    assert [word.cause for word in words if isinstance(word, Notice)] == [Cause.STALE]


def test_a_second_endpoint_that_dies_is_told_once_and_the_feed_goes_on() -> None:
    async def play(box: Sandbox, heard: Listener) -> None:
        box.nodes[1].view.faults.switch_on(Fault("fail"))
        await heard.until(lambda heard: heard.count(Notice) > 0)
        seen = heard.count(Update)
        await heard.until(lambda heard: heard.count(Update) > seen + 20)

    words = follow(play, nodes=2)

    assert sum(isinstance(word, Notice) for word in words) == 1
    assert not [word for word in words if isinstance(word, Down)]


def test_a_node_that_lives_far_behind_another_is_left_for_that_one() -> None:
    async def play() -> list[Word]:
        async with make_sandbox(FAST) as box:
            late = await box.add_node(lag=32)
            ends = Endpoints([Endpoint(node.rpc_url, node.websocket_url) for node in (late, box.node)])
            limits = Limits(stale_s=30.0, stale_slots=20, look_s=0.1, backoff_max_s=0.2)
            feed, heard = Feed(box.world.market.address, ends, limits, dice=Random(1)), Listener()
            running = asyncio.create_task(feed.run(heard))
            await heard.up(times=2)
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            assert [word.endpoint for word in heard.words if isinstance(word, Up)] == [late.rpc_url, box.node.rpc_url]
            return heard.words

    assert [word.cause for word in asyncio.run(play()) if isinstance(word, Down)] == [Cause.LAGGING]


def test_a_cut_connection_comes_up_again() -> None:
    async def play(box: Sandbox, heard: Listener) -> None:
        box.node.cut()
        assert (await heard.down()).cause is Cause.CONNECTION
        await heard.up(times=2)

    follow(play)


def test_an_endpoint_of_another_chain_is_told_by_name_and_left_for_one_of_ours() -> None:
    async def play() -> list[Word]:
        async with make_sandbox(FAST) as box, make_sandbox(replace(FAST, start="anew")) as other:
            ends = [Endpoint(node.rpc_url, node.websocket_url) for node in (other.node, box.node)]
            genesis = str(box.chain.genesis)
            feed = Feed(box.world.market.address, Endpoints(ends), LIMITS, dice=Random(1), genesis=genesis)
            heard = Listener()
            running = asyncio.create_task(feed.run(heard))
            await heard.up()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            assert next(word.endpoint for word in heard.words if isinstance(word, Up)) == box.node.rpc_url
            assert str(other.chain.genesis) in next(word.why for word in heard.words if isinstance(word, Down))
            return heard.words

    assert {word.cause for word in asyncio.run(play()) if isinstance(word, Down)} == {Cause.ANOTHER_CHAIN}


def test_a_restart_of_the_cluster_is_told_by_name() -> None:
    async def play(box: Sandbox, heard: Listener) -> None:
        box.chain.put(LAST_RESTART, Account(1, (7).to_bytes(8, "little"), Pubkey.default()))
        assert (await heard.down()).cause is Cause.RESTARTED
        await heard.up(times=2)

    follow(play)


def test_a_restart_of_the_cluster_that_nobody_heard_is_told_when_the_feed_comes_up_again() -> None:
    async def play(box: Sandbox, heard: Listener) -> None:
        box.node.view.faults.switch_on(Fault("silence"))
        assert (await heard.down()).cause is not Cause.RESTARTED
        box.chain.put(LAST_RESTART, Account(1, (7).to_bytes(8, "little"), Pubkey.default()))
        box.node.view.faults.switch_off()
        await heard.up(times=2)

    words = follow(play)

    assert Cause.RESTARTED in {word.cause for word in words if isinstance(word, Down)}


def test_a_chain_that_goes_back_forty_slots_is_told_and_nothing_is_published_in_between() -> None:
    async def play(box: Sandbox, heard: Listener) -> None:
        box.chain.go_dark()
        dark = box.chain.slot
        async with asyncio.timeout(WITHIN_S):
            while box.chain.slot < dark + 40:
                await asyncio.sleep(0.01)
        box.chain.go_on()
        assert (await heard.down()).cause is Cause.WENT_BACK
        await heard.up(times=2)

    words = follow(play)

    assert not [word for word in after_down(words) if isinstance(word, Update)]


def test_a_chain_that_goes_back_to_before_what_was_final_is_followed_again_and_what_was_final_is_doubted() -> None:
    async def play(box: Sandbox, heard: Listener) -> None:
        await heard.until(lambda heard: heard.count(Update) > 40)
        go_back(box.chain, 20)
        assert (await heard.down()).cause is Cause.WENT_BACK
        await heard.up(times=2)

    words = follow(play, replace(FAST, venue="openbook-v1"))

    (doubted,) = [word for word in words if isinstance(word, Doubted) and "went back" in word.why]
    ups = [word.slot for word in words if isinstance(word, Up)]
    assert doubted.after < ups[-1] <= doubted.until


def test_a_chain_that_changes_its_rule_of_finality_is_told_at_the_next_connection() -> None:
    async def play(box: Sandbox, heard: Listener) -> None:
        box.node.view.faults.switch_on(Fault("null_certificate", count=1))
        box.node.cut()
        await heard.up(times=2)
        box.node.cut()
        await heard.up(times=3)

    assert [word.consensus for word in follow(play) if isinstance(word, Up)] == ["alpenglow", "tower", "alpenglow"]


def test_an_account_that_is_no_market_is_an_error_and_no_feed() -> None:
    async def play() -> None:
        async with make_sandbox(FAST) as box:
            end = Endpoints([Endpoint(box.node.rpc_url, box.node.websocket_url)])
            with pytest.raises(DataError, match="there is no such account"):
                await Feed(Pubkey([9] * 32), end).run(lambda word: None)

    asyncio.run(play())


@pytest.mark.parametrize(("known", "exactly"), [(5, True), (7, False)])
def test_only_another_deploy_slot_gives_up_a_connection_also_where_none_was_known(known: int, exactly: bool) -> None:
    change = _Change(known, deployment_slot, Cause.PROGRAM, "deployed anew", exactly=exactly)

    change(Account(2, program_data(5), UPGRADEABLE))
    change(Account(3, program_data(5), UPGRADEABLE))
    with pytest.raises(Broken):
        change(Account(3, program_data(7), UPGRADEABLE))


def test_a_program_that_is_deployed_anew_is_told_by_name_and_nothing_else_that_happens_to_its_account() -> None:
    """The sandbox's double is of a loader that deploys nothing anew, so it is looked at as of the other."""
    code = Pubkey([8] * 32)

    async def play() -> list[Word]:
        async with make_sandbox(FAST) as box:
            real, program = box.chain.account, V2_PROGRAM_ID

            def upgradeable(key: Pubkey, slot: int | None = None) -> Account | None:
                if key == program:
                    return Account(1, (2).to_bytes(4, "little") + bytes(code), UPGRADEABLE, executable=True)
                return real(key, slot)

            box.chain.account = upgradeable  # type: ignore[method-assign]
            box.chain.put(code, Account(10**9, program_data(5), UPGRADEABLE))
            box.chain.advance(3)
            ends = Endpoints([Endpoint(box.node.rpc_url, box.node.websocket_url)])
            feed, heard = Feed(box.world.market.address, ends, LIMITS, dice=Random(1)), Listener()
            running = asyncio.create_task(feed.run(heard))
            await heard.up()
            box.chain.put(code, Account(2 * 10**9, program_data(5), UPGRADEABLE))  # Somebody gave it some SOL.
            box.chain.put(LAST_RESTART, Account(2 * 10**9, bytes(8), Pubkey.default()))
            seen = heard.count(Update)
            await heard.until(lambda heard: heard.count(Update) > seen + 10)
            box.chain.put(code, Account(10**9, program_data(9), UPGRADEABLE))
            await heard.up(times=2)
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            return heard.words

    words = asyncio.run(play())

    (down,) = [word for word in words if isinstance(word, Down)]
    assert down.cause is Cause.PROGRAM
    assert str(V2_PROGRAM_ID) in down.why
    assert "deployed anew at slot 9" in next(
        word.text for word in words if isinstance(word, Notice) and word.cause is Cause.PROGRAM
    )


def program_data(slot: int) -> bytes:
    """Return an account of a program's code that was deployed in a slot."""
    return (3).to_bytes(4, "little") + slot.to_bytes(8, "little") + b"\0" * 33 + b"code"
