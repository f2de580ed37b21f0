"""What `bmv data import` says before it imports: which forms there are, and which steps would fit."""

import json
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bmv.adapters.cli.main import main
from bmv.data.ticks.importers import FORMS
from bmv.data.ticks.lake.lake import Lake
from bmv.ports.market import Market

FIXTURES = Path(__file__).parents[2] / "data" / "ticks" / "importers" / "fixtures"
CSV = "time,bid,ask,bid_size,ask_size\n1756857600,99.98,100.02,0.5,0.75\n1756857601,99.96,100.02,0.5,0.25\n"


def test_the_help_says_of_each_form_what_the_form_says_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    main(["data", "import", "--help"])

    listed = capsys.readouterr().out.split("Forms (", 1)[1].split("Examples:")[0].splitlines()[1:]
    assert [tuple(line.split(maxsplit=1)) for line in listed if line.strip()] == [
        (form.name, form.about) for form in FORMS
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ticks.csv", "; --tick-size 0.02 --lot-size 0.25 would fit "),
        (FIXTURES / "BTCUSDT-trades-2025-09-03.zip", "; --tick-size 0.01 --lot-size 0.25 would fit "),
        (FIXTURES / "hftbacktest.npz", "; --tick-size 0.01 --lot-size 0.25 would fit "),
        (FIXTURES / "forex/oanda/tick/eurusd/20140501_quote.zip", "and as it records no sizes, any --lot-size does"),
    ],
)
def test_without_steps_those_that_would_fit_a_file_of_any_form_are_named(
    name: str | Path, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ticks.csv").write_text(CSV)
    lake = tmp_path / "lake"

    code = main(["data", "import", str(tmp_path / name), "--venue", "v", "--symbol", "X", "--lake", str(lake)])

    assert code == 2
    assert hint in capsys.readouterr().err
    assert not lake.exists()


def test_the_hint_reads_the_file_as_the_import_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ticks.csv"
    path.write_text("when,p,q\n1756857600,1.5,2\n1756857601,1,4\n")
    columns = [word for pair in ("ts=when", "price=p", "size=q") for word in ("--column", pair)]

    main(["data", "import", str(path), "--venue", "v", "--symbol", "X", "--lake", str(tmp_path / "lake"), *columns])

    assert "; --tick-size 0.5 --lot-size 2 would fit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "told"),
    [("words.csv", "words.csv: in none of the forms known"), ("none.csv", "none.csv: no such file")],
)
def test_a_file_that_cannot_be_read_is_refused_before_anybody_is_asked_for_its_steps(
    name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "words.csv").write_text("to,be,or\nnot,to,be\n")

    code = main(["data", "import", str(tmp_path / name), "--venue", "v", "--lake", str(tmp_path / "lake")])

    assert code == 4
    assert told in capsys.readouterr().err


STEPS = ("--venue", "v", "--symbol", "X", "--tick-size", "0.01", "--lot-size", "0.25")


def taken(lake: Path, path: Path, *more: str) -> int:
    return main(["data", "import", str(path), "--lake", str(lake), *STEPS, *more])


def rows(lake: Path) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(day.path) for day in Lake(lake).days()])


