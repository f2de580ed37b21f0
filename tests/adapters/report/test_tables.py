"""Tables and lines of a terminal: whatever its width, a number is whole."""

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bmv.adapters.report.sheet import Row, Unit, in_words
from bmv.adapters.report.tables import Column, Grid, laid, lines_of, screen_width
from bmv.data.runs.wording import plain, significant

WIDTHS = (40, 80, 200)
UNITS: tuple[Unit, ...] = ("quote", "base", "amount", "bps", "share", "count", "seconds", "number", "signed")
NUMBERS = st.one_of(
    st.floats(-1e300, 1e300, allow_nan=False), st.integers(-(2**63), 2**63).map(float),
    st.sampled_from([410e9, -9.2e18, 1e-8, 1e-300, 1e300, 999_999_999_999.5, 0.0]),
)  # fmt: skip


def printed(grid: Grid, width: int) -> str:
    console = Console(width=width, file=StringIO(), record=True)
    console.print(grid)
    return console.export_text()


def number(text: str) -> float:
    """Return what a number in our spelling says."""
    return float(text.replace(",", "").replace("−", "-"))


@given(st.lists(NUMBERS, min_size=1, max_size=6), st.sampled_from(UNITS), st.sampled_from(WIDTHS), st.integers(1, 9))
def test_a_number_is_whole_at_every_width(values: list[float], unit: Unit, width: int, columns: int) -> None:
    cells = [in_words(Row("", value, unit), "MEMECOIN/USDC") for value in values]
    heads = [Column("name", "left"), *(Column(f"figure {n}") for n in range(columns * len(cells)))]
    grid = Grid(heads, "A title")
    grid.add("first", *cells * columns)

    shown = printed(grid, width)

    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    words = shown.split()
    assert all(words.count(word) >= columns for cell in cells for word in cell.split())


@given(NUMBERS, st.sampled_from(UNITS))
def test_a_number_that_is_shortened_says_the_same(value: float, unit: Unit) -> None:
    value = round(value) if unit == "count" else value
    text = in_words(Row("", value, unit), "SOL/USDC")

    if unit == "seconds" or (unit == "base" and value == 0):
        return
    said = number(text.split()[0]) / (100 if unit == "share" else 1)
    assert len(text.split()[0]) <= 15
    assert said == pytest.approx(value, rel=0.05, abs=0.005)


@given(NUMBERS)
def test_no_number_is_longer_than_a_narrow_screen(value: float) -> None:
    assert len(plain(value, 6, sign=True)) < 30
    assert len(significant(value)) <= 20
    assert number(significant(value)) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("width", [None, *WIDTHS])
def test_a_plain_table_that_is_too_wide_tells_a_record_a_row(width: int | None) -> None:
    columns = [Column("market", "left"), *(Column(f"count of {n}") for n in range(6))]
    rows = [["SOL/USDC", *[f"{10**n:,}" for n in range(4, 10)]], ["BTC/USDC", *["1"] * 6]]

    lines = lines_of(columns, rows, width)

    assert max(map(len, lines)) <= (width or 1000)
    assert (len(lines) == 3) == (width in (None, 200))
    assert any("1,000,000,000" in line.split() for line in lines)


@given(st.lists(NUMBERS, min_size=1, max_size=20), st.sampled_from(WIDTHS))
def test_a_line_breaks_between_words_only(values: list[float], width: int) -> None:
    words = [significant(value) for value in values]

    lines = laid(" ".join(words), width, "  ").splitlines()

    assert " ".join(lines).split() == words
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize(("columns", "width"), [("66", 66), ("", None), ("0", None), ("wide", None)])
def test_a_pipe_is_as_wide_as_columns_says(columns: str, width: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", StringIO())
    monkeypatch.setenv("COLUMNS", columns)

    assert screen_width() == width
