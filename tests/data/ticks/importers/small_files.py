"""The small files beside this, and what must lie in a lake after each was taken in."""

from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from bmv.data.ticks.importers import Options

FIXTURES = Path(__file__).parent / "fixtures"
T = 1756857600_000000000  # 2025-09-03T00:00:00Z
US, MS = 1_000, 1_000_000
Row = tuple[int | None, ...]


class Small(NamedTuple):
    """One file: its form, its steps, and the rows in ticks and lots that must come of it."""

    name: str
    form: str
    tick: str
    lot: str
    rows: list[Row]
    options: Options = Options()

    @property
    def path(self) -> Path:
        return FIXTURES / self.name

    @property
    def steps(self) -> tuple[Decimal, Decimal]:
        return Decimal(self.tick), Decimal(self.lot)


def trade(ts_ns: int, side: int, price: int, size: int) -> Row:
    """A print as it rests."""
    return (ts_ns, 1, side, price, size, None, None, None, None)


def quote(ts_ns: int, bid: int | None, bid_size: int | None, ask: int | None, ask_size: int | None) -> Row:
    """A quote as it rests."""
    return (ts_ns, 2, None, None, None, bid, bid_size, ask, ask_size)


def depth(ts_ns: int, side: int, price: int, size: int) -> Row:
    """A change of a level as it rests; side, price and size 0 empty the book."""
    return (ts_ns, 3, side, price, size, None, None, None, None)


def two_trades(first_ns: int, second_ns: int, lots: tuple[int, int] = (2, 1)) -> list[Row]:
    """Bought at 100.01, then sold at 100.00, as most files tell it."""
    return [trade(first_ns, 1, 10001, lots[0]), trade(second_ns, -1, 10000, lots[1])]


def two_quotes(first_ns: int, second_ns: int) -> list[Row]:
    """99.99 to 100.01, then the bid goes to 100.00."""
    return [quote(first_ns, 9999, 6, 10001, 8), quote(second_ns, 10000, 3, 10001, 8)]


BINANCE_DEPTH = [
    depth(T, 0, 0, 0),
    depth(T, 1, 9999, 6),
    depth(T, 1, 9998, 4),
    depth(T, -1, 10001, 8),
    depth(T + 100 * MS, 1, 9999, 0),
    depth(T + 200 * MS, -1, 10002, 4),
    depth(T + 300 * MS, 0, 0, 0),
    depth(T + 300 * MS, 1, 9997, 16),
    depth(T + 300 * MS, -1, 10003, 16),
]
HFTBACKTEST = [
    depth(T + 1, 1, 9999, 6),
    depth(T + 1, 1, 9998, 4),
    depth(T + 1, -1, 10001, 8),
    trade(T + 2, 1, 10001, 2),
    trade(T + 3, -1, 9999, 1),
    trade(T + 4, 0, 10000, 1),
    depth(T + 5, 1, 9999, 0),  # The clearing went down to 99.99, and leaves 99.98.
    depth(T + 5, 1, 9999, 3),
    depth(T + 6, 0, 0, 0),
    quote(T + 7, 9997, 12, 10002, 16),
    quote(T + 8, 9998, 4, 10002, 16),
]
BY_RECORDER = [
    depth(T + 11, 1, 9999, 6),
    depth(T + 11, 1, 9998, 4),
    depth(T + 11, -1, 10001, 8),
    trade(T + 13, -1, 9999, 1),
    trade(T + 14, 1, 10001, 2),
    trade(T + 15, 0, 10000, 1),
    depth(T + 16, 1, 9999, 0),
    depth(T + 16, 1, 9999, 3),
    depth(T + 17, 0, 0, 0),
    quote(T + 18, 9997, 12, 10002, 16),
    quote(T + 19, 9998, 4, 10002, 16),
]
COLLECTOR = [
    depth(T + MS, 1, 9999, 6), depth(T + MS, -1, 10001, 8),
    depth(T + MS, 0, 0, 0), depth(T + MS, 1, 9999, 6), depth(T + MS, 1, 9998, 4), depth(T + MS, -1, 10001, 8),
    quote(T + 2 * MS, 9999, 6, 10001, 8),
    trade(T + 3 * MS, 1, 10001, 2),  # What a fund took over is no print.
    depth(T + 4 * MS, 1, 9999, 0),
    depth(T + 5 * MS, 0, 0, 0),  # Changes are missing.
    depth(T + 5 * MS, 0, 0, 0), depth(T + 5 * MS, 1, 9998, 4), depth(T + 5 * MS, -1, 10002, 4),
    depth(T + 5 * MS, 1, 9997, 12),  # Is newer than the snapshot, and was held back.
    trade(T + 7 * MS, -1, 9998, 1),
]  # fmt: skip
SPOT_COLLECTOR = [
    depth(T + MS, 1, 9999, 6),
    depth(T + MS, 0, 0, 0), depth(T + MS, 1, 9999, 6), depth(T + MS, 1, 9998, 4), depth(T + MS, -1, 10001, 8),
    depth(T + 2 * MS, 1, 9998, 8),  # Came before the snapshot, and is newer.
    quote(T + 3500 * US, 9999, 6, 10001, 8),
    trade(T + 4 * MS, 1, 10001, 2),
    depth(T + 5 * MS, 0, 0, 0),
]  # fmt: skip
NAUTILUS_TRADES = [*two_trades(T + 1, T + 2), trade(T + 2, 0, 10000, 1)]
DATABENTO_TRADES = [*two_trades(T + 1, T + 2), trade(T + 2, 0, 10000, 1)]
NEW_YORK = 1381152600_000000000  # 2013-10-07T13:30:00Z, 09:30 in New York.
LOCAL = Options(local_time=True)
MAPPED = Options(columns={"ts": "when", "side": "what", "price": "Last Px", "size": "lots"})
UNNAMED = Options(header=("ts", "price", "size"))
LAKE_ROWS = [
    trade(T + 1, -1, 10001, 2), quote(T + 2, 9999, None, 10001, 8), quote(T + 3, None, None, 10002, 3),
    depth(T + 4, 1, 9998, 5),
]  # fmt: skip

