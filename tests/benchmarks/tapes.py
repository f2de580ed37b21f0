"""Made-up tapes to measure on, kept between sessions: a hundred million rows take minutes to make.

They lie in the user's cache folder (`BMV_CACHE_DIR` moves it) under a name with the seed, the number of rows and a hash
of what made them, so that another synth makes another tape and the old one goes.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from platformdirs import user_cache_path

from bmv.adapters.parquet.tape import ParquetTape
from bmv.data.ticks import schema
from bmv.data.ticks.synth import synth as synth_module
from bmv.data.ticks.synth.synth import BENIGN, SOL_USDC, synth
from bmv.ports.market_data import Columns
from bmv.ports.messages import Kind

SEED = 1
DAY_ROWS = 10_000_000
SHAPE = replace(BENIGN, mean_gap_ms=7.4)  # 117 rows a second, so `DAY_ROWS` are a day; 70 % quotes, 30 % trades.
BATCH_ROWS = 524_288  # As the tape from files yields them.


def lake(rows: int) -> Path:
    """Return the lake of a tape of `rows` rows, made now unless it was kept."""
    folder = _parent() / f"{_name(rows)}-{_hash()}"
    if not folder.is_dir():
        for stale in _parent().glob(f"{_name(rows)}-*"):
            shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
        half_done = folder.with_name(f".{folder.name}.{os.getpid()}")
        synth(half_done, SEED, rows, shape=SHAPE)
        half_done.rename(folder)
    return folder


def floats(rows: int) -> Path:
    """Return the same tape as one file in the form of floats, as recorders of other people write it."""
    path = lake(rows).with_suffix(".floats.parquet")
    if not path.is_file():
        half_done = path.with_name(f".{path.name}.{os.getpid()}")
        _in_floats(lake(rows)).sink_parquet(half_done)
        half_done.rename(path)
    return path


def columns(rows: int) -> Columns:
    """Return the first `rows` rows of a day's tape, in memory, each column in one piece."""
    batches = list(ParquetTape([lake(DAY_ROWS)], SOL_USDC).batches())
    return Columns(*(np.concatenate(parts)[:rows].copy() for parts in zip(*batches, strict=True)))


class TapeInMemory:
    """A tape whose reading takes no time: slices of whole columns, in batches as they come from files."""

    def __init__(self, told: Columns) -> None:
        self.told = told

    def seed(self, history_ns: int) -> Columns:
        """Return no trades: nothing lies before the run."""
        return Columns(*(column[:0] for column in self.told))

    def batches(self) -> Iterator[Columns]:
        """Yield the rows."""
        for start in range(0, len(self.told.ts_ns), BATCH_ROWS):
            yield Columns(*(column[start : start + BATCH_ROWS] for column in self.told))


def _parent() -> Path:
    folder = os.environ.get("BMV_CACHE_DIR")
    parent = (Path(folder) if folder else user_cache_path("bmv")) / "benchmarks"
    parent.mkdir(parents=True, exist_ok=True)
    return parent


def _name(rows: int) -> str:
    return f"seed{SEED}-{rows}"


def _hash() -> str:
    made_by = [Path(str(module.__file__)).read_bytes() for module in (synth_module, schema)]
    return hashlib.sha256(b"\0".join([*made_by, repr(SHAPE).encode()])).hexdigest()[:12]


def _in_floats(lake: Path) -> pl.LazyFrame:
    words = {kind.value: kind.name.lower() for kind in (Kind.TRADE, Kind.QUOTE, Kind.DEPTH)}
    per_unit, per_base = float(1 / SOL_USDC.tick_size), float(1 / SOL_USDC.lot_size)
    return pl.scan_parquet(lake / "**/*.parquet").select(
        pl.col("ts_ns").alias("ts"),
        pl.col("kind").replace_strict(words, return_dtype=pl.String),
        *(pl.col(name) / per_unit for name in ("price", "bid", "ask")),
        *(pl.col(name) / per_base for name in ("size", "bid_size", "ask_size")),
        pl.col("side").cast(pl.Int8),
    )
