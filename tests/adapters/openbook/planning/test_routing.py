"""Which routes get a batch: planner and routes agree, whatever both are like."""

from collections import Counter
from random import Random

import pytest
from solders.hash import Hash
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from tests.adapters.openbook.planning.test_limits import SLOTS, check_whole, planned
from tests.rigs.planned import VENUES, staged

from bmv.adapters.openbook.planning.packing import TooLarge
from bmv.adapters.openbook.planning.plan import Part, Plan
from bmv.adapters.openbook.planning.routes import PACKET_BYTES, Form, Route, RouteKind
from bmv.adapters.openbook.planning.routing import Course, Routing, best_course
from bmv.adapters.openbook.planning.tipping import Purpose, Tipping, TipPolicy
from bmv.adapters.solana.sending.attempt import make_attempt
from bmv.adapters.solana.sending.lane import Lane
from bmv.adapters.solana.sending.sender import Age, Way
from bmv.data.landing.model import FLOOR, UNITS

BATCHES = 2_500  # Of each venue, whole and in parts.
JITO_TIPS = tuple(Pubkey.new_unique() for _ in range(8))
RELAY_TIPS = tuple(Pubkey.new_unique() for _ in range(4))
RPC = Route("rpc", after_slots=8, after_s=2.0)
JITO = Route("jito", frozenset({0}), PACKET_BYTES, RouteKind.JITO, JITO_TIPS, 1_000, no_revert=True)
RELAY = Route("relay", frozenset({0, 1}), PACKET_BYTES, RouteKind.RELAY, RELAY_TIPS, 5_000)
OVER = Age(60.0, 150)


async def nothing(transaction: bytes) -> None:
    """Hand bytes to nobody."""


def way_of(route: Route) -> Way:
    return Way(route.name, nothing, Lane(10, 20, 8), 0.4, route.bytes_max, route.versions)


def some_routes(dice: Random) -> list[Route]:
    relay = Route(
        "relay", RELAY.versions, dice.choice([PACKET_BYTES, 2_000, 4_096]), RouteKind.RELAY, RELAY_TIPS, 5_000
    )
    chosen = [route for route in (JITO, relay) if dice.random() < 0.7]
    dice.shuffle(chosen)
    return [*chosen, RPC]


def tips_of(part: Part) -> list[Pubkey]:
    """Return to whom a part pays SOL."""
    return [
        one.accounts[1].pubkey
        for one in part.instructions
        if one.program_id == SYSTEM and one.accounts[1].pubkey in (*JITO_TIPS, *RELAY_TIPS)
    ]


def check_given(part: Part, course: Course, routes: list[Route]) -> None:
    """A part goes to routes that take it, all of them get the same bytes, and one of them a tip, if that."""
    legs = {leg.way: leg for leg in course.legs(part)}
    signed = make_attempt(
        bytes(to_bytes_versioned(part.message(Hash.new_unique()))), bytes(64), 1, False, tuple(legs.values())
    )
    assert "rpc" in legs, "whatever becomes of the others"
    assert len(signed.transaction) == part.size
    for route in routes:
        given = way_of(route).carries(signed, OVER)
        assert given == (route.name in legs)
        if given:
            assert route.takes(part.head.version, part.size)
            assert not route.tips or (part.tip_route == route.name and route.least_tip <= part.tip)
        if part.size > route.bytes_max:
            assert not given
    paid = tips_of(part)
    assert len(paid) == (part.tip > 0) <= bool(part.cancels or part.places)
    assert part.tip <= 60_000


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("venue", VENUES)
def test_a_batch_is_never_given_to_a_route_that_takes_less(venue: str, whole: bool) -> None:
    stage = staged(venue)
    state, dice, seen = stage.state, Random(f"{venue} {whole}"), Counter[str]()
    for serial in range(BATCHES):
        routes = some_routes(dice)
        free = {route.name: dice.random() < 0.6 for route in routes}
        routing = Routing(routes, TipPolicy(most=60_000), lambda: FLOOR, free.__getitem__, whole)
        purpose, version = dice.choice(list(Purpose)), dice.randint(0, 1)
        orders, seed = dice.choice([4, 60]), dice.random()
        kept: dict[Form, tuple] = {}

        def made_for(course: Course, kept: dict = kept, orders: int = orders, seed: float = seed) -> Plan:
            kept[course.form] = planned(stage, Random(seed), course.form, state, course.tipping, orders)
            return kept[course.form][2]

        try:
            made, course = best_course(routing.courses(purpose, version, serial), made_for)
        except TooLarge:
            continue
        batch, own, _ = kept[course.form]
        for part in made.parts:
            check_given(part, course, routes)
            seen[part.tip_route or "none"] += 1
            seen["large"] += part.size > PACKET_BYTES
        check_whole(batch, own, made, SLOTS[venue])

    assert set(seen) == {"jito", "relay", "none", "large"}
    assert not whole or seen["large"] > 300


def test_a_cancel_goes_by_every_route_at_once_and_a_placement_by_each_in_its_time() -> None:
    part_of = {"size": 900, "cancels": {}, "places": {}, "cranks": 0, "settles": False}
    routing = Routing([JITO, RPC], TipPolicy(), lambda: FLOOR)
    for purpose, slots in ((Purpose.CANCEL, 0), (Purpose.RECENTRE, 8)):
        course = routing.courses(purpose, 0, 1)[0]
        tip = course.tipping.lamports(UNITS)  # type: ignore[union-attr]  # Jito is tipped.
        part = Part(head=_head(), instructions=(), tip=tip, tip_route="jito", **part_of)  # type: ignore[arg-type]
        assert [(leg.way, leg.slots) for leg in course.legs(part)] == [("jito", 0), ("rpc", slots)]


def _head():  # type: ignore[no-untyped-def]
    from bmv.adapters.openbook.planning.budget import Head

    return Head(0, Pubkey.default(), UNITS, 0, 0, 0)


def test_without_room_for_a_tip_a_cancel_goes_without_and_by_nodes_alone() -> None:
    routing = Routing([JITO, RELAY, RPC], TipPolicy(), lambda: FLOOR)

    course = routing.courses(Purpose.CANCEL, 1, 1, room=999)[0]

    assert course.tipping is None
    assert [route.name for route in course.routes] == ["rpc"]
    assert course.form == Form(1, 4_096)


@pytest.mark.parametrize(("free", "tipped"), [({"jito"}, "jito"), ({"relay"}, "relay"), (set(), "jito")])
def test_the_tip_is_for_a_route_that_can_be_given_something_now(free: set[str], tipped: str) -> None:
    routing = Routing([JITO, RELAY, RPC], TipPolicy(), lambda: FLOOR, free.__contains__)

    tipping = routing.courses(Purpose.RECENTRE, 0, 1)[0].tipping

    assert tipping is not None
    assert tipping.route == tipped


def test_what_is_worth_more_tips_a_higher_percentile_and_never_more_than_allowed() -> None:
    policy = TipPolicy(cancel=75, recentre=50, refill=25, most=20_000)
    tips = [
        Tipping("jito", JITO_TIPS[0], policy.micro(purpose, FLOOR), 1_000, policy.most).lamports(UNITS)
        for purpose in (Purpose.REFILL, Purpose.RECENTRE, Purpose.CANCEL)
    ]

    assert tips == [1_000, 10_000, 20_000]
    assert policy.micro(Purpose.CANCEL, None) == policy.unknown * 1_000_000 // UNITS