# File -> by how many nanoseconds each row reached the recorder after its time.
ARRIVALS: dict[str, list[int | None]] = {
    "btcusdt_20250903.gz": [ms * 100 * US for ms in (5, 5, 9, 9, 9, 9, 5, 5, 5, 5, 19, 19, 19, 5, 5)],
    "solusdt_20250903.gz": [500 * US, None, None, None, None, 500 * US, None, 500 * US, 500 * US],
    "btcusd_perp_20250903.txt": [500 * US, 500 * US],
    "tardis_trades.csv.gz": [8 * US, 8 * US, 9 * US],
    "tardis_quotes.csv.gz": [8 * US, 6 * US],
    "tardis_book_snapshot_5.csv.gz": [8 * US, 5 * US],
    "tardis_incremental_book_L2.csv.gz": [8 * US, 8 * US, 8 * US, 7 * US, 6 * US, 6 * US, 5 * US],
    "hftbacktest.npz": [10, 10, 10, 12, 10, 11, 11, 11, 11, 11, 11],
    "hftbacktest_unnamed.npz": [10, 10, 10, 12, 10, 11, 11, 11, 11, 11, 11],
    "nautilus_quote_tick.parquet": [8, 6],
    "nautilus_quote_tick_old.parquet": [8, 6],
    "nautilus_quote_tick_short.parquet": [8, 6],
    "nautilus_trade_tick.parquet": [8, 7, 7],
    "nautilus_order_book_delta.parquet": [8, 8, 7, 6],
    "databento_trades.dbn": [9, 9, 9],
    "databento_trades.dbn.zst": [9, 9, 9],
    "databento_tbbo.dbn": [9, 9],
    "databento_mbp-1.dbn": [9, 9, 9],
    "databento_mbp-10.dbn": [9, 9],
}

