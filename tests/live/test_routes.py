"""The routes of a configuration, opened against a sandbox."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from tests.rigs.roads import configuration
from tests.rigs.trader import habits_of

from bmv.adapters.config import Config
from bmv.adapters.jito.codec import Answer, Said
from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.wiring import Sandbox, Settings, make_sandbox
from bmv.adapters.solana.rpc import make_client
from bmv.adapters.solana.sending.attempt import Attempt
from bmv.data.landing.accounts import JITO_TIP_ACCOUNTS
from bmv.data.landing.model import FLOOR
from bmv.live.routes import Roads, changed_accounts, open_roads
from bmv.ports.errors import ConfigError

SECRET = "c0ffee00-canary-not-to-be-shown"
ENVIRON = {"BMV_JITO_KEY": SECRET, "BMV_RELAY_KEY": SECRET}
Play = Callable[[Sandbox, Roads], Awaitable[None]]


def keyed(box: Sandbox) -> Config:
    """Return a configuration of all routes, two of which have a key."""
    config = configuration("all", box, 1.0)
    keys = {"jito": ("x-jito-auth", "BMV_JITO_KEY"), "relay": ("authorization", "BMV_RELAY_KEY")}
    routes = [
        route.model_copy(update=dict(zip(("header", "key_env"), keys[route.name], strict=True)))
        if route.name in keys
        else route
        for route in config.live.routes
    ]
    return config.model_copy(update={"live": config.live.model_copy(update={"routes": routes})})


def run(play: Play, environ: dict[str, str] = ENVIRON) -> None:
    async def whole() -> None:
        box = make_sandbox(Settings(jito_rate=None))
        async with asyncio.timeout(60), box, make_client() as client, AsyncExitStack() as opened:
            roads = open_roads(keyed(box), client, environ, habits_of(1.0), time.monotonic)
            await play(box, await opened.enter_async_context(roads))

    asyncio.run(whole())


def test_a_key_goes_with_its_route_and_is_shown_nowhere() -> None:
    async def play(box: Sandbox, roads: Roads) -> None:
        box.node.view.faults.switch_on(Fault("reset", 0.5), Fault("fail", 0.3))
        bytes_of = Attempt("sig", b"\x01" * 200, 10**9)
        said = [repr(await way.send(bytes_of, time.monotonic)) for way in roads.ways for _ in range(4)]

        assert SECRET in box.node.keys
        shown = [*said, repr(roads), repr(roads.ways), repr(keyed(box)), *roads.said]
        assert not any(SECRET in text for text in shown)

    run(play)


def test_a_key_that_is_missing_is_named_by_its_variable() -> None:
    async def play(box: Sandbox, roads: Roads) -> None:
        raise AssertionError("it was opened")

    with pytest.raises(ConfigError, match="jito needs its key in BMV_JITO_KEY"):
        run(play, {})


def test_what_others_tip_is_learnt_and_forgotten_when_nobody_says_so_any_more() -> None:
    async def play(box: Sandbox, roads: Roads) -> None:
        while roads.floor.told is None:
            await asyncio.sleep(0.01)
        assert roads.floor() == FLOOR

        roads.floor.clock = lambda: time.monotonic() + 61
        assert roads.floor() is None

    run(play)


def test_a_list_of_tip_accounts_that_changed_is_said_and_an_engine_that_is_silent_says_nothing() -> None:
    others = Answer(Said.TAKEN, [*JITO_TIP_ACCOUNTS[1:], "somebody"])
    answers = {"ny": others, "tokyo": Answer(Said.TAKEN, list(JITO_TIP_ACCOUNTS)), "london": Answer(Said.UNKNOWN)}

    (line,) = changed_accounts(answers)

    assert line.startswith("ny: ")
    assert "new somebody" in line
    assert f"gone {JITO_TIP_ACCOUNTS[0]}" in line
