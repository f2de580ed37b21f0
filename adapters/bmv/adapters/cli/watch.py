"""`bmv market --watch`: the page of a market, moving; or what its feed says, a line of JSON each."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import click
from solders.pubkey import Pubkey

from bmv.adapters.cli.named_market import inspect_first
from bmv.adapters.cli.screen import Screen
from bmv.adapters.openbook.feed.feed import Feed
from bmv.adapters.openbook.feed.words import Word
from bmv.adapters.openbook.inspection.inspect import inspect
from bmv.adapters.openbook.inspection.records import Inspection, worst
from bmv.adapters.openbook.snapshot import read_accounts
from bmv.adapters.report.watch.board import Board
from bmv.adapters.report.watch.page import page
from bmv.adapters.report.watch.words_json import word_json
from bmv.adapters.solana.endpoints import Endpoints
from bmv.adapters.solana.rpc import Rpc, make_client
from bmv.ports.errors import BmvError, UsageError

LOOK_S = 5.0  # Between two looks at what no feed tells: the crank.
LEAST_S, MOST_S = 0.1, 0.25  # Between two drawings.


async def watch(market: Pubkey, endpoints: Endpoints, name: str | None, as_json: bool) -> None:
    """Watch a market until Ctrl-C; `UsageError` where there is neither a terminal nor JSON was asked for.

    Args:
        market: Its address.
        endpoints: The nodes that may be asked.
        name: What it is called; None: as it calls itself.
        as_json: A line of JSON for each word of the feed, and no page.
    """
    screen = Screen()
    if not as_json and not screen.usable:
        raise UsageError("--watch: expected a terminal that can be drawn on, found none; --json goes anywhere")
    inspection = await _first(market, endpoints)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    feed = Feed(market, endpoints)
    if as_json:
        await _until(stopped, *_telling(feed, inspection))
        return
    with screen:
        watching = _Watching(feed, Board(inspection, time.time_ns()), screen, name or inspection.name or "a market")
        watching.listen(loop, stopped)
        await _until(stopped, feed.run(watching.hear), watching.draw_on(), watching.look_on())


async def _first(market: Pubkey, endpoints: Endpoints) -> Inspection:
    """Look at the market from the first endpoint that answers; without its units there is nothing to watch."""
    inspection = await inspect_first(market, endpoints)
    if inspection.lots is None:
        raise worst(inspection.findings)("\n".join(finding.text for finding in inspection.findings))
    return inspection


async def _until(stopped: asyncio.Event, *jobs: Coroutine[Any, Any, None]) -> None:
    """Run all jobs until the first fails or it is stopped."""
    tasks = [asyncio.create_task(job) for job in (stopped.wait(), *jobs)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


def _telling(feed: Feed, inspection: Inspection) -> tuple[Coroutine[Any, Any, None], ...]:
    """Return the jobs that print what the feed says; a pipe that is closed breaks the printing, not the feed."""
    words = asyncio.Queue[Word]()
    lots = inspection.lots
    assert lots is not None, "the first look had them"

    async def tell_on() -> None:
        while True:
            click.echo(json.dumps(word_json(await words.get(), lots)))

    return feed.run(words.put_nowait), tell_on()


class _Watching:
    """A feed, what it said, and the screen that shows it."""

    def __init__(self, feed: Feed, board: Board, screen: Screen, name: str) -> None:
        self._feed, self._board, self._screen, self._name = feed, board, screen, name
        self._changed = asyncio.Event()

    def listen(self, loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
        """Heed keys and Ctrl-Z; a new size is seen at the next drawing, which is soon."""
        loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        if sys.stdin.isatty():
            loop.add_reader(sys.stdin, self._screen.on_keys, stopped.set)

    def _suspend(self) -> None:
        self._screen.suspend()
        self._changed.set()

    def hear(self, word: Word) -> None:
        """Take in what the feed says."""
        self._board.hear(word, self._feed.lineage.root)
        self._changed.set()

    async def draw_on(self) -> None:
        """Draw whenever something changed, and now and then, since ages do."""
        while True:
            self._changed.clear()
            self._draw()
            with suppress(TimeoutError):
                async with asyncio.timeout(MOST_S):
                    await self._changed.wait()
            await asyncio.sleep(LEAST_S)

    def _draw(self) -> None:
        follow = self._feed.follow
        slot_ns = None if follow is None else follow.slot_ns
        self._screen.draw(page(self._board, self._name, slot_ns, time.time_ns(), *self._screen.size))

    async def look_on(self) -> None:
        """Read now and then what no feed tells; what can't be read stays as it was, and grows old."""
        async with make_client() as client:
            while True:
                await asyncio.sleep(LOOK_S)
                endpoint = self._feed.endpoints.choose(time.monotonic())
                assert endpoint is not None, "Endpoints has a reader"
                with suppress(BmvError):
                    seen = await read_accounts(Rpc(client, endpoint.url, health=endpoint.health), self._feed.market)
                    self._board.look(inspect(*seen), time.time_ns())
