"""Every command finds the same days in a lake, whatever else lies there, and names what it passes over."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bmv.adapters.cli.main import main
from bmv.adapters.parquet.source import find, open_all
from bmv.data.files.walk import files_below, look, walked
from bmv.data.ticks.lake.lake import Lake
from bmv.data.ticks.schema import LAKE_SCHEMA
from bmv.data.ticks.synth.synth import synth
from bmv.ports.errors import DataError
from bmv.ports.market import Market

DAY = "2025-09-03.parquet"
MARKET = Market("SOL/USDC", Decimal("0.01"), Decimal("0.001"))
NOBODY = 65534


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "lake"
    synth(folder, seed=5, rows=2_000)
    Lake(folder).manifest(Lake(folder).days()[0])
    return folder


@pytest.fixture
def lake(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "lake")


def _copied(name: str) -> Callable[[Path], None]:
    def copied(market: Path) -> None:
        (market / name).parent.mkdir(exist_ok=True)
        shutil.copy(market / DAY, market / name)

    return copied


def _nowhere(name: str) -> Callable[[Path], None]:
    return lambda market: (market / name).symlink_to("/no/such/disk")


def _piped(manifest: Path) -> None:
    manifest.unlink()
    os.mkfifo(manifest)


STRAYS: list[tuple[str, Callable[[Path], None], str]] = [
    ("2025-09-03 (1).parquet", _copied("2025-09-03 (1).parquet"), "no day of a lake"),
    ("2025-09-03 - copy.parquet", _copied("2025-09-03 - copy.parquet"), "no day of a lake"),
    ("20250903.parquet", _copied("20250903.parquet"), "no day of a lake"),
    ("old/2025-09-03.parquet", _copied("old/2025-09-03.parquet"), "a day, but not where the others lie"),
    ("._2025-09-03.parquet", lambda market: (market / f"._{DAY}").write_bytes(b"\0\5\26\7") and None, "a file manager"),
    (".DS_Store", lambda market: (market / ".DS_Store").write_bytes(b"\0\0\0\1Bud1") and None, "a file manager"),
    ("notes.txt", lambda market: (market / "notes.txt").write_text("rain") and None, "no day of a lake"),
    ("2025-09-04.parquet", _nowhere("2025-09-04.parquet"), "a link that leads nowhere (/no/such/disk)"),
    ("2025-09-05.parquet", lambda market: (market / "2025-09-05.parquet").mkdir(), "a folder in place of a day's file"),
    ("round", lambda market: (market / "round").symlink_to(market.parent.parent), "a link to a folder that it lies in"),
    ("gone", lambda market: (market.parent / "gone").symlink_to("/no/such/disk"), "a link that leads nowhere"),
    ("2025-09-06.parquet", lambda market: os.mkfifo(market / "2025-09-06.parquet"), "a named pipe, a socket or a device"),
    ("notes", lambda market: os.mkfifo(market / "notes"), "a named pipe, a socket or a device"),
    ("2025-09-03.json", lambda market: _piped(market / "2025-09-03.json"), "a named pipe, a socket or a device"),
    ("null.parquet", lambda market: (market / "null.parquet").symlink_to(os.devnull), "a named pipe, a socket or a device"),
    ("stray.parquet", lambda market: shutil.copy(market / DAY, market.parents[1] / "stray.parquet") and None, "no day"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "put", "why"), STRAYS, ids=[name for name, *_ in STRAYS])
def test_a_stray_is_named_and_passed_over_by_every_command(
    lake: Path, name: str, put: Callable[[Path], None], why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    market = lake / "synthetic" / "SOL-USDC"
    put(market)
    day, whole = market / DAY, str(lake)

    assert [found.path for found in Lake(lake).days()] == find([lake]) == [day]
    assert [source.path for source in open_all([lake], MARKET)] == [day]  # As a backtest and a sweep do.
    deep = name in ("old/2025-09-03.parquet", "round")  # A list does not look into folders below those of the markets.
    for call in (["check", whole], ["list", "--lake", whole]):
        capfd.readouterr()
        assert main(["data", *call, "--json"]) == 0
        out, err = capfd.readouterr()
        json.loads(out)
        assert err.count("warning: ") == 1
        assert name.removesuffix(f"/{DAY}") in err
        assert why in err or (call[0] == "list" and deep)
    assert main(["data", "export", whole, str(lake.parent / "all.csv"), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["rows"] == 2_000
    assert main(["init", str(lake.parent / "my.toml"), "--data", whole]) == 0
    assert "read from 2025-09-03.parquet" in capfd.readouterr().out


@pytest.mark.parametrize("name", ["pipe.parquet", "pipe.csv", "2025-09-03.parquet"])
@pytest.mark.parametrize(
    "call", ["data check", "data import --venue a --lake new", "init my.toml --data", "backtest my.toml --data"]
)
def test_a_pipe_in_place_of_a_file_is_named_and_nobody_waits_for_it(
    tmp_path: Path, name: str, call: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / name)
    if call.startswith("backtest"):
        assert main(["init", "my.toml", "--maker-fee-bps", "0", "--taker-fee-bps", "4"]) == 0

    code = main([*call.split(), name])

    assert code == 4
    assert f"{name}: a named pipe" in capfd.readouterr().err


def test_linked_folders_and_days_are_followed_by_every_command(
    lake: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    far = shutil.move(lake / "synthetic" / "SOL-USDC", tmp_path / "far")
    (lake / "synthetic" / "SOL-USDC").symlink_to(far)
    other = lake / "elsewhere" / "SOL-USDC"
    other.mkdir(parents=True)
    (other / DAY).symlink_to(Path(far) / DAY)
    days = [other / DAY, lake / "synthetic" / "SOL-USDC" / DAY]

    assert [day.path for day in Lake(lake).days()] == find([lake]) == days
    assert [day.path for day in Lake(lake).days("elsewhere")] == find([lake / "elsewhere"]) == days[:1]
    assert [source.path for source in open_all([lake / "synthetic"], MARKET)] == days[1:]
    assert main(["data", "check", str(lake)]) == 0
    assert "warning" not in capfd.readouterr().err


def test_a_tape_of_two_linked_markets_is_refused_as_two(lake: Path, made: Path) -> None:
    other = lake / "synthetic" / "ETH-USDC"
    other.symlink_to(lake / "synthetic" / "SOL-USDC")

    with pytest.raises(DataError, match=r"given twice|two markets"):
        open_all([lake], MARKET)


def test_a_market_that_lies_in_two_folders_is_not_exported_twice(lake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (lake / "synthetic" / "again").symlink_to(lake / "synthetic" / "SOL-USDC")

    code = main(["data", "export", str(lake), str(lake.parent / "all.csv")])

    assert code == 4
    assert "holds 2025-09-03 twice" in capfd.readouterr().err
    assert not (lake.parent / "all.csv").exists()


def test_a_folder_of_files_that_are_no_days_means_all_of_them(lake: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "inner").mkdir(parents=True)
    for name in ("a.parquet", "inner/b.parquet"):
        shutil.copy(lake / "synthetic" / "SOL-USDC" / DAY, folder / name)
    (folder / "README.md").write_text("mine")

    assert walked(folder) == ([folder / "a.parquet", folder / "inner" / "b.parquet"], [])


def test_a_folder_with_nothing_but_strays_is_refused_with_their_names(tmp_path: Path) -> None:
    (tmp_path / DAY).symlink_to("/no/such/disk")

    with pytest.raises(DataError, match=r"no \*.parquet files in this folder; passed over: .*leads nowhere"):
        files_below(tmp_path)
    with pytest.raises(DataError, match="a link that leads nowhere"):
        files_below(tmp_path / DAY)


def test_nothing_is_written_over_a_day_that_leads_nowhere(lake: Path) -> None:
    away = lake / "synthetic" / "SOL-USDC" / DAY
    away.unlink()
    away.symlink_to("/no/such/disk")
    there = Lake(lake)

    with there.writing(), pytest.raises(DataError, match=r"leads nowhere.*; bring back what it leads to"):
        there.put(there.place("synthetic", "SOL/USDC", date(2025, 9, 3)), pl.DataFrame(schema=LAKE_SCHEMA), MARKET, {})

    assert away.is_symlink()


def test_many_strays_are_named_in_part_and_counted(lake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    market = lake / "synthetic" / "SOL-USDC"
    for number in range(12):
        (market / f"part-{number:02}.parquet").write_bytes(b"")

    assert main(["data", "list", "--lake", str(lake)]) == 0

    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert "part-04.parquet" in err
    assert err.endswith("; and 7 more\n")


def test_what_the_lake_keeps_for_itself_is_no_stray(lake: Path) -> None:
    market = lake / "synthetic" / "SOL-USDC"
    for name in (".live", ".half-done"):
        (market / name).mkdir()
    (market / ".2025-09-03.parquet.7.tmp").write_bytes(b"")
    (lake / ".lock").write_bytes(b"")

    assert look(market).strays == walked(lake).strays == []


@contextmanager
def no_root() -> Iterator[None]:
    """Have no more rights than any user has: nothing is shut to root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def test_what_may_not_be_looked_into_is_a_stray(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (lake / "synthetic" / "ETH-USDC").mkdir()
    shutil.copy(lake / "synthetic" / "SOL-USDC" / DAY, lake / "synthetic" / "ETH-USDC" / DAY)
    (lake / "synthetic" / "ETH-USDC").chmod(0o744 if os.geteuid() == 0 else 0o400)  # It can be listed, not entered.
    (lake / "lost+found").mkdir(mode=0o000)
    lake.parent.chmod(0o755)
    monkeypatch.chdir(lake.parent)  # The folders above are root's own.
    root, strays = Path("lake"), ["lake/lost+found: can't be read", f"lake/synthetic/ETH-USDC/{DAY}: can't be read"]
    day = root / "synthetic" / "SOL-USDC" / DAY

    with no_root():
        found, code = walked(root), main(["data", "list", "--lake", "lake"])
    err = capfd.readouterr().err

    assert (code, list(found.files), sorted(map(str, found.strays))) == (0, [day], strays)
    assert err.count("warning: ") == 1
    assert all(stray in err for stray in strays)


def test_what_may_not_be_read_is_refused_by_its_name(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lake.parent.chmod(0o755)
    monkeypatch.chdir(lake.parent)
    Path("prints.csv").write_text("ts,price,size,side\n1756900000000,1,1,buy\n")
    for shut in ("lake", "prints.csv"):
        Path(shut).chmod(0o000)

    with no_root():
        codes = [main(["data", "check", word]) for word in ("lake", f"lake/{DAY}", "prints.csv")]
    Path("lake").chmod(0o755)  # So that it can be removed.
    err = capfd.readouterr().err

    assert codes == [4, 4, 4]
    assert "lake: no *.parquet files in this folder; passed over: lake: can't be read\n" in err
    assert f"lake/{DAY}: can't be read: Permission denied" in err
    assert "prints.csv: can't be read: Permission denied" in err
