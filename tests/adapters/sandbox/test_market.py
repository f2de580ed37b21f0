"""The living market of the sandbox, on both versions of OpenBook."""

import os
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256

import numpy as np
import pytest
from solders.token import ID as TOKEN
from tests.rigs.genuine_v2 import genuine_build

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2.logs import FillLog, read_lines
from bmv.adapters.sandbox.programs import PROGRAMS, VARIABLES
from bmv.adapters.sandbox.script import Move, Take, along, lots_of, made_up, repeated
from bmv.adapters.sandbox.wiring import Settings, World, make_world
from bmv.ports.errors import DataError
from bmv.ports.market_data import Columns

VENUES = ["openbook-v1", "openbook-v2"]


def lived(world: World, blocks: int) -> World:
    for _ in range(blocks):
        world.flow.act()
        world.chain.advance()
    return world


def accounts(world: World) -> dict[str, str]:
    """Return a hash of every account of the market's program and of the token program, by address."""
    program = PROGRAMS["openbook-v1" if type(world.market).__name__ == "MarketV1" else "openbook-v2"]
    rows = [row for owner in (program, TOKEN) for row in world.chain.runtime.svm.get_program_accounts(owner)]
    return {
        str(key): sha256(bytes(account.data) + account.lamports.to_bytes(8, "little")).hexdigest()
        for key, account in rows
    }


@pytest.fixture(scope="module", params=VENUES)
def world(request: pytest.FixtureRequest) -> World:
    return lived(make_world(Settings(venue=request.param)), 200)


def test_nothing_fails_that_makers_takers_and_the_crank_send(world: World) -> None:
    assert world.flow.failed == Counter()
    assert min(world.flow.sent[kind] for kind in ("quote", "take", "crank")) > 10


def test_the_book_has_both_sides_in_order_and_does_not_cross(world: World) -> None:
    bids, asks = ([order.price_lots for order in world.market.book(side)] for side in Side)

    assert len(bids) > 5
    assert len(asks) > 5
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]


def test_the_user_is_funded_and_nobody_else_uses_his_wallet(world: World) -> None:
    user = world.user
    held = [int.from_bytes(bytes(world.chain.account(key).data)[64:72], "little") for key in (user.base, user.quote)]

    assert world.chain.account(user.address).lamports == 100 * 10**9
    assert held == [1_000 * 10**9, 200_000 * 10**6]


@pytest.mark.parametrize("venue", VENUES)
def test_the_same_seed_makes_the_same_accounts_and_another_others(venue: str) -> None:
    settings = Settings(venue=venue, seed=7)

    first, second = (accounts(lived(make_world(settings), 60)) for _ in range(2))

    assert first == second
    assert len(first) > 20
    assert accounts(lived(make_world(replace(settings, seed=8)), 60)) != first


@pytest.mark.parametrize("venue", VENUES)
def test_each_start_is_another_chain_with_the_same_market(venue: str) -> None:
    settings = Settings(venue=venue, seed=7, start="first")

    first, second = make_world(settings), make_world(replace(settings, start="second"))

    assert accounts(first) == accounts(second)
    every = [first, second, make_world(replace(settings, seed=8))]
    assert len({str(world.chain.genesis) for world in every}) == 3


@pytest.mark.parametrize("venue", VENUES)
def test_a_market_lives_on_after_its_whole_book_was_taken(venue: str) -> None:
    world = make_world(Settings(venue=venue))
    for _ in range(4):
        world.flow._take(Take(0, Side.BID, 10**6, 20_000))

    lived(world, 20)

    assert world.flow.failed == Counter()
    assert len(world.market.book(Side.ASK)) > 5


@pytest.mark.parametrize("venue", VENUES)
def test_the_genuine_program_makes_the_same_accounts(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = os.environ.get(VARIABLES[venue])
    if not file:
        pytest.skip(f"{VARIABLES[venue]} names no compiled program")
    settings = Settings(venue=venue, build=genuine_build())
    genuine = lived(make_world(settings), 300)
    monkeypatch.delenv(VARIABLES[venue])

    doubled = lived(make_world(settings), 300)

    assert (genuine.genuine, doubled.genuine) == (True, False)
    assert genuine.flow.failed == doubled.flow.failed == Counter()
    assert accounts(genuine) == accounts(doubled)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("consensus", ["alpenglow", "tower"])
def test_the_market_lives_on_through_forks_and_the_dark(venue: str, consensus: str) -> None:
    world = make_world(Settings(venue=venue, consensus=consensus))
    for i in range(60):
        world.flow.act()
        if i % 5 == 2:
            world.chain.fork(1)
        elif i == 30:
            world.chain.go_dark()
        elif i == 36:
            world.chain.go_on()
        else:
            world.chain.advance()
    lived(world, 30)

    assert world.flow.failed == Counter()
    assert all(world.market.book(side) for side in Side)


def test_some_takers_of_version_2_settle_makers_at_once_and_some_leave_it_to_the_crank() -> None:
    world = lived(make_world(Settings(venue="openbook-v2")), 200)

    by_kind: Counter[str] = Counter()
    for landed in world.chain.ledger.landed_newest_first():
        fills = sum(isinstance(log, FillLog) for log in read_lines(landed.result.logs))
        if fills:
            by_kind["crank" if str(landed.keys[0]) == str(world.chain.faucet.pubkey()) else "taker"] += 1

    assert min(by_kind["crank"], by_kind["taker"]) > 3


@pytest.mark.parametrize("venue", VENUES)
def test_a_market_along_a_tape_trades_at_its_prices(venue: str) -> None:
    second = 10**9
    rows = [Move(0, 2 * 20_000), Take(second, Side.BID, 20_100, 300), Move(second, 2 * 20_050)]
    world = make_world(Settings(venue=venue, rows=lambda: rows))

    assert world.flow.sent["take"] > 0
    bid, ask = (world.market.book(side)[0].price_lots for side in Side)
    assert 19_900 < bid < ask < 20_150


def test_a_made_up_market_is_the_same_for_the_same_seed() -> None:
    def rows(seed: int) -> list:
        script = made_up(seed, 15_000)
        return [next(script) for _ in range(2_000)]

    assert rows(1) == rows(1) != rows(2)
    assert any(isinstance(row, Take) for row in rows(1))


def test_a_tape_comes_again_after_its_end_with_later_times() -> None:
    script = repeated(lambda: [Move(0, 5), Move(10, 7)])

    times = [next(script).ts_ns for _ in range(6)]

    assert times == sorted(set(times))


def test_a_tapes_quotes_move_makers_and_its_trades_are_taken() -> None:
    columns = Columns(
        *(
            np.array(column)
            for column in (
                [50, 60, 70],
                [2, 1, 1],
                [0, -1, 0],
                [0, 101, 102],
                [0, 25, 1],
                [99, 0, 0],
                [1, 0, 0],
                [101, 0, 0],
                [1, 0, 0],
            )
        )
    )

    rows = list(along([columns], each=10))

    assert rows == [Move(0, 200), Move(10, 202), Take(10, Side.ASK, 101, 3), Move(20, 204), Take(20, Side.BID, 102, 1)]


def test_lots_too_small_for_a_market_are_taken_together() -> None:
    assert lots_of(Decimal("0.01"), Decimal("0.001"))[1] == 1
    lots, each = lots_of(Decimal("0.01"), Decimal("0.00001"))
    assert (each, lots.tick, lots.lot) == (10, Decimal("0.01"), Decimal("0.0001"))
    with pytest.raises(DataError, match="fit no market"):
        lots_of(Decimal(1) / 3, Decimal("0.001"))
