"""A feed from a notification to its word, and beside a reader that only reads.

    python -m pytest -o addopts="--import-mode=importlib" --benchmark-only tests/benchmarks/test_feed.py

`read` takes what came over a websocket on loopback and does nothing with it; `unpack` reads JSON and unpacks accounts,
which whoever looks into them has to do; `follow` tells updates. One benchmark group a venue; a round is all messages
of 200 slots, of which 97 in 100 or so change the book.
"""

import asyncio
import json
import time
from collections.abc import Callable
from functools import cache
from statistics import quantiles
from typing import Any

import pytest
from tests.rigs.feed import Line, make_line
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from bmv.adapters.openbook.feed.follow import Follow
from bmv.adapters.openbook.feed.words import Update
from bmv.adapters.solana.accounts import Snapshot, read_account
from bmv.adapters.solana.lineage import Lineage

SLOTS = 200
VENUES = ("openbook-v1", "openbook-v2")


class Kept(Line):
    """A line that keeps what came over it, and the snapshot that its first frames need."""

    def __post_init__(self) -> None:
        self.texts: list[str] = []
        super().__post_init__()

    def _hear(self, text: str) -> None:
        self.texts.append(text)
        super()._hear(text)


@cache
def recorded(venue: str) -> tuple[Kept, Snapshot, list[str]]:
    line = make_line(venue, 1)
    kept = Kept(line.world, line.truth, 1)
    chain = line.world.chain
    first = Snapshot(chain.slot, {key: chain.account(key) for key in kept.venue.keys})
    for _ in range(SLOTS):
        kept.step()
    return kept, first, kept.texts


def fresh(venue: str) -> Follow:
    line, first, _ = recorded(venue)
    follow = Follow(line.truth.another_venue(), Lineage(), {}, line.world.market.address)
    for request, (number, target) in enumerate(line.follow._subscribed.items(), 1):
        follow.ask(request, target)
        follow.hear(f'{{"id": {request}, "result": {number}}}', 0)
    follow.read(first)
    return follow


def told(follow: Follow, texts: list[str]) -> int:
    updates = 0
    for text in texts:
        follow.hear(text, 0)
        updates += sum(isinstance(word, Update) for word in follow.take())
    return updates


def over_a_socket(texts: list[str], take: Callable[[str], object]) -> float:
    """Send everything over loopback as fast as it goes; return how long the reader took, s."""

    async def whole() -> float:
        async def say(client: ServerConnection) -> None:
            for text in texts:
                await client.send(text)
            await client.close()

        async with serve(say, "127.0.0.1", 0, compression=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}", compression=None, max_size=16 << 20, proxy=None) as socket:
                began = time.perf_counter()
                async for text in socket:
                    take(str(text))
                return time.perf_counter() - began

    return asyncio.run(whole())


def unpack(text: str) -> None:
    result = json.loads(text)["params"]["result"]
    value = result.get("value") if isinstance(result, dict) else None
    if isinstance(value, dict) and "data" in value:
        read_account(value)


@pytest.fixture(params=VENUES)
def venue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("reader", ["read", "unpack", "follow"])
def test_messages_over_a_socket(benchmark: Any, venue: str, reader: str) -> None:  # Any: pytest-benchmark has no types.
    texts = recorded(venue)[2]
    benchmark.group = f"{venue}: {len(texts)} messages of {SLOTS} slots"

    def one() -> float:
        take: Callable[[str], object] = {"read": lambda text: None, "unpack": unpack}.get(reader) or follower()
        return over_a_socket(texts, take)

    def follower() -> Callable[[str], object]:
        follow = fresh(venue)
        return lambda text: told(follow, [text])

    benchmark.pedantic(one, rounds=5, warmup_rounds=1)
    benchmark.extra_info["messages_per_second"] = round(len(texts) / benchmark.stats.stats.median)


def test_from_a_notification_to_its_word(benchmark: Any, venue: str) -> None:
    texts = recorded(venue)[2]
    benchmark.group = "notification to word"
    times: list[float] = []

    def one() -> int:
        follow, updates = fresh(venue), 0
        for text in texts:
            began = time.perf_counter_ns()
            follow.hear(text, 0)
            words = list(follow.take())
            if words:
                times.append((time.perf_counter_ns() - began) / 1e3)
            updates += len(words)
        return updates

    assert benchmark.pedantic(one, rounds=5, warmup_rounds=1) > SLOTS * 0.9
    cuts = quantiles(times, n=100)
    benchmark.extra_info |= {"p50_us": round(cuts[49]), "p99_us": round(cuts[98])}
    print(f"{venue}: p50 {cuts[49]:.0f} µs, p99 {cuts[98]:.0f} µs")
