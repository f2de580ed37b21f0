"""A lake in an object store reads as the same lake on a disk does; the store is a real S3 server on this machine."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from bmv.adapters.cli.main import main
from bmv.adapters.parquet.tape import ParquetTape
from bmv.data.ticks.synth.synth import synth
from bmv.ports.errors import DataError
from bmv.ports.market import Market

pytest.importorskip("s3fs", reason="the extra s3 is not installed")
MARKET = Market("SOL/USDC", Decimal("0.01"), Decimal("0.001"))
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")  # Those of S3's tools.


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake")
    synth(folder, seed=5, rows=20_000)
    return folder


@pytest.fixture(scope="module")
def store(lake: Path) -> Iterator[str]:
    """The URL of a copy of the lake in S3."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "someone")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        environment.setenv("AWS_REGION", "us-east-1")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_ALLOW_HTTP", "true")
        client: Any = boto3.client("s3")
        client.create_bucket(Bucket="ticks")
        for path in lake.rglob("*.parquet"):
            client.upload_file(str(path), "ticks", f"lake/{path.relative_to(lake)}")
        yield "s3://ticks/lake"
        client.close()
    server.stop()


def test_a_lake_in_a_store_tells_the_rows_of_the_lake_on_the_disk(lake: Path, store: str) -> None:
    there, here = (ParquetTape([path], MARKET, batch_rows=7_000) for path in (store, lake))

    for one, other in zip(there.batches(), here.batches(), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert there.quality == here.quality
    assert there.manifest()[0]["sha256"] == here.manifest()[0]["sha256"]
    assert there.manifest()[0]["path"].startswith("s3://ticks/lake/synthetic/SOL-USDC/")


def test_a_run_from_a_store_has_the_digest_of_a_run_from_the_disk(
    lake: Path, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Path(__file__).parents[3] / "docs" / "examples" / "demo.toml"
    digests = []

    for number, data in enumerate((str(lake), store)):
        words = ["backtest", str(config), "--data", data, "--json", "--no-report", "--out", str(tmp_path / str(number))]
        assert main(words) == 0
        digests.append(json.loads(capsys.readouterr().out)["digest"])

    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("s3://ticks/lake/nowhere", "no such file or folder"),
        ("s3://elsewhere/lake", "no such file or folder|the object store can't be read"),
    ],
)
def test_what_a_store_does_not_have_is_an_error_that_names_it(store: str, url: str, error: str) -> None:
    with pytest.raises(DataError, match=error):
        list(ParquetTape([url], MARKET).batches())


def test_a_lake_in_a_store_is_listed_checked_and_exported_as_the_lake_on_the_disk_is(
    lake: Path, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []

    for number, root in enumerate((str(lake), store)):
        out = tmp_path / f"{number}.csv"
        assert main(["data", "list", "--lake", root, "--json"]) == 0
        assert main(["data", "check", root, "--json"]) == 0
        assert main(["data", "export", f"{root}/synthetic/SOL-USDC", str(out)]) == 0
        listed, checked, _ = capsys.readouterr().out.splitlines()
        files = [file | {"file": ""} for file in json.loads(checked)["files"]]
        told.append((json.loads(listed)["markets"], files, out.read_bytes()))

    assert told[0] == told[1]
    assert told[0][1][0]["rows"] == 20_000


@pytest.mark.parametrize("command", [["list", "--lake"], ["check"]])
def test_a_store_that_has_no_such_lake_is_an_error_and_no_traceback(
    store: str, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    code = main(["data", *command, f"{store}/nowhere"])

    assert code == 4
    assert capsys.readouterr().err.startswith(f"error: {store}/nowhere: no")


def test_a_store_that_is_away_is_an_error_and_no_traceback(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()

    with pytest.raises(DataError, match="the object store can't be read"):
        list(ParquetTape(["s3://ticks/other"], MARKET).batches())
