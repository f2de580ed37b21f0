"""What goes with a batch: its time, its routes, its fee, its settlement."""

import pytest
from tests.rigs.planned import CANCEL_ALL, VENUES, Stage, place, staged

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.planning.budget import Fee, loaded_limit
from bmv.adapters.openbook.planning.orders import Refused
from bmv.adapters.openbook.planning.routes import Form, Route, common_form
from bmv.adapters.openbook.planning.seat import MARGIN_S
from bmv.adapters.openbook.v1 import instructions as v1
from bmv.adapters.openbook.v1.bodies import SelfTrade
from bmv.adapters.openbook.v2 import orders as v2
from bmv.adapters.openbook.v2.codes import SelfTradeBehavior
from bmv.adapters.openbook.v2.instructions import parse
from bmv.adapters.sandbox.rules import limits_of
from bmv.ports.errors import ConfigError

GRID = [place(1 + at + 10 * side, side, 14_990 + 20 * side + at, 3) for at in range(3) for side in Side]
VENUES_AND_VERSIONS = [(venue, version) for venue in VENUES for version in (1, 0)]


def passed(stage: Stage, seconds: int) -> None:
    """Let the chain's clock go on."""
    end = stage.world.chain.unix_timestamp + seconds
    while stage.world.chain.unix_timestamp < end:
        stage.world.chain.advance()


def test_version_1_places_nothing_that_lands_after_its_time() -> None:
    stage = staged("openbook-v1")
    late, good = (stage.plan(GRID, terms=stage.terms(until=stage.world.chain.unix_timestamp + 6)) for _ in range(2))
    passed(stage, 6 - MARGIN_S)
    assert stage.land(good.parts[0]) is None
    stage.do([CANCEL_ALL])

    passed(stage, 1)

    assert stage.land(late.parts[0]) is not None
    assert stage.resting() == []


@pytest.mark.parametrize("save_units", [False, True])
def test_version_2_has_an_order_out_of_the_book_before_its_time_is_over(save_units: bool) -> None:
    stage = staged("openbook-v2")
    until = stage.world.chain.unix_timestamp + 8
    stage.do(GRID, until=until, save_units=save_units)
    assert len(stage.resting()) == len(GRID)

    passed(stage, 8 - MARGIN_S)

    assert stage.world.chain.unix_timestamp < until
    assert stage.resting() == []


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("left", [-5, 0, MARGIN_S])
def test_nothing_is_placed_with_less_time_left_than_the_margin(venue: str, left: int) -> None:
    stage = staged(venue)

    plan = stage.plan(GRID, terms=stage.terms(until=stage.world.chain.unix_timestamp + left))

    assert plan.parts == ()
    assert set(plan.refused.values()) == {Refused.TOO_LATE}


def test_what_crosses_our_own_is_said_with_every_order() -> None:
    one, two = (staged(venue) for venue in VENUES)

    said_1 = [v1.parse(call).orders for call in one.plan(GRID).parts[0].instructions]  # type: ignore[union-attr]
    said_2 = [parse(call) for call in two.plan(GRID).parts[0].instructions]

    assert {order.self_trade_behavior for some in said_1 for order in some} == {SelfTrade.CANCEL_PROVIDE}
    assert {call.args.self_trade_behavior for call in said_2 if isinstance(call, v2.PlaceOrder)} == {
        SelfTradeBehavior.CANCEL_PROVIDE
    }
    assert len(said_2) == len(GRID)


@pytest.mark.parametrize(("venue", "version"), VENUES_AND_VERSIONS)
def test_a_part_pays_and_may_use_what_it_says_in_both_versions(venue: str, version: int) -> None:
    stage = staged(venue)
    part = stage.plan(GRID, version, fee=Fee(micro=7_000)).parts[0]

    limits = limits_of(stage.transaction(part).message)

    assert (limits.units, limits.priority) == (part.head.units, part.head.lamports)
    assert part.head.lamports == -(-7_000 * part.head.units // 1_000_000)
    assert version == 0 or limits.loaded == part.head.loaded


@pytest.mark.parametrize("version", [1, 0])
def test_a_fee_is_never_more_than_its_most(version: int) -> None:
    stage = staged("openbook-v2")
    part = stage.plan(GRID, version, fee=Fee(micro=10**9, lamports_max=1_234)).parts[0]

    assert 1_000 < limits_of(stage.transaction(part).message).priority <= 1_234


@pytest.mark.parametrize("venue", VENUES)
def test_it_settles_above_what_was_said_and_not_below(venue: str) -> None:
    stage = staged(venue)
    stage.do(GRID)
    stage.do([CANCEL_ALL])
    own = stage.own()
    assert own.base_free > 0
    assert own.quote_free > 0

    settles = [
        any(part.settles for part in stage.plan([], terms=stage.terms(settle_above=above)).parts)
        for above in (None, (own.base_free, own.quote_free), (own.base_free - 1, own.quote_free), (2**62, 0))
    ]

    assert settles == [False, False, True, True]


def test_version_1_is_taken_only_where_the_chain_and_every_route_take_it() -> None:
    both, old, small = Route("a"), Route("b", frozenset({0}), 1_232), Route("c", bytes_max=1_232)

    assert common_form(True, [both]) == Form(1, 4_096)
    assert common_form(False, [both]) == Form(0, 1_232)
    assert common_form(True, [both, old]) == Form(0, 1_232)
    assert common_form(True, [both, small]) == Form(1, 1_232)
    with pytest.raises(ConfigError, match="there is no route"):
        common_form(True, [])
    with pytest.raises(ConfigError, match="route d takes no version 0"):
        common_form(False, [Route("d", frozenset({1}))])


def test_loaded_bytes_are_whole_pages_above_what_was_measured() -> None:
    assert loaded_limit(1) == 32_768
    assert loaded_limit(32_768) == 65_536
