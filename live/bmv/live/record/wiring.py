"""The parts of a recorder, put together from a configuration."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from solders.pubkey import Pubkey

from bmv.adapters.cli.named_market import endpoints_of
from bmv.adapters.config import Config, compile
from bmv.adapters.config.prices import price_settings
from bmv.adapters.lake.ticks import LakeTicks
from bmv.adapters.openbook.feed.feed import Feed
from bmv.adapters.openbook.inspection.records import Inspection
from bmv.adapters.postgres.dsn import is_database
from bmv.adapters.prices.keys import read_keys
from bmv.adapters.prices.reference import VENUE, Prices
from bmv.adapters.solana.genesis import genesis_of
from bmv.adapters.solana.rpc import make_client
from bmv.adapters.spool.spool import Spool
from bmv.data.files.path import is_url
from bmv.live.clock import SystemClock
from bmv.live.record.keeper import Keeper, Mark
from bmv.live.record.prices import PriceRecord
from bmv.live.record.recorder import Copy, Recorder
from bmv.live.record.writer import UNCOUNTED, Resumed, Writer, read_mark
from bmv.ports.errors import ConfigError, DataError, StorageError
from bmv.ports.market import Market

if TYPE_CHECKING:
    from bmv.adapters.postgres.ticks import PostgresTicks

SOURCE = "bmv record"
FOLDER = ".recording"  # In a lake: what waits to be kept, and how far everything is.
STOP_S = 5.0  # For the stores to take the rest at the end.


@asynccontextmanager
async def open_recorder(
    config: Config, market: Pubkey, inspection: Inspection, to: Sequence[str], spool: Path | None
) -> AsyncIterator[Recorder]:
    """Open the stores `to` names, and give a recorder into them that has not begun; all is closed at the end.

    Args:
        config: Its market is the one that is recorded.
        market: Address of that.
        inspection: What it is; it was found good.
        to: Paths of lakes, and URLs of databases.
        spool: Folder in which rows wait for a store that is away; None: in the lake.
    """
    lots = inspection.lots
    assert lots is not None, "a market that was found good has lots"
    units = compile.market(config)
    native = Fraction(1, 10**lots.quote_decimals) / units.quantum
    async with AsyncExitStack() as opened:
        prices = await open_prices(config, opened)
        markets = {name_of(config): units} | ({} if prices is None else {_name(prices): prices.market})
        _refuse_twice(to)
        stores = [_store(place, markets, spool, number) for number, place in enumerate(to)]
        for store, _ in stores:
            opened.push_async_callback(store.close)
        endpoints = endpoints_of(config)
        chain = await genesis_of(endpoints.readers)
        kept = await _writers(stores, name_of(config), units, native, lots.quote_lot, opened, chain)
        beside = None
        if prices is not None:
            of_prices = await _writers(stores, _name(prices), prices.market, Fraction(0), 0, opened, None)
            beside = PriceRecord(prices, [(writer, resumed and resumed.mark) for writer, resumed in of_prices])
        since = _farthest_behind(resumed for _, resumed in kept)
        feed = Feed(market, endpoints, since=since and since.noted, genesis=chain)
        copies = [Copy(Keeper(feed.lineage, lots.quote_lot, _mark(resumed, since)), writer) for writer, resumed in kept]
        for writer, _ in kept:
            writer.begun = since.begun if since else writer.epoch
        lakes = [store for store, _ in stores if isinstance(store, LakeTicks)]
        recorder = Recorder(feed, copies, lakes, beside)
        yield recorder
        with suppress(TimeoutError):  # Of a store that is away the rows stay in the spool, for the next start.
            async with asyncio.timeout(STOP_S):
                await asyncio.gather(*(writer.keep_note() for writer in recorder.writers))
        for lake in lakes:
            await lake.settle()


async def open_prices(config: Config, opened: AsyncExitStack) -> Prices | None:
    """Return the reference price of a configuration, open; None where it names no sources."""
    if not config.live.prices.sources:
        return None
    settings = price_settings(config)
    keys = read_keys(settings, os.environ)
    client = await opened.enter_async_context(make_client())
    return await opened.enter_async_context(Prices(settings, SystemClock(), client, Random(), keys))


async def _writers(
    stores: "Sequence[tuple[LakeTicks | PostgresTicks, Path]]",
    name: str,
    market: Market,
    native: Fraction,
    quote_lot: int,
    opened: AsyncExitStack,
    chain: str | None,
) -> list[tuple[Writer, Resumed | None]]:
    """Return what writes a market into each store, and how far that has it."""
    epoch, made = time.time_ns(), list[tuple[Writer, Resumed | None]]()
    for store, folder in stores:
        beside = folder / name.replace("/", "-")
        try:
            beside.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{folder}: nothing can wait there: {error.strerror}") from None
        waiting = await opened.enter_async_context(Spool(store, beside))
        with suppress(TimeoutError):  # What an earlier process left, so that it is counted as kept.
            async with asyncio.timeout(STOP_S):
                await waiting.flush()
        note = beside / "kept.json"
        if (resumed := await read_mark(note, waiting, name, quote_lot, native)) is not None:
            _refuse_another_chain(note, name, resumed.chain, chain)
        made.append((Writer(waiting, name, market, native, SOURCE, epoch, note, chain=chain), resumed))
    return made


def _farthest_behind(kept: Iterable[Resumed | None]) -> Resumed | None:
    """Return the store's whose events have to be read from the earliest on."""
    found = [resumed for resumed in kept if resumed is not None]
    return min(found, key=lambda resumed: (resumed.noted.events, resumed.mark.ts_ns), default=None)


