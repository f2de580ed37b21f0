"""`bmv doctor` against a running sandbox: each line, each way it ends."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandboxes import Running, running

from bmv.adapters.cli.main import main
from bmv.adapters.sandbox.wiring import Settings

FAST = 5.0  # Times as fast as a real chain.


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(Settings(speed=FAST), tmp_path_factory.mktemp("sandbox")) as it:
        yield it


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Running]:
    """A sandbox that a test may break."""
    with running(Settings(speed=FAST), tmp_path) as it:
        yield it


def examined(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Run `bmv doctor --json`; return its exit code and the last line of each name."""
    code = main(["doctor", *words, "--json"])
    printed = capsys.readouterr()
    assert printed.out, printed.err
    page: dict[str, Any] = json.loads(printed.out)
    assert page["ok"] is (code == 0)
    return code, {check["name"]: check for check in page["checks"]}


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_nothing_is_wrong_with_a_sandbox(venue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(Settings(venue=venue, speed=FAST), tmp_path) as it:
        code, checks = examined(capsys, it.config)

    assert code == 0
    assert {name for name, check in checks.items() if check["state"] == "ok"} >= {
        "endpoint", "version", "consensus", "finality", "rate limits", "websocket", "version 1", "market",
        "last transaction", "last trade", "crank", "spread", "wallet", "disk",
    }  # fmt: skip
    assert "alpenglow" in checks["consensus"]["found"]
    assert "4.5.0" in checks["version"]["found"]


def test_each_line_says_how_it_is_and_what_to_do(live: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", live.config])

    out = capsys.readouterr().out
    assert code == 0
    assert "note      slot lag          no second endpoint answers" in out
    assert "→ add a second endpoint" in out
    assert out.splitlines()[-1].startswith("ok: nothing is wrong (")


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_of_the_doctor_is_wider_than_the_terminal(
    live: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))

    main(["doctor", live.config])

    lines = capsys.readouterr().out.splitlines()
    wide = [line for line in lines if len(line) > width]
    assert [line for line in wide if len(line.split()) > 1] == []  # A path alone on its line can't be cut.
    assert len(lines) > 10


def test_a_configuration_for_another_market_is_its_own_fault(live: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = examined(capsys, live.config, "--set", "market.tick_size=0.02")

    assert code == 3
    assert "market.tick_size: is 0.02" in checks["market"]["found"]


def test_a_wallet_that_is_not_there_is_the_configurations_fault(
    live: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    code, checks = examined(capsys, live.config, "--set", "live.wallet=nowhere.json")

    assert code == 3
    assert "nowhere.json: expected the file of a key, and it can't be read" in checks["wallet"]["found"]
    assert checks["version 1"]["state"] == "unknown"  # Nobody is there who could pay.


def test_without_an_endpoint_that_answers_the_doctor_ends_with_1(
    live: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    code, checks = examined(capsys, live.config, "--set", f'live.endpoints=["http://127.0.0.1:{port}/secret-path"]')

    assert code == 1
    assert checks["market"]["state"] == "unknown"
    assert f"http://127.0.0.1:{port} (read and send) does not answer: can't be reached" in checks["endpoint"]["found"]
    assert "secret-path" not in json.dumps(checks)


def test_an_endpoint_that_lives_in_the_past_is_unsafe(faulty: Running, capsys: pytest.CaptureFixture[str]) -> None:
    late = faulty.command("/node", lag=32)["rpc"]

    code, checks = examined(capsys, faulty.config, "--set", f'live.endpoints=["{faulty.rpc}", "{late}"]')

    assert code == 5
    assert checks["slot lag"]["state"] == "wrong"
    assert f"{late} is 3" in checks["slot lag"]["found"]


def test_a_websocket_that_only_answers_pings_is_unsafe(faulty: Running, capsys: pytest.CaptureFixture[str]) -> None:
    faulty.command("/faults", kind="silence")

    code, checks = examined(capsys, faulty.config)

    assert code == 5
    assert "the chain's clock does not tick on it" in checks["websocket"]["found"]
    assert checks["clock"]["state"] == checks["slot time"]["state"] == "unknown"


def test_a_chain_on_which_nothing_becomes_final_is_unsafe(faulty: Running, capsys: pytest.CaptureFixture[str]) -> None:
    faulty.command("/dark")
    faulty.command("/advance", blocks=100)

    code, checks = examined(capsys, faulty.config)

    assert code == 5
    assert "blocks do not become final" in checks["finality"]["found"]


@pytest.mark.parametrize("url", ["http://node:port/secret", "ftp://node/secret", "node", ""])
def test_an_endpoint_that_is_no_url_is_the_configurations_fault(
    live: Running, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    assert main(["doctor", live.config, "--set", f'live.endpoints=["{url}"]']) == 3

    printed = capsys.readouterr()
    assert "expected a URL such as https://rpc.example.com" in printed.err
    assert "secret" not in printed.err


def test_what_a_node_does_not_know_is_unknown_and_no_fault(faulty: Running, capsys: pytest.CaptureFixture[str]) -> None:
    faulty.command("/faults", kind="no_certificate")
    faulty.command("/faults", kind="refuse_version_1")
    faulty.command("/faults", kind="fail", methods=["getSignaturesForAddress"])
    faulty.command("/faults", kind="refuse", methods=["getVersion"], count=1)

    code, checks = examined(capsys, faulty.config)

    assert code == 0
    assert {name: checks[name]["state"] for name in ("consensus", "version 1", "last transaction", "version")} == {
        "consensus": "unknown", "version 1": "note", "last transaction": "unknown", "version": "unknown",
    }  # fmt: skip
    assert f"{faulty.rpc} (1×)" in checks["rate limits"]["found"]


def test_a_chain_of_tower_is_told_by_its_missing_certificate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(Settings(speed=FAST, consensus="tower"), tmp_path) as it:
        _, checks = examined(capsys, it.config)

    assert checks["consensus"]["state"] == "ok"
    assert "tower" in checks["consensus"]["found"]


def with_journal(live: Running, dsn: str, folder: Path) -> str:
    """Write a configuration with a journal; a password may stand in its place, so that it goes into no argument."""
    lines = Path(live.config).read_text().splitlines()
    text = "\n".join(f"journal = {json.dumps(dsn)}" if line.startswith("journal = ") else line for line in lines)
    (folder / "live.toml").write_text(text)
    return str(folder / "live.toml")


def test_a_database_that_lacks_its_tables_is_unsafe(
    live: Running, bare_postgres: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, checks = examined(capsys, with_journal(live, bare_postgres, tmp_path))

    assert code == 5
    assert "lacks 0001_ticks" in checks["database"]["found"]
    assert checks["database"]["advice"] == "bmv db migrate"


def test_a_database_that_is_up_to_date_is_well(
    live: Running, postgres: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, checks = examined(capsys, with_journal(live, postgres, tmp_path))

    assert code == 0
    assert checks["database"]["state"] == "ok"


def test_a_configuration_without_an_endpoint_is_refused(live: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", live.config, "--set", "live.endpoints=[]"]) == 3

    assert "live.endpoints" in capsys.readouterr().err
