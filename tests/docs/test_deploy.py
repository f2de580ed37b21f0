"""What is deployed is what is documented: the unit, the composition, the alarms and the runbook fit the product."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bmv.adapters.cli.main import COMMANDS, main
from bmv.adapters.telemetry.meters import Meters
from bmv.ports.errors import ConfigError, Refused, UsageError

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
UNIT = DEPLOY / "bmv@.service"
DEMO = (ROOT / "docs" / "examples" / "demo.toml").read_text("utf-8")
STOP_DEADLINE_S = 120  # What stopping may take with a transaction in flight.


def service() -> dict[str, str]:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # Keys of systemd are not of one case.
    unit.read_string(UNIT.read_text("utf-8"))
    return dict(unit["Service"])


def compose() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return table


def alarms() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "alerts.yaml").read_text("utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd to ask")
def test_systemd_takes_the_unit_as_it_is(tmp_path: Path) -> None:
    unit = tmp_path / "bmv@sol.service"
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/bmv/.venv/bin/bmv", shutil.which("true") or ""), "utf-8")

    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_service_is_told_to_stop_waited_for_and_not_started_again_where_an_operator_must_look() -> None:
    unit = service()

    assert (unit["Type"], unit["KillSignal"], unit["Restart"]) == ("notify", "SIGTERM", "on-failure")
    assert int(unit["TimeoutStopSec"]) > STOP_DEADLINE_S
    assert 0 < int(unit["WatchdogSec"]) < int(unit["TimeoutStopSec"])
    assert {int(code) for code in unit["RestartPreventExitStatus"].split()} == {
        each.exit_code for each in (UsageError, ConfigError, Refused)
    }
    assert unit["LimitCORE"] == "0"  # A dump of memory would hold the key.
    assert f"BMV_RUNTIME_DIR=/run/{unit['RuntimeDirectory']}" in unit["Environment"].split()


def test_the_composition_stops_as_patiently_and_its_database_listens_to_nobody_else() -> None:
    services = compose()["services"]
    live, postgres = services["live"], services["postgres"]

    minutes = re.fullmatch(r"(\d+)m", live["stop_grace_period"])
    assert minutes
    assert int(minutes[1]) * 60 > STOP_DEADLINE_S
    assert live["stop_signal"] == "SIGTERM"
    assert "listen_addresses=" in postgres["command"]
    assert not [name for name, each in services.items() if "ports" in each]
    assert live["ulimits"]["core"] == 0
    assert "PASSWORD" not in str(compose())


def test_every_command_of_the_deployment_is_one_of_ours() -> None:
    words = [each["command"][0] for each in compose()["services"].values() if each.get("image") == "bmv"]
    words.append(service()["ExecStart"].split()[1])

    assert set(words) - set(COMMANDS) <= {"live"}


def test_the_database_of_the_composition_is_made_once_and_again(
    bare_postgres: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "live.toml"
    config.write_text(f'{DEMO}\n[storage]\njournal = "{bare_postgres}"\n', "utf-8")

    assert [main(["db", "init", str(config)]) for _ in range(2)] == [0, 0], capsys.readouterr()


def test_every_alarm_asks_for_what_a_session_counts() -> None:
    meters = Meters("live", "A", "1")
    counted = set(re.findall(r"^# TYPE (bmv_\w+) ", meters.text().decode(), re.MULTILINE))

    asked = {name for rule in alarms() for name in re.findall(r"\bbmv_\w+", rule["expr"])}

    assert {re.sub("_(?:bucket|count|sum)$", "", name) for name in asked} <= counted
    assert len(asked) >= 8


def test_the_runbook_says_of_every_alarm_what_to_do_and_of_no_other() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text("utf-8")

    told = re.findall(r"^\| `([A-Z]\w+)` \|", runbook, re.MULTILINE)

    assert told == [rule["alert"] for rule in alarms()]


def test_the_page_of_metrics_names_all_that_a_session_counts() -> None:
    page = (ROOT / "docs" / "operating.md").read_text("utf-8")
    counted = set(re.findall(r"^# TYPE (bmv_\w+) ", Meters("live", "A", "1").text().decode(), re.MULTILINE))

    assert set(re.findall(r"`(bmv_\w+)`", page)) == {name for name in counted if not name.endswith("_created")}


def test_all_that_the_container_takes_along_is_there() -> None:
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    taken = [word for line in re.findall(r"^COPY (?!--)(.+)$", text, re.MULTILINE) for word in line.split()[:-1]]

    assert [word for word in taken if not (ROOT / word).exists()] == []
    assert {"ports", "core", "data", "adapters", "backtest", "live", "requirements.lock", "install.py"} <= set(taken)
