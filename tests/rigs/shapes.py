"""Bytes and compute units of each shape of transaction, beside what fits: `python -m tests.rigs.shapes`.

Units are those of the genuine programs where BMV_OPENBOOK_V1_SO and BMV_OPENBOOK_V2_SO name them, and otherwise what the
sandbox's doubles say.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0, MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from tests.rigs.planned import CANCEL_ALL, VENUES, Stage, place, staged

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.planning.budget import size_of
from bmv.adapters.openbook.v1 import instructions as does
from bmv.adapters.openbook.v1 import keys as by
from bmv.adapters.openbook.v1.bodies import NewOrder, OrderType, SelfTrade
from bmv.adapters.openbook.v2 import orders
from bmv.adapters.openbook.v2.codes import PlaceOrderType, SelfTradeBehavior
from bmv.adapters.openbook.v2.instructions import build
from bmv.adapters.sandbox.market import Order

UNITS = 1_400_000
BID, ASK = 14_000, 16_000
Build = Callable[[Stage, int], list[Instruction]]


class Row(NamedTuple):
    """A shape, its transactions of version 0 and 1, and what of each fits."""

    venue: str
    name: str
    build: Build
    most: int


def message(stage: Stage, instructions: Sequence[Instruction], version: int, blockhash: Hash) -> MessageV0 | MessageV1:
    """Return a message with limits and price, as short as it gets."""
    payer = stage.user.address
    if version == 1:
        return MessageV1.try_compile(payer, list(instructions), blockhash, TransactionConfig(1_000, UNITS, 2**26))
    limits = [set_compute_unit_limit(UNITS), set_compute_unit_price(1)]
    return MessageV0.try_compile(payer, [*limits, *instructions], [], blockhash)


def size(stage: Stage, instructions: Sequence[Instruction], version: int) -> int:
    """Return the bytes of a transaction."""
    return size_of(message(stage, instructions, version, Hash.default()))


def tip(stage: Stage) -> Instruction:
    """Return a tip of Jito's: a transfer to an account that nothing else names."""
    return transfer(TransferParams(from_pubkey=stage.user.address, to_pubkey=Pubkey([7] * 32), lamports=1))


def sides(n: int) -> list[tuple[Side, int, int]]:
    """Return side, price and client id of `n` orders, half of them bids."""
    bids = (n + 1) // 2
    return [(Side.BID, BID - i, i + 1) if i < bids else (Side.ASK, ASK + i, i + 1) for i in range(n)]


def _v1_order(side: Side, price: int, number: int, deadline: bool) -> NewOrder:
    return NewOrder(
        side=side,
        limit_price=price,
        max_coin_qty=1,
        max_native_pc_qty_including_fees=price * 10,
        self_trade_behavior=SelfTrade.CANCEL_PROVIDE,
        order_type=OrderType.POST_ONLY,
        client_order_id=number,
        max_ts=None if not deadline else 2**40,
    )


def _v1_keys(stage: Stage, side: Side) -> by.OrderKeys:
    payer = stage.user.quote if side is Side.BID else stage.user.base
    return by.OrderKeys.of(stage.state, open_orders=stage.seat.open_orders, owner=stage.user.address, payer=payer)


def new_orders(stage: Stage, n: int) -> list[Instruction]:
    return [
        does.build(does.NewOrderV3(keys=_v1_keys(stage, side), order=_v1_order(side, price, number, False)))
        for side, price, number in sides(n)
    ]


def replaces(stage: Stage, n: int) -> list[Instruction]:
    return list(_replaces(stage, n, 8))


def _replaces(stage: Stage, n: int, most: int) -> Iterator[Instruction]:
    for side in Side:
        of_side = [_v1_order(*one, True) for one in sides(n) if one[0] is side]
        for at in range(0, len(of_side), most):
            several = does.ReplaceOrdersByClientIds(keys=_v1_keys(stage, side), orders=tuple(of_side[at : at + most]))
            yield does.build(several)


def cancels(stage: Stage, n: int) -> list[Instruction]:
    keys = by.CancelKeys.of(stage.state, open_orders=stage.seat.open_orders, owner=stage.user.address)
    ids = [number for _, _, number in sides(n)]
    return [
        does.build(does.CancelOrdersByClientIds(keys=keys, client_order_ids=tuple(ids[at : at + 8])))
        for at in range(0, n, 8)
    ]


def crank(stage: Stage) -> Instruction:
    keys = by.CrankKeys.of(stage.state, [stage.seat.open_orders])
    return does.build(does.ConsumeEvents(keys=keys, limit=13))


def settle(stage: Stage, n: int) -> list[Instruction]:
    return list(stage.world.market.settle(stage.user))


def batch(stage: Stage, n: int) -> list[Instruction]:
    return list(stage.world.market.requote(stage.user, [Order(side, price, 1) for side, price, _ in sides(n)], 1))


