"""The parts of a recorder, put together from a configuration."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from solders.pubkey import Pubkey

from bmv.adapters.config import Config, compile
from bmv.adapters.lake.ticks import LakeTicks
from bmv.adapters.openbook.feed.feed import Feed
from bmv.adapters.openbook.inspection.records import Inspection
from bmv.adapters.postgres.dsn import is_database
from bmv.adapters.solana.endpoints import READ, ROLES, SEND, Endpoint, Endpoints, websocket_of
from bmv.adapters.spool.spool import Spool
from bmv.live.record.keeper import Keeper, Mark
from bmv.live.record.recorder import Recorder
from bmv.live.record.writer import Writer, read_mark
from bmv.ports.errors import ConfigError
from bmv.ports.market import Market

if TYPE_CHECKING:
    from bmv.adapters.postgres.ticks import PostgresTicks

SOURCE = "bmv record"
FOLDER = ".recording"  # In a lake: what waits to be kept, and how far everything is.


def endpoints_of(config: Config) -> Endpoints:
    """Return the endpoints of a configuration; the websocket that it names is the first one's."""
    live = config.live
    read = (READ,) if live.send_endpoints else ROLES
    urls = [(url, read) for url in live.endpoints]
    urls += [(url, (SEND,)) for url in live.send_endpoints if url not in live.endpoints]
    made = []
    for number, (url, roles) in enumerate(urls):
        websocket = live.websocket if number == 0 and live.websocket else websocket_of(url)
        made.append(Endpoint(url, websocket, ROLES if url in live.send_endpoints and READ in roles else roles))
    return Endpoints(made)


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
    units, name = compile.market(config), name_of(config)
    lots = inspection.lots
    assert lots is not None, "a market that was found good has lots"
    native = Fraction(1, 10**lots.quote_decimals) / units.quantum
    async with AsyncExitStack() as opened:
        writers, lakes, marks = list[Writer](), list[LakeTicks](), list[Mark]()
        for number, place in enumerate(to):
            store, folder = _store(place, units, spool, number)
            opened.push_async_callback(store.close)
            lakes += [store] if isinstance(store, LakeTicks) else []
            beside = folder / name.replace("/", "-")
            waiting = await opened.enter_async_context(Spool(store, beside))
            note = beside / "kept.json"
            if (mark := await read_mark(note, store, name, lots.quote_lot)) is not None:
                marks.append(mark)
            writers.append(Writer(waiting, name, units, native, SOURCE, time.time_ns(), note))
        since = min(marks, key=lambda mark: mark.ts_ns, default=None)
        feed = Feed(market, endpoints_of(config), since=None if since is None else since.traded)
        keeper = Keeper(feed.lineage, lots.quote_lot, since)
        yield Recorder(feed, keeper, writers, lakes[0] if lakes else None)
        for writer in writers:
            await writer.keep_note()
        for lake in lakes:
            await lake.settle()


def name_of(config: Config) -> str:
    """Return what stores call the market of a configuration: `VENUE/SYMBOL`."""
    return f"{config.market.venue}/{config.market.symbol.replace('/', '-')}"


def _store(place: str, market: Market, spool: Path | None, number: int) -> "tuple[LakeTicks | PostgresTicks, Path]":
    """Return the store at a place, and the folder in which its rows wait."""
    if is_database(place):
        from bmv.adapters.postgres.ticks import PostgresTicks  # Its library takes a while to import.

        if spool is None:
            raise ConfigError("--spool: expected the folder in which rows wait for a database that is away")
        return PostgresTicks(place), spool / str(number)
    lake = Path(place)
    return LakeTicks(lake, lambda _: market), spool / str(number) if spool else lake / FOLDER
