"""The reference price over real sockets: what venues say, and what they do to a line, until it reaches the core."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from exchange import Exchange, Refusal, binance, coinbase, coingecko, kraken, pyth, until
from hand_clock import HandClock
from price_messages import SOL_FEED

from bmv.adapters.prices.consensus import NoPrice, ReferencePrice, Why
from bmv.adapters.prices.polling import make_client
from bmv.adapters.prices.quote import Pair
from bmv.adapters.prices.reference import Prices, ReferenceQuote
from bmv.adapters.prices.settings import Leg, Rules, Settings, Source
from bmv.ports.messages import Event, Kind

S = 1_000_000_000
START_S = 1_795_953_600  # 29 November 2026, 12:00 UTC.
USD, USDT = Pair("SOL", "USD"), Pair("SOL", "USDT")
AGE = 10 * S
HOUR = 3600 * S


@dataclass
class Scene:
    """An exchange, a clock that is moved by hand, and prices that listen to both.

    Attributes:
        events: What the core was told.
        rows: What would be kept.
    """

    exchange: Exchange
    clock: HandClock
    prices: Prices
    events: list[Event]
    rows: list[ReferenceQuote]
    updates: int = 0

    def stamp(self) -> str:
        """The time as venues write it; the tests stay within an hour."""
        minute, second = divmod(self.clock.now_ns() // S - START_S, 60)
        return f"2026-11-29T12:{minute:02}:{second:02}.000000Z"

    async def say(self, venue: str, bid: str, ask: str | None = None, *, pair: str = "SOL/USD") -> None:
        """Let a venue quote, and wait until it was heard."""
        self.updates += 1
        heard = self.prices.states[f"{venue} {pair}"].quotes
        symbol = {"binance": pair.replace("/", ""), "coinbase": pair.replace("/", "-")}.get(venue, pair)
        ask = ask or bid
        text = {
            "binance": lambda: binance(symbol, bid, ask, self.updates),
            "coinbase": lambda: coinbase(symbol, bid, ask, self.updates, self.stamp()),
            "kraken": lambda: kraken(symbol, bid, ask, self.stamp()),
        }[venue]()
        await self.exchange.say(venue, text)
        await until(lambda: self.prices.states[f"{venue} {pair}"].quotes > heard)

    async def ready(self, *venues: str) -> None:
        """Wait until the lines to venues are up."""
        await until(lambda: all(self.exchange.listeners(venue) for venue in venues))

    async def move(self, seconds: float) -> None:
        """Let time go by, from one sleeper to the next, and what it wakes be done."""
        end_ns = self.clock.now_ns() + round(seconds * S)
        while (next_ns := self.clock.next_ns()) is not None and next_ns <= end_ns:
            self.clock.advance((next_ns - self.clock.now_ns()) / S)
            for _ in range(5):
                await asyncio.sleep(0)
        self.clock.advance((end_ns - self.clock.now_ns()) / S)
        for _ in range(5):
            await asyncio.sleep(0)

    async def move_until(self, is_so: Callable[[], bool], seconds: float) -> None:
        """Let time go by in such steps until a condition holds."""
        async with asyncio.timeout(60):
            while not is_so():
                await self.move(seconds)
                await asyncio.sleep(0.005)

    def mid(self) -> Fraction:
        """The price as it stands."""
        price = self.prices.price
        assert isinstance(price, ReferencePrice), price
        return price.mid

    @property
    def told(self) -> list[int]:
        return [event.price for event in self.events]

    def none(self) -> Why:
        price = self.prices.price
        assert isinstance(price, NoPrice), price
        return price.why


def source(exchange: Exchange, venue: str, pair: Pair = USD, leg: Leg | None = None, **more: Any) -> Source:
    streams = venue in ("binance", "coinbase", "kraken")
    url = exchange.websocket(venue) if streams else exchange.rest(venue)
    return Source(venue, pair, more.pop("max_age_ns", AGE), leg, url=url, **more)


MakeSources = Callable[[Exchange], list[Source]]


def three(exchange: Exchange) -> list[Source]:
    return [source(exchange, "coinbase"), source(exchange, "kraken"), source(exchange, "binance", USD, symbol="SOLUSD")]


ALL = ("coinbase", "kraken", "binance")


def play(
    scene: Callable[[Scene], Coroutine[Any, Any, None]],
    sources: MakeSources = three,
    keys: dict[str, str] | None = None,
    **more: Any,
) -> None:
    """Play a scene in which these sources are heard."""
    rules = {"quorum": more.pop("quorum", 2), **more.pop("rules", {})}

    async def whole() -> None:
        async with opened(sources, Rules(USD, **rules), keys or {}, more) as at:
            await scene(at)

    asyncio.run(whole())


@asynccontextmanager
async def opened(
    sources: MakeSources, rules: Rules, keys: dict[str, str], more: dict[str, Any]
) -> AsyncIterator[Scene]:
    clock = HandClock(START_S * S)
    async with Exchange() as exchange, make_client() as client:
        settings = Settings(rules, tuple(sources(exchange)), Decimal("0.01"), Decimal("0.001"), **more)
        async with Prices(settings, clock, client, Random(1), keys) as prices:
            events, rows = list[Event](), list[ReferenceQuote]()
            readers = [
                asyncio.create_task(collect(prices.events(), events)),
                asyncio.create_task(collect(prices.quotes(), rows)),
            ]
            yield Scene(exchange, clock, prices, events, rows)
        await asyncio.gather(*readers)


async def collect(what: AsyncIterator[Any], into: list[Any]) -> None:
    async for each in what:
        into += [each]  # At once, and not when all have come.


def test_the_core_is_told_the_median_in_ticks_whenever_it_changes() -> None:
    async def scene(at: Scene) -> None:
        await at.ready(*ALL)
        await at.say("coinbase", "150.00", "150.02")
        assert at.none() == Why.QUORUM
        await at.say("kraken", "150.02", "150.04")
        await at.say("binance", "150.04", "150.06")
        await until(lambda: at.told == [15002, 15003])

        assert at.events[0] == Event(Kind.REFERENCE, START_S * S, price=15002)
        assert [(row.bid, row.ask) for row in at.rows] == [(15001, 15003), (15002, 15004)]

    play(scene)


@pytest.mark.parametrize("venue", ALL)
@pytest.mark.parametrize("bad", ["300.00", "1.50", "15000.00", "0.01"])
def test_a_venue_that_jumps_is_left_out(venue: str, bad: str) -> None:
    async def scene(at: Scene) -> None:
        await at.ready(*ALL)
        for name in ALL:
            await at.say(name, "150.00")
        await at.say(venue, bad)

        assert at.mid() == 150
        assert set(at.told) <= {15000}
        assert at.prices.answer.verdicts[f"{venue} SOL/USD"] == "too far from the others"

    play(scene)


@pytest.mark.parametrize("venue", ALL)
def test_a_venue_that_is_frozen_is_left_out_though_its_line_goes_on(venue: str) -> None:
    async def scene(at: Scene) -> None:
        await at.ready(*ALL)
        for name in ALL:
            await at.say(name, "150.00")
        same = {
            "binance": binance("SOLUSD", "150.00", "150.00", 3),
            "coinbase": coinbase("SOL-USD", "150.00", "150.00", 1, "2026-11-29T12:00:00Z"),
            "kraken": kraken("SOL/USD", "150.00", "150.00", "2026-11-29T12:00:00Z"),
        }[venue]
        for step in range(1, 6):
            await at.move(2.5)
            await at.exchange.say(venue, same)
            for name in ALL:
                if name != venue:
                    await at.say(name, f"{150 + step / 5:.2f}")

        assert at.prices.answer.verdicts[f"{venue} SOL/USD"].startswith("too old")
        assert at.mid() == 151
        await until(lambda: at.told[-1] == 15100)

    play(scene)


def test_a_venue_that_is_gone_is_left_out_and_when_too_few_are_left_there_is_no_price() -> None:
    async def scene(at: Scene) -> None:
        await at.ready(*ALL)
        for name in ALL:
            await at.say(name, "150.00")
        await at.exchange.close()
        await at.move(9.9)
        assert at.mid() == 150

        await at.move(0.2)

        assert at.none() == Why.QUORUM
        await until(lambda: at.told == [15000, 0])
        assert at.rows[-1]._replace(received_ns=0) == ReferenceQuote(START_S * S + AGE, 0, 0, 0, 0)
        await at.exchange.open()

    play(scene)


def test_a_venue_that_says_garbage_is_not_believed_in_what_it_said_before_either() -> None:
    async def scene(at: Scene) -> None:
        await at.ready(*ALL)
        for name in ALL:
            await at.say(name, "150.00")
        for name in ("kraken", "binance"):
            await at.exchange.say(name, '{"channel": "ticker", "type": "update", "data": 1e')
            await until(lambda name=name: at.prices.states[f"{name} SOL/USD"].failures == 1)

        assert at.none() == Why.QUORUM
        assert at.prices.answer.verdicts["kraken SOL/USD"] == "nothing heard"
        assert "no JSON" in at.prices.states["kraken SOL/USD"].error

    play(scene)


def test_a_quote_in_another_unit_is_never_taken() -> None:
    async def scene(at: Scene) -> None:
        await at.ready(*ALL)
        for name in ALL:
            await at.say(name, "150.00")
        await at.exchange.say("kraken", kraken("SOL/EUR", "139.00", "139.00", at.stamp()))
        await until(lambda: at.prices.states["kraken SOL/USD"].failures == 1)

        assert at.mid() == 150
        assert "expected SOL/USD, found SOL/EUR" in at.prices.states["kraken SOL/USD"].error

    play(scene)


def test_a_leg_is_heard_beside_its_source_and_turns_its_price() -> None:
    def sources(exchange: Exchange) -> list[Source]:
        leg = Leg("kraken", Pair("USDT", "USD"), url=exchange.websocket("kraken"))
        return [source(exchange, "binance", USDT, leg)]

    async def scene(at: Scene) -> None:
        await at.ready("binance", "kraken")
        await at.say("binance", "150.00", pair="SOL/USDT")
        assert at.none() == Why.QUORUM
        await at.say("kraken", "0.99", pair="USDT/USD")

        assert at.mid() == Fraction("148.5")

    play(scene, sources, quorum=1)


def test_a_line_that_broke_comes_up_again_and_again() -> None:
    async def scene(at: Scene) -> None:
        await at.ready(*ALL)
        for opened in range(2, 6):
            at.exchange.cut()
            await until(lambda: not any(at.exchange.listeners(name) for name in ALL))
            await until(lambda: all(state.error for state in at.prices.states.values()))
            await at.move_until(lambda: all(at.exchange.listeners(name) for name in ALL), 1)
            for name in ALL:
                await at.say(name, "150.00")
            assert all(state.opened >= opened for state in at.prices.states.values())

        assert at.mid() == 150

    play(scene)


def test_a_venue_that_refuses_is_left_alone_as_long_as_it_asks() -> None:
    async def scene(at: Scene) -> None:
        state = at.prices.states["kraken SOL/USD"]
        await until(lambda: state.failures == 1)
        assert state.error == f"ws://127.0.0.1:{at.exchange.port}: answers 429"

        await at.move(599)
        assert state.opened == 1

        at.exchange.refusal = None
        await at.move(2)
        await at.ready("kraken")

    def refused(exchange: Exchange) -> list[Source]:
        exchange.refusal = Refusal(429, {"Retry-After": "600"})
        return [source(exchange, "kraken")]

    play(scene, refused, quorum=1)


def test_a_line_that_falls_silent_is_opened_again() -> None:
    async def scene(at: Scene) -> None:
        await at.ready("kraken")
        await at.move_until(lambda: at.prices.states["kraken SOL/USD"].failures > 0, 31)

        assert "silent for 30 s" in at.prices.states["kraken SOL/USD"].error

    play(scene, lambda exchange: [source(exchange, "kraken")], quorum=1)


def test_a_line_whose_heart_beats_but_that_quotes_nothing_is_opened_again() -> None:
    async def scene(at: Scene) -> None:
        await at.ready("kraken")
        state = at.prices.states["kraken SOL/USD"]
        welcomes, heartbeats = 2, 0
        while not state.failures:
            heartbeats += 1
            await at.exchange.say("kraken", '{"channel":"heartbeat"}')
            await until(lambda: state.messages == welcomes + heartbeats or state.failures > 0)  # noqa: B023  # At once.
            await at.move(9)
            await asyncio.sleep(0.01)

        assert "no quote for 120 s" in state.error

    play(scene, lambda exchange: [source(exchange, "kraken")], quorum=1)


def test_a_server_that_shuts_down_is_left_for_another_line() -> None:
    async def scene(at: Scene) -> None:
        await at.ready("binance")
        await at.say("binance", "150.00", pair="SOL/USDT")
        await at.exchange.say("binance", '{"e":"serverShutdown","E":1770123456789}')
        await until(lambda: at.prices.states["binance SOL/USDT"].failures == 1)
        await at.move(1)
        await until(lambda: len(at.exchange.subscribed) == 2)

        assert at.exchange.subscribed == ["/binance/ws/solusdt@bookTicker"] * 2
        assert at.mid() == 150

    play(scene, lambda exchange: [source(exchange, "binance", USDT, par=Fraction(1, 1000))], quorum=1)


def vetoing(exchange: Exchange) -> list[Source]:
    exchange.answers["/coingecko/"] = coingecko("solana", "150.10", START_S - 30)
    exchange.answers["/pyth/"] = pyth(SOL_FEED, "15010000000", "5000000", START_S)
    return [
        source(exchange, "kraken"),
        source(exchange, "coingecko", max_age_ns=HOUR, poll_ns=60 * S),
        source(exchange, "pyth", max_age_ns=HOUR, poll_ns=5 * S),
    ]


def test_sources_with_a_veto_are_asked_again_and_again_and_may_take_the_price_away() -> None:
    async def scene(at: Scene) -> None:
        await at.ready("kraken")
        await until(
            lambda: at.prices.states["pyth SOL/USD"].quotes == 1 and at.prices.states["coingecko SOL/USD"].quotes == 1
        )
        assert at.none() == Why.QUORUM
        await at.say("kraken", "150.00")
        assert at.mid() == 150

        at.exchange.answers["/pyth/"] = pyth(SOL_FEED, "16010000000", "5000000", START_S + 5)
        await at.move(5)
        await until(lambda: at.prices.states["pyth SOL/USD"].quotes == 2)

        assert at.none() == Why.VETO
        assert "pyth SOL/USD says 160.1" in str(at.prices.price)
        await until(lambda: at.told == [15000, 0])

    play(scene, vetoing, quorum=1)


@pytest.mark.parametrize("answer", [Refusal(429), Refusal(500), "garbage", "{}", "x" * 300_000])
def test_a_source_with_a_veto_that_fails_is_asked_later_and_takes_nothing_away(answer: str | Refusal) -> None:
    async def scene(at: Scene) -> None:
        await at.ready("kraken")
        await until(lambda: at.prices.states["pyth SOL/USD"].quotes == 1)
        at.exchange.answers["/pyth/"] = answer
        await at.say("kraken", "150.00")
        await at.move(5)
        await until(lambda: at.prices.states["pyth SOL/USD"].failures == 1)

        assert at.mid() == 150
        assert at.prices.states["pyth SOL/USD"].error

    play(scene, vetoing, quorum=1)


def test_a_key_goes_out_in_its_header_and_is_never_shown() -> None:
    async def scene(at: Scene) -> None:
        await until(lambda: len(at.exchange.asked) == 2)
        headers = {path.split("/")[1]: headers for path, headers in at.exchange.asked}

        assert headers["pyth"]["authorization"] == "Bearer secret-1"
        assert headers["coingecko"]["x-cg-demo-api-key"] == "secret-2"
        assert "secret" not in f"{at.prices!r}{at.prices._lines!r}{at.prices.settings!r}{at.prices.states!r}"

    play(scene, vetoing, quorum=1, keys={"pyth": "secret-1", "coingecko": "secret-2"})


def test_a_price_that_comes_too_soon_after_another_is_told_when_it_is_time() -> None:
    async def scene(at: Scene) -> None:
        await at.ready("kraken")
        for bid in ("150.00", "150.01", "150.02"):
            await at.say("kraken", bid)
        await until(lambda: at.told == [15000])
        await at.move(0.09)
        assert at.told == [15000]

        await at.move(0.01)

        await until(lambda: at.told == [15000, 15002])

    play(scene, lambda exchange: [source(exchange, "kraken")], quorum=1, min_interval_ns=S // 10)


def test_that_there_is_no_price_is_told_at_once() -> None:
    async def scene(at: Scene) -> None:
        await at.ready("kraken")
        await at.say("kraken", "150.00")
        await at.say("kraken", "150.00", "160.00")
        await until(lambda: at.told == [15000, 0])

        assert at.clock.now_ns() == START_S * S

    play(scene, lambda exchange: [source(exchange, "kraken")], quorum=1, min_interval_ns=HOUR)


def test_a_jump_of_all_is_believed_when_it_has_lasted() -> None:
    async def scene(at: Scene) -> None:
        await at.ready("kraken", "coinbase", "binance")
        for name in ALL:
            await at.say(name, "150.00")
        await at.say("kraken", "160.00")
        await at.say("coinbase", "160.00")
        assert at.none() == Why.JUMP
        for _ in range(12):
            await at.move(5)
            for name in ALL:
                await at.say(name, "160.00")

        assert at.mid() == 160
        await until(lambda: at.told == [15000, 0, 16000])

    play(scene)


def test_times_of_rows_never_fall_and_are_never_after_their_receipt() -> None:
    async def scene(at: Scene) -> None:
        await at.ready(*ALL)
        for step in range(20):
            await at.say(ALL[step % 3], f"150.{step:02}")
            await at.move(0.7)
        await until(lambda: len(at.rows) > 5)

        assert [row.ts_ns for row in at.rows] == sorted(row.ts_ns for row in at.rows)
        assert all(row.ts_ns <= row.received_ns for row in at.rows)
        assert all(0 < row.bid <= row.mid <= row.ask for row in at.rows)

    play(scene, quorum=1)


def test_a_venue_whose_clock_is_wrong_moves_no_row_in_time() -> None:
    async def scene(at: Scene) -> None:
        await at.ready("kraken", "coinbase")
        await at.exchange.say("kraken", kraken("SOL/USD", "150.00", "150.00", "2026-11-29T12:00:03Z"))
        await until(lambda: len(at.rows) == 1)
        await at.move(2)
        await at.exchange.say("coinbase", coinbase("SOL-USD", "150.02", "150.02", 1, "2026-11-29T11:59:57Z"))
        await until(lambda: len(at.rows) == 2)
        await at.exchange.say("coinbase", coinbase("SOL-USD", "150.04", "150.04", 2, "2026-11-29T12:00:01Z"))
        await until(lambda: len(at.rows) == 3)

        seconds = [(row.ts_ns / S - START_S, row.received_ns / S - START_S) for row in at.rows]
        assert seconds == [(0, 0), (0, 2), (1, 2)]

    play(scene, quorum=1)


def test_a_price_that_fits_no_tick_is_none() -> None:
    async def scene(at: Scene) -> None:
        await at.ready("kraken")
        await at.say("kraken", "0.004")

        assert at.none() == Why.TICKS
        assert at.told == []

    play(scene, lambda exchange: [source(exchange, "kraken")], quorum=1)


def test_a_fault_of_ours_reaches_who_reads_and_leaves_nobody_waiting() -> None:
    class Broken(HandClock):
        def now_ns(self) -> int:
            raise ZeroDivisionError("a clock that fails")

    async def whole() -> None:
        async with Exchange() as exchange, make_client() as client:
            settings = Settings(Rules(USD), (source(exchange, "kraken"),), Decimal("0.01"), Decimal("0.001"))
            async with Prices(settings, Broken(0), client, Random(1)) as prices:
                with pytest.raises(ZeroDivisionError):
                    await anext(prices.events())

    asyncio.run(whole())


def test_prices_can_be_read_as_a_report() -> None:
    async def scene(at: Scene) -> None:
        assert repr(at.prices) == "<Prices SOL/USD none, too few sources | 3 lines>"
        await at.ready(*ALL)
        for name in ALL:
            await at.say(name, "150.00")

        assert repr(at.prices) == "<Prices SOL/USD 150 by 3 | 3 lines>"
        assert (at.prices.market.symbol, at.prices.market.tick_size) == ("SOL/USD", Decimal("0.01"))

    play(scene)
