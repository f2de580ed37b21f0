"""What stands in the way is cranked: our own fills, and on version 1 whatever is in front of them."""

from dataclasses import replace

import pytest
from solders.pubkey import Pubkey
from tests.rigs.planned import CANCEL_ALL, VENUES, Stage, cancel, place, staged

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.planning import v2
from bmv.adapters.openbook.planning.orders import Refused
from bmv.adapters.openbook.planning.packing import TooLarge
from bmv.adapters.openbook.planning.routes import Form
from bmv.adapters.openbook.v2.market import Market
from bmv.adapters.sandbox.market import Order
from bmv.adapters.sandbox.wallets import send
from bmv.ports.messages import Intent, Tif


def bids(first: int, n: int, top: int = 14_990, size: int = 3) -> list[Intent]:
    return [place(first + at, Side.BID, top - at, size) for at in range(n)]


def prices(stage: Stage) -> list[int]:
    return sorted(one.price_lots for one in stage.resting())


@pytest.mark.parametrize("version", [1, 0])
def test_version_1_cranks_when_its_slots_run_out_and_not_before(version: int) -> None:
    stage = staged("openbook-v1")
    plans = [stage.do([CANCEL_ALL, *bids(1 + 20 * turn, 20, 14_990 - turn)], version) for turn in range(12)]

    cranked = [sum(part.cranks for part in plan.parts) for plan in plans]

    assert cranked[:6] == [0] * 6
    assert any(cranked)
    assert all(not plan.refused for plan in plans)


def test_version_1_cranks_what_is_of_strangers_and_lies_before_ours() -> None:
    stage = staged("openbook-v1")
    for turn in range(6):
        stage.do([CANCEL_ALL, *bids(1 + 20 * turn, 20)])
        for number, other in enumerate(stage.takers):
            orders = stage.world.market.requote(other, [Order(Side.BID, 9_000 + number, 1)], turn)
            send(stage.world.chain, [other.key], orders)
    owners = {event.owner for event in stage.events().pending()}  # type: ignore[union-attr]
    assert len(owners) == 5

    plan = stage.do([CANCEL_ALL, *bids(1_000, 20, 14_000)])

    assert prices(stage) == list(range(13_981, 14_001))
    assert sum(part.cranks for part in plan.parts) > 20


def test_version_1_leaves_out_what_no_crank_makes_room_for() -> None:
    stage = staged("openbook-v1")

    plan = stage.do(bids(1, 130))

    assert len(prices(stage)) == 128
    assert plan.refused == {128: Refused.NO_SLOT, 129: Refused.NO_SLOT}


@pytest.mark.parametrize("version", [1, 0])
def test_24_orders_of_version_2_are_moved_though_a_fill_of_ours_waits_behind_those_of_strangers(version: int) -> None:
    stage = staged("openbook-v2")
    for number in range(10):
        send(
            stage.world.chain,
            [stage.takers[1].key],
            stage.world.market.requote(stage.takers[1], [Order(Side.ASK, 14_000, 1)], number),
        )
        stage.take(Side.BID, 14_000, 1)
    stage.do(bids(1, 24), version)
    stage.take(Side.ASK, 14_990, 4)
    assert stage.own().slots_waiting == 1
    assert len(stage.own().resting) == 23

    plan = stage.do([CANCEL_ALL, *bids(101, 24, 14_000)], version)

    assert prices(stage) == list(range(13_977, 14_001))
    assert not plan.refused


def test_a_filled_order_that_waits_for_its_crank_makes_cancelling_all_dearer() -> None:
    stage = staged("openbook-v2")
    stage.do(bids(1, 3))
    alone = stage.plan([CANCEL_ALL]).units
    stage.do([CANCEL_ALL, *bids(11, 7)])
    for _ in range(4):
        stage.take(Side.ASK, 14_980, 3)
    assert (len(stage.own().resting), stage.own().slots_waiting) == (3, 4)

    assert stage.plan([CANCEL_ALL]).units > alone


def test_24_orders_of_version_2_are_moved_though_one_of_ours_is_filled_on_the_way() -> None:
    stage = staged("openbook-v2")
    stage.do(bids(1, 24))
    plan = stage.plan([CANCEL_ALL, *bids(101, 24, 14_000)])
    stage.take(Side.ASK, 14_990, 3)

    assert [stage.land(part) for part in plan.parts] == [None]
    assert prices(stage) == list(range(13_977, 14_001))


