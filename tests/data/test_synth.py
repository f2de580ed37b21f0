"""The made-up tape: the same on every machine, and enough like a market to try things on."""

import hashlib
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bmv.data.synth import CHUNK_ROWS, SOL_USDC, Shape, chunks, synth
from bmv.ports.errors import UsageError
from bmv.ports.market import Market
from bmv.ports.market_data import Columns

ROWS = 3 * CHUNK_ROWS + 1000


def whole(seed: int = 1, rows: int = ROWS, shape: Shape | None = None) -> Columns:
    return Columns(*map(np.concatenate, zip(*chunks(seed, rows, 0, SOL_USDC, shape or Shape()), strict=True)))


def digest(tape: Columns) -> str:
    return hashlib.sha256(b"".join(column.astype("<i8").tobytes() for column in tape)).hexdigest()[:16]


@pytest.fixture(scope="module")
def tape() -> Columns:
    return whole()


def test_the_first_million_numbers_of_seed_1_are_these_on_every_machine() -> None:
    assert digest(whole(rows=110_000)) == "1bdf8719c9da0ae8"


def test_another_seed_is_another_tape_and_the_same_seed_the_same() -> None:
    assert digest(whole(1, 5000)) == digest(whole(1, 5000)) != digest(whole(2, 5000))


def test_a_longer_tape_begins_with_the_shorter_one(tape: Columns) -> None:
    short = whole(rows=CHUNK_ROWS + 17)

    for name, column in short._asdict().items():
        assert np.array_equal(getattr(tape, name)[: len(column)], column), name


def test_every_row_is_a_good_one(tape: Columns) -> None:
    trades, quotes = tape.kind == 1, tape.kind == 2

    assert (trades | quotes).all()
    assert (np.diff(tape.ts_ns) >= 0).all()
    assert (np.diff(tape.ts_ns) == 0).any()
    assert (tape.bid[quotes] > 0).all()
    assert (tape.bid < tape.ask)[quotes].all()
    assert (np.stack([tape.bid_size, tape.ask_size])[:, quotes] > 0).all()
    assert (np.abs(tape.side[trades]) == 1).all()
    assert (tape.size[trades] > 0).all()
    assert not np.stack([tape.side, tape.price, tape.size])[:, quotes].any()
    assert not np.stack(tape[5:])[:, trades].any()


def test_trades_print_at_the_touch_before_them_or_through_it_and_three_rows_in_ten_are_trades(tape: Columns) -> None:
    trades = np.flatnonzero(tape.kind == 1)
    last = np.maximum.accumulate(np.where(tape.kind == 2, np.arange(ROWS), 0))[trades]
    side = tape.side[trades]

    beyond = side * (tape.price[trades] - np.where(side > 0, tape.ask[last], tape.bid[last]))

    assert tape.kind[0] == 2
    assert set(beyond.tolist()) == {0, 1, 2}
    assert (beyond > 0).mean() == pytest.approx(Shape().through_share, abs=0.005)
    assert len(trades) / ROWS == pytest.approx(0.3, abs=0.005)
    assert abs(side.mean()) < 0.02


def test_trades_know_a_little_of_what_comes(tape: Columns) -> None:
    quotes = np.flatnonzero(tape.kind == 2)
    mid = (tape.bid + tape.ask)[quotes]
    trades = np.flatnonzero(tape.kind == 1)
    place = np.searchsorted(quotes, trades)
    usable = place < len(quotes) - 10

    drift = tape.side[trades] * (mid[np.minimum(place + 10, len(mid) - 1)] - mid[place - 1])

    assert drift[usable].mean() > 0.1


def test_days_are_split_at_midnight_utc_and_lose_nothing(tmp_path: Path) -> None:
    sparse = Shape(mean_gap_ms=60_000)
    paths = synth(tmp_path, rows=20_000, start=date(2025, 2, 27), shape=sparse)

    days = [pl.read_parquet(path) for path in paths]
    names = [path.relative_to(tmp_path).as_posix() for path in paths]
    assert names[:3] == [f"synthetic/SOL-USDC/{day}.parquet" for day in ("2025-02-27", "2025-02-28", "2025-03-01")]
    assert sum(day.height for day in days) == 20_000
    for path, day in zip(paths, days, strict=True):
        dates = day["ts_ns"].cast(pl.Datetime("ns")).dt.date().unique().to_list()
        assert dates == [date.fromisoformat(path.stem)]
    assert all(one["ts_ns"][-1] <= other["ts_ns"][0] for one, other in pairwise(days))


def test_a_file_says_that_it_is_made_up(tmp_path: Path) -> None:
    (path,) = synth(tmp_path, seed=42, rows=10)

    assert pl.read_parquet_metadata(path)["bmv.source"] == "synthetic, seed 42"


@pytest.mark.parametrize(("price", "tick"), [("0.00002", "0.00000001"), ("100000", "1"), ("1.25", "0.0001")])
def test_cheap_and_dear_markets_can_be_made_up(price: str, tick: str) -> None:
    market = Market("X", Decimal(tick), Decimal("0.001"))

    (tape,) = chunks(1, 20_000, 0, market, Shape(price=Decimal(price)))

    start = int(Decimal(price) / Decimal(tick))
    assert abs(tape.bid[0] - start) < 0.01 * start
    assert len(np.unique(tape.bid)) > 10


@pytest.mark.parametrize(("rows", "seed", "price"), [(0, 1, "200"), (10, -1, "200"), (10, 1, "0.5")])
def test_what_cannot_be_made_up_is_wrong_use(rows: int, seed: int, price: str) -> None:
    with pytest.raises(UsageError):
        list(chunks(seed, rows, 0, SOL_USDC, Shape(price=Decimal(price))))


@pytest.mark.parametrize("day", [date(1969, 12, 31), date(2300, 1, 1)])
def test_a_tape_begins_at_a_time_that_64_bits_can_go_on_from(day: date, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="from 1970 on, before 2116"):
        synth(tmp_path, rows=10, start=day)