SMALL = [
    Small("lake.parquet", "lake", "0.01", "0.25", LAKE_ROWS),
    Small("floats.parquet", "floats", "0.01", "0.25", [
        trade(T + 1, 1, 10001, 2), quote(T + 2, 9999, 6, 10001, 8), trade(T + 2, 0, 10000, 1), quote(T + 5, 10000, None, None, None),
    ]),
    Small("BTCUSDT-trades-2025-09-03.zip", "binance", "0.01", "0.25", two_trades(T + US, T + 2 * US)),
    Small("BTCUSDT-trades-2024-01-01.zip", "binance", "0.01", "0.25", two_trades(1704067200_001000000, 1704067200_002000000)),
    Small("BTCUSDT-aggTrades-2025-09-03.zip", "binance", "0.01", "0.25", two_trades(T + US, T + 2 * US)),
    Small("ETHUSDT-trades-2025-09-03.zip", "binance", "0.01", "0.25", two_trades(T + MS, T + 2 * MS)),
    Small("BTCUSD_PERP-trades-2025-09-03.zip", "binance", "0.01", "1", two_trades(T + MS, T + 2 * MS, (5, 2))),
    Small("ETHUSDT-aggTrades-2025-09-03.zip", "binance", "0.01", "0.25", two_trades(T + MS, T + 2 * MS)),
    Small("ETHUSDT-bookTicker-2025-09-03.zip", "binance", "0.01", "0.25", two_quotes(T + MS, T + 3 * MS)),
    Small("ETHUSDT-bookTicker-2025-09-03.zip", "binance", "0.01", "0.25", two_quotes(T + 4 * MS, T + 5 * MS), LOCAL),
    Small("BTCUSDT-bookTicker-2025-09-03.csv", "binance", "0.01", "0.25", two_quotes(T + US, T + 3 * US)),
    Small("btcusdt_20250903.gz", "collector", "0.01", "0.25", COLLECTOR),
    Small("solusdt_20250903.gz", "collector", "0.01", "0.25", SPOT_COLLECTOR),
    Small("btcusd_perp_20250903.txt", "collector", "0.01", "1", [
        quote(T + MS, 10000, 23, 10010, 5), trade(T + 2 * MS, 1, 10010, 5),
    ]),
    Small("btcusd_perp_20250903.txt", "collector", "0.01", "1", [
        quote(T + 1500 * US, 10000, 23, 10010, 5), trade(T + 2500 * US, 1, 10010, 5),
    ], LOCAL),
    Small("tardis_trades.csv.gz", "tardis", "0.01", "0.25", [*two_trades(T + US, T + 2 * US), trade(T + 2 * US, 0, 10000, 1)]),
    Small("tardis_trades.csv.gz", "tardis", "0.01", "0.25", [*two_trades(T + 9 * US, T + 10 * US), trade(T + 11 * US, 0, 10000, 1)], LOCAL),
    Small("tardis_quotes.csv.gz", "tardis", "0.01", "0.25", [quote(T + US, 9999, 6, 10001, 8), quote(T + 3 * US, 9998, 4, None, None)]),
    Small("tardis_book_snapshot_5.csv.gz", "tardis", "0.01", "0.25", [quote(T + US, 9999, 6, 10001, 8), quote(T + 4 * US, 9999, 6, 10001, 7)]),
    Small("tardis_incremental_book_L2.csv.gz", "tardis", "0.01", "0.25", [
        depth(T + US, 0, 0, 0), depth(T + US, -1, 10001, 8), depth(T + US, 1, 9999, 6), depth(T + 2 * US, 1, 9999, 0),
        depth(T + 3 * US, 0, 0, 0), depth(T + 3 * US, -1, 10002, 4), depth(T + 4 * US, 1, 9998, 12),
    ]),
    Small("generic.csv", "generic", "0.01", "0.25", [trade(T + 1, 1, 10001, 2), quote(T + 2, 9999, 6, 10001, 8), trade(T + 3, -1, 10000, 1)]),
    Small("mapped.csv", "generic", "0.01", "0.25", [*two_trades(T + US, T + 500 * MS), trade(T + 1000 * MS, 0, 10000, 1)], MAPPED),
    *(Small(name, "generic", "0.01", "0.25", two_trades(T + MS, T + 2 * MS)) for name in (
        "okx.csv", "dydx.csv", "hyperliquid.csv", "bitfinex.csv", "postgres.csv", "spaces.csv", "folder_inside.zip",
    )),
    Small("kraken.csv", "generic", "0.01", "0.25", [trade(T, 0, 10001, 2), trade(T + 1000 * MS, 0, 10000, 1)], UNNAMED),
    Small("two_columns.csv", "generic", "0.01", "0.25", [trade(T + MS, 0, 10001, 2), trade(T + 2 * MS, 0, 10000, 1)]),
    Small("dukascopy.csv", "generic", "0.01", "0.25", two_quotes(T + MS, T + 3 * MS)),
    Small("metatrader.csv", "metatrader", "0.01", "0.25", [
        quote(T + MS, 9999, None, 10001, None), quote(T + 2 * MS, 10000, None, 10001, None), trade(T + 3 * MS, 1, 10001, 2),
        trade(T + 4 * MS, -1, 10001, 1), quote(T + 4 * MS, 10000, None, 10002, None),
    ]),
    Small("whole.csv", "whole", "0.01", "0.25", LAKE_ROWS),
    Small("export.csv", "export", "0.01", "0.25", LAKE_ROWS),
    Small("view.csv", "whole", "0.01", "0.25", LAKE_ROWS),
    Small("generic.parquet", "generic", "0.01", "0.25", two_quotes(T + US, T + 3 * US)),
    Small("one_sided.csv", "generic", "0.01", "0.25", [quote(T, 9999, 6, None, None), quote(T, 9999, 6, 10001, 8), quote(T + 100 * MS, 10000, 4, 10001, 8), quote(T + 200 * MS, 10000, 4, 10002, 2)]),
    Small("binance_depth.csv", "generic", "0.01", "0.25", BINANCE_DEPTH),
    Small("levels.csv", "generic", "0.01", "0.25", [quote(T, 9999, 4, 10001, 4), quote(T + 100 * MS, 9999, 8, 10001, 4)]),
    Small("met.csv", "generic", "0.01", "0.25", [quote(T, 9999, 4, 10001, 8), trade(T, 1, 10001, 2), quote(T + 5 * MS, 9998, 4, 10001, 6), trade(T + 5 * MS, -1, 9998, 1)]),
    Small("hftbacktest.npz", "hftbacktest", "0.01", "0.25", HFTBACKTEST),
    Small("hftbacktest_unnamed.npz", "hftbacktest", "0.01", "0.25", HFTBACKTEST),
    Small("hftbacktest.npz", "hftbacktest", "0.01", "0.25", BY_RECORDER, LOCAL),
    Small("nautilus_quote_tick.parquet", "nautilus", "0.01", "0.25", two_quotes(T + 1, T + 3)),
    Small("nautilus_quote_tick_short.parquet", "nautilus", "0.01", "0.25", two_quotes(T + 1, T + 3)),
    Small("nautilus_quote_tick_old.parquet", "nautilus", "0.01", "0.25", two_quotes(T + 1, T + 3)),
    Small("nautilus_quote_tick.parquet", "nautilus", "0.01", "0.25", two_quotes(T + 9, T + 9), LOCAL),
    Small("nautilus_trade_tick.parquet", "nautilus", "0.01", "0.25", NAUTILUS_TRADES),
    Small("nautilus_order_book_delta.parquet", "nautilus", "0.01", "0.25", [
        depth(T + 1, 0, 0, 0), depth(T + 1, 1, 9999, 6), depth(T + 2, -1, 10001, 8), depth(T + 3, 1, 9999, 0),
    ]),
    Small("databento_trades.dbn", "databento", "0.01", "25", DATABENTO_TRADES),
    Small("databento_trades.dbn.zst", "databento", "0.01", "25", DATABENTO_TRADES),
    Small("databento_tbbo.dbn", "databento", "0.01", "25", [quote(T + 1, 9999, 6, 10001, 8), trade(T + 1, 1, 10001, 2)]),
    Small("databento_mbp-1.dbn", "databento", "0.01", "25", [quote(T + 1, 9999, 6, 10001, 8), trade(T + 2, 1, 10001, 2), quote(T + 3, 10000, 3, None, None)]),
    Small("databento_mbp-10.dbn", "databento", "0.01", "25", [quote(T + 1, 9999, 6, 10001, 8), quote(T + 3, 10000, 3, None, None)]),
    Small("databento_mbp-10.dbn", "databento", "0.01", "25", [quote(T + 10, 9999, 6, 10001, 8), quote(T + 12, 10000, 3, None, None)], LOCAL),
    Small("equity/usa/tick/aig/20131007_trade.zip", "lean", "0.01", "1", [trade(NEW_YORK, 0, 4901, 100), trade(NEW_YORK + MS // 2, 0, 4902, 50)]),
    Small("equity/usa/tick/aig/20131007_quote.zip", "lean", "0.01", "1", [
        quote(NEW_YORK, 4900, 300, None, None), quote(NEW_YORK + MS, 4900, 300, 4901, 200),
        quote(NEW_YORK + 2 * MS, 4900, 100, 4902, 100), quote(NEW_YORK + 3 * MS, None, None, None, None),
    ]),
    Small("crypto/coinbase/tick/btcusd/20250903_trade.zip", "lean", "0.01", "0.25", [trade(T + MS, 0, 10001, 2), trade(T + 2 * MS, 0, 10000, 1)]),
    Small("crypto/coinbase/tick/btcusd/20250903_quote.zip", "lean", "0.01", "0.25", two_quotes(T + MS, T + 3 * MS)),
    Small("forex/oanda/tick/eurusd/20140501_quote.zip", "lean", "0.0001", "1", [
        quote(1398902400_043000000, 13867, None, 13869, None), quote(1398902400_044000000, 13868, None, 13869, None),
    ]),
]  # fmt: skip
