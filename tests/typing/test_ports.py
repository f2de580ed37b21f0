"""Every adapter has the shape of its port. The type checker reads this module; importing it is the test at run time."""

from collections.abc import Iterator
from decimal import Decimal
from random import Random

from solders.pubkey import Pubkey

from bmv.adapters.config import Config
from bmv.adapters.lake.ticks import LakeTicks
from bmv.adapters.openbook.feed.feed import Feed as LiveFeed
from bmv.adapters.parquet.tape import ParquetTape
from bmv.adapters.postgres.runs import PostgresRuns
from bmv.adapters.postgres.sessions import PostgresSessions
from bmv.adapters.postgres.tape import PostgresSource
from bmv.adapters.postgres.ticks import PostgresTicks
from bmv.adapters.prices.polling import make_client
from bmv.adapters.prices.quote import Pair
from bmv.adapters.prices.reference import Prices
from bmv.adapters.prices.settings import Rules
from bmv.adapters.prices.settings import Settings as PriceSettings
from bmv.adapters.sandbox.double import Double
from bmv.adapters.sandbox.openbook_v1.program import OpenBookV1
from bmv.adapters.sandbox.openbook_v2.program import OpenBookV2
from bmv.adapters.sim.clock import SimClock
from bmv.adapters.sim.exchange import SimExchange, open_venue
from bmv.adapters.sim.params import VenueParams
from bmv.adapters.solana.endpoints import Endpoint, Endpoints
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.adapters.solana.wallet.remote import RemoteSigner
from bmv.adapters.sqlite.runs import SqliteRuns
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.backtest.api import Watched
from bmv.backtest.database import CopiedFiles
from bmv.backtest.journal import MemoryJournal, NoJournal
from bmv.core.record import blank
from bmv.live.clock import SystemClock
from bmv.live.market_data import MarketEvents
from bmv.ports.clock import Clock
from bmv.ports.execution import Execution
from bmv.ports.market import Market
from bmv.ports.market_data import Feed, Tape
from bmv.ports.signer import Signer
from bmv.ports.storage import Journal, RunStore, SessionStore, TickStore


def clocks() -> Iterator[Clock]:
    """Yield one clock of each kind."""
    yield SimClock()
    yield SystemClock()


async def nobody(message: bytes) -> str:
    return "there is nobody"


def signers() -> Iterator[Signer]:
    """Yield one signer of each kind."""
    yield LocalKey.from_seed(bytes(32))
    yield RemoteSigner("11111111111111111111111111111111", "vault", 1.0, nobody)


def executions() -> Iterator[Execution]:
    """Yield one way to a venue of each kind."""
    yield SimExchange(open_venue(blank(VenueParams)), SimClock())


def tapes() -> Iterator[Tape]:
    """Yield one tape of each kind; none opens a file before it is asked."""
    parquet = ParquetTape(["nowhere"], Market("SOL/USDC", Decimal("0.01"), Decimal("0.001")))
    yield parquet
    yield Watched(parquet, None, Config.model_construct())
    yield ParquetTape(CopiedFiles(PostgresSource("postgresql://nobody@nowhere/bmv?market=sim/SOL")), parquet.market)


def feeds() -> Iterator[Feed]:
    """Yield one feed of each kind; none connects before it is opened."""
    settings = PriceSettings(Rules(Pair("SOL", "USDC")), (), Decimal("0.01"), Decimal("0.001"))
    yield Prices(settings, SimClock(), make_client(), Random(1))
    endpoint = Endpoint("https://rpc.example.com", "wss://rpc.example.com")
    yield MarketEvents(LiveFeed(Pubkey.default(), Endpoints([endpoint])), SystemClock().now_ns)


def journals() -> Iterator[Journal]:
    """Yield one journal of each kind."""
    yield NoJournal()
    yield MemoryJournal()


def tick_stores() -> Iterator[TickStore]:
    """Yield one store of ticks of each kind; none connects before it is asked."""
    yield PostgresTicks("postgresql://nobody@nowhere/bmv")
    yield LakeTicks("nowhere", lambda name: Market(name, Decimal("0.01"), Decimal("0.001")))


def session_stores() -> Iterator[SessionStore]:
    """Yield one store of sessions of each kind; none is opened before it is asked."""
    yield PostgresSessions("postgresql://nobody@nowhere/bmv")
    yield SqliteSessions("nowhere.sqlite")


def run_stores() -> Iterator[RunStore]:
    """Yield one store of runs of each kind; none is opened before it is asked."""
    yield PostgresRuns("postgresql://nobody@nowhere/bmv")
    yield SqliteRuns("nowhere.sqlite")


def doubles() -> Iterator[Double]:
    """Yield one double of each program."""
    yield OpenBookV1()
    yield OpenBookV2()


def words(protocol: type) -> set[str]:
    """Return the names of the methods that a port asks for."""
    return {name for name, value in vars(protocol).items() if callable(value) and not name.startswith("_")}


def lacks(protocol: type, adapters: Iterator[object]) -> list[str]:
    """Return what the adapters lack of their port; there must be an adapter and something to lack."""
    adapter_list = list(adapters)
    assert adapter_list
    assert words(protocol)
    return [
        f"{type(adapter).__name__}.{word}"
        for adapter in adapter_list
        for word in sorted(words(protocol))
        if not callable(getattr(adapter, word, None))
    ]


def test_every_adapter_answers_to_all_the_words_of_its_port() -> None:
    assert lacks(Clock, clocks()) == []
    assert lacks(Execution, executions()) == []
    assert lacks(Signer, signers()) == []
    assert lacks(Tape, tapes()) == []
    assert lacks(Feed, feeds()) == []
    assert lacks(Journal, journals()) == []
    assert lacks(TickStore, tick_stores()) == []
    assert lacks(SessionStore, session_stores()) == []
    assert lacks(RunStore, run_stores()) == []
    assert lacks(Double, doubles()) == []
