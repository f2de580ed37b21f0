"""Ten thousand random batches: no part is over its bytes, its accounts or its calls, and nothing is lost or done twice."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from tests.rigs.planned import CANCEL_ALL, FORMS, VENUES, Stage, cancel, place, staged

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.planning import v1, v2
from bmv.adapters.openbook.planning.budget import Fee, units_limit
from bmv.adapters.openbook.planning.orders import Own, OwnOrder
from bmv.adapters.openbook.planning.packing import Frame
from bmv.adapters.openbook.planning.plan import Part, Plan
from bmv.adapters.openbook.planning.routes import LOCKS_MAX, UNITS_MAX, Form
from bmv.adapters.openbook.planning.tipping import Tipping
from bmv.adapters.openbook.v1.events import EventFlag, EventQueue
from bmv.adapters.openbook.v2.instructions import parse
from bmv.adapters.openbook.v2.market import PROGRAM_ID as V2
from bmv.adapters.openbook.v2.orders import CancelAllAndPlaceOrders
from bmv.ports.messages import Intent, Tif, Verb

BATCHES = 2_500  # Of each venue and version.
SLOTS = {"openbook-v1": 128, "openbook-v2": 24}
STRANGERS = [Pubkey.new_unique() for _ in range(40)]


def some_own(dice: Random, venue: str) -> Own:
    """Return what we might have: bids below 1,000 and asks above it."""
    slots = SLOTS[venue]
    used = dice.randint(0, slots)
    resting = dice.randint(0, min(used, 40))
    orders = []
    for number in range(1, resting + 1):
        side = dice.choice(list(Side))
        price = dice.randint(900, 999) if side is Side.BID else dice.randint(1_001, 1_100)
        orders.append(OwnOrder(price << 64 | number, side, price, number))
    return Own(tuple(orders), slots - used, used - resting, dice.choice([0, 10**9]), 0)


def some_batch(dice: Random, own: Own, orders: int = 60) -> list[Intent]:
    named = [cancel(one.client_id) for one in own.resting if dice.random() < 0.6]
    gone = [CANCEL_ALL] if dice.random() < 0.5 else named + [cancel(10_000)]
    kinds = [Tif.POST_ONLY] * dice.choice([1, 9]) + [Tif.LIMIT, Tif.IOC]
    wanted = []
    for number in range(dice.randint(0, orders)):
        side = dice.choice(list(Side))
        price = dice.randint(800, 999) if side is Side.BID else dice.randint(1_001, 1_200)
        wanted.append(place(100 + number, side, price, dice.randint(1, 10**6), dice.choice(kinds)))
    return gone + wanted


def some_queue(dice: Random, empty: EventQueue, ours: Pubkey) -> EventQueue:
    """Return a queue of outs of strangers and of us."""
    ring = np.zeros(empty.capacity, empty.ring.dtype)
    count = dice.choice([0, 5, 200])
    for at in range(count):
        owner = ours if dice.random() < 0.5 else dice.choice(STRANGERS)
        ring[at] = (EventFlag.OUT, at % 128, 0, b"", 1, 0, 0, 10**6 + at, 7, bytes(owner), 0)
    return replace(empty, head=0, count=count, seq_num=count, ring=ring)


def planned(
    stage: Stage, dice: Random, form: Form, state: object, tipping: Tipping | None = None, orders: int = 60
) -> tuple[list[Intent], Own, Plan]:
    own = some_own(dice, stage.venue)
    batch = some_batch(dice, own, orders)
    terms = stage.terms(withdraw=dice.random() < 0.3, save_units=dice.random() < 0.5)
    fee = Fee(dice.choice([0, 10**6]))
    if stage.venue == "openbook-v1":
        queue = some_queue(dice, stage.events(), stage.seat.open_orders)  # type: ignore[arg-type]  # Of version 1.
        frame = Frame(form, stage.user.address, fee, v1.SHAPE, tipping)
        return batch, own, v1.PlannerV1(state, stage.seat).plan(batch, own, queue, terms, frame)  # type: ignore[arg-type]
    frame = Frame(form, stage.user.address, fee, v2.SHAPE, tipping)
    heap = stage.events()
    return batch, own, v2.PlannerV2(state, stage.seat).plan(batch, own, heap, terms, frame)  # type: ignore[arg-type]


def batched(part: Part) -> CancelAllAndPlaceOrders | None:
    """Return the instruction that places all orders of a part with two transfers, if there is one."""
    calls = (parse(call) for call in part.instructions if call.program_id == V2)
    return next((call for call in calls if isinstance(call, CancelAllAndPlaceOrders)), None)


def check_part(part: Part, form: Form) -> None:
    message = part.message(Hash.new_unique())
    unsigned = VersionedTransaction.populate(message, [Signature.default()] * message.header.num_required_signatures)

    assert part.size == len(bytes(unsigned)) <= form.bytes_max
    assert part.head.version == form.version
    assert len(message.account_keys) <= LOCKS_MAX
    assert len(set(message.account_keys)) == len(message.account_keys)
    calls = len(part.places) + 3 * part.settles
    assert len(message.instructions) + (calls if batched(part) is None else 2 + 3 * part.settles) <= 64
    assert 0 < part.head.units < UNITS_MAX
    assert part.head.loaded % 32_768 == 0 < part.head.loaded


def check_whole(batch: list[Intent], own: Own, plan: Plan, slots: int) -> None:
    """Each order is placed once or refused, each of ours cancelled at most once, and cancels come before orders."""
    placed = [at for part in plan.parts for at in part.places]
    cancelled = [(order_id, client_id) for part in plan.parts for (_, order_id), client_id in part.cancels.items()]
    asked = {at for at, one in enumerate(batch) if one.verb == Verb.PLACE}
    first_order = next((n for n, part in enumerate(plan.parts) if part.places), len(plan.parts))
    last_cancel = max((n for n, part in enumerate(plan.parts) if part.cancels), default=-1)

    assert len(set(placed)) == len(placed)
    assert len(set(cancelled)) == len(cancelled)
    assert set(placed) | (plan.refused.keys() & asked) == asked
    assert not set(placed) & plan.refused.keys()
    assert last_cancel <= first_order
    wanted = {one.order for one in batch if one.verb == Verb.CANCEL}
    for one in own.resting:
        asked_for = CANCEL_ALL in batch or one.client_id in wanted
        assert asked_for == ((one.order_id, one.client_id) in cancelled)
    assert len(placed) <= slots


@pytest.mark.parametrize("version", [1, 0])
@pytest.mark.parametrize("venue", VENUES)
def test_no_part_of_any_batch_is_over_its_limits_and_nothing_is_lost(venue: str, version: int) -> None:
    stage = staged(venue)
    state = stage.state
    dice = Random(f"{venue} {version}")
    shapes = set()
    for _ in range(BATCHES):
        batch, own, plan = planned(stage, dice, FORMS[version], state)
        for part in plan.parts:
            check_part(part, FORMS[version])
        check_whole(batch, own, plan, SLOTS[venue])
        shapes.add(len(plan.parts))

    assert {1, 2} <= shapes


def test_limits_grow_with_what_was_measured_and_stop_at_the_chains_own() -> None:
    assert units_limit(100_000) == 125_000
    assert units_limit(100_001) == 126_000
    assert units_limit(2 * UNITS_MAX) == UNITS_MAX
