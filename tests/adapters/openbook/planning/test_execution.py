"""A plan, carried out on the sandbox, leaves exactly what was wanted: random books, random batches, every part."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.rigs.planned import CANCEL_ALL, VENUES, Stage, cancel, place, staged

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.planning.orders import Refused
from bmv.adapters.openbook.planning.plan import Plan
from bmv.ports.messages import Intent, Verb

CENTRE = 15_000
STAGES = {venue: staged(venue) for venue in VENUES}
STARTS = {venue: stage.snapshot() for venue, stage in STAGES.items()}
often = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def stage_of(venue: str) -> Stage:
    """Return the stage as it was at the beginning."""
    STAGES[venue].restore(STARTS[venue])
    return STAGES[venue]


@st.composite
def grids(draw: st.DrawFn, first: int, most: int = 9) -> list[Intent]:
    """Return orders around some centre, which do not cross each other; sizes in lots."""
    centre = CENTRE + draw(st.integers(-30, 30))
    sides = [(Side.BID, draw(st.integers(0, most))), (Side.ASK, draw(st.integers(0, most)))]
    steps = draw(st.integers(1, 4))
    return [
        place(first + at + 100 * side, side, centre + (steps * (at + 1)) * (-1 if side is Side.BID else 1), 1 + at % 5)
        for side, n in sides
        for at in range(n)
    ]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Intent], list[tuple[Side, int]], list[Intent], bool]:
    """Return what we had, who took of it, what we want now, and whether to settle."""
    before = draw(grids(1))
    takes = draw(st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 12)), max_size=3))
    after = draw(grids(1_001, 11))
    gone = draw(
        st.one_of(
            st.just([CANCEL_ALL]),
            st.lists(st.sampled_from(before).map(lambda one: cancel(one.order)), max_size=20)
            if before
            else st.just([]),
        )
    )
    return before, takes, [*gone, *after], draw(st.booleans())


def wanted_after(stage: Stage, batch: Sequence[Intent], plan: Plan) -> list[tuple[int, ...]]:
    """Return what is to rest: what we have and do not cancel, and what is placed; read before the plan is carried out."""
    cancels_all = any(one.verb == Verb.CANCEL_ALL for one in batch)
    named = {one.order for one in batch if one.verb == Verb.CANCEL}
    numbers = {order_id: number for number, order_id in stage.order_ids.items()}
    stay = [
        (one.side, one.price_lots, one.size_lots, one.client_order_id)
        for one in stage.resting()
        if not cancels_all and numbers.get(one.order_id, one.client_order_id) not in named
    ]
    ids = {at: client_id for part in plan.parts for at, client_id in part.places.items()}
    new = [(Side.BID if batch[at].side > 0 else Side.ASK, batch[at].price, batch[at].size, ids[at]) for at in ids]
    return sorted(stay + new)


def now(stage: Stage) -> list[tuple[int, ...]]:
    return sorted((one.side, one.price_lots, one.size_lots, one.client_order_id) for one in stage.resting())


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("version", [1, 0])
@often
@given(scene=scenes())
def test_a_plan_leaves_what_was_wanted_and_nothing_else_of_ours(
    venue: str, version: int, scene: tuple[list[Intent], list[tuple[Side, int]], list[Intent], bool]
) -> None:
    before, takes, batch, withdraw = scene
    stage = stage_of(venue)
    stage.do(before, version)
    for side, size in takes:
        stage.take(side, CENTRE * 2 if side is Side.BID else 1, size)
    plan = stage.plan(batch, version, stage.terms(withdraw=withdraw))
    wanted = wanted_after(stage, batch, plan)
    kept = {one.order_id for one in stage.own().resting} - {one for part in plan.parts for _, one in part.cancels}

    for part in plan.parts:
        assert stage.land(part) is None
        bids, asks = ([one.price_lots for one in stage.resting() if one.side is side] for side in Side)
        assert not bids or not asks or max(bids) < min(asks)

    assert now(stage) == wanted
    assert kept <= {one.order_id for one in stage.resting()}
    placed = {at for part in plan.parts for at in part.places}
    asked = {at for at, one in enumerate(batch) if one.verb == Verb.PLACE}
    assert placed | {at for at in plan.refused if at in asked} == asked
    assert not placed & plan.refused.keys()
    assert set(plan.refused.values()) <= {Refused.CROSSES_OWN, Refused.NOT_RESTING, Refused.NO_SLOT}


@pytest.mark.parametrize("venue", VENUES)
@often
@given(scene=scenes())
def test_a_part_that_lands_alone_leaves_some_of_what_we_had_and_some_of_what_we_want(
    venue: str, scene: tuple[list[Intent], list[tuple[Side, int]], list[Intent], bool]
) -> None:
    before, takes, batch, withdraw = scene
    stage = stage_of(venue)
    stage.do(before, 0)
    for side, size in takes:
        stage.take(side, CENTRE * 2 if side is Side.BID else 1, size)
    plan = stage.plan(batch, 0, stage.terms(withdraw=withdraw))
    had, ids = now(stage), stage.own().resting
    start = stage.snapshot()
    known = dict(stage.order_ids)

    for part in plan.parts:
        stage.restore(start)
        stage.order_ids.update(known)
        stage.land(part)
        new = [
            (Side.BID if batch[at].side > 0 else Side.ASK, batch[at].price, batch[at].size, client_id)
            for at, client_id in part.places.items()
        ]
        left = now(stage)

        assert all(one in had or one in new for one in left)
        stay = {one.order_id for one in ids} - {one for _, one in part.cancels}
        assert stay <= {one.order_id for one in stage.resting()}
