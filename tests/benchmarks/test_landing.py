"""From a decision to bytes handed over, by each route; and what choosing routes and a tip adds to planning."""

import asyncio
import time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from solders.message import to_bytes_versioned
from tests.benchmarks.test_signing import LIMITS, grid
from tests.rigs.planned import Stage, staged
from tests.rigs.roads import configuration
from tests.rigs.trader import habits_of

from bmv.adapters.openbook.planning import v2
from bmv.adapters.openbook.planning.packing import Frame
from bmv.adapters.openbook.planning.plan import Part
from bmv.adapters.openbook.planning.routes import PACKET_BYTES, Route, RouteKind
from bmv.adapters.openbook.planning.routing import Course, Routing
from bmv.adapters.openbook.planning.tipping import Purpose, TipPolicy
from bmv.adapters.openbook.policy.guard import GuardedSigner
from bmv.adapters.openbook.policy.mandate import Moment
from bmv.adapters.openbook.policy.verdict import Approved
from bmv.adapters.openbook.seat.rights import make_policy
from bmv.adapters.sandbox.auction import TIP_ACCOUNTS
from bmv.adapters.sandbox.relay import TIP_ACCOUNTS as RELAY_TIPS
from bmv.adapters.sandbox.wiring import Sandbox, Settings
from bmv.adapters.solana.rpc import make_client
from bmv.adapters.solana.sending.attempt import make_attempt
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.data.landing.model import FLOOR
from bmv.live.routes import open_roads

ROUTING = Routing(
    [Route("jito", frozenset({0}), PACKET_BYTES, RouteKind.JITO, TIP_ACCOUNTS, 1_000), Route("rpc", after_slots=8)],
    TipPolicy(most=60_000),
    lambda: FLOOR,
)
LEVELS = 4  # A grid that fits into 1,232 bytes.


def small(first: int, middle: int) -> list:  # type: ignore[type-arg]  # Of intents.
    whole = grid(first, middle)
    return [whole[0], *whole[1 : 1 + LEVELS], *whole[11 : 11 + LEVELS]]


@pytest.fixture
def stage() -> Stage:
    made = staged("openbook-v2")
    made.do(small(1, 15_000)[1:])
    return made


def planned(stage: Stage, course: Course) -> Part:
    terms = stage.terms(until=stage.world.chain.unix_timestamp + 60)
    frame = Frame(course.form, stage.user.address, stage.frame(course.form).fee, v2.SHAPE, course.tipping)
    plan = v2.PlannerV2(stage.state, stage.seat).plan(small(101, 15_010), stage.own(), stage.events(), terms, frame)
    return plan.parts[0]


def test_routes_and_a_tip_are_chosen(benchmark: BenchmarkFixture) -> None:
    courses = benchmark(ROUTING.courses, Purpose.RECENTRE, 1, 7)

    assert courses[0].tipping is not None


@pytest.mark.parametrize("tips", [False, True])
def test_a_batch_is_planned_with_a_tip_and_without(benchmark: BenchmarkFixture, stage: Stage, tips: bool) -> None:
    with_tip = ROUTING.courses(Purpose.RECENTRE, 0, 7)[0]
    course = with_tip if tips else Course(with_tip.routes, with_tip.form)

    assert (benchmark(planned, stage, course).tip > 0) == tips


@pytest.mark.parametrize("name", ["rpc0", "jito", "relay"])
def test_from_a_decision_to_bytes_handed_over_by_a_route(benchmark: BenchmarkFixture, stage: Stage, name: str) -> None:
    """Planned, judged, signed, and answered for by the sandbox in this process: its time is in it."""
    settings = Settings(venue="openbook-v2", jito_rate=None)
    box = Sandbox(settings, stage.world)
    box.pace.paused = True
    accounts = (*TIP_ACCOUNTS, *RELAY_TIPS)
    guard = GuardedSigner(LocalKey(stage.user.key), make_policy(stage.seat, stage.state, _tipping(), tips=accounts))
    with asyncio.Runner() as runner:

        async def opened():  # type: ignore[no-untyped-def]  # A context and what it gives.
            await box.start()
            client = make_client()
            roads = open_roads(configuration("all", box, 1), client, {}, habits_of(1), time.monotonic)
            return client, roads, await roads.__aenter__()

        client, context, roads = runner.run(opened())
        way = next(way for way in roads.ways if way.name == name)
        route = next(route for route in roads.routing.routes if route.name == name)
        others = [each for each in roads.routing.routes if not each.tips and each is not route]
        routing = Routing([*([route] if route.tips else []), *others, *([] if route.tips else [route])], TipPolicy())
        chain, serial = stage.world.chain, iter(range(10**9))

        async def handed() -> bool:
            course = routing.courses(Purpose.RECENTRE, 0, next(serial))[0]
            part, newest = planned(stage, course), chain.ledger.open.newest_hash
            message = bytes(to_bytes_versioned(part.message(newest, next(serial))))
            verdict = guard.judge(message, Moment(newest, chain.unix_timestamp, 1, 10**6))
            assert isinstance(verdict, Approved), verdict
            attempt = make_attempt(message, await guard.sign(verdict), 1)
            return not (await way.send(attempt, time.monotonic)).refused

        try:
            assert benchmark.pedantic(lambda: runner.run(handed()), rounds=100, warmup_rounds=5)
        finally:
            runner.run(context.__aexit__(None, None, None))
            runner.run(client.aclose())
            runner.run(box.stop())


def _tipping():  # type: ignore[no-untyped-def]  # Limits, with a tip.
    from dataclasses import replace

    return replace(LIMITS, tip_lamports_max=60_000, priority_lamports_max=100_000)