def _mark(resumed: Resumed | None, since: Resumed | None) -> Mark | None:
    """Return how far a store has a market; of amounts that another count made than that of `since`, nothing is known.

    Where the venue does not number events it counts what was traded itself, and there is one count only.
    """
    if resumed is None or since is None or resumed.begun == since.begun or not resumed.noted.events:
        return resumed and resumed.mark
    return resumed.mark._replace(traded=resumed.mark.traded._replace(lost=UNCOUNTED))


def _refuse_another_chain(note: Path, name: str, kept: str | None, chain: str | None) -> None:
    """Raise `DataError` where what was kept of a market is of another chain: the two are never mixed."""
    if None not in (kept, chain) and kept != chain:
        raise DataError(
            f"{note}: ticks of {name} are kept of the chain whose genesis hash is {kept}, and this one's is {chain}: "
            "it is another chain, such as a sandbox started anew. Give another lake: --to FOLDER"
        )


def _name(prices: Prices) -> str:
    return f"{VENUE}/{prices.market.symbol.replace('/', '-')}"


def name_of(config: Config) -> str:
    """Return what stores call the market of a configuration: `VENUE/SYMBOL`."""
    return f"{config.market.venue}/{config.market.symbol.replace('/', '-')}"


def _refuse_twice(to: Sequence[str]) -> None:
    """Raise `ConfigError` where two places are one: only one writer may keep ticks in a lake."""
    seen = set[str]()
    for place in to:
        where = place if is_url(place) else str(Path(place).resolve())
        if where in seen:
            raise ConfigError(f"--to: {place} is named twice; expected each lake or database once")
        seen.add(where)


def _store(
    place: str, markets: Mapping[str, Market], spool: Path | None, number: int
) -> "tuple[LakeTicks | PostgresTicks, Path]":
    """Return the store at a place, and the folder in which its rows wait."""
    if is_database(place):
        from bmv.adapters.postgres.ticks import PostgresTicks  # Its library takes a while to import.

        if spool is None:
            raise ConfigError("--spool: expected the folder in which rows wait for a database that is away")
        return PostgresTicks(place), spool / str(number)
    if is_url(place):
        raise ConfigError(f"{place}: expected a lake on a local disk or a database, postgresql://USER@HOST/DATABASE")
    lake = Path(place)
    return LakeTicks(lake, markets.__getitem__), spool / str(number) if spool else lake / FOLDER
