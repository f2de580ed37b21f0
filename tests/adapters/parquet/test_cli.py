"""`bmv data synth`, as a person calls it."""

from decimal import Decimal

import polars as pl
from click.testing import CliRunner

from bmv.adapters.parquet.cli import synth_command
from bmv.adapters.parquet.infer import infer_steps


def test_it_writes_a_lake_that_says_what_it_is_and_prints_its_files(tmp_path):
    done = CliRunner().invoke(
        synth_command, ["--out", str(tmp_path), "--seed", "7", "--rows", "1000", "--start", "2025-01-31"]
    )

    path = tmp_path / "synthetic" / "SOL-USDC" / "2025-01-31.parquet"
    assert (done.exit_code, done.output.split()) == (0, [str(path)])
    assert pl.read_parquet_metadata(path)["bmv.source"] == "synthetic, seed 7"
    assert pl.read_parquet(path).height == 1000


def test_it_takes_another_market(tmp_path):
    market = ["--symbol", "BONK/USDC", "--price", "0.00002", "--tick-size", "0.00000001", "--lot-size", "1000"]
    done = CliRunner().invoke(synth_command, ["--out", str(tmp_path), "--rows", "100", *market, "--size", "5000000"])

    assert done.exit_code == 0, done.output
    assert infer_steps(tmp_path) == (Decimal("0.00000001"), Decimal(1000))


def test_an_amount_that_is_none_is_wrong_use(tmp_path):
    for wrong in ("0", "-1", "nan", "cheap"):
        done = CliRunner().invoke(synth_command, ["--out", str(tmp_path), "--price", wrong])
        assert done.exit_code == 2
        assert "--price" in done.output


def test_help_shows_examples_of_use():
    assert "bmv data synth --out lake" in CliRunner().invoke(synth_command, ["--help"]).output
