"""Ticks out of the lake, for people and programs that read other things."""

import gzip
import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import IO, cast

import polars as pl

from bmv.data.importers import FORMS, Options, chosen
from bmv.data.lake import market_of
from bmv.data.parquet import ROW, maker, parquet_batches
from bmv.data.schema import FLOATS, LAKE, replacing
from bmv.data.steps import KINDS
from bmv.ports.errors import UsageError
from bmv.ports.market import Market


def exported(days: Iterable[Path], out: Path, whole: bool) -> int:
    """Write days of the lake as one CSV, gzipped if its name says so; return how many rows.

    Args:
        whole: Leave ticks and lots as they are; else prices and sizes are in units, as exact decimals, and kinds words.
    """
    if not out.name.endswith((".csv", ".csv.gz")):
        raise UsageError(f"{out}: expected a name that ends in .csv or .csv.gz")
    rows = 0
    half_done = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    with replacing(out, half_done), _opened(half_done, out.suffix == ".gz") as file:
        for day in days:
            market = market_of(day)
            for part in parquet_batches(day, list(LAKE)):
                told = part.drop(ROW) if whole else _in_units(part.drop(ROW), market)
                told.write_csv(file, include_header=rows == 0)
                rows += len(part)
    return rows


def converted(path: Path, out: Path, form: str | None, options: Options) -> int:
    """Write a file of any form as Parquet in the float form; return how many rows. Nothing is judged."""
    read = chosen(FORMS, path, form, options).read(path, options)
    whole = pl.concat([part.drop(ROW) for part in read])
    half_done = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    with replacing(out, half_done):
        words = {"bmv.source": made_by} if (made_by := maker(path)) else None
        whole.select(list(FLOATS)).write_parquet(half_done, compression="zstd", metadata=words)
    return len(whole)


def _in_units(rows: pl.DataFrame, market: Market) -> pl.DataFrame:
    words = {number.value: word for word, number in KINDS.items()}
    return rows.with_columns(
        pl.col("kind").replace_strict(words, return_dtype=pl.String),
        *(_decimal(name, market.tick_size) for name in ("price", "bid", "ask")),
        *(_decimal(name, market.lot_size) for name in ("size", "bid_size", "ask_size")),
    )


def _decimal(name: str, step: Decimal) -> pl.Expr:
    """Write whole steps as an exact decimal."""
    digits = max(0, -cast(int, step.as_tuple().exponent))
    return (pl.col(name).cast(pl.Decimal(38, digits)) * pl.lit(step, pl.Decimal(38, digits))).cast(
        pl.Decimal(38, digits)
    )


def _opened(path: Path, packed: bool) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return cast(IO[bytes], gzip.open(path, "wb")) if packed else path.open("wb")
