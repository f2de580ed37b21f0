"""Fills by prints depend on prints: quotes that come sooner or later change nothing, while our orders stay.

Our orders must not depend on quotes themselves, or the test would show nothing. So one batch of constant prices is
sent on the first row of the tape, a print that precedes every quote however shifted: nothing can be rejected as
crossing, no queue is known (`front`), the aggressors are recorded, and from then on the strategy leaves things as
they are. Prices lie around that first print, and are the test's, not the engine's.
"""

from pathlib import Path

import polars as pl
import pytest
from runs import CONFIG, SECOND, USUAL, backtest, result, strategy

LEVELS = 30
ALWAYS = -1e9  # Seconds: the first call of all.
MS = SECOND // 1000
FILES = [
    ("binance_usdm_BTCUSDT/2023-04-05", "0.1", "0.001", 20, 50),
    ("binance_coinm_BTCUSD_PERP/2024-08-09", "0.1", "1", 40, 60),
    ("hyperliquid_SOL-USDC-PERP/2025-09-03", "0.01", "0.01", 1, 400),
]


@pytest.mark.parametrize(("file", "tick", "lot", "apart", "size"), FILES, ids=[file for file, *_ in FILES])
def test_quotes_shifted_against_prints_leave_the_fills_of_fixed_orders_alone(
    tmp_path: Path, ticks: Path, file: str, tick: str, lot: str, apart: int, size: int
) -> None:
    rows = pl.read_parquet(ticks / f"{file}.parquet")[:20_000]
    first = rows.filter(pl.col("kind") == "trade").row(0, named=True)
    middle = round(first["price"] / float(tick))
    orders = [
        f"{side} {middle + sign * apart * level} x {size}"
        for level in range(1, LEVELS + 1)
        for side, sign in (("bid", -1), ("ask", 1))
    ]

    settings = {
        "tick_size": tick,
        "lot_size": lot,
        "queue": "front",
        "fill_on_quotes": "false",
        "start_base": "100000",
        "start_quote": "1e10",
    }

    fills = {}
    for shift_ms in (-50, 0, 50):
        folder = tmp_path / str(shift_ms)
        folder.mkdir()
        _shifted(rows, first["ts"], shift_ms).write_parquet(folder / "tape.parquet")
        config = CONFIG.format(**USUAL | settings | {"strategy": strategy(folder, {ALWAYS: orders})})
        assert backtest(folder, config, [folder / "tape.parquet"], "--engine", "reference") == 0
        played = result(folder / "run", [folder / "tape.parquet"])
        assert "\n".join(played.findings) == ""
        assert played.orders.height == 2 * LEVELS
        fills[shift_ms] = played.fills.select("ts_ns", "side", "price_ticks", "size_lots")

    assert fills[0].height > 20
    assert fills[-50].equals(fills[0])
    assert fills[50].equals(fills[0])


def _shifted(rows: pl.DataFrame, start: int, shift_ms: int) -> pl.DataFrame:
    """Move the quotes in time; the first print stays first, and prints keep their order."""
    prints = rows.filter((pl.col("kind") == "trade") & (pl.col("ts") >= start))
    quotes = rows.filter((pl.col("kind") == "quote") & (pl.col("ts") > start + 50 * MS))
    return pl.concat([prints, quotes.with_columns(pl.col("ts") + shift_ms * MS)]).sort("ts", maintain_order=True)
