"""What the core hears of a live market: the book as it is, trades, and when the feed is down."""

import asyncio

from bmv.adapters.openbook.feed.feed import Feed, Limits
from bmv.adapters.sandbox.wiring import Settings, make_sandbox
from bmv.adapters.solana.endpoints import Endpoint, Endpoints
from bmv.live.clock import SystemClock
from bmv.live.market_data import MarketEvents
from bmv.ports.messages import Event, Kind


def book_of(events: list[Event]) -> dict[int, dict[int, int]]:
    """Return the book that changes of depth make up: side, price, size."""
    book: dict[int, dict[int, int]] = {1: {}, -1: {}}
    for event in events:
        if event.kind != Kind.DEPTH:
            continue
        if event.side == 0:
            book = {1: {}, -1: {}}
        elif event.size:
            book[event.side][event.price] = event.size
        else:
            del book[event.side][event.price]
    return book


def test_the_book_that_the_core_hears_is_the_chains_and_a_cut_is_a_feed_that_is_down() -> None:
    async def play() -> list[Event]:
        async with asyncio.timeout(90), make_sandbox(Settings(speed=5)) as box:
            end = Endpoints([Endpoint(box.node.rpc_url, box.node.websocket_url)])
            feed = Feed(box.world.market.address, end, Limits(backoff_max_s=0.2))
            heard: list[Event] = []
            market = MarketEvents(feed, SystemClock().now_ns)
            async for event in market.events():
                heard.append(event)
                if len(heard) == 150:
                    box.node.cut()
                ups = sum(one.kind == Kind.FEED and one.code == 1 for one in heard)
                if ups == 2 and len(heard) > 300 and heard[-2].ts_ns != event.ts_ns:
                    break
            return heard[:-1]  # The last slot may have more to it.

    heard = asyncio.run(play())

    feed = [event.code for event in heard if event.kind == Kind.FEED]
    assert feed[:3] == [1, 0, 1]
    assert [event.ts_ns for event in heard] == sorted(event.ts_ns for event in heard)
    last = heard[-1]
    assert last.bid < last.ask
    book = book_of(heard)
    assert max(book[1]) < min(book[-1])
