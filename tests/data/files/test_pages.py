"""Pages of Parquet that name more than they hold: seen before a reader makes room for it."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bmv.data.files.pages import refuse_odd_pages
from bmv.ports.errors import DataError

FIXTURE = Path(__file__).parents[1] / "ticks" / "importers" / "fixtures" / "generic.parquet"
FRAME = pl.DataFrame(
    {
        "whole": range(10_000),
        "text": [str(number % 77) for number in range(10_000)],
        "truth": [number % 3 == 0 for number in range(10_000)],
        "list": [[number, number] for number in range(10_000)],
        "null": [None] * 10_000,
    }
)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "uncompressed"},
        {"compression": "snappy", "row_group_size": 999},
        {"compression": "gzip", "data_page_size": 64},
        {"compression": "brotli", "statistics": False},
        {"compression": "lz4", "statistics": "full"},
    ],
    ids=str,
)
def test_a_sound_file_is_let_through_however_it_was_written(options: dict[str, Any], tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "sound.parquet", **options)

    refuse_odd_pages(tmp_path / "sound.parquet")


def test_a_sound_file_of_another_writer_is_let_through(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow.parquet", reason="the extra notebook is not installed")
    for version in ("1.0", "2.0"):
        pyarrow.write_table(FRAME.to_arrow(), tmp_path / "sound.parquet", data_page_version=version, data_page_size=512)

        refuse_odd_pages(tmp_path / "sound.parquet")


def test_a_page_that_names_a_negative_number_of_values_is_refused(tmp_path: Path) -> None:
    damaged = bytearray(FIXTURE.read_bytes())
    assert damaged[50] == 4  # Two values, as the header of the first data page writes it.
    damaged[50] = 5
    path = tmp_path / "damaged.parquet"
    path.write_bytes(damaged)

    with pytest.raises(DataError, match=r"the page at byte 42 names -3 values, where 2 are left"):
        refuse_odd_pages(path)


def test_a_file_that_is_no_parquet_is_refused_by_its_end(tmp_path: Path) -> None:
    for content in (b"", b"PAR1", b"PAR1 and no more", b"\xff\xff\xff\xffPAR1"):
        (tmp_path / "none.parquet").write_bytes(content)

        with pytest.raises(DataError, match="cannot be read as Parquet: damaged"):
            refuse_odd_pages(tmp_path / "none.parquet")
