"""The way to a real market: our seat there, what signs and sends for it, and what an earlier process left."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx

from bmv.adapters.cli.named_market import look
from bmv.adapters.config import Config, compile
from bmv.adapters.config.mandate import delegates_of, fees_lamports_per_day, fees_lamports_per_hour, limits_of
from bmv.adapters.openbook.book import Lots
from bmv.adapters.openbook.execution.executor import Executor, House, Manners
from bmv.adapters.openbook.execution.purse import Purse
from bmv.adapters.openbook.execution.reading import open_fills
from bmv.adapters.openbook.execution.recovery import Left
from bmv.adapters.openbook.inspection.records import Inspection, worst
from bmv.adapters.openbook.planning.budget import Fee
from bmv.adapters.openbook.planning.routing import Routing
from bmv.adapters.openbook.policy.guard import GuardedSigner
from bmv.adapters.openbook.policy.mandate import Limits
from bmv.adapters.openbook.seat.desk import DeskSnapshot
from bmv.adapters.openbook.seat.funds import owned_of
from bmv.adapters.openbook.seat.rights import make_policy
from bmv.adapters.solana.balances import SOL_DECIMALS, in_whole
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import FINALIZED, Rpc
from bmv.adapters.solana.sending.courier import Courier, Habits
from bmv.live.chain.opening import PATIENCE_S, open_key
from bmv.live.chain.seated import Seated, take_seat, wallet_of
from bmv.live.minutes import Minutes
from bmv.live.notes import Holding
from bmv.live.routes import open_roads
from bmv.ports.errors import ConfigError, Refused
from bmv.ports.market import Market
from bmv.ports.messages import Event
from bmv.ports.signer import Signer

LAMPORTS = 10**9
RECOVER_S = 180.0  # For what an earlier process left to come to its end: beyond the life of a blockhash on Tower.
RECEIPT_S = 30.0
LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat on a market that was looked at, with the key that signs for it.

    Args:
        seated: The seat.
        inspection: The market, in which nothing is wrong.
        key: Signs.
        desk: What stands there, by a final bank.
    """

    seated: Seated
    inspection: Inspection
    key: Signer
    desk: DeskSnapshot

    @property
    def native(self) -> Fraction:
        """Quanta of the market in a native unit of quote."""
        return native_of(self.seated.lots, compile.market(self.seated.config))


async def take_place(path: Path, config: Config, client: httpx.AsyncClient, passphrase_file: Path | None) -> Seat:
    """Find our seat, look at the market, and open the key; raises what is wrong with any of it."""
    seated = await take_seat(path, config, client, PATIENCE_S)
    endpoints = seated.readers.endpoints
    _, inspection, findings = await seated.readers.ask(lambda _: look(path, config, endpoints))
    if findings:
        raise worst(findings)("\n".join(finding.text for finding in findings))
    desk = await seated.desk(FINALIZED)
    if desk.account is None:
        raise Refused(f"{seated.seat.owner} has no account on this market; `bmv chain setup {path}` makes it")
    _refuse_poor(seated, desk, config)
    return Seat(seated, inspection, open_key(wallet_of(config), passphrase_file), desk)


