"""A bench on which small tapes are made, in either form, and read."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from bmv.adapters.parquet.reading import MIN_NS
from bmv.adapters.parquet.tape import ParquetTape
from bmv.data.ticks.schema import write_day
from bmv.ports.market import Market
from bmv.ports.market_data import Columns

FLOATS = {
    "ts": pl.Int64,
    "kind": pl.String,
    "price": pl.Float64,
    "size": pl.Float64,
    "side": pl.Int8,
    "bid": pl.Float64,
    "bid_size": pl.Float64,
    "ask": pl.Float64,
    "ask_size": pl.Float64,
}
Row = dict[str, Any]  # Any: a test may write anything.


class Bench:
    """Makes tapes below a folder of its own; a tick is 0.01 and a lot 0.1."""

    market = Market("SOL/USDC", Decimal("0.01"), Decimal("0.1"))

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def trade(ts: int | None, price: object = 100.0, size: object = 1.0, side: object = 1) -> Row:
        return {"ts": ts, "kind": "trade", "price": price, "size": size, "side": side}

    @staticmethod
    def quote(
        ts: int | None, bid: object = 99.99, bid_size: object = 1.0, ask: object = 100.01, ask_size: object = 2.0
    ) -> Row:
        return {"ts": ts, "kind": "quote", "bid": bid, "bid_size": bid_size, "ask": ask, "ask_size": ask_size}

    @staticmethod
    def depth(ts: int, side: int, price: object, size: object) -> Row:
        return {"ts": ts, "kind": "depth", "side": side, "price": price, "size": size}

    def floats(self, rows: Iterable[Row], name: str = "tape.parquet") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame([{column: row.get(column) for column in FLOATS} for row in rows], schema=FLOATS).write_parquet(
            path
        )
        return path

    def lake(self, columns: Columns, name: str = "lake.parquet", market: Market | None = None) -> Path:
        return write_day(self.folder / name, columns, market or self.market)

    def tape(self, *paths: Path, **choices: Any) -> ParquetTape:  # Any: whatever the tape takes.
        """Return a tape that believes every time, so that tests may count from 1."""
        return ParquetTape(paths, choices.pop("market", self.market), **{"earliest_ns": MIN_NS, **choices})

    def told(self, tape: ParquetTape) -> Columns:
        batches = list(tape.batches())
        return Columns(*map(np.concatenate, zip(*batches, strict=True)))

    def rows(self, tape: ParquetTape) -> list[tuple[int, ...]]:
        return [tuple(row) for row in np.stack(self.told(tape)).T.tolist()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
