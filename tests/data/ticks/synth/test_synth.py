"""The made-up tape: the same on every machine, and enough like a market to try things on."""

import hashlib
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bmv.data.ticks.schema import frames
from bmv.data.ticks.synth.facts import facts
from bmv.data.ticks.synth.markouts import markouts
from bmv.data.ticks.synth.synth import BENIGN, CHUNK_ROWS, SOL_USDC, THIN, MadeUpMarket, Shape, chunks, synth
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


@pytest.mark.parametrize(
    ("shape", "known"), [(Shape(), "850b2a164ead79ac"), (BENIGN, "1bdf8719c9da0ae8")], ids=["usual", "benign"]
)
def test_the_first_million_numbers_of_seed_1_are_these_on_every_machine(shape: Shape, known: str) -> None:
    assert digest(whole(rows=110_000, shape=shape)) == known


def test_another_seed_is_another_tape_and_the_same_seed_the_same() -> None:
    assert digest(whole(1, 5000)) == digest(whole(1, 5000)) != digest(whole(2, 5000))


def test_a_longer_tape_begins_with_the_shorter_one(tape: Columns) -> None:
    short = whole(rows=CHUNK_ROWS + 17)

    for name, column in short._asdict().items():
        assert np.array_equal(getattr(tape, name)[: len(column)], column), name


def test_every_row_is_a_good_one(tape: Columns) -> None:
    trades, quotes = tape.kind == 1, tape.kind == 2

    assert trades.any()
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


def beyond_the_touch(tape: Columns) -> np.ndarray:
    """Return how many ticks each trade printed further out than the touch before it."""
    trades = np.flatnonzero(tape.kind == 1)
    last = np.maximum.accumulate(np.where(tape.kind == 2, np.arange(len(tape.kind)), 0))[trades]
    side = tape.side[trades]
    return side * (tape.price[trades] - np.where(side > 0, tape.ask[last], tape.bid[last]))


def test_benign_trades_print_at_the_touch_before_them_or_through_it_and_three_rows_in_ten_are_trades() -> None:
    tape = whole(shape=BENIGN)
    trades = np.flatnonzero(tape.kind == 1)

    beyond = beyond_the_touch(tape)

    assert tape.kind[0] == 2
    assert set(beyond.tolist()) == {0, 1, 2}
    assert (beyond > 0).mean() == pytest.approx(BENIGN.through_share, abs=0.005)
    assert len(trades) / ROWS == pytest.approx(0.3, abs=0.005)
    assert abs(tape.side[trades].mean()) < 0.02


def test_a_sweep_is_at_one_instant_and_on_one_side_and_goes_further_out_never_back(tape: Columns) -> None:
    trades = np.flatnonzero(tape.kind == 1)
    of_sweep = (np.diff(tape.ts_ns[trades]) == 0) & (np.diff(trades) == 1)

    beyond = beyond_the_touch(tape)

    assert (tape.side[trades][1:] == tape.side[trades][:-1])[of_sweep].mean() > 0.99  # Two may meet by chance.
    assert of_sweep.mean() == pytest.approx(Shape().sweep_share, abs=0.02)
    same = of_sweep & (tape.side[trades][1:] == tape.side[trades][:-1])
    assert (np.diff(beyond)[same] >= 0).mean() > 0.99
    assert (np.diff(beyond)[same] > 0).mean() == pytest.approx(Shape().through_share, abs=0.02)
    assert len(trades) / ROWS == pytest.approx(Shape().trade_share, abs=0.01)


def test_a_maker_at_the_touch_loses_more_the_longer_he_holds_and_as_much_as_on_the_record() -> None:
    made = pl.concat(frames(chunks(3, 200_000, 0, SOL_USDC, Shape())))

    after = markouts(made).means()

    # The bands of the recorded market whose facts are the defaults, at 1, 5 and 30 s.
    recorded = [(-1.01, 0.30), (-2.02, 0.13), (-4.01, 2.59)]
    assert all(low < (mean or 0) < high for mean, (low, high) in zip(after, recorded, strict=True)), after
    assert 0 > (after[0] or 0) > (after[1] or 0)


def test_benign_and_usual_markets_differ_in_what_a_print_is_worth_after_half_a_minute() -> None:
    usual, benign = (
        markouts(pl.concat(frames(chunks(1, 200_000, 0, SOL_USDC, shape)))).means()[-1] or 0
        for shape in (Shape(), BENIGN)
    )

    assert usual < -0.5
    assert benign > 0.3


def test_the_usual_price_does_not_turn_back_and_the_benign_one_does() -> None:
    usual, benign = (
        facts(pl.concat(frames(chunks(2, 300_000, 0, SOL_USDC, shape))), SOL_USDC).variance_ratio or 0
        for shape in (Shape(), BENIGN)
    )

    assert usual > 0.95
    assert benign < 0.8


def test_a_thin_market_pays_no_maker_at_the_touch_either() -> None:
    made = pl.concat(frames(chunks(1, 200_000, 0, SOL_USDC, THIN)))

    assert (markouts(made).means()[-1] or 0) < 0


def test_what_a_trade_moves_later_is_not_lost_between_two_chunks() -> None:
    words = np.random.PCG64(1).random_raw((3, 20_000))
    words[2] |= np.uint64(1023)  # No sweeps: a chunk begins none in its first row.
    regimes = np.ones(20_000, np.int64)
    at_once, in_parts = (MadeUpMarket(0, SOL_USDC, Shape()) for _ in range(2))

    whole_day = at_once.make(*words, regimes)
    parts = [in_parts.make(*words[:, part], regimes[part]) for part in (slice(0, 9_000), slice(9_000, 20_000))]

    for name, column in whole_day._asdict().items():
        assert np.array_equal(column, np.concatenate([getattr(part, name) for part in parts])), name


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
