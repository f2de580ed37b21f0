"""Every command on a stream that can't write all that we print."""

import ast
import io
import json
import shlex
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress, SpinnerColumn

import bmv
from bmv.adapters.cli.main import COMMANDS, main
from bmv.adapters.report.streams import likeness, make_legible, say_json
from bmv.backtest.sweep.calibrate import tally
from bmv.backtest.sweep.calibrate.calibrate import MEANS, counted
from bmv.backtest.sweep.show.progress import columns

ENCODINGS = ["ascii", "latin-1", "cp1252"]
AXES = "--param grid.bid.first_bps=2:4:1 --param pivot.window_s=10:20:10"
IN_ALL = {"--help", "data synth lake --seed 3 --rows 3000", "backtest demo.toml --data lake --out one", "show one"}
MAIN_PATHS = [
    "--help", "--version", "data --help", "sweep --help", "sweep run --help", "backtest --help", "db --help", "sandbox --help", "market --help", "record --help", "doctor --help", "wallet --help", "chain --help", "chain landing --help",
    "paper --help", "live --help", "replay --help", "reconcile --help", "why --help", "status --help", "orders --help", "fills --help", "pause --help", "resume --help", "rearm --help", "set --help", "flatten --help", "stop --help",
    "init my.toml", "config check demo.toml", "config show demo.toml", "config schema",
    "data synth lake --seed 3 --rows 3000", "data list --lake lake --show-timerange", "data check lake",
    "data synth other --seed 4 --rows 3000 --like lake/synthetic/SOL-USDC/2025-09-03.parquet",
    "data export lake/synthetic/SOL-USDC day.csv",
    "data convert lake/synthetic/SOL-USDC/2025-09-03.parquet all.parquet",
    "data import lake/synthetic/SOL-USDC/2025-09-03.parquet --lake third --venue é --symbol SOL-USDC",
    "data remove third é SOL-USDC",
    "backtest demo.toml --data lake --out one", "backtest demo.toml --data lake --out two --set grid.bid.first_bps=9",
    "backtest demo.toml --data lake --out one --json", "show one", "show one --json", "report one", "compare one two",
    "compare one two --json", f"sweep demo.toml --data lake --out s {AXES}", "sweep show s", "sweep show s --json",
    "sweep list", "sweep resume s", "sweep export trials.csv s", "sweep apply best.toml s",
    "db init db.toml", "db status db.toml", "db migrate db.toml", "db backup copy.sqlite db.toml",
]  # fmt: skip
MISUSES = [
    "nope",
    "backtest none–such.toml",
    "config check demo.toml --set pivot.windöw_s=−3",
    "show nöwhere",
    "data list --lake n─e",
]
DEMO = Path(__file__).parents[3] / "docs" / "examples" / "demo.toml"


def said(words: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """Run a command on streams of an encoding, as strict as Python's; return its exit code and what it wrote."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", write_through=True) for _ in "oe"]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    code = main(shlex.split(words))
    return code, *(stream.buffer.getvalue().decode(encoding) for stream in streams)  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_command_comes_to_its_end_on_a_stream_of_few_characters(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every one on the stream that has the fewest, those that print most kinds of characters on the others."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    Path("demo.toml").write_text(DEMO.read_text("utf-8"), "utf-8")
    Path("db.toml").write_text(DEMO.read_text("utf-8") + '\n[storage]\njournal = "sqlite:j.sqlite"\n', "utf-8")
    wrote = dict[str, str]()

    for words in (words for words in MAIN_PATHS if encoding == "ascii" or words in IN_ALL):
        code, out, err = said(words, encoding, monkeypatch)
        assert code == 0, (words, out, err)
        wrote[words] = out

    assert "net above holding" in wrote["show one"]
    assert encoding != "ascii" or json.loads(wrote["show one --json"])["symbol"] == "SOL/USDC"
    assert {words.split()[0] for words in MAIN_PATHS} >= set(COMMANDS)
    assert "−" in (tmp_path / "one" / "report.html").read_text("utf-8")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("words", MISUSES)
def test_a_refusal_is_written_in_what_the_stream_has(
    words: str, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("demo.toml").write_text(DEMO.read_text("utf-8"), "utf-8")

    code, _, err = said(words, encoding, monkeypatch)

    assert code in (2, 3, 4)
    assert "Error: " in err or "error: " in err
    assert "UnicodeEncodeError" not in err


def test_a_profit_keeps_its_sign_and_a_mark_its_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    make_legible()

    print("−1.25 × 3 … ✓ ✗ µs naïve ┃━┏ \udcff")

    assert stream.buffer.getvalue() == b"-1.25 x 3 ... v x us naive |-+ \\udcff\n"  # type: ignore[attr-defined]


def test_a_name_that_is_no_text_is_printed_on_utf8_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    make_legible()

    print("− caf\udce9")

    assert stream.buffer.getvalue().decode() == "− caf\\udce9\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_bars_are_drawn_in_what_the_stream_has(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    monkeypatch.setattr(sys, "stderr", stream)
    make_legible()

    with Progress(SpinnerColumn(), *columns(), console=Console(stderr=True, force_terminal=True, width=80)) as bar:
        bar.advance(bar.add_task("sets …", total=3))

    assert "1/3" in stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_calibration_is_told_in_what_the_stream_has(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    make_legible()
    means = dict.fromkeys((f"{name}_mean" for name in MEANS), -1.0)
    market = means | {"nature": "fair", "trend": "up10", "start": "half", "seed": 5, "net": None, "quoting": None,
                      "market": None, "fills": 3, "dsr": 0.1, "pbo": 0.5, "holdout_net": -2.0,
                      "holdout_quoting": -2.0, "failed": ["net"], "worth": False}  # fmt: skip
    found = [market, market | {"nature": "edge", "net_mean": -2.0, "failed": []}]

    tally.show({"markets": found, "seconds": 3.0, "rows": 1000} | counted(found))

    shown = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert "fair, up 10 %" in shown
    assert "vxvvvvv" in shown


def test_json_loses_no_character_on_a_stream_that_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)

    say_json('{"symbol":"é−“𝄞"}'.encode())

    assert json.loads(stream.buffer.getvalue()) == {"symbol": "é−“𝄞"}  # type: ignore[attr-defined]


def test_every_character_that_our_code_prints_has_a_likeness() -> None:
    """Ours are those of the text in our modules, docstrings of commands included; none may end as a number."""
    found = set[str]()
    for room in bmv.__path__:
        for file in Path(room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found |= set(node.value)

    characters = {each for each in found if not each.isascii() and each.isprintable()} - {"中"}
    without = {each for each in characters if likeness(each).startswith("\\")}

    assert len(characters) > 20
    assert not without
