"""A session that does nothing but remember what it was told; run as a program, it is a process that serves its socket."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bmv.adapters.config import load
from bmv.live.control.place import session_place
from bmv.live.control.server import Control, Patience
from bmv.live.control.steered import Outcome, StopMode
from bmv.ports.errors import Refused

Json = dict[str, Any]


class Remembering:
    """Stands at the port of a session.

    Args:
        mode: In which it says it is.
    """

    def __init__(self, mode: str = "live") -> None:
        self.mode = mode
        self.heard: list[str] = []
        self.paused = False
        self.stopped = asyncio.Event()
        self.may_stop = asyncio.Event()
        self.may_stop.set()

    async def status(self) -> Json:
        state = "paused" if self.paused else "quoting"
        facts = {
            "session": f"{self.mode}/sim/SOL-USDC/00000001",
            "mode": self.mode,
            "market": "SOL/USDC",
            "state": state,
        }
        return facts | {"why": "an operator paused it" if self.paused else "", "pnl": {"net": "1.25", "fees": "-0.5"}}

    async def orders(self) -> Sequence[Json]:
        return [] if self.paused else [{"id": "7", "side": "bid", "price": "99.5", "size": "1.25"}]

    async def fills(self, limit: int) -> Sequence[Json]:
        return [{"id": str(number), "price": "100.25"} for number in range(1_000)][-limit:]

    async def health(self) -> Json:
        return {"alive": True, "ready": not self.paused, "why": "paused" if self.paused else ""}

    async def pause(self) -> Outcome:
        self.heard.append("pause")
        self.paused = True
        return Outcome(True, "paused; 1 order was cancelled", {"cancelled": 1})

    async def resume(self) -> Outcome:
        self.heard.append("resume")
        raise Refused(
            "the breaker halted: re-arm it first\nsee https://me:hunter2-secret@rpc.example/?api-key=0123456789"
        )

    async def stop(self, mode: StopMode) -> Outcome:
        self.heard.append(f"stop {mode}")
        await self.may_stop.wait()
        self.stopped.set()
        return Outcome(True, f"stopped, orders: {mode}", {"slot": 17})

    async def flatten(self) -> Outcome:
        self.heard.append("flatten")
        return Outcome(False, "0.5 SOL are still to be sold", {"left": "0.5"})

    async def set(self, key: str, value: str) -> Outcome:
        self.heard.append(f"set {key}={value}")
        if key == "market.symbol":
            raise Refused("market.symbol can't change while a session runs")
        return Outcome(True, f"{key} = {value}")


async def main(config: Path, mode: str) -> None:
    """Serve the session of a configuration until it is stopped; say on standard output when it can be asked."""
    session = Remembering(mode)
    async with Control(session_place(config, load(config), mode), session, Patience()):
        print("ready", os.getpid(), flush=True)
        await session.stopped.wait()
    print(session.heard, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
