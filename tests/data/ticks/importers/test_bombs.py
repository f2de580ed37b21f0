"""Small files that unpack to much are refused by name of the limit, and take little memory before they are."""

import gc
import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rigs.bombs import HEADER, imported, large_page, long_line, many_rows, wide_records

from bmv.data.files.pages import refuse_odd_pages
from bmv.data.ticks.export import convert
from bmv.data.ticks.importers import FORMS, Options, chosen
from bmv.data.ticks.importers.packed import Unpacked
from bmv.data.ticks.importers.text import pieces
from bmv.data.ticks.lake.stage import in_order, part_of, spans
from bmv.ports.errors import DataError

PEAK_MB_MAX = 1_000

BOMBS = [
    (lambda folder: long_line(folder / "line.csv.gz", 300), "line 2: is longer than 1 MB"),
    (lambda folder: wide_records(folder / "wide.npz", 200_000, 100), "records take 200 kB each"),
    (lambda folder: large_page(folder / "page.parquet", 9_000_000), "a page may be no more than 64 MB; --unpacked-max"),
]


@pytest.mark.parametrize(("made", "words"), BOMBS, ids=["line", "record", "page"])
def test_a_bomb_is_refused_within_a_gigabyte(made: Callable[[Path], Path], words: str, tmp_path: Path) -> None:
    bomb = made(tmp_path)

    found = imported(bomb, tmp_path / "lake")

    assert found.exit_code == DataError.exit_code
    assert str(bomb) in found.last_line
    assert words in found.last_line
    assert found.peak_mb <= PEAK_MB_MAX
    assert not list((tmp_path / "lake").glob("**/*.parquet"))


def read(path: Path, options: Options) -> int:
    return sum(len(part) for part in chosen(FORMS, path, None, options).read(path, options))


def test_a_conversion_holds_no_more_than_a_batch_of_its_rows(tmp_path: Path) -> None:
    path, held = many_rows(tmp_path / "rows.csv.gz", 1_200_000), list[int]()

    def look(_: int) -> None:
        frames = [each for each in gc.get_objects() if type(each) is pl.DataFrame and "kind" in each.columns]
        held.append(sum(map(len, frames)))

    rows = convert(path, tmp_path / "units.parquet", None, Options(), progress=look)

    assert rows == 1_200_000
    assert len(held) > 2
    assert max(held) <= held[0]
    assert pl.scan_parquet(tmp_path / "units.parquet").select(pl.len()).collect().item() == rows
    assert [left.name for left in tmp_path.iterdir() if left.name.startswith(".")] == []


def test_what_a_file_unpacks_to_is_bounded_and_the_option_allows_more(tmp_path: Path) -> None:
    path = many_rows(tmp_path / "rows.csv.gz", 400_000)

    with pytest.raises(DataError, match=r"rows\.csv\.gz: unpacks to more than 5 MB.*--unpacked-max 20MB"):
        read(path, Options(unpacked_max=5 * 10**6))

    assert read(path, Options(unpacked_max=20 * 10**6)) == 400_000


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_packing_of_a_zip_is_counted(packing: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w", packing) as archive:
        archive.writestr("t.csv", HEADER + b"1756857600.000,100,1,buy\n" * 100_000)

    with pytest.raises(DataError, match="unpacks to more than 1 MB"):
        read(tmp_path / "t.zip", Options(unpacked_max=10**6))

    assert read(tmp_path / "t.zip", Options()) == 100_000


def test_an_array_whose_records_are_wide_is_read_a_few_at_a_time(tmp_path: Path) -> None:
    path = wide_records(tmp_path / "wide.npz", 60_000, 1_000)

    batches = [len(part) for part in chosen(FORMS, path, None, Options()).read(path, Options())]

    assert sum(batches) == 1_000
    assert max(batches) * 60_000 <= 16 * 10**6


def test_a_header_of_too_many_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("time,price," + ",".join(map(str, range(5_000))) + "\n1756857600,1\n")

    with pytest.raises(DataError, match="line 1: has 5,002 columns; no more than 4,096 are read"):
        read(tmp_path / "t.csv", Options())


def test_a_page_that_is_allowed_is_read(tmp_path: Path) -> None:
    path = large_page(tmp_path / "page.parquet", 9_000_000)

    assert refuse_odd_pages(path, 10**8) is not None


line = st.text(st.sampled_from('ab,"\n'), max_size=12).filter(lambda text: text.count('"') % 2 == 0)


@settings(deadline=None, max_examples=50)
@given(st.lists(line, max_size=8), st.integers(1, 9))
def test_a_text_cut_anywhere_is_cut_at_the_end_of_a_line(lines: list[str], size: int) -> None:
    text = "\n".join(lines).encode()

    found = list(pieces(Path("t"), Unpacked(Path("t"), io.BytesIO(text), len(text)), size))

    assert b"".join(piece for _, piece in found) == text
    assert all(piece.endswith(b"\n") and piece.count(b'"') % 2 == 0 for _, piece in found[:-1])
    before = [b"".join(piece for _, piece in found[:at]) for at in range(len(found))]
    assert [number for number, _ in found] == [1 + text.count(b"\n") for text in before]


def test_rows_and_their_numbers_are_those_of_the_text_in_one_piece(tmp_path: Path) -> None:
    rows = "".join(f"{1756857600 + row % 40_000},{100 + row % 9},1,buy\n" for row in range(900_000))
    (tmp_path / "t.csv").write_text(HEADER.decode() + rows)

    batches = list(chosen(FORMS, tmp_path / "t.csv", None, Options()).read(tmp_path / "t.csv", Options()))

    assert len(batches) > 1
    assert pl.concat(batches)["row"].to_list() == list(range(2, 900_002))
    assert pl.concat(batches)["price"].to_list() == [100.0 + row % 9 for row in range(900_000)]


def test_a_wrong_cell_of_a_later_piece_is_named_by_its_line(tmp_path: Path) -> None:
    rows = b"1756857600.000,100,1,buy\n" * 900_000
    with gzip.open(tmp_path / "t.csv.gz", "wb", compresslevel=1) as packed:
        packed.write(HEADER + rows + b"1756857600.000,ten,1,buy\n")

    with pytest.raises(DataError, match="line 900002: column 'price' is 'ten'"):
        read(tmp_path / "t.csv.gz", Options())


times = st.lists(st.lists(st.integers(0, 10**6), min_size=1, max_size=8), min_size=1, max_size=6)


@settings(deadline=None, max_examples=50)
@given(times, st.integers(1, 60))
def test_slices_hold_all_rows_in_order_and_no_more_than_they_may(parts: list[list[int]], most: int) -> None:
    staged = [part_of(pl.DataFrame({"ts_ns": part}, schema={"ts_ns": pl.Int64})) for part in parts]
    flat = sorted(time for part in parts for time in part)
    if max(map(flat.count, flat)) > most:
        with pytest.raises(DataError, match="may have the same"):
            list(spans(staged, most))
        return

    slices = list(in_order(staged, most))

    assert [time for rows in slices for time in rows["ts_ns"].to_list()] == flat
    assert all(len(rows) <= most for rows in slices)
