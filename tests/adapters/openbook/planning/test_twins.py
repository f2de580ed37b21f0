"""A batch of version 2 counts its orders from 0: none may be mistaken for one that the same batch cancels."""

from random import Random

from tests.rigs.planned import CANCEL_ALL, Stage, place, staged

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.planning.plan import Part, Plan
from bmv.adapters.openbook.v2.instructions import parse
from bmv.adapters.openbook.v2.market import PROGRAM_ID
from bmv.adapters.openbook.v2.orders import CancelAllAndPlaceOrders
from bmv.ports.messages import Intent


def grid(first: int, middle: int, levels: int = 10) -> list[Intent]:
    bids = [place(first + at, Side.BID, middle - 1 - at, 5) for at in range(levels)]
    return [*bids, *(place(first + levels + at, Side.ASK, middle + 1 + at, 5) for at in range(levels))]


def is_batch(part: Part) -> bool:
    calls = (call for call in part.instructions if call.program_id == PROGRAM_ID)
    return any(isinstance(parse(call), CancelAllAndPlaceOrders) for call in calls)


def keys(stage: Stage) -> set[tuple[Side, int, int]]:
    return {(order.side, order.price_lots, order.client_order_id) for order in stage.resting()}


def placed(plan: Plan, batch: list[Intent]) -> set[tuple[Side, int, int]]:
    return {
        (Side.BID if batch[at].side > 0 else Side.ASK, batch[at].price, client_id)
        for part in plan.parts
        for at, client_id in part.places.items()
    }


def test_a_grid_that_moves_is_a_batch_each_time() -> None:
    stage = staged("openbook-v2")

    plans = [stage.do([CANCEL_ALL, *grid(100 * turn + 1, 15_000 + turn)], version=0) for turn in range(3)]

    assert [[is_batch(part) for part in plan.parts] for plan in plans] == [[True]] * 3


def test_a_grid_that_stays_where_it_is_gets_numbers_of_its_own() -> None:
    stage = staged("openbook-v2")
    stage.do([CANCEL_ALL, *grid(1, 15_000)], version=0)

    plan = stage.do([CANCEL_ALL, *grid(101, 15_000)], version=0)

    assert not any(map(is_batch, plan.parts))
    assert {client_id for _, _, client_id in keys(stage)} == set(range(101, 121))


def test_no_order_that_is_placed_has_number_side_and_price_of_one_that_rests() -> None:
    stage, dice = staged("openbook-v2"), Random(5)
    batches = 0

    for turn in range(60):
        batch = [CANCEL_ALL, *grid(100 * turn + 1, 15_000 + dice.randint(-2, 2), dice.randint(5, 10))]
        before, plan = keys(stage), stage.plan(batch, version=0)
        batches += sum(map(is_batch, plan.parts))
        assert not before & placed(plan, batch)
        for part in plan.parts:
            assert stage.land(part) is None
        stage.learn(batch, plan)

    assert 10 < batches < 60
