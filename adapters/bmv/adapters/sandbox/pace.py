"""What drives the chain: one block after another at an even pace, unless told to stand still."""

import asyncio
from collections.abc import Callable

from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.faults import Faults

BEHIND_MAX = 10  # Slots that are caught up when the machine was busy; more are given up.


class Pace:
    """Opens blocks.

    Args:
        chain: The chain.
        act: Called in each open block, before it freezes.
        faults: Says when a block vanishes or a leader misses its slot.
        slot_s: Seconds of a slot, of the machine's clock.
    """

    def __init__(self, chain: Chain, act: Callable[[], None], faults: Faults, slot_s: float) -> None:
        self._chain, self._act, self._faults = chain, act, faults
        self._slot_s = slot_s
        self.paused = False

    async def run(self) -> None:
        """Go on until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._slot_s, loop.time() - BEHIND_MAX * self._slot_s)
            await asyncio.sleep(max(due - loop.time(), 0))
            if not self.paused:
                self.step()

    def step(self) -> None:
        """Let one slot go by."""
        self._act()
        if self._chain.may_vanish and not self._chain.dark and self._faults.strike("fork"):
            self._chain.fork()
        else:
            self._chain.advance(skipped=1 if self._faults.strike("skip") else 0)
