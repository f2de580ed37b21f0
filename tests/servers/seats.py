"""The sandbox's user at his desk: an account, orders and fills made before anybody looks."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, TypeVar

from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from wires import rpc_of

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.inspection.inspect import Identity, identify
from bmv.adapters.openbook.planning.budget import Fee
from bmv.adapters.openbook.planning.packing import Frame
from bmv.adapters.openbook.planning.plan import Plan
from bmv.adapters.openbook.planning.routes import LARGE_BYTES, Form
from bmv.adapters.openbook.planning.seat import Seat, Terms
from bmv.adapters.openbook.seat.desk import DeskSnapshot, plan, read_desk, shape_of
from bmv.adapters.openbook.seat.find import Spot, find_spot
from bmv.adapters.openbook.seat.pieces import Wish, missing
from bmv.adapters.openbook.seat.rights import make_seat
from bmv.adapters.sandbox.market import Order
from bmv.adapters.sandbox.wallets import seeded_key, send, trader_of
from bmv.adapters.sandbox.wiring import World
from bmv.adapters.solana.rpc import Rpc, make_client
from bmv.ports.messages import Intent, Tif, Verb

T = TypeVar("T")


async def _identify(rpc: Rpc, address: Pubkey) -> Identity:
    return identify(address, (await rpc.accounts([address], commitment="processed")).accounts[address])


class Wanted(NamedTuple):
    """An order of the user's: ticks and lots."""

    side: Side
    price: int
    size: int


class Sitting:
    """The user of a world, on its market.

    Args:
        url: Of the endpoint by which it is looked at, once the world runs in a thread of its own.
    """

    def __init__(self, world: World, url: str | None = None) -> None:
        self.world, self._url = world, url
        self._number = 1_000

    @property
    def identity(self) -> Identity:
        address = self.world.market.address
        return self._ask(lambda rpc: _identify(rpc, address))

    @property
    def spot(self) -> Spot:
        identity = self.identity
        return self._ask(lambda rpc: find_spot(rpc, identity, self.world.user.address, commitment="processed"))

    @property
    def seat(self) -> Seat:
        identity = self.identity
        return make_seat(
            identity.address, identity.market, identity.program, self.world.user.address, self.spot.address
        )

    @property
    def mid(self) -> int:
        best = [self.world.market.book(side)[0].price_lots for side in Side]
        return sum(best) // 2

    def desk(self) -> DeskSnapshot:
        seat, market = self.seat, self.identity.market
        return self._ask(lambda rpc: read_desk(rpc, seat, market, least_slot=0, commitment="processed", books=True))

    def lamports(self) -> int:
        """Return what the wallet holds by the finalized chain."""
        asked = str(self.world.user.address), {"commitment": "finalized"}
        return int(self._ask(lambda rpc: rpc.call("getBalance", *asked))["value"])

    def resting(self) -> int:
        """Return how many orders rest."""
        return len(self.desk().own(self.seat.open_orders).resting)

    def _ask(self, job: Callable[[Rpc], Coroutine[Any, Any, T]]) -> T:
        async def ask() -> T:
            if self._url is None:
                return await job(rpc_of(self.world))
            async with make_client() as client:
                return await job(Rpc(client, self._url))

        return asyncio.run(ask())

    def set_up(self) -> None:
        """Make what a seat needs."""
        rent = self.world.chain.runtime.svm.minimum_balance_for_rent_exemption
        self._land(
            [one for piece in missing(self.seat, self.desk(), self.spot, Wish(), rent) for one in piece.instructions]
        )

    def rest(self, orders: Sequence[Wanted]) -> None:
        """Let orders rest; their client ids go up from 1,001."""
        self._act([self._place(order) for order in orders])

    def cancel_all(self) -> None:
        """Cancel all, without a crank."""
        self._act([Intent(Verb.CANCEL_ALL, 0)])

    def be_met(self, side: Side, price: int) -> None:
        """Let somebody buy or sell up to a price until one of our orders is met."""
        world = self.world
        taker = trader_of(seeded_key(1, "taker 1"), "taker 1", world.base, world.quote)
        for _ in range(30):
            send(world.chain, [taker.key], world.market.take(taker, Order(side, price, 10**6), 9, direct=False))
            world.chain.advance(2)
            if self.desk().waiting(self.seat.open_orders):
                return
        raise AssertionError("nobody met our order")

    def ladder(self, each: int) -> list[Wanted]:
        """Return orders far from the market, so that nobody meets them."""
        low, high = self.mid // 2, self.mid * 2
        return [
            *(Wanted(Side.BID, low - at, 10) for at in range(each)),
            *(Wanted(Side.ASK, high + at, 10) for at in range(each)),
        ]

    def _place(self, order: Wanted) -> Intent:
        self._number += 1
        side = 1 if order.side is Side.BID else -1
        return Intent(Verb.PLACE, 0, self._number, side, order.price, order.size, tif=Tif.POST_ONLY)

    def signed(self, orders: Sequence[Wanted]) -> VersionedTransaction:
        """Return a transaction that places orders, and does not land by itself."""
        (part,) = self._plan([self._place(order) for order in orders]).parts
        return self._sign(part.instructions)

    def _act(self, batch: Sequence[Intent]) -> None:
        for part in self._plan(batch).parts:
            self._land(part.instructions)

    def _plan(self, batch: Sequence[Intent]) -> Plan:
        desk, seat = self.desk(), self.seat
        frame = Frame(Form(1, LARGE_BYTES), seat.owner, Fee(), shape_of(desk.market))
        planned: Plan = plan(batch, desk, seat, Terms(now=desk.unix_timestamp), frame)
        assert not planned.refused, planned.refused
        return planned

    def _sign(self, instructions: Sequence[Instruction]) -> VersionedTransaction:
        blockhash: Hash = self.world.chain.ledger.open.newest_hash
        config = TransactionConfig(0, 1_400_000, 64 << 20)
        message = MessageV1.try_compile(self.world.user.address, list(instructions), blockhash, config)
        return VersionedTransaction(message, [self.world.user.key])

    def _land(self, instructions: Sequence[Instruction]) -> None:
        error = self.world.chain.land(self._sign(instructions))
        assert error is None, error
        self.world.chain.advance(2)
