"""Paper trading: the backtest's simulated venue, on a market that happens now."""

import asyncio
from typing import Any

from bmv.adapters.bookkeeping.stage import Stage
from bmv.core.engine import Engine
from bmv.core.state import LEFT, ORDER, PRICE, SIDE
from bmv.live.loop import Loop
from bmv.ports.market import Market


class PaperVenue:
    """The simulated venue as a session's.

    Args:
        stage: The venue in the time of the loop.
        engine: Whose orders it has.
        market: In whose units they are shown.
        loop: Tells the engine.
    """

    def __init__(self, stage: Stage, engine: Engine, market: Market, loop: Loop) -> None:
        self.stage, self._engine, self._market, self._loop = stage, engine, market, loop

    def __repr__(self) -> str:
        return f"<PaperVenue {self.stage!r}>"

    async def run(self) -> None:
        """Wait: what happens here happens in the time of the loop."""
        await asyncio.Event().wait()

    @property
    def idle(self) -> bool:
        """Whether no order of ours is open, on its way, or not told of."""
        return not self._engine.state.n_orders and not self.stage.reporting

    def drain(self) -> None:
        """Deliver the reports that are on their way; nothing more arrives at the venue."""
        while self.stage.reporting:
            self._loop.hear(self.stage.deliver_next())

    async def settle(self) -> None:
        """Do nothing: here everything is settled at once."""

    async def receipt(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return how many orders are left at the simulated venue."""
        left = int(self.stage.exchange.sim.venue.n_book)
        return {"cleared": not left, "resting": left}

    def status(self) -> dict[str, Any]:  # Any: it is JSON.
        """Say that nothing here is real."""
        return {"venue": "simulated"}

    def orders(self) -> list[dict[str, Any]]:  # Any: it is JSON.
        """Return the orders that the engine knows to be open."""
        state, market = self._engine.state, self._market
        return [
            {
                "order": int(row[ORDER]),
                "side": "bid" if row[SIDE] > 0 else "ask",
                "price": str(market.tick_size * int(row[PRICE])),
                "left": str(market.lot_size * int(row[LEFT])),
            }
            for row in state.orders[: state.n_orders]
        ]