def _refuse_poor(seated: Seated, desk: DeskSnapshot, config: Config) -> None:
    """Raise `Refused` where the wallet can't pay for trading."""
    floor = _floor(config)
    if desk.signer_lamports < floor + LAMPORTS // 100:
        has, least = (in_whole(lamports, SOL_DECIMALS) for lamports in (desk.signer_lamports, floor + LAMPORTS // 100))
        raise Refused(f"{seated.seat.owner} holds {has} SOL, and needs {least} to pay for a session; send it some")


def _floor(config: Config) -> int:
    return int((config.risk.min_sol or 0) * LAMPORTS)


def purse_of(config: Config) -> Purse:
    """Return what may be paid to the chain."""
    tips = config.live.jito
    return Purse(
        day_max=fees_lamports_per_day(config),
        floor=_floor(config),
        hour_max=fees_lamports_per_hour(config),
        tip_day_max=tips.max_tip_lamports_per_day,
        tip_hour_max=tips.max_tip_lamports_per_hour,
    )


def price_now(inspection: Inspection) -> int | None:
    """Return the price of a market, in ticks: between the best bid and ask, or the last trade; None: there is none."""
    touch = [side.levels[0].price_lots for side in (inspection.bids, inspection.asks) if side and side.levels]
    if touch:
        return sum(touch) // len(touch)
    return int(inspection.trades[0].price_lots) if inspection.trades else None


class ChainVenue:
    """A market on the chain as a session's venue.

    Args:
        seat: Where we sit.
        executor: Carries out what is asked for.
        market: In whose units things are shown.
        settles: Whether money is paid out when the session ends.
    """

    def __init__(self, seat: Seat, executor: Executor, market: Market, settles: bool = True) -> None:
        self.seat, self.executor, self._market, self._settles = seat, executor, market, settles
        self._running: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<ChainVenue {self.executor!r}>"

    def start(self) -> None:
        """Begin to work in the background."""
        self._running = asyncio.create_task(self.executor.run())

    async def run(self) -> None:
        """Work until cancelled."""
        if self._running is None:
            self.start()
        assert self._running is not None
        await self._running

    @property
    def idle(self) -> bool:
        """Whether nothing of ours is under way, open, or not told of, by the newest final bank."""
        return self.executor.idle and not self.executor.orders.open

    async def until_idle(self, seconds: float) -> bool:
        """Wait until nothing is open, and say whether that came about."""
        try:
            async with asyncio.timeout(seconds):
                while not self.idle:
                    if self._running is not None and self._running.done():
                        self._running.result()
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            return False
        return True

    def drain(self) -> None:
        """Do nothing: what the chain has to tell comes when it is final."""

    async def settle(self) -> None:
        """Pay out what is free at the venue; a delegate leaves it there, or there would be nothing to trade with."""
        if self._settles and self.seat.seated.seat.delegate is None:
            self.executor.settle()
            await self.until_idle(RECEIPT_S)

    async def held(self) -> Holding:
        """Return what is held, by a final bank."""
        return held_on(self.seat.seated, await self.seat.seated.desk(FINALIZED), self._market)

    async def receipt(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return what rests by the finalized chain, and from which accounts that was read."""
        seat = self.seat.seated.seat
        alive = sorted(self.executor.carrier.alive)
        try:
            async with asyncio.timeout(RECEIPT_S):
                desk = await self.seat.seated.desk(FINALIZED)
        except (EndpointError, TimeoutError) as error:
            return {"cleared": False, "resting": None, "alive": alive, "trouble": str(error) or "no endpoint answers"}
        resting = [str(order.order_id) for order in desk.own(seat.open_orders).resting]
        accounts = {"market": str(seat.market), "open_orders": str(seat.open_orders), "owner": str(seat.owner)}
        return {
            # Nor may we know of one: a node that lags shows the book of before.
            "cleared": not resting and not alive and not self.executor.orders.open,
            "resting": len(resting),
            "left": resting,
            "alive": alive,
            "slot": desk.slot,
            "chain_time": desk.unix_timestamp,
            "accounts": accounts,
            "lamports": desk.signer_lamports,
        }

    def status(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return how the way to the chain is."""
        carrier, desk = self.executor.carrier, self.executor.desk
        return {
            "venue": self._market.symbol,
            "attempts_alive": len(carrier.alive),
            "final_slot": None if desk is None else desk.slot,
            "lamports": None if desk is None else desk.signer_lamports,
            "trouble": self.executor.trouble,
            "policy_refused": len(carrier.refusals),
        }

    def orders(self) -> list[dict[str, Any]]:  # Any: it is JSON.
        """Return the orders that may live."""
        return [
            {
                "order": order.number & 0xFFFFFFFF,
                "side": order.side.name.lower(),
                "price": str(self._market.tick_size * order.intent.price),
                "left": str(self._market.lot_size * order.left),
                "state": "dying" if order.dying else order.stage.value,
                "venue_id": str(order.venue_id or ""),
            }
            for order in self.executor.orders.open.values()
        ]


def limits_for(seat: Seat, config: Config) -> Limits:
    """Return what is signed for a seat, by a configuration and today's price."""
    return limits_of(config, price_now(seat.inspection))


def refuse_unsigned(seat: Seat, signed: Limits, config: Config) -> None:
    """Raise `Refused` where a changed configuration wants larger orders than are signed since the start."""
    wanted = limits_for(seat, config)
    for name in ("order_lots_max", "order_quote_lots_max", "total_quote_lots_max"):
        if getattr(wanted, name) > getattr(signed, name):
            raise Refused(
                "the orders of that grid are larger than what is signed since the session began; stop it, change the "
                "file and begin again"
            )


def make_executor(
    seat: Seat,
    courier: Courier,
    routing: Routing,
    minutes: Minutes,
    left: Left,
    epoch: int,
    band: Callable[[], tuple[int, int] | None],
    now_ns: Callable[[], int],
    tell: Callable[[Event], None],
    *,
    alone: bool = True,
) -> Executor:
    """Return what carries out a session's intents, with what an earlier process left already in its hands.

    Args:
        alone: Whether what our account on the chain shows is of this session; not so of a shadow's.
    """
    seated, config = seat.seated, seat.seated.config
    limits = limits_for(seat, config)
    tips = {account for route in routing.routes for account in route.tips}
    policy = make_policy(seated.seat, seated.identity.market, limits, delegates=delegates_of(config), tips=tips)
    house = House(
        market=seated.identity.market,
        seat=seated.seat,
        fills=open_fills(seated.seat, seated.identity.market, seat.desk, left.mark),
        courier=courier,
        guard=GuardedSigner(seat.key, policy),
        ledger=minutes,
        purse=purse_of(config),
        band=band,
        now_ns=now_ns,
        tell=tell,
        native=_whole(seat.native),
        routing=routing,
    )
    fee = Fee(0, config.live.max_priority_fee_lamports)
    manners = replace(Manners(), life_s=config.live.order_life_s, fee=fee, alone=alone)
    executor = Executor(house, manners, epoch)
    executor.resume(left.orders, left.attempts, left.spending)
    return executor


def _whole(native: Fraction) -> int:
    if native.denominator != 1:
        raise ConfigError(
            f"market.quote_step: the market's money comes in native units, of which {native} quanta are no whole "
            "number; leave the key out"
        )
    return native.numerator


def native_of(lots: Lots, market: Market) -> Fraction:
    """Return the quanta of a market in a native unit of quote."""
    return Fraction(1, 10**lots.quote_decimals) / market.quantum


def held_on(seated: Seated, desk: DeskSnapshot, market: Market) -> Holding:
    """Return what is held by a bank in lots and quanta; less than a lot of base is nobody's.

    A delegate holds what was deposited: what the owner has in his wallets nobody but him can trade.
    """
    owned = owned_of(desk, seated.seat.open_orders, wallets=seated.seat.delegate is None)
    return Holding(owned.base // seated.lots.base_lot, int(owned.quote * native_of(seated.lots, market)))


@asynccontextmanager
async def couriered(
    seat: Seat, client: httpx.AsyncClient, kind: type[Courier] = Courier
) -> AsyncIterator[tuple[Courier, Routing]]:
    """Give what sends for a seat, at work, and who says by which routes."""
    endpoints, config = seat.seated.readers.endpoints, seat.seated.config
    rpc, clock = Rpc(client, endpoints.readers[0].url), time.monotonic
    async with AsyncExitStack() as opened:
        if config.live.routes:
            roads = await opened.enter_async_context(open_roads(config, client, os.environ, Habits(), clock))
            courier, routing = kind(endpoints, rpc, clock=clock, ways=roads.ways), roads.routing
        else:
            courier, routing = kind(endpoints, rpc, clock=clock), Routing()
        yield await opened.enter_async_context(courier.open()), routing


def differences(expected: Holding, found: Holding, market: Market) -> list[str]:
    """Return in words how the chain differs from what the journal says is held.

    >>> from decimal import Decimal
    >>> differences(Holding(5, 0), Holding(4, 0), Market("A", Decimal("0.01"), Decimal("0.1")))
    ['base: the journal says 0.5, the chain 0.4 (0.1 less)']
    """
    amounts = (
        ("base", market.lot_size * expected.position, market.lot_size * found.position),
        ("quote", market.money(expected.cash), market.money(found.cash)),
    )
    return [
        f"{name}: the journal says {ours}, the chain {its} ({abs(its - ours)} {'more' if its > ours else 'less'})"
        for name, ours, its in amounts
        if ours != its
    ]
