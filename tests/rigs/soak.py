"""The sandbox for a long time: whether its memory stays flat, whether it keeps pace, how fast it could go.

    python -m tests.rigs.soak [MINUTES] [--venue openbook-v1|openbook-v2] [--speed N | --free]

MINUTES are of the market's time, 60 if not given. With a speed (20 if not given) it runs behind its endpoints, with a
client that subscribes to the book; with --free as fast as it goes, without one. Memory counts from the 1,500th block
on, when the history of transactions is full.
"""

import argparse
import asyncio
import gc
import json
import time
from pathlib import Path

import websockets

from bmv.adapters.openbook.book import Side
from bmv.adapters.sandbox.ledger import HISTORY_BLOCKS
from bmv.adapters.sandbox.wiring import Sandbox, Settings, World, make_sandbox, make_world

GROWTH_MAX = 0.05  # Of memory, from the first count to the last.
COUNTS = 8
SLOTS_A_MINUTE = 300
PAGE = 4096


def resident_mb() -> float:
    """Return the memory of this process, MB."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


def verdict(counts: list[float], world: World) -> None:
    """Say how memory went, and fail where it grew or an order of the market did."""
    growth = counts[-1] / counts[0] - 1
    print(f"memory, MB: {', '.join(f'{count:.1f}' for count in counts)}; growth {growth:+.1%}")
    print(f"sent {dict(world.flow.sent)}, failed {dict(world.flow.failed)}")
    assert not world.flow.failed
    assert all(world.market.book(side) for side in Side)
    assert growth < GROWTH_MAX, f"memory grew by {growth:.1%}"


def free(settings: Settings, slots: int) -> None:
    """Let that many slots go by as fast as may be."""
    world = make_world(settings)
    counts = []
    begun, cpu = time.perf_counter(), time.process_time()
    for slot in range(1, slots + 1):
        world.flow.act()
        world.chain.advance()
        if slot >= HISTORY_BLOCKS and (slot - HISTORY_BLOCKS) % max((slots - HISTORY_BLOCKS) // COUNTS, 1) == 0:
            counts.append(resident_mb())
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(
        f"{settings.venue}: {slots} slots, {slots / wall:.0f} a second of the clock, {slots / cpu:.0f} of the processor"
    )
    verdict(counts, world)


async def paced(settings: Settings, slots: int) -> None:
    """Let that many slots go by at the pace of the settings, with a client that hears of the book."""
    async with make_sandbox(settings) as box:
        heard = asyncio.create_task(listen(box))
        first, begun, counts = box.chain.slot, time.perf_counter(), []
        while (gone := box.chain.slot - first) < slots:
            await asyncio.sleep(1)
            if gone >= HISTORY_BLOCKS and gone >= HISTORY_BLOCKS + len(counts) * (slots - HISTORY_BLOCKS) // COUNTS:
                counts.append(resident_mb())
        wall = time.perf_counter() - begun
        heard.cancel()
        wanted = settings.speed * 1000 / settings.slot_ms
        print(f"{settings.venue}: {gone / wall:.1f} slots a second, {wanted:.0f} wanted; {box!r}")
        verdict(counts, box.world)


async def listen(box: Sandbox) -> None:
    """Subscribe to the market's accounts and read what comes."""
    state = box.world.market.state
    async with websockets.connect(box.node.websocket_url, max_size=1 << 24, compression=None) as ws:
        for number, key in enumerate((box.world.market.address, state.bids, state.asks)):
            wanted = [str(key), {"encoding": "base64+zstd", "commitment": "processed"}]
            await ws.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": "accountSubscribe", "params": wanted}))
        async for _ in ws:
            pass


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("minutes", nargs="?", type=float, default=60)
    parser.add_argument("--venue", default="openbook-v2", choices=["openbook-v1", "openbook-v2"])
    parser.add_argument("--consensus", default="alpenglow", choices=["alpenglow", "tower"])
    parser.add_argument("--speed", type=float, default=20)
    parser.add_argument("--free", action="store_true")
    asked = parser.parse_args()
    settings = Settings(venue=asked.venue, consensus=asked.consensus, speed=asked.speed)
    slots = max(int(asked.minutes * SLOTS_A_MINUTE), HISTORY_BLOCKS + COUNTS)
    if asked.free:
        free(settings, slots)
    else:
        asyncio.run(paced(settings, slots))


if __name__ == "__main__":
    main()
