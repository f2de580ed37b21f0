"""Damage of every kind to every small file: it is refused, or what comes of it is good rows; never anything else."""

import random
import shutil
from pathlib import Path

import polars as pl
import pytest
from small_files import SMALL, Small

from bmv.data.ticks.importers import Options
from bmv.data.ticks.lake.intake import import_files
from bmv.data.ticks.lake.lake import Lake
from bmv.data.ticks.quality import judge_rows
from bmv.data.ticks.schema import LAKE_SCHEMA
from bmv.data.ticks.stamps import stamps_among
from bmv.ports.errors import DataError, StorageError
from bmv.ports.market import Market

TRIALS = 30
FILES = list({small.name: small for small in SMALL}.values())


def damaged(whole: bytes, dice: random.Random) -> bytes:
    """Cut the end off, flip some bytes, or put some in or out."""
    bytes_ = bytearray(whole)
    match dice.randrange(4):
        case 0:
            return whole[: dice.randrange(len(whole))]
        case 1:
            at = dice.randrange(len(whole))
            return whole[:at] + dice.randbytes(dice.randrange(9)) + whole[at + dice.randrange(9) :]
        case 2:
            bytes_[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        case _:
            for _ in range(dice.randrange(1, 5)):
                bytes_[dice.randrange(len(whole))] = dice.randrange(256)
    return bytes(bytes_)


def refusal(path: Path, lake: Lake, market: Market, form: str | None, options: Options) -> str | None:
    """Take a file in, however many of its rows are bad, and return what was said if it was refused."""
    try:
        import_files([path], lake, "venue", market, form, options, max_bad_share=1)
    except (DataError, StorageError) as error:
        return str(error)
    return None


def contents(lake: Lake) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file() and path.name != ".lock"}


def assert_good(lake: Lake, seed: str) -> None:
    for day in lake.days():
        rows = pl.read_parquet(day.path)
        assert rows.schema == {**LAKE_SCHEMA, **dict.fromkeys(stamps_among(rows.columns), pl.Int64())}, seed
        assert len(rows), seed
        assert rows["ts_ns"].is_sorted(), seed
        assert (rows["ts_ns"].cast(pl.Datetime("ns")).dt.date() == day.day).all(), seed
        assert not judge_rows(rows.lazy(), exact=True).select(pl.col("fault").any()).collect().item(), seed


@pytest.mark.parametrize("known", [True, False], ids=["form-given", "form-looked-at"])
@pytest.mark.parametrize("small", FILES, ids=[small.name for small in FILES])
def test_damage_is_refused_and_leaves_the_lake_or_gives_good_rows(small: Small, known: bool, tmp_path: Path) -> None:
    if small.form == "databento":
        pytest.importorskip("databento_dbn", reason="the extra databento is not installed")
    seed = f"{small.name} {known}"
    dice, whole, market = random.Random(seed), small.path.read_bytes(), Market("X", *small.steps)
    path = tmp_path / "files" / small.name
    path.parent.mkdir(parents=True)
    sound = Lake(tmp_path / "sound")
    import_files([small.path], sound, "venue", market, options=small.options)
    refusals = 0

    for trial in range(TRIALS):
        lake = Lake(tmp_path / "lake")
        shutil.copytree(sound.root, lake.root)
        before = contents(lake)
        path.write_bytes(damaged(whole, dice))
        said = refusal(path, lake, market, small.form if known else None, small.options)
        if said is not None:
            refusals += 1
            assert "\n" not in said, f"trial {trial} of {seed}"
            assert contents(lake) == before, f"trial {trial} of {seed}: {said}"
        assert_good(lake, f"trial {trial} of {seed}")
        shutil.rmtree(lake.root)

    assert refusals