def test_a_market_whose_crank_is_its_own_is_not_cranked() -> None:
    stage = staged("openbook-v2")
    stage.do(bids(1, 24))
    stage.take(Side.ASK, 14_990, 3)
    market: Market = replace(stage.state, consume_events_admin=Pubkey.new_unique())
    batch = [CANCEL_ALL, *bids(101, 24)]

    plan = v2.PlannerV2(market, stage.seat).plan(
        batch, stage.own(), stage.events(), stage.terms(withdraw=True), stage.frame(Form(1, 4096))
    )

    assert sum(part.cranks for part in plan.parts) == 0
    assert plan.refused == {24: Refused.NO_SLOT}


@pytest.mark.parametrize("venue", VENUES)
def test_a_partial_change_lets_those_stay_that_stay(venue: str) -> None:
    stage = staged(venue)
    stage.do(bids(1, 10))
    before = {one.price_lots: one.order_id for one in stage.resting()}

    stage.do([cancel(3), cancel(7), place(50, Side.BID, 14_950, 2), place(51, Side.ASK, 15_100, 2)])

    after = {one.price_lots: one.order_id for one in stage.resting()}
    assert before.keys() - after.keys() == {14_988, 14_984}
    assert after.keys() - before.keys() == {14_950, 15_100}
    assert all(after[price] == before[price] for price in before.keys() & after.keys())


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("version", [1, 0])
def test_what_an_order_that_takes_leaves_of_itself_rests_in_full(venue: str, version: int) -> None:
    stage = staged(venue)
    other = stage.takers[0]
    offers = [Order(Side.ASK, 15_000 + at, 1_000) for at in range(3)]
    send(stage.world.chain, [other.key], stage.world.market.requote(other, offers, 1))

    stage.do([place(1, Side.BID, 15_001, 5_000, Tif.LIMIT)], version)

    assert [(one.price_lots, one.size_lots) for one in stage.resting()] == [(15_001, 3_000)]

    for _ in range(2):
        stage.do([CANCEL_ALL], version, withdraw=True)
    own, account = stage.own(), stage.account()
    assert (own.base_free, own.quote_free) == (0, 0)
    assert venue == "openbook-v2" or account.native_pc_total == account.native_coin_total == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("venue", VENUES)
def test_what_is_immediate_never_rests(venue: str) -> None:
    stage = staged(venue)
    other = stage.takers[0]
    send(stage.world.chain, [other.key], stage.world.market.requote(other, [Order(Side.BID, 14_000, 5)], 1))
    base = stage.money()[1]

    stage.do([place(1, Side.ASK, 13_900, 8, Tif.IOC)])
    stage.do([], withdraw=True)

    assert stage.resting() == []
    assert stage.money()[1] == base - 5 * 10**6


@pytest.mark.parametrize("maker_fee", [0, 1, 150, 2_500])
@pytest.mark.parametrize("save_units", [False, True])
def test_sizes_are_exact_whatever_a_maker_pays(maker_fee: int, save_units: bool) -> None:
    stage = staged("openbook-v2")
    account = stage.world.chain.account(stage.seat.market)
    market = replace(stage.state, maker_fee=maker_fee, taker_fee=max(400, maker_fee))
    account_data = market.encode()
    stage.world.chain.put(stage.seat.market, type(account)(account.lamports, account_data, account.owner))  # type: ignore[union-attr]
    wanted = [place(at + 1 + 10 * side, side, 14_990 + 20 * side + at, 1 + 7 * at) for at in range(5) for side in Side]

    stage.do([CANCEL_ALL, *wanted], save_units=save_units)

    assert sorted((one.price_lots, one.size_lots) for one in stage.resting()) == sorted(
        (one.price, one.size) for one in wanted
    )


def test_a_route_too_small_for_any_step_is_said() -> None:
    stage = staged("openbook-v2")
    planner = v2.PlannerV2(stage.state, stage.seat)

    with pytest.raises(TooLarge, match="does not fit into 300 bytes of version 0"):
        planner.plan(bids(1, 1), stage.own(), stage.events(), stage.terms(), stage.frame(Form(0, 300)))  # type: ignore[arg-type]
