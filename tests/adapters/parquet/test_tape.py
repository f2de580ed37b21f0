"""Reading: forms, files, folders, windows, seeds; what is told does not depend on how it was read."""

import hashlib
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmv.adapters.parquet.tape import ParquetTape
from bmv.ports.errors import DataError
from bmv.ports.market import Market
from bmv.ports.market_data import Columns, Tape

slowly = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    """Good rows in ticks and lots."""
    price, size = st.integers(1, 10**9), st.integers(1, 10**6)
    absent, shown = st.just((0, 0)), st.tuples(price, st.one_of(st.just(-1), size))
    side = st.one_of(absent, shown, shown)
    trade = st.tuples(st.just(1), st.integers(-1, 1), price, size, st.just((0, 0)), st.just((0, 0)))
    quote = st.tuples(st.just(2), st.just(0), st.just(0), st.just(0), side, side)
    depth = st.tuples(st.just(3), st.sampled_from([-1, 1]), price, st.one_of(st.just(0), size), side, side)
    rows = draw(st.lists(st.one_of(trade, quote, depth), min_size=1, max_size=30))
    gaps = draw(st.lists(st.integers(0, 10**12), min_size=len(rows), max_size=len(rows)))
    flat = [(kind, turn, at, lots, *bid, *ask) for kind, turn, at, lots, bid, ask in rows]
    return Columns(np.cumsum(np.array(gaps, np.int64)), *np.array(flat, np.int64).T)


def as_floats(bench, told):
    """The same rows as somebody else would have recorded them."""
    kinds = {1: "trade", 2: "quote", 3: "depth"}
    tick, lot = bench.market.tick_size, bench.market.lot_size
    for row in zip(*(column.tolist() for column in told), strict=True):
        ts, kind, side, price, size, bid, bid_size, ask, ask_size = row
        shown = {
            name: float(value * step)
            for name, value, step in (
                ("bid", bid, tick),
                ("bid_size", bid_size, lot),
                ("ask", ask, tick),
                ("ask_size", ask_size, lot),
            )
            if value > 0
        }
        prints = {"price": float(price * tick), "size": float(size * lot), "side": side} if kind != 2 else {}
        yield {"ts": ts, "kind": kinds[kind], **shown, **prints}


@slowly
@given(columns(), st.integers(1, 40))
def test_columns_come_back_from_the_lake_as_they_were_whatever_the_batch(bench, written, batch_rows):
    tape = bench.tape(bench.lake(written), batch_rows=batch_rows, max_bad_share=0)

    told = bench.told(tape)

    for name, column in written._asdict().items():
        assert getattr(told, name).tolist() == column.tolist(), name
    assert tape.quality.dropped == 0


@slowly
@given(columns(), st.integers(1, 40))
def test_both_forms_tell_the_same(bench, written, batch_rows):
    tape = bench.tape(bench.floats(as_floats(bench, written)), batch_rows=batch_rows, max_bad_share=0)

    told = bench.told(tape)

    for name, column in written._asdict().items():
        assert getattr(told, name).tolist() == column.tolist(), name


@slowly
@given(columns(), st.integers(0, 10**13), st.integers(1, 10**13), st.integers(0, 10**13))
def test_a_window_holds_its_start_and_not_its_end_and_the_seed_what_lies_before(bench, written, start, length, history):
    path = bench.lake(written)
    inside = (written.ts_ns >= start) & (written.ts_ns < start + length)
    tape = bench.tape(path, start_ns=start, end_ns=start + length, batch_rows=7)
    if not inside.any():
        with pytest.raises(DataError, match="no rows in the window"):
            tape.seed(history)
        return

    seed, told = tape.seed(history), bench.told(tape)

    before = (written.kind == 1) & (written.ts_ns < start) & (written.ts_ns >= start - history)
    assert told.ts_ns.tolist() == written.ts_ns[inside].tolist()
    assert seed.ts_ns.tolist() == written.ts_ns[before].tolist()
    assert seed.price.tolist() == written.price[before].tolist()


def test_the_tape_fits_its_port_and_gives_columns_that_compiled_code_may_take(bench):
    tape: Tape = bench.tape(bench.floats([bench.trade(1), bench.quote(2)]))

    for told in (tape.seed(1), *tape.batches()):
        for column in told:
            assert column.dtype == np.int64
            assert column.flags.c_contiguous


def test_nothing_is_opened_before_it_is_asked(tmp_path, bench):
    ParquetTape([tmp_path / "missing.parquet"], bench.market)


def test_a_second_reading_tells_and_counts_the_same(bench):
    tape = bench.tape(bench.floats([bench.trade(1), bench.trade(2, 0.0), bench.quote(3)]), max_bad_share=1)

    first, tally = bench.rows(tape), repr(tape.quality)

    assert bench.rows(tape) == first
    assert repr(tape.quality) == tally


def test_a_seed_without_a_start_is_empty(bench):
    assert len(bench.tape(bench.floats([bench.trade(1)])).seed(10**18).kind) == 0