@pytest.mark.parametrize(
    "header",
    [
        "time,bid,bidsize,ask,asksize",
        "Time,Bid,Bid Size,Ask,Ask Size",
        "timestamp,best_bid,bid_qty,best_ask,ask_qty",
        "ts,bidPrice,bidQty,askPrice,askQty",
        " time , bid , bid_sz , offer , ask_vol",
    ],
)
def test_sizes_of_quotes_are_taken_by_the_names_that_many_use(header: str, tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text(f"{header}\n1756857600,99.98,0.5,100.02,0.75\n")

    code = taken(tmp_path / "lake", path)

    assert code == 0
    assert rows(tmp_path / "lake")["bid_size", "ask_size"].row(0) == (2, 3)


@pytest.mark.parametrize(
    ("name", "bought", "sold"),
    [
        ("direction", "buy", "SELL"),
        ("taker_side", "B", "S"),
        ("is_buyer_maker", "false", "True"),
        ("isBuyerMaker", "0", "1"),
        ("buyer_maker", "FALSE", "TRUE"),
    ],
)
def test_the_side_of_a_print_is_taken_by_the_names_that_many_use(
    name: str, bought: str, sold: str, tmp_path: Path
) -> None:
    path = tmp_path / "trades.csv"
    path.write_text(f"time,price,size,{name}\n1756857600,100,1,{bought}\n1756857601,100,1,{sold}\n")

    code = taken(tmp_path / "lake", path)

    assert code == 0
    assert rows(tmp_path / "lake")["side"].to_list() == [1, -1]


def test_columns_that_nothing_was_taken_from_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trades.csv"
    path.write_text("time,price,size,venue_id,note\n1756857600,100,1,7,x\n")

    taken(tmp_path / "lake", path)
    plain = capsys.readouterr().out
    taken(tmp_path / "lake", path, "--json")
    (told,) = json.loads(capsys.readouterr().out)["files"]
    main(["data", "check", str(path)])
    checked = capsys.readouterr().out
    main(["data", "convert", str(path), str(tmp_path / "trades.parquet")])
    converted = capsys.readouterr().out

    assert told["not_used"] == ["venue_id", "note"]
    assert all("not used: venue_id, note\n" in said for said in (plain, checked, converted))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_what_separates_the_cells_of_a_text_is_told_by_its_header(separator: str, tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    path.write_text("time,price,size\n2025-09-03T00:00:00Z,100.01,0.5\n".replace(",", separator))

    code = taken(tmp_path / "lake", path)

    assert code == 0
    assert rows(tmp_path / "lake")["price", "size"].row(0) == (10_001, 2)


def test_a_text_without_a_header_is_told_what_is_expected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trades.csv"
    path.write_text("1756857600,100.01,0.5\n")

    code = taken(tmp_path / "lake", path)

    assert code == 4
    said = capsys.readouterr().err
    assert "its first line is '1756857600,100.01,0.5'; expected the names of its columns there" in said


def test_the_line_of_the_first_bad_row_of_each_kind_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trades.csv"
    prices = ["100", "100.001", "100", "-1", "100.002", "-2"]
    lines = [f"{1756857600 + second},{price},1" for second, price in enumerate(prices)]
    path.write_text("time,price,size\n" + "\n".join(lines) + "\n")

    taken(tmp_path / "lake", path, "--max-bad-share", "0.9")
    plain = capsys.readouterr().out
    taken(tmp_path / "lake", path, "--max-bad-share", "0.9", "--json")
    (told,) = json.loads(capsys.readouterr().out)["files"]

    assert told["bad_at"] == {"price off the grid": "line 3", "price zero or negative": "line 5"}
    assert "2 price off the grid (first in line 3), 2 price zero or negative (first in line 5)" in plain


@pytest.mark.parametrize("second", ["2025-09-03", "2025-09-09"])
def test_a_file_of_another_market_gets_a_warning_that_names_what_is_there(
    second: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, day, price in (("sol", "2025-09-03", 150), ("btc", second, 105_000)):
        lines = [f"{day}T00:00:{at:02}Z,{price},1" for at in range(60)]
        (tmp_path / f"{name}.csv").write_text("time,price,size\n" + "\n".join(lines) + "\n")
    taken(tmp_path / "lake", tmp_path / "sol.csv")
    quiet = capsys.readouterr().err

    code = taken(tmp_path / "lake", tmp_path / "btc.csv")

    said = capsys.readouterr().err
    assert (code, quiet) == (0, "")
    assert "prices are 700 times those already there" in said
    assert f"`bmv data remove {tmp_path / 'lake'} v X --day {second}`" in said


@pytest.mark.parametrize("name", ["nautilus_quote_tick.parquet", "nautilus_trade_tick.parquet"])
def test_the_steps_that_a_file_states_are_taken_where_nobody_says_others(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "import", str(FIXTURES / name), "--venue", "v", "--symbol", "X", "--lake", str(tmp_path)]

    assert main(words) == 0
    assert Lake(tmp_path).market("v", "X") == Market("X", Decimal("0.01"), Decimal("0.01"))

    assert main([*words[:-3], "Y", "--lake", str(tmp_path), "--lot-size", "0.25"]) == 0
    assert Lake(tmp_path).market("v", "Y") == Market("Y", Decimal("0.01"), Decimal("0.25"))


@pytest.mark.parametrize(
    ("asked", "code", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
def test_an_import_that_is_asked_to_end_says_what_is_kept_and_how_to_go_on(
    asked: signal.Signals, code: int, word: str, tmp_path: Path
) -> None:
    rows = "".join(f"{1_756_857_600_000 + n},100.0,1.0\n" for n in range(400_000))
    (tmp_path / "ticks.csv").write_text(f"time,price,size\n{rows}")
    steps = ("--tick-size", "0.1", "--lot-size", "0.1")
    process = subprocess.Popen(
        [sys.executable, "-m", "bmv.adapters.cli", "data", "import", "ticks.csv", "--venue", "v", "--symbol", "X", *steps],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "lake").exists() and time.monotonic() < deadline:
        time.sleep(0.002)

    process.send_signal(asked)
    _, told = process.communicate(timeout=60)

    assert process.returncode == code, told
    assert "broken off; each day of v/X in lake is whole" in told
    assert told.endswith(f"{word}\n")
    assert "Traceback" not in told
