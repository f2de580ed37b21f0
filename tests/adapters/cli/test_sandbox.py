"""`bmv sandbox` in a process of its own: its first line, what it writes, what it refuses."""

import json
import socket
from pathlib import Path

import httpx
import pytest
from solders.keypair import Keypair
from tests.servers.sandbox import running

from bmv.adapters.cli.main import main


def ask(url: str, method: str, *params: object) -> dict:
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    return httpx.post(url, json=asked, timeout=20).json()


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_the_first_line_names_all_that_one_needs(tmp_path: Path, venue: str) -> None:
    with running(tmp_path, "--venue", venue, "--json") as (process, line):
        facts = json.loads(line)
        wallet = Keypair.from_bytes(bytes(json.loads((tmp_path / facts["wallet"]).read_text())))

        assert {"rpc", "websocket", "market", "wallet", "config"} <= set(facts)
        assert (
            ask(facts["rpc"], "getAccountInfo", facts["market"], {"encoding": "base64"})["result"]["value"] is not None
        )
        assert ask(facts["rpc"], "getBalance", str(wallet.pubkey()))["result"]["value"] == 100 * 10**9
        assert (tmp_path / facts["wallet"]).stat().st_mode & 0o777 == 0o600

    assert process.returncode == 130


def test_the_configuration_that_it_writes_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path, "--json") as (_, line):
        facts = json.loads(line)
    monkeypatch.chdir(tmp_path)

    assert main(["config", "check", facts["config"]]) == 0

    assert "openbook-v2" in capsys.readouterr().out
    shown = (tmp_path / facts["config"]).read_text()
    assert all(json.dumps(word) in shown for word in (facts["rpc"], facts["websocket"], facts["market"]))


def test_without_json_the_line_is_for_people(tmp_path: Path) -> None:
    with running(tmp_path) as (_, line):
        assert line.startswith("rpc http://127.0.0.1:")


def test_a_market_along_a_tape_has_the_tapes_ticks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "synth", "lake", "--rows", "3000", "--seed", "1"]) == 0

    with running(tmp_path, "--tape", "lake", "--json") as (_, line):
        facts = json.loads(line)
        rows = ask(facts["rpc"], "getSignaturesForAddress", facts["market"], {"commitment": "confirmed"})["result"]

    assert 'tick_size = "0.01"' in (tmp_path / facts["config"]).read_text()
    assert len(rows) > 5


def test_a_port_that_is_taken_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["sandbox", "--port", str(taken.getsockname()[1])]) == 2

    assert "give another --port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--speed", "0"], "0"),
        (["--venue", "serum"], "serum"),
        (["--start", "soon"], "no time"),
        (["--slot-ms", "1"], "1"),
    ],
)
def test_what_makes_no_sense_is_wrong_use(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_genuine_program_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BMV_OPENBOOK_V2_SO", "nowhere.so")

    assert main(["sandbox", "--port", "0"]) == 3

    assert "BMV_OPENBOOK_V2_SO" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["wallet.json", "bmv.toml"])
def test_a_file_that_no_sandbox_wrote_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / name).write_text("mine")

    assert main(["sandbox", "--port", "0", "--out", str(tmp_path)]) == 2

    assert name in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "mine"


def test_a_sandbox_starts_again_in_the_folder_of_one_that_was_killed(tmp_path: Path) -> None:
    with running(tmp_path, "--json") as (process, _):
        process.kill()
    with running(tmp_path, "--json") as (_, line):
        assert (tmp_path / json.loads(line)["wallet"]).exists()