def test_a_trade_exactly_as_old_as_the_history_seeds_and_quotes_and_bad_rows_do_not(bench):
    rows = [
        bench.trade(9),
        bench.trade(10),
        bench.quote(11),
        bench.trade(12, float("nan")),
        bench.trade(20),
    ]
    tape = bench.tape(bench.floats(rows), start_ns=20, max_bad_share=0)

    assert tape.seed(10).ts_ns.tolist() == [10]
    assert bench.told(tape).ts_ns.tolist() == [20]
    assert tape.quality.rows == 1
    assert tape.quality.warnings == [
        "the tape has no quotes: fills come from prints alone, figures at the touch are unknown",
        "1 bad rows before the run do not seed it: 1 price or size missing or not a number",
    ]


def test_files_are_read_in_order_of_time_whatever_their_order_and_names(bench):
    late = bench.floats([bench.trade(5), bench.trade(6)], "a.parquet")
    early = bench.floats(
        [bench.trade(1), bench.trade(5)], "b.parquet"
    )  # The same instant may end one and begin another.

    assert bench.told(bench.tape(late, early)).ts_ns.tolist() == [1, 5, 5, 6]
    assert bench.told(bench.tape(bench.folder)).ts_ns.tolist() == [1, 5, 5, 6]


def test_overlapping_files_are_refused(bench):
    one = bench.floats([bench.trade(1), bench.trade(5)], "one.parquet")
    two = bench.floats([bench.trade(4), bench.trade(9)], "two.parquet")

    with pytest.raises(DataError, match=r"two\.parquet: overlaps .*one\.parquet"):
        bench.tape(one, two).seed(0)


def test_the_same_file_twice_is_refused(bench):
    path = bench.floats([bench.trade(1)])

    with pytest.raises(DataError, match="given twice"):
        bench.told(bench.tape(path, path))


def test_two_markets_in_one_run_are_refused(bench):
    bench.floats([bench.trade(1)], "sim/SOL-USDC/2025-09-03.parquet")
    bench.floats([bench.trade(2)], "sim/BTC-USDC/2025-09-04.parquet")

    with pytest.raises(DataError, match="two markets in one run"):
        bench.told(bench.tape(bench.folder))


def test_two_symbols_in_the_metadata_are_refused(bench):
    rows = bench.told(bench.tape(bench.floats([bench.trade(1)])))
    other = Market("BTC/USDC", bench.market.tick_size, bench.market.lot_size)
    one, two = bench.lake(rows, "one.lake"), bench.lake(rows, "two.lake", other)

    with pytest.raises(DataError, match=r"BTC/USDC .* and SOL/USDC"):
        bench.told(bench.tape(one, two))


def test_two_markets_are_named_before_anybody_speaks_of_their_ticks(bench):
    rows = bench.told(bench.tape(bench.floats([bench.trade(1)])))
    one, two = (
        bench.lake(rows, "one.lake"),
        bench.lake(rows, "two.lake", Market("BTC/USDC", Decimal("0.5"), Decimal(2))),
    )

    with pytest.raises(DataError, match=r"two markets in one run: BTC/USDC .* give the folder of one"):
        bench.told(bench.tape(one, two))


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("venue_AAA-USDC", "AAA-USDC"),
        ("venue_SOL-USDC", ""),
        ("venue_SOL-USDC-PERP", ""),
        ("my_ticks", ""),
        ("ticks", ""),
    ],
)
def test_floats_in_a_folder_of_another_market_are_told(bench, tmp_path, folder, told):
    (tmp_path / folder).mkdir()
    day = bench.floats([bench.trade(1)]).rename(tmp_path / folder / "2025-09-03.parquet")
    tape = bench.tape(day)

    bench.told(tape)

    warnings = [each for each in tape.quality.warnings if "which the configuration names" in each]
    assert [each.split(",")[0] for each in warnings] == ([f"the tape is of {told}"] if told else [])


@pytest.mark.parametrize(
    ("symbol", "warned"), [("AAA/USDC", True), ("SOL/USDC", False), ("SOL-USDC", False), ("solusdc", False)]
)
def test_a_tape_of_another_market_than_the_configured_one_is_told(bench, symbol, warned):
    rows = bench.told(bench.tape(bench.floats([bench.trade(1)])))
    tape = bench.tape(bench.lake(rows, market=Market(symbol, bench.market.tick_size, bench.market.lot_size)))

    bench.told(tape)

    warning = f"the tape is of {symbol}, not of SOL/USDC, which the configuration names"
    assert (warning in tape.quality.warnings) == warned


@pytest.mark.parametrize(("tick", "lot", "key"), [("0.1", "0.1", "tick_size"), ("0.01", "0.01", "lot_size")])
def test_a_lake_of_another_tick_or_lot_is_refused(bench, tick, lot, key):
    path = bench.lake(bench.told(bench.tape(bench.floats([bench.trade(1)]))))

    with pytest.raises(DataError, match=f"recorded with bmv.{key}"):
        bench.told(bench.tape(path, market=Market("SOL/USDC", Decimal(tick), Decimal(lot))))


