"""`--kind`, `--only` and `--ignore` say of a file what its columns do not, to every command that reads one."""

import json
from pathlib import Path

import polars as pl
import pytest

from bmv.adapters.cli.main import main
from bmv.adapters.parquet.source import open_one
from bmv.data.ticks.synth.synth import synth
from bmv.ports.errors import DataError

STEPS = ("--venue", "v", "--symbol", "X", "--tick-size", "0.01", "--lot-size", "0.25")
TWO = "ts,symbol,price,size,side\n1756857600,BTC,9.01,1,buy\n1756857601,ETH,5,1,sell\n1756857602,BTC,9,1,sell\n"


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A file of two markets."""
    path = tmp_path / "two.csv"
    path.write_text(TWO)
    return path


def test_every_command_that_reads_a_file_refuses_two_markets_and_takes_one_by_name(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = {
        "import": ["import", str(two), "--lake", str(tmp_path / "lake"), *STEPS],
        "check": ["check", str(two)],
        "convert": ["convert", str(two), str(tmp_path / "out.parquet")],
        "synth": ["synth", str(tmp_path / "made"), "--like", str(two)],
    }
    for name, words in commands.items():
        assert main(["data", *words]) == 4, name
        assert "a tape is of one market: say which with --only 'symbol=BTC'" in capsys.readouterr().err, name

    for name in ("import", "check", "convert"):
        assert main(["data", *commands[name], "--only", "symbol=BTC", "--json"]) == 0, name
        capsys.readouterr()
    assert pl.read_parquet(tmp_path / "out.parquet")["price"].to_list() == [9.01, 9.0]


def test_what_a_file_was_read_as_is_said_in_words_and_in_json(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "import", str(two), "--lake", str(tmp_path / "lake"), *STEPS, "--only", "symbol=BTC"]
    note = "read as prints: ts, side, price, size"

    assert main(words) == 0
    assert f"\n  {note}\n  not used: symbol\n" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert (file["notes"], file["not_used"]) == ([note], ["symbol"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "symbol"], "--only symbol: expected COLUMN=VALUE, such as --only symbol=BTCUSDT"),
        (["--ignore", "coin"], "--ignore coin: has no such column; it has ts, symbol, price, size, side"),
        (["--kind", "depth"], "'symbol'"),
        (["--local-time"], "--local-time: name the recorder's time with --column ts=NAME"),
    ],
)
def test_an_option_that_cannot_be_followed_is_refused(
    words: list[str], said: str, two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "check", str(two), *words]) in (2, 4)
    assert said in capsys.readouterr().err


def test_an_option_of_reading_without_a_file_to_be_like_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "synth", str(tmp_path), "--only", "symbol=BTC"]) == 2
    assert "--only: says how the file of --like is read, and there is none" in capsys.readouterr().err


def test_a_column_that_says_nothing_is_ignored_in_any_capitals(two: Path, tmp_path: Path) -> None:
    words = ["data", "convert", str(two), str(tmp_path / "out.parquet"), "--ignore", "Symbol"]

    assert main(words) == 0
    assert len(pl.read_parquet(tmp_path / "out.parquet")) == 3


def test_a_day_of_a_lake_that_holds_two_markets_is_taken_apart_as_a_run_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (day,) = synth(tmp_path / "lake", rows=200)
    words = {key: word for key, word in pl.read_parquet_metadata(day).items() if key.startswith("bmv.")}
    both, one = tmp_path / "both.parquet", tmp_path / "OUT.parquet"
    rows = pl.read_parquet(day)
    rows.with_columns(symbol=pl.Series(["A", "B"] * 100)).write_parquet(both, metadata=words)

    with pytest.raises(DataError, match=rf"`bmv data convert {both} OUT\.parquet`, and run on OUT\.parquet"):
        open_one(both)
    assert main(["data", "convert", str(both), str(one), "--only", "symbol=A"]) == 0
    assert open_one(one).rows == 100
    assert main(["data", "check", str(both)]) == 4
    assert main(["data", "check", str(both), "--ignore", "symbol", "--json"]) == 0
    assert main(["data", "check", str(both), "--only", "symbol=C"]) == 4
    assert "--only symbol=C" in capsys.readouterr().err
