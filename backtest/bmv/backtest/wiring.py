"""The container of the simulated world: a backtest is this set of providers, and swapping a part is one override."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from dependency_injector import containers, providers

from bmv.adapters.bookkeeping import ledger
from bmv.adapters.bookkeeping.books import Books
from bmv.adapters.bookkeeping.stage import Stage
from bmv.adapters.bookkeeping.tables import Memory
from bmv.adapters.config import Config, a_kind, compile
from bmv.adapters.parquet.tape import ParquetTape
from bmv.adapters.postgres.dsn import is_database
from bmv.adapters.sim.clock import SimClock
from bmv.adapters.sim.exchange import SimExchange, open_venue
from bmv.adapters.sim.venue import Sim
from bmv.adapters.strategy import plugin
from bmv.backtest.journal import NoJournal
from bmv.backtest.run import World
from bmv.core.engine import Engine, Strategy
from bmv.core.params import Params
from bmv.ports.errors import UsageError
from bmv.ports.market import Market

if TYPE_CHECKING:
    from bmv.adapters.postgres.tape import PostgresSource
    from bmv.backtest.fused import Fused

Data = Union[str, Path, "PostgresSource"]  # A file, a folder, a URL, or what asks a database.


def listed(data: Any) -> list[Data]:  # Any: whatever a caller in Python has.
    """Return what a caller gives as data, one part or several; `UsageError` where it is no data."""
    several = isinstance(data, Iterable) and not isinstance(data, str | Path | bytes | Mapping) and not _is_frame(data)
    parts: list[Data] = list(data) if several else [data]
    for part in parts:
        if not isinstance(part, str | Path) and not is_database(part):
            advice = "; write it to a file first, by write_parquet or to_parquet" if _is_frame(part) else ""
            raise UsageError(
                "data: expected the path of a Parquet file or of a folder of them, the URL of a market in Postgres, or "
                f"a list of these, found {a_kind(part)}{advice}"
            )
    return parts


def _is_frame(data: object) -> bool:
    return hasattr(data, "write_parquet") or hasattr(data, "to_parquet")


def named(data: Sequence[Data]) -> list[Data]:
    """Return the data of a run, the URL of a database as what asks it; `UsageError` where it goes with other data."""
    if not any(map(is_database, data)):
        return list(data)
    if len(data) > 1:
        raise UsageError("a run reads files, or one market of one database: give a single URL")
    from bmv.adapters.postgres.tape import PostgresSource  # Its library takes a while to import.

    return [each if isinstance(each, PostgresSource) else PostgresSource(str(each)) for each in data]


def _tape(
    data: Sequence[Data],
    market: Market,
    start_ns: int | None,
    end_ns: int | None,
    **choices: Any,  # Any: what a tape takes.
) -> ParquetTape:
    paths = [each for each in named(data) if isinstance(each, str | Path)]
    if paths or not data:
        return ParquetTape(paths, market, start_ns, end_ns, **choices)
    from bmv.backtest.database import CopiedFiles

    (recorded,) = named(data)
    assert not isinstance(recorded, str | Path)
    return ParquetTape(CopiedFiles(recorded), market, start_ns, end_ns, **choices)


def _loop(
    params: Params, venue: Sim, record: ledger.Record, sink: Memory, strategy: Strategy | None, spelling: str
) -> "Fused":
    from bmv.backtest.compiling import load_machine_code
    from bmv.backtest.fused import Fused

    load_machine_code()  # Before anybody looks at the clock.
    return Fused(params, venue, record, sink, strategy, spelling)


class BacktestContainer(containers.DeclarativeContainer):
    """Recorded ticks, a simulated venue, a clock that is told the time, tables in memory."""

    config = providers.Dependency[Config](instance_of=Config)
    paths = providers.Dependency[list[Data]]()
    start_ns = providers.Object[int | None](None)
    end_ns = providers.Object[int | None](None)
    strategy = providers.Object[Strategy | None](None)
    spelling = providers.Object("")  # What a refusal calls the strategy.
    sample_ns = providers.Dependency[int]()

    market = providers.Singleton(compile.market, config)
    params = providers.Singleton(compile.params, config, market, providers.Callable(plugin.kind, strategy))
    venue_params = providers.Singleton(compile.venue, config, market)

    tape = providers.Singleton(
        _tape,
        paths,
        market,
        start_ns,
        end_ns,
        max_bad_share=config.provided.data.max_bad_share,
        price_ticks_max=providers.Callable(compile.price_ticks_max, config, market),
    )
    clock = providers.Singleton(SimClock)
    engine = providers.Singleton(Engine, params, providers.Callable(plugin.guarded, strategy))
    venue = providers.Singleton(open_venue, venue_params)
    exchange = providers.Singleton(SimExchange, venue, clock)
    journal = providers.Singleton(NoJournal)
    record = providers.Singleton(ledger.opened, params, sample_ns)
    sink = providers.Singleton(Memory)
    books = providers.Singleton(Books, engine, venue.provided.venue, record, sink)
    stage = providers.Singleton(Stage, exchange, clock, books)
    world = providers.Singleton(World, engine, stage, books, journal)
    loop = providers.Singleton(_loop, params, venue, record, sink, strategy, spelling)