def placed(stage: Stage, n: int) -> list[Instruction]:
    state = stage.state
    return [
        build(
            orders.PlaceOrder(
                signer=stage.user.address,
                open_orders_account=stage.seat.open_orders,
                user_token_account=stage.user.quote if side is Side.BID else stage.user.base,
                market=stage.seat.market,
                bids=state.bids,
                asks=state.asks,
                event_heap=state.event_heap,
                market_vault=state.market_quote_vault if side is Side.BID else state.market_base_vault,
                args=orders.PlaceOrderArgs(
                    side, price, 1, price, number, PlaceOrderType.POST_ONLY, 0, SelfTradeBehavior.CANCEL_PROVIDE, 10
                ),
            )
        )
        for side, price, number in sides(n)
    ]


def cancel_all(stage: Stage, n: int) -> list[Instruction]:
    state = stage.state
    every = orders.CancelAllOrders(
        side_option=None,
        limit=24,
        signer=stage.user.address,
        open_orders_account=stage.seat.open_orders,
        market=stage.seat.market,
        bids=state.bids,
        asks=state.asks,
    )
    return [build(every)]


def in_order(*builds: Build) -> Build:
    """Return a shape of several, one after the other."""
    return lambda stage, n: [one for make in builds for one in make(stage, n)]


def cranked(stage: Stage, n: int) -> list[Instruction]:
    return [crank(stage)]


def tipped(make: Build) -> Build:
    """Return a shape with a tip."""
    return lambda stage, n: [*make(stage, n), tip(stage)]


V1, V2 = VENUES
ROWS = [
    Row(V1, "n NewOrderV3", new_orders, 128),
    Row(V1, "cancel + n NewOrderV3", in_order(cancels, new_orders), 128),
    Row(V1, "cancel + ConsumeEvents + n NewOrderV3 + SettleFunds", in_order(cancels, cranked, new_orders, settle), 128),
    Row(V1, "Replace (bids) + (asks)", replaces, 128),
    Row(V1, "ConsumeEvents + both Replace", in_order(cranked, replaces), 128),
    Row(V1, "ConsumeEvents + both Replace + SettleFunds", in_order(cranked, replaces, settle), 128),
    Row(V2, "cancelAllAndPlaceOrders", batch, 24),
    Row(V2, "cancelAllAndPlaceOrders + settleFunds", in_order(batch, settle), 24),
    Row(V2, "cancelAllOrders + n placeOrder", in_order(cancel_all, placed), 24),
    Row(V2, "cancelAllOrders + n placeOrder + settleFunds", in_order(cancel_all, placed, settle), 24),
]
BYTES = {0: 1232, 1: 4096}


def fitting(stage: Stage, make: Build, version: int, most: int) -> int:
    """Return how many orders of a shape fit into one transaction."""
    return max(n for n in range(1, most + 1) if size(stage, make(stage, n), version) <= BYTES[version])


def units(stage: Stage, make: Build, n: int, version: int) -> int | str:
    """Return the compute units of a shape on a book where the orders before it rest, or why it failed."""
    chain = stage.world.chain
    for _ in range(2):
        compiled = message(stage, make(stage, n), version, chain.ledger.open.newest_hash)
        transaction = VersionedTransaction(compiled, [stage.user.key])
        result, _ = chain.simulate(transaction)
        error = chain.land(transaction)
        chain.advance()
        if error is not None:
            return str(error)
    return result.units


def main() -> None:
    """Print the table."""
    print(f"{'shape':70} {'version':>7} {'n':>3} {'tip':>3} {'bytes':>6} {'units':>9}")
    for row in ROWS:
        for version in (0, 1):
            stage = staged(row.venue)
            n = fitting(stage, row.build, version, row.most)
            with_tip = fitting(stage, tipped(row.build), version, row.most)
            nbytes = size(stage, row.build(stage, n), version)
            cost = units(stage, row.build, n, version)
            print(f"{row.venue} {row.name:58} {version:7} {n:3} {with_tip:3} {nbytes:6} {cost:>9}")
    for venue in VENUES:
        for version in (0, 1):
            _print_grid(venue, version)


def _print_grid(venue: str, version: int) -> None:
    """Print what the planner makes of a grid of 10 + 10 that is moved six times, the most units of each part."""
    stage = staged(venue)
    for turn in range(7):
        grid = [CANCEL_ALL, *(place(turn * 20 + number, side, price, 1) for side, price, number in sides(20))]
        plan = stage.plan(grid, version)
        used = []
        for part in plan.parts:
            used.append(stage.simulate(part))
            assert stage.land(part) is None
        stage.learn(grid, plan)
        told = ", ".join(
            f"{part.size} B {one.units} of {part.head.units} units, {one.loaded} B loaded"
            for part, one in zip(plan.parts, used, strict=True)
        )
        print(f"{venue} grid of 10 + 10, turn {turn}, version {version}: {told}")


if __name__ == "__main__":
    main()
