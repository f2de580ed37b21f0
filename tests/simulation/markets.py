"""The recorded markets, each with a configuration that trades on it: steps, fees, a grid and balances that fit."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
from runs import FLOAT_FORM, SECOND, START


@dataclass(frozen=True, slots=True)
class Recorded:
    """One file of the ticks folder and how to trade on a slice of it."""

    file: str  # Venue, symbol and day.
    span: str  # Of that day, UTC: HHMMSS-HHMMSS, the end exclusive.
    tick: str
    lot: str
    maker_bps: str
    base: str  # What is held at the start; the most away from it is half of it.
    quote: str
    total: str  # Size of a side.
    first_bps: str
    trades: bool = True

    @property
    def id(self) -> str:
        return self.file.replace("/", "-")

    @property
    def timerange(self) -> str:
        """As the command line takes it."""
        day = self.file[-10:].replace("-", "")
        return "-".join(f"{day}T{time}" for time in self.span.split("-"))

    @property
    def span_ns(self) -> tuple[int, int]:
        """Start and end in nanoseconds UTC."""
        start, end = (
            int(datetime.strptime(f"{instant}Z", "%Y%m%dT%H%M%S%z").timestamp()) * SECOND
            for instant in self.timerange.split("-")
        )
        return start, end

    def config(self, queue: str, **overrides: str) -> str:
        """Return the configuration as TOML; `overrides` replace single lines by their key."""
        lines = {
            "symbol": f'"{self.id}"', "tick_size": f'"{self.tick}"', "lot_size": f'"{self.lot}"',
            "maker_fee_bps": self.maker_bps, "taker_fee_bps": "4.5", "window_s": "30", "history_s": "600",
            "first_bps": self.first_bps, "step_bps": self.first_bps, "step_ratio": "1.3",
            "total_size": f'"{self.total}"', "size_ratio": "1.5", "start_base": f'"{self.base}"',
            "start_quote": f'"{self.quote}"', "max_position": f'"{Decimal(self.base) / 2}"', "price_skew_bps": "2",
            "size_skew": "0.5", "threshold_bps": "1", "tolerance_bps": "0.5", "min_interval_ms": "200",
            "max_age_s": "60", "entry_latency_ms": "40", "response_latency_ms": "25", "queue": f'"{queue}"',
        } | overrides  # fmt: skip
        return TEMPLATE.format(**lines)


TEMPLATE = """
version = 1
[market]
symbol = {symbol}
tick_size = {tick_size}
lot_size = {lot_size}
maker_fee_bps = {maker_fee_bps}
taker_fee_bps = {taker_fee_bps}
[pivot]
window_s = {window_s}
history_s = {history_s}
[grid.bid]
levels = 4
first_bps = {first_bps}
step_bps = {step_bps}
step_ratio = {step_ratio}
total_size = {total_size}
size_ratio = {size_ratio}
[grid.ask]
levels = 3
first_bps = {first_bps}
step_bps = {step_bps}
total_size = {total_size}
[inventory]
start_base = {start_base}
start_quote = {start_quote}
max_position = {max_position}
price_skew_bps = {price_skew_bps}
size_skew = {size_skew}
[requote]
threshold_bps = {threshold_bps}
tolerance_bps = {tolerance_bps}
tolerance_size = 0.2
min_interval_ms = {min_interval_ms}
max_age_s = {max_age_s}
[simulation]
entry_latency_ms = {entry_latency_ms}
response_latency_ms = {response_latency_ms}
queue = {queue}
"""

RECORDED = [
    Recorded(
        "binance_coinm_BTCUSD_PERP/2024-08-08", "235600-235900", "0.1", "1", "-0.5", "2000", "50000000", "300", "0.1"
    ),
    Recorded(
        "binance_coinm_BTCUSD_PERP/2024-08-09", "000100-000400", "0.1", "1", "1.25", "2000", "50000000", "300", "0.1"
    ),
    Recorded("binance_spot_BTCUSDT/2024-08-08", "235600-235800", "0.01", "0.00001", "0.3", "2", "100000", "0.3", "0.1"),
    Recorded(
        "binance_spot_BTCUSDT/2024-08-09", "000100-000230", "0.01", "0.00001", "-0.125", "2", "100000", "0.3", "0.1"
    ),
    Recorded("binance_spot_TRXUSDT/2025-10-10", "211500-211800", "0.0001", "0.1", "1", "200000", "60000", "20000", "2"),
    Recorded("binance_usdm_BTCUSDT/2023-04-05", "000100-000300", "0.1", "0.001", "1.5", "20", "600000", "2", "0.1"),
    Recorded("binance_usdm_BTCUSDT/2024-07-19", "000100-000200", "0.1", "0.001", "-0.1", "20", "600000", "2", "0.1"),
    Recorded("cme_6B-JUN23/2023-05-03", "120000-124500", "0.0001", "1", "0.2", "100", "200", "20", "0.5"),
    Recorded(
        "hyperliquid_BTC-USDC-PERP/2025-09-03", "125600-130400", "0.5", "0.00001", "1.5", "2", "200000", "0.4", "0.1"
    ),
    Recorded(
        "hyperliquid_ETH-USDC-PERP/2025-09-03", "125600-130400", "0.1", "0.0001", "1.5", "40", "200000", "8", "0.2"
    ),
    Recorded(
        "hyperliquid_SOL-USDC-PERP/2025-09-03", "125600-130400", "0.01", "0.01", "-0.2", "900", "200000", "80", "0.3"
    ),
    Recorded(
        "oanda_XAUUSD/2014-05-01", "080000-100000", "0.0005", "1", "0.1", "100", "200000", "10", "0.5", trades=False
    ),
    Recorded(
        "oanda_XAUUSD/2014-05-02", "124500-130000", "0.0005", "1", "0.1", "100", "200000", "10", "0.5", trades=False
    ),
    Recorded("standx_BTC-USD-PERP/2026-01-05", "231000-234500", "0.01", "0.0001", "1", "1", "100000", "0.1", "0.3"),
    Recorded("standx_BTC-USD-PERP/2026-01-06", "143000-150000", "0.01", "0.0001", "1", "1", "100000", "0.1", "0.3"),
    Recorded("us_AIG/2013-10-07", "150000-151000", "0.01", "1", "0.3", "20000", "900000", "4000", "1"),
    Recorded("us_AIG/2013-10-08", "150000-151000", "0.01", "1", "0.3", "20000", "900000", "4000", "1"),
    Recorded("us_AIG/2013-10-09", "150000-151000", "0.01", "1", "-0.3", "20000", "900000", "4000", "1"),
]

SYNTHETIC = Recorded("synthetic/2023-11-14", "000000-000000", "0.01", "0.1", "1.5", "400", "40000", "60", "4")


def synthetic(path: Path, seed: int, sides: bool = True, sizes: bool = True, rows: int = 6000) -> Path:
    """Write a tape of a price that wanders, with sweeps, locked, crossed and one-sided quotes, and equal times."""
    rng = np.random.default_rng(seed)
    mid = 10_000 + np.cumsum(rng.choice([-2, -1, 0, 0, 1, 2], rows))
    ts = START + np.cumsum(rng.choice([0, 1, 20, 300], rows)) * (SECOND // 1000)
    half = rng.choice([-1, 0, 1, 1, 2, 3, 5], rows, p=[0.01, 0.02, 0.3, 0.3, 0.2, 0.1, 0.07])
    shown = rng.integers(1, 400, (rows, 2)) / 10
    table = []
    for i in range(rows):
        if rng.random() < 0.4:
            side = int(rng.choice([-1, 1]))
            price = mid[i] + side * max(half[i], 0) + side * int(rng.random() < 0.2) * int(rng.integers(1, 9))
            told = side if sides and rng.random() < 0.95 else 0
            table.append((ts[i], "trade", price / 100, float(shown[i, 0]), told, None, None, None, None))
            continue
        bid, ask = (mid[i] - half[i]) / 100, (mid[i] + half[i]) / 100
        absent = rng.random() < 0.01
        bid_size, ask_size = (float(shown[i, 0]), float(shown[i, 1])) if sizes else (None, None)
        quote = (None, None, ask, ask_size) if absent else (bid, bid_size, ask, ask_size)
        table.append((ts[i], "quote", None, None, None, *quote))
    pl.DataFrame(table, schema=FLOAT_FORM, orient="row").write_parquet(path)
    return path
