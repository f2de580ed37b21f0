"""A desk is read from one bank, and says of orders and money what the chain has."""

import asyncio

import pytest
from tests.rigs.policy_scene import Scene, honest, make_scene, signed
from wires import rpc_of

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.inspection.inspect import Identity, identify
from bmv.adapters.openbook.planning.budget import Fee
from bmv.adapters.openbook.planning.packing import Frame
from bmv.adapters.openbook.planning.routes import PACKET_BYTES, Form
from bmv.adapters.openbook.planning.seat import Seat, Terms
from bmv.adapters.openbook.policy.verdict import Approved
from bmv.adapters.openbook.seat.desk import AnyMarket, DeskSnapshot, plan, read_desk, shape_of
from bmv.adapters.openbook.seat.funds import Funds, held_of, owned_of
from bmv.adapters.openbook.seat.rights import make_seat
from bmv.adapters.sandbox.market import Order
from bmv.adapters.sandbox.wallets import seeded_key, send, trader_of
from bmv.adapters.solana.errors import Lagging
from bmv.ports.errors import DataError
from bmv.ports.messages import Intent, Verb

VENUES = ["openbook-v1", "openbook-v2"]


class Desk:
    """A scene, and our seat in it."""

    def __init__(self, venue: str, *done: str) -> None:
        self.scene: Scene = make_scene(venue)
        world = self.scene.world
        self.seat: Seat = make_seat(
            world.market.address,
            self.market,
            self.identity.program,
            self.scene.ours.owner,
            self.scene.ours.open_orders,
        )
        for name in done:
            self.land(name)

    @property
    def identity(self) -> Identity:
        world = self.scene.world
        return identify(world.market.address, world.chain.account(world.market.address))

    @property
    def market(self) -> AnyMarket:
        return self.identity.market

    def land(self, name: str) -> None:
        scene = self.scene
        message = scene.compiled(honest(scene)[name], "v0", scene.moment.blockhash)
        verdict = scene.guard.judge(message, scene.moment)
        assert isinstance(verdict, Approved), verdict
        assert scene.world.chain.land(signed(message, asyncio.run(scene.guard.sign(verdict)))) is None, name
        scene.world.chain.advance(2)

    def take(self, side: Side) -> None:
        """Let somebody trade through all that rests on our price, and nobody crank it."""
        world = self.scene.world
        taker = trader_of(seeded_key(1, "taker 1"), "taker 1", world.base, world.quote)
        price = self.scene.mid * 2 if side is Side.BID else self.scene.mid // 2
        for _ in range(20):  # One of version 2 meets a few orders only.
            send(world.chain, [taker.key], world.market.take(taker, Order(side, price, 100_000), 9, direct=False))
            world.chain.advance(2)
            if self.read().waiting(self.seat.open_orders):
                return
        raise AssertionError("nobody met our order")

    def crank(self, seen: DeskSnapshot) -> None:
        """Take our events from the queue."""
        frame = Frame(Form(0, PACKET_BYTES), self.seat.owner, Fee(), shape_of(seen.market))
        for part in plan([], seen, self.seat, Terms(now=seen.unix_timestamp, crank=True), frame).parts:
            send(self.scene.world.chain, [self.scene.world.user.key], part.instructions)
            self.scene.world.chain.advance(2)

    def read(self, *, books: bool = False, least_slot: int = 0, commitment: str = "finalized") -> DeskSnapshot:
        rpc = rpc_of(self.scene.world)
        reading = read_desk(rpc, self.seat, self.market, least_slot=least_slot, commitment=commitment, books=books)
        return asyncio.run(reading)


@pytest.mark.parametrize("venue", VENUES)
def test_without_an_account_a_desk_has_wallets_and_nothing_else(venue: str) -> None:
    desk = Desk(venue)

    seen = desk.read(books=True)

    assert seen.account is None
    assert (seen.base_wallet, seen.quote_wallet) == (1_000 * 10**9, 200_000 * 10**6)
    assert seen.signer_lamports == 100 * 10**9
    assert seen.orders == ()
    assert seen.own(desk.seat.open_orders).resting == ()
    assert held_of(seen, desk.seat.open_orders).is_empty
    assert set(seen.rent) == {desk.seat.base_wallet, desk.seat.quote_wallet}


