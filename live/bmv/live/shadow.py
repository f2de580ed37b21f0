"""A session in the shadow: it decides and signs, sends nothing, and touches nothing of one that trades."""

import asyncio
from typing import Any

from bmv.adapters.solana.sending.attempt import Attempt, Fate, State, Tell
from bmv.adapters.solana.sending.courier import Courier
from bmv.live.onchain import ChainVenue

SENT_ONLY = ("dark", "reconcile", "unreconciled", "stray")  # Conditions that have a meaning where something is sent.


class Mute(Courier):
    """A courier that carries nothing."""

    _over = False

    def hush(self) -> None:
        """Let all that was to be carried have ended."""
        self._over = True

    async def carry(
        self,
        attempt: Attempt,
        tell: Tell = lambda fate: None,
        fate: Fate | None = None,
        send: bool = True,
        since: int | None = None,
    ) -> Fate:
        """Watch an attempt that was never sent until it can't land any more, or nobody wants to know."""
        watching = asyncio.ensure_future(super().carry(attempt, tell, fate, send=False, since=since))
        try:
            while not watching.done() and not self._over:
                await asyncio.wait({watching}, timeout=self.habits.look_s)
            if watching.done():
                return watching.result()
            ended = Fate(State.EXPIRED)
            tell(ended)
            return ended
        finally:
            watching.cancel()


class ShadowVenue(ChainVenue):
    """A market on the chain where nothing of ours ever rests."""

    async def settle(self) -> None:
        """Do nothing: what lies there is of whoever trades."""

    async def receipt(self) -> dict[str, Any]:  # Any: it is JSON.
        """Say that nothing rests, for nothing was sent."""
        return {"cleared": True, "resting": 0, "sent": 0}
