"""What an operator can ask of a running session, and tell it: see :mod:`bmv.live.control.steered`."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from bmv.adapters.solana.balances import SOL_DECIMALS, in_whole
from bmv.core.state import LEFT
from bmv.data.runs.numbers import Json
from bmv.live.control.steered import Outcome, StopMode
from bmv.live.session import Session
from bmv.ports.errors import Refused
from bmv.ports.messages import Command, Event, Kind, Liquidity, Refusal, Tier

FILLS_KEPT = 1_000
PATIENCE_S = 10.0  # For what was asked to be done; then it is said what is pending.
LOOK_S = 0.05
FIRST = (  # Of what is shown, by what an operator looks for first.
    "state", "why", "wrong", "trouble", "market", "mode", "position", "cash", "equity", "since_start", "below_peak",
    "breaker", "bid", "ask", "pivot", "feed_up", "orders", "sol", "refused_by_risk", "policy_refused", "attempts_alive",
)  # fmt: skip


class Helm:
    """Answers for a session.

    Args:
        session: Which one.
        wrong: Returns what is wrong with the world, by code.
        forgive: Lets what guards have latched go.
        may_take: Whether orders that take are allowed, as flattening needs.
    """

    def __init__(
        self, session: Session, wrong: Callable[[], dict[str, str]], forgive: Callable[[], None], may_take: bool
    ) -> None:
        self.session, self._wrong, self._forgive, self._may_take = session, wrong, forgive, may_take
        self._fills: deque[Json] = deque(maxlen=FILLS_KEPT)

    def hear(self, event: Event) -> None:
        """Take in what the engine is about to hear."""
        if event.kind == Kind.FILLED:
            market = self.session.parts.decider.market
            self._fills.append(
                {
                    "time_ns": event.ts_ns,
                    "order": event.order,
                    "side": "bought" if event.side > 0 else "sold",
                    "price": str(market.tick_size * event.price),
                    "size": str(market.lot_size * event.size),
                    "fee": str(market.money(event.fee)),
                    "liquidity": "taker" if event.code == Liquidity.TAKER else "maker",
                }
            )

    async def status(self) -> Json:
        """Return how the session is."""
        state = self.session.parts.engine.state
        lamports = self.session.parts.venue.status().get("lamports")
        refused = {code.name.lower(): int(n) for code, n in zip(Refusal, state.refusals, strict=False) if n}
        page = {
            **self.session.status(),
            "market": self.session.parts.decider.config.market.symbol,
            "why": self.why(),
            "refused_by_risk": refused,
            "wrong": self._wrong(),
        }
        if lamports is not None:
            page["sol"] = in_whole(page.pop("lamports"), SOL_DECIMALS)
        return {name: page[name] for name in (*FIRST, *page) if name in page}

    def why(self) -> str:
        """Return why it does not quote; "" if it does."""
        state = self.session.parts.engine.state
        if self.session.stopping is not None:
            return f"stopping: {self.session.why}"
        if wrong := self._wrong():
            return "; ".join(f"{code}: {why}" for code, why in wrong.items())
        return Refusal(int(state.withdrawn)).name.lower() if state.withdrawn else ""

    async def orders(self) -> Sequence[Json]:
        """Return the orders that may live."""
        return self.session.parts.venue.orders()

    async def fills(self, limit: int) -> Sequence[Json]:
        """Return the last fills, the newest last."""
        return list(self._fills)[-limit:]

    async def health(self) -> Json:
        """Return whether it lives, whether it quotes, and why not."""
        why = self.why()
        return {"alive": True, "ready": not why, "why": why}

    async def pause(self) -> Outcome:
        """Cancel our orders and place none."""
        self.session.command(Command.PAUSE, "operator")
        return await self._cleared("paused")

    async def resume(self) -> Outcome:
        """Quote again."""
        tier = Tier(int(self.session.parts.engine.state.tier))
        if tier is Tier.HALT:
            raise Refused("the breaker has halted: look why, and say `bmv rearm` when it may trade again")
        self._forgive()
        if wrong := self._wrong():
            raise Refused(f"something is wrong still: {'; '.join(wrong.values())}")
        self.session.command(Command.RESUME, "operator")
        self._forgive()
        await self._keep()
        return Outcome(True, "quoting again")

    async def rearm(self) -> Outcome:
        """Take back what the breaker and the guards have latched; `Refused` before a price says what is owned."""
        await self._priced()
        tier = Tier(int(self.session.parts.engine.state.tier))
        self.session.command(Command.REARM, "operator")
        self.session.command(Command.RESUME, "operator")
        self._forgive()
        await self._keep()
        return Outcome(True, f"armed again; it was at {tier.name.lower()}")

    async def _priced(self) -> None:
        """Wait a while for a price of the market, without which nobody knows what is owned."""
        until_s = asyncio.get_running_loop().time() + PATIENCE_S
        while not self.session.parts.engine.state.mid2:
            if asyncio.get_running_loop().time() >= until_s:
                raise Refused("no price was heard yet, and the breaker would count from nothing: say it again later")
            await asyncio.sleep(LOOK_S)

    async def stop(self, mode: StopMode) -> Outcome:
        """Stop for good."""
        if mode is StopMode.FLATTEN:
            self._refuse_taking()
        self.session.ask_stop(mode, "operator")
        await self.session.ended.wait()
        receipt = self.session.receipt
        left = "no order of ours rests" if receipt["cleared"] else f"{receipt['resting']} orders may rest"
        flat = mode is not StopMode.FLATTEN or receipt["flat"]
        short = "" if flat else ", and the target was not reached"
        done = (bool(receipt["cleared"]) or mode is StopMode.KEEP) and flat
        return Outcome(done, f"stopped: {left}{short}", {"receipt": receipt})

    async def flatten(self) -> Outcome:
        """Cancel our orders, trade back to the target, and place no more."""
        self._refuse_taking()
        self.session.command(Command.FLATTEN, "operator")
        target = self.session.parts.engine.params.target
        return await self._cleared("flat", lambda: int(self.session.parts.engine.state.position) == target)

    async def set(self, key: str, value: str) -> Outcome:
        """Change a key of the configuration."""
        self.session.set(key, value)
        await self._keep()
        return Outcome(True, f"{key} is {value} from now on")

    async def _keep(self) -> None:
        """Return when what was told survives a crash: nobody hears that it is done before."""
        await self.session.parts.minutes.commit()

    def _refuse_taking(self) -> None:
        if not self._may_take:
            raise Refused(
                'risk.breaker.on_halt: is "cancel", and so nothing that takes is signed; start with "flatten" there'
            )

    async def _cleared(self, done: str, holds: Callable[[], bool] = lambda: True) -> Outcome:
        """Wait a while until nothing of ours is open, and say how far it is."""
        await self._keep()
        state, venue = self.session.parts.engine.state, self.session.parts.venue
        until_s = asyncio.get_running_loop().time() + PATIENCE_S
        while not (venue.idle and not state.n_orders and holds()):
            if asyncio.get_running_loop().time() > until_s:
                left = int(sum(row[LEFT] for row in state.orders[: state.n_orders]))
                return Outcome(False, f"{int(state.n_orders)} orders are not known to be gone yet", {"lots_open": left})
            await asyncio.sleep(LOOK_S)
        return Outcome(True, f"{done}: no order of ours is open")
