"""A recorder whose node sends what no node sends: messages changed on the way, over real connections, from a seed.

    python -m tests.rigs.hostile [MESSAGES] [--venue openbook-v1|openbook-v2] [--seed N]

Between the recorder and a sandbox stands a wire that changes messages, in bursts: a character lost, replaced or put in,
a stretch doubled. Whatever comes in, the feed ends in a declared error, is down by name and comes up again; and what was
recorded is what the chain did, row for row, or lies in a gap.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.rigs.feed import mutated
from tests.rigs.recording import Memory, Result, Truth, judged
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bmv.adapters.openbook.feed.feed import Feed, Limits
from bmv.adapters.openbook.feed.words import Down, Word
from bmv.adapters.sandbox.wiring import Settings, make_sandbox
from bmv.adapters.solana.endpoints import Endpoint, Endpoints
from bmv.adapters.spool.spool import Spool
from bmv.live.record.keeper import Keeper
from bmv.live.record.recorder import Copy, Recorder
from bmv.live.record.writer import Writer
from bmv.ports.market import Market

HOST = "127.0.0.1"
SHARE = 0.3  # Of the notifications in a burst.
BURST_S, CALM_S = 2.0, 0.8
CALM_SLOTS = 60  # At the end, so that what came last is final.
PATIENCE_S = 120.0  # For them, on a machine that others use too.


@dataclass
class Wire:
    """Passes on what a node and its client say, and changes what the node notifies."""

    target: str
    dice: Random
    hostile: bool = False
    changed: int = 0
    url: str = ""
    _open: set[ServerConnection] = field(default_factory=set)

    async def carry(self, client: ServerConnection) -> None:
        """Serve one client."""
        with suppress(ConnectionClosed, OSError):
            async with connect(self.target, max_size=None, compression=None) as node:
                asking = asyncio.create_task(self._ask(client, node))
                try:
                    async for text in node:
                        await client.send(self._passed(text))
                finally:
                    asking.cancel()

    async def _ask(self, client: ServerConnection, node: object) -> None:
        with suppress(ConnectionClosed):
            async for text in client:
                await node.send(text)  # type: ignore[attr-defined]
            await node.close()  # type: ignore[attr-defined]

    def _passed(self, text: str | bytes) -> str | bytes:
        if not (self.hostile and isinstance(text, str) and "Notification" in text and self.dice.random() < SHARE):
            return text
        self.changed += 1
        return mutated(text, self.dice)


@asynccontextmanager
async def wire_to(target: str, seed: int) -> AsyncIterator[Wire]:
    """Give a wire to a node's websocket that is open."""
    wire = Wire(target, Random(seed))
    async with serve(wire.carry, HOST, 0, max_size=None, compression=None) as server:
        wire.url = f"ws://{HOST}:{next(iter(server.sockets)).getsockname()[1]}"
        yield wire


async def run(venue: str, messages: int, seed: int, folder: Path) -> tuple[Result, int]:
    """Record until so many messages were changed; return what the record is worth, and how many were."""
    settings = Settings(venue=venue, speed=10, seed=seed)
    box = make_sandbox(settings)
    truth, store, downs = Truth(box.world), Memory(), Counter[str]()
    lots = box.world.market.lots
    units = Market("SOL/USDC", *(_decimal(step) for step in (lots.tick, lots.lot)))
    native = Fraction(1, 10**lots.quote_decimals) / units.quantum
    async with box, wire_to(box.node.websocket_url, seed) as wire:
        limits = Limits(stale_s=1.0, backoff_s=0.02, backoff_max_s=0.1)
        feed = Feed(
            box.world.market.address, Endpoints([Endpoint(box.node.rpc_url, wire.url)]), limits, None, Random(1)
        )
        async with Spool(store, folder / "spool") as spool:  # type: ignore[arg-type]
            writer = Writer(spool, "openbook/SOL-USDC", units, native, "rig", 1, folder / "kept.json")
            recorder = Recorder(feed, [Copy(Keeper(feed.lineage, lots.quote_lot), writer)])
            hear = recorder._hear

            def listen(word: Word) -> None:
                if isinstance(word, Down):
                    downs[word.cause.value] += 1
                hear(word)

            recorder._hear = listen  # type: ignore[method-assign]
            task = asyncio.create_task(recorder.run())
            while wire.changed < messages and not task.done():
                wire.hostile = not wire.hostile
                await asyncio.sleep(BURST_S if wire.hostile else CALM_S)
            wire.hostile = False
            until = box.chain.slot + CALM_SLOTS
            with suppress(TimeoutError):  # What is missing then is wrong.
                async with asyncio.timeout(PATIENCE_S):
                    while max(store.rows, default=0) < until and not task.done():
                        await asyncio.sleep(0.02)
            box.pace.paused = True  # Else there is more and more to record until all are closed.
            await asyncio.sleep(0.5)  # Less than after which the feed takes silence for a stall.
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task  # Raises what was no declared error.
            await spool.flush()
    return judged(truth, store, lots.quote_lot, native, Counter(), downs), wire.changed


def _decimal(step: Fraction) -> Decimal:
    return Decimal(step.numerator) / Decimal(step.denominator)


def main() -> None:
    """Run, say what came of it, and fail where the record is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("messages", type=int, nargs="?", default=10_000)
    parser.add_argument("--venue", default="openbook-v2")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        result, changed = asyncio.run(run(asked.venue, asked.messages, asked.seed, Path(folder)))
    downs = ", ".join(f"{count} {cause}" for cause, count in result.downs.most_common())
    print(f"{asked.venue}, seed {asked.seed}: {changed} messages changed on the way; down: {downs}")
    print(f"{result.slots} slots, {result.in_gaps} of them in {result.gaps} gaps; {result.rows} rows recorded")
    for text in result.wrong:
        print(f"WRONG {text}")
    raise SystemExit(bool(result.wrong))


if __name__ == "__main__":
    main()
