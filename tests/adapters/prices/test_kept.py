"""The reference price is a market of its own in a lake, and so is that there is none."""

import asyncio
from decimal import Decimal
from pathlib import Path

import numpy as np

from bmv.adapters.lake.ticks import LakeTicks
from bmv.adapters.prices.reference import VENUE, ReferenceQuote
from bmv.ports.market import Market
from bmv.ports.market_data import Columns
from bmv.ports.messages import UNRECORDED, Kind
from bmv.ports.storage import Ticks

MARKET = Market("SOL/USDC", Decimal("0.01"), Decimal("0.001"))
START_NS = 1_795_953_600_000_000_000
ROWS = [
    ReferenceQuote(START_NS, START_NS + 50, 15001, 15003, 15002),
    ReferenceQuote(START_NS + 1_000_000_000, START_NS + 1_000_000_050, 0, 0, 0),
    ReferenceQuote(START_NS + 2_000_000_000, START_NS + 2_000_000_050, 15005, 15006, 15006),
]


def columns(rows: list[ReferenceQuote]) -> Columns:
    """Rows as a recorder would hand them on: quotes whose sizes nobody recorded."""
    made = dict.fromkeys(Columns._fields, np.zeros(len(rows), np.int64))
    made |= {name: np.array([getattr(row, name) for row in rows]) for name in ("ts_ns", "bid", "ask")}
    sizes = np.where(made["bid"] > 0, UNRECORDED, 0)
    return Columns(**made | {"kind": np.full(len(rows), Kind.QUOTE.value), "bid_size": sizes, "ask_size": sizes})


def test_rows_with_a_price_and_without_one_are_kept_and_come_back(tmp_path: Path) -> None:
    async def keep() -> list[tuple[int, int]]:
        store = LakeTicks(tmp_path, lambda name: MARKET)
        await store.append(Ticks(f"{VENUE}/SOL-USDC", "prices", 1, 0, columns(ROWS)))
        await store.settle()
        batches = [batch async for batch in store.read(f"{VENUE}/SOL-USDC", 0, 2**62)]
        await store.close()
        return [pair for batch in batches for pair in zip(batch.bid.tolist(), batch.ask.tolist(), strict=True)]

    assert asyncio.run(keep()) == [(row.bid, row.ask) for row in ROWS]
    assert len(list(tmp_path.glob("reference/SOL-USDC/*.parquet"))) == 1