def test_a_step_written_with_another_number_of_zeros_is_the_same(bench):
    path = bench.lake(bench.told(bench.tape(bench.floats([bench.trade(1)]))))

    assert bench.told(
        bench.tape(path, market=Market("SOL/USDC", Decimal("0.010"), Decimal("1E-1")))
    ).ts_ns.tolist() == [1]


def test_a_lake_without_its_metadata_is_refused(bench):
    path = bench.lake(bench.told(bench.tape(bench.floats([bench.trade(1)]))))
    pl.read_parquet(path).write_parquet(path)

    with pytest.raises(DataError, match=r"bmv\.version in its metadata is missing"):
        bench.told(bench.tape(path))


def write_text(path):
    path.write_text("ts,kind,price\n1,trade,100\n")


def write_nothing(path):
    path.write_bytes(b"")


def write_half(path):
    pl.DataFrame({"ts": [1, 2]}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-30])


def make_folder(path):
    path.mkdir()


UNREADABLE = [
    (write_text, "cannot be read as Parquet"),
    (write_nothing, "cannot be read as Parquet"),
    (write_half, "cannot be read as Parquet"),
    (make_folder, "no .*parquet files in this folder"),
    (lambda path: None, "no such file or folder"),
]


@pytest.mark.parametrize(("write", "message"), UNREADABLE)
def test_what_is_no_tape_is_refused_in_one_line_that_names_it(bench, tmp_path, write, message):
    path = tmp_path / "x.parquet"
    write(path)

    with pytest.raises(DataError, match=message) as refused:
        bench.tape(path).seed(0)

    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_paths_at_all_are_refused(bench):
    with pytest.raises(DataError, match="no data given"):
        bench.told(bench.tape())


def test_a_file_without_rows_is_refused(bench):
    with pytest.raises(DataError, match="has no rows"):
        bench.told(bench.tape(bench.floats([])))


WRONG = [
    (pl.lit(1.5).alias("ts"), "column 'ts' is Float64; it should be int64 nanoseconds since 1970 UTC"),
    (pl.lit(1).alias("kind"), "column 'kind' is Int32; it should be string 'trade', 'quote' or 'depth'"),
    (pl.lit("1").alias("price"), "column 'price' is String; it should be float64 quote per base"),
    (pl.lit("buy").alias("side"), "column 'side' is String; it should be int8 1, -1 or 0"),
]


@pytest.mark.parametrize(("column", "message"), WRONG)
def test_a_column_of_the_wrong_type_is_refused_saying_what_is_right(bench, column, message):
    path = bench.floats([bench.trade(1)])
    pl.read_parquet(path).with_columns(column).write_parquet(path)

    with pytest.raises(DataError, match=message):
        bench.told(bench.tape(path))


@pytest.mark.parametrize("name", ["ts", "kind", "side", "price", "ask_size"])
def test_a_missing_column_is_refused_saying_what_it_should_be(bench, name):
    path = bench.floats([bench.trade(1)])
    pl.read_parquet(path).drop(name).write_parquet(path)

    with pytest.raises(DataError, match=f"column '{name}'.* is missing; it should be"):
        bench.told(bench.tape(path))


def test_narrower_types_and_categories_are_as_good(bench):
    path = bench.floats([bench.trade(1), bench.quote(2)])
    told = bench.rows(bench.tape(path))
    narrow = {"kind": pl.Categorical, "side": pl.Int64, "ask_size": pl.Float32, "bid_size": pl.Int32}
    pl.read_parquet(path).cast(narrow).write_parquet(path)

    assert bench.rows(bench.tape(path)) == told


def test_columns_of_nothing_but_null_may_have_no_type(bench):
    path = bench.floats([bench.trade(1)])
    pl.read_parquet(path).with_columns(pl.lit(None).alias("bid_size")).write_parquet(path)

    assert len(bench.rows(bench.tape(path))) == 1


def test_a_window_beside_the_data_is_refused_saying_where_the_data_is(bench):
    path = bench.floats([bench.trade(0), bench.trade(10**9)])

    with pytest.raises(DataError, match="data runs from 1970-01-01T00:00:00Z to 1970-01-01T00:00:01Z"):
        bench.tape(path, start_ns=2 * 10**9).seed(0)


def test_the_manifest_names_the_files_read_with_their_hash(bench):
    one = bench.floats([bench.trade(1), bench.trade(5)], "one.parquet")
    bench.floats([bench.trade(6)], "two.parquet")
    tape = bench.tape(bench.folder, end_ns=6)

    told = bench.told(tape)

    digest = hashlib.sha256(one.read_bytes()).hexdigest()
    assert len(told.kind) == 2
    assert tape.manifest() == [{"path": str(one), "sha256": digest, "rows": 2, "first_ns": 1, "last_ns": 5}]