@pytest.mark.parametrize("venue", VENUES)
def test_what_rests_is_seen_with_price_size_and_expiry(venue: str) -> None:
    desk = Desk(venue, "token accounts", "open", "bid", "ask")

    seen = desk.read(books=True)

    own = seen.own(desk.seat.open_orders)
    assert sorted((one.side, one.client_id) for one in own.resting) == [(Side.BID, 1), (Side.ASK, 2)]
    assert seen.orders is not None
    assert sorted((one.side, one.client_order_id, one.size_lots) for one in seen.orders) == [(0, 1, 100), (1, 2, 100)]
    assert {one.order_id for one in seen.orders} == {one.order_id for one in own.resting}
    expiries = [one.expires for one in seen.orders]
    assert all(expiries) if seen.expires else not any(expiries)
    assert seen.expires is (venue == "openbook-v2")
    assert 0 <= desk.scene.world.chain.unix_timestamp - seen.unix_timestamp <= 1


@pytest.mark.parametrize("venue", VENUES)
def test_money_at_the_venue_is_free_locked_or_waits_for_the_crank(venue: str) -> None:
    desk = Desk(venue, "token accounts", "open", "bid", "ask")
    before = held_of(desk.read(), desk.seat.open_orders)
    lot = 10**6
    assert before.base == Funds(0, 100 * lot, 0)

    desk.take(Side.BID)
    seen = desk.read()
    sold = held_of(seen, desk.seat.open_orders)

    assert seen.waiting(desk.seat.open_orders) >= 1
    assert sold.quote.unsettled > 0
    assert sold.base.locked == before.base.locked  # Until it is cranked.
    assert [one.client_id for one in seen.own(desk.seat.open_orders).resting] == [1]
    assert seen.others(desk.seat.open_orders)
    desk.crank(seen)
    cranked = held_of(desk.read(), desk.seat.open_orders)
    assert cranked.quote.free == sold.quote.free + sold.quote.unsettled
    assert cranked.base == Funds(0, 0, 0)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("side", list(Side))
def test_what_is_owned_counts_what_events_that_wait_will_move(venue: str, side: Side) -> None:
    desk = Desk(venue, "token accounts", "open", "bid", "ask")
    before = owned_of(desk.read(), desk.seat.open_orders)
    desk.take(side)
    seen = desk.read()
    assert seen.waiting(desk.seat.open_orders) >= 1

    waiting = owned_of(seen, desk.seat.open_orders)
    desk.crank(seen)
    cranked = desk.read()

    assert not cranked.waiting(desk.seat.open_orders)
    assert waiting == owned_of(cranked, desk.seat.open_orders)
    assert (waiting.base < before.base) is (side is Side.BID)


def test_of_what_is_owned_a_delegate_has_what_was_deposited() -> None:
    desk = Desk("openbook-v2", "token accounts", "open", "bid", "ask")
    seen = desk.read()
    held = held_of(seen, desk.seat.open_orders)

    deposited = owned_of(seen, desk.seat.open_orders, wallets=False)

    assert deposited == (held.base.locked, held.quote.locked)
    assert all(owned_of(seen, desk.seat.open_orders)[at] > deposited[at] > 0 for at in (0, 1))


@pytest.mark.parametrize("venue", VENUES)
def test_a_plan_that_cancels_all_is_of_what_the_snapshot_has(venue: str) -> None:
    desk = Desk(venue, "token accounts", "open", "bid", "ask")
    seen = desk.read()
    frame = Frame(Form(0, PACKET_BYTES), desk.seat.owner, Fee(), shape_of(seen.market))

    planned = plan([Intent(Verb.CANCEL_ALL, 0)], seen, desk.seat, Terms(now=seen.unix_timestamp), frame)

    assert len(planned.parts) == 1
    assert sorted(planned.parts[0].cancels.values()) == [1, 2]
    with pytest.raises(ValueError, match="no account at the venue"):
        plan([], Desk(venue).read(), desk.seat, Terms(now=0), frame)


def test_a_node_that_has_not_reached_the_slot_gives_no_desk() -> None:
    desk = Desk("openbook-v2")

    with pytest.raises(Lagging):
        desk.read(least_slot=desk.scene.world.chain.slot + 1)


@pytest.mark.parametrize("venue", VENUES)
def test_an_account_of_another_is_no_desk_of_ours(venue: str) -> None:
    desk = Desk(venue)
    world = desk.scene.world
    theirs = world.market.account_of(trader_of(seeded_key(1, "maker 0"), "maker 0", world.base, world.quote))
    desk.seat = make_seat(desk.seat.market, desk.market, desk.seat.program, desk.seat.owner, theirs)

    with pytest.raises(DataError, match="and not ours"):
        desk.read()
