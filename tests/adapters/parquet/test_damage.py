"""Days of the lake with bytes that are not what they were: a command runs, or says in one sentence what is wrong.

The commands run in a process of their own, because a reader that believes a damaged page ends the process.
"""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from bmv.adapters.cli.main import main
from bmv.adapters.cli.starter import guess
from bmv.adapters.parquet.tape import ParquetTape
from bmv.data.files.pages import refuse_odd_pages
from bmv.data.ticks.check.inspection import inspect
from bmv.data.ticks.importers import Options
from bmv.data.ticks.lake.lake import Lake
from bmv.data.ticks.synth.synth import SOL_USDC, synth
from bmv.ports.errors import DataError

CONFIG = Path(__file__).resolve().parents[3] / "docs" / "examples" / "demo.toml"
ROWS = 3_000
TRIALS = 60

COMMANDS = """
import contextlib, io, json, shutil, sys
from pathlib import Path
from bmv.adapters.cli.main import main
config, lake, out, trials = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
day = next(lake.glob("*/*/*.parquet"))
for damaged in sorted(trials.iterdir()):
    shutil.copy(damaged, day)
    backtest = ["backtest", config, "--data", str(lake), "--out", str(out / damaged.name), "--no-report"]
    for words in (backtest, ["data", "check", str(lake)]):
        said = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            code = main(words)
        print(json.dumps([damaged.name, words[0], code, said.getvalue()]), flush=True)
"""


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    synth(tmp_path / "lake", 1, ROWS)
    return tmp_path / "lake"


def only_day(lake: Path) -> Path:
    (day,) = lake.glob("*/*/*.parquet")
    return day


def damaged(whole: bytes, dice: random.Random) -> bytes:
    """Flip a bit in the first page's header, in the footer, or anywhere; or cut the end off."""
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    first, last = [(4, 60), (footer, len(whole)), (0, len(whole)), (0, 0)][dice.randrange(4)]
    if not last:
        return whole[: dice.randrange(len(whole))]
    changed = bytearray(whole)
    changed[dice.randrange(first, last)] ^= 1 << dice.randrange(8)
    return bytes(changed)


def test_a_damaged_day_ends_no_process_and_is_refused_in_one_sentence_or_read(lake: Path, tmp_path: Path) -> None:
    whole, dice = only_day(lake).read_bytes(), random.Random(20250903)
    trials = tmp_path / "trials"
    trials.mkdir()
    for number in range(TRIALS):
        (trials / f"{number:03}").write_bytes(damaged(whole, dice))

    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, CONFIG, lake, tmp_path / "runs", trials], capture_output=True, timeout=300
    )

    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"after {told[-1:]}: {done.stderr.decode()[-2000:]}"
    assert len(told) == 2 * TRIALS
    for trial, command, code, said in told:
        assert code in (0, DataError.exit_code), f"trial {trial}: {command}: {code}: {said}"
        if code:
            (line,) = (line for line in said.splitlines() if line.startswith("error: "))
            assert only_day(lake).name in line, f"trial {trial}: {command}: {said}"
    codes = {(command, code) for _, command, code, _ in told}
    assert len(codes) == 4, "each command ran on some days and refused others"


def lying_page(whole: bytes) -> bytes:
    """Let the first data page say that it holds a negative number of values."""
    honest, lie = _varint(2 * ROWS), _varint(2 * ROWS - 1)  # As Thrift writes a whole number: its sign comes last.
    at = whole.index(honest, 4)
    return whole[:at] + lie + whole[at + len(honest) :]


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes([*made, number])


READERS: list[tuple[str, Callable[[Path], object]]] = [
    ("backtest", lambda lake: list(ParquetTape([lake], SOL_USDC).batches())),
    ("starter", guess),
    ("check", lambda lake: inspect(only_day(lake), None, None, None, Options(), 0.01)),
    ("manifest", lambda lake: Lake(lake).manifest(Lake(lake).days()[0])),
]


@pytest.mark.parametrize("read", [pytest.param(read, id=name) for name, read in READERS])
def test_no_reader_of_the_lake_believes_a_page_that_lies(read: Callable[[Path], object], lake: Path) -> None:
    day = only_day(lake)
    read(lake)
    day.write_bytes(lying_page(day.read_bytes()))
    day.with_suffix(".json").unlink(missing_ok=True)

    with pytest.raises(DataError, match=rf"{day.name}: cannot be read as Parquet: damaged: the page at byte 4 names"):
        read(lake)


def test_a_later_import_does_not_believe_it_either(lake: Path) -> None:
    held = Lake(lake)
    (day,) = held.days()
    rows = pl.read_parquet(day.path)
    day.path.write_bytes(lying_page(day.path.read_bytes()))

    with held.writing(), pytest.raises(DataError, match="damaged: the page at byte 4 names"):
        held.put(day, rows, SOL_USDC, {})


def test_rows_later_than_the_footer_tells_are_refused(lake: Path) -> None:
    day = only_day(lake)
    footer = refuse_odd_pages(day)
    assert footer is not None
    last_ns = footer.largest["ts_ns"]
    whole = day.read_bytes()
    at = whole.rindex(last_ns.to_bytes(8, "little"))
    day.write_bytes(whole[:at] + (last_ns - 1).to_bytes(8, "little") + whole[at + 8 :])

    with pytest.raises(DataError, match="damaged: it holds rows later than"):
        list(ParquetTape([lake], SOL_USDC).batches())


def test_a_run_over_bytes_that_were_never_recorded_shows_no_results(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day = only_day(lake)
    manifest = Lake(lake).manifest(Lake(lake).days()[0])
    rows = pl.read_parquet(day)
    rows.with_columns(size=pl.col("size") + 1).write_parquet(day, metadata=pl.read_parquet_metadata(day))
    told = json.loads(day.with_suffix(".json").read_text())
    day.with_suffix(".json").write_text(json.dumps(told | {"bytes": day.stat().st_size}))

    code = main(["backtest", str(CONFIG), "--data", str(lake), "--json", "--no-report", "--out", str(tmp_path / "run")])

    said = capsys.readouterr()
    assert (code, said.out) == (4, "")
    assert f"{day}: its bytes are not those that were written" in said.err
    assert manifest.sha256[:12] in said.err
    assert not list(tmp_path.glob("run/*.json"))
