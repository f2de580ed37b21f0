"""`bmv status` and its like, as processes, against sessions that are processes of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bmv.adapters.cli.main import main

BMV = [sys.executable, "-m", "bmv.adapters.cli"]
SESSION = str(Path(__file__).parents[2] / "servers" / "remembering.py")
DEMO = Path(__file__).parents[3] / "docs" / "examples" / "demo.toml"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration, in a folder of its own with a runtime folder."""
    monkeypatch.setenv("BMV_RUNTIME_DIR", str(tmp_path / "run"))
    file = tmp_path / "demo.toml"
    file.write_text(DEMO.read_text("utf-8"), "utf-8")
    return file


@contextmanager
def running(config: Path, mode: str = "live") -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen([sys.executable, SESSION, str(config), mode], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready")
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def bmv(*words: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [*BMV, *map(str, words)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    return done.returncode, done.stdout, done.stderr


def test_a_session_is_looked_at_and_steered_by_its_configuration_and_without(config: Path) -> None:
    with running(config) as process:
        for words in ([config], []):
            code, out, err = bmv("status", *words, "--json")
            assert (code, json.loads(out)["state"], err) == (0, "quoting", "")
        assert bmv("status")[1].splitlines() == [
            "session   live/sim/SOL-USDC/00000001", "mode      live", "market    SOL/USDC", "state     quoting",
            "why       -", "pnl.net   1.25", "pnl.fees  -0.5",
        ]  # fmt: skip
        assert bmv("orders")[1].splitlines() == ["id  side  price  size", " 7  bid    99.5  1.25"]
        assert [row["id"] for row in json.loads(bmv("fills", "--limit", 2, "--json")[1])] == ["998", "999"]
        assert bmv("pause", config) == (0, "done: paused; 1 order was cancelled\ncancelled  1\n", "")
        assert bmv("orders")[1] == "no open orders\n"
        assert bmv("set", config, "grid.bid.levels=2") == (0, "done: grid.bid.levels = 2\n", "")
        code, out, _ = bmv("stop", "--mode", "keep", "--json")
        assert (code, json.loads(out)) == (0, {"done": True, "message": "stopped, orders: keep", "slot": 17})
        assert process.communicate()[0] == "['pause', 'set grid.bid.levels=2', 'stop keep']\n"
        assert process.returncode == 0


def test_what_is_pending_ends_with_1_and_what_is_refused_with_5(config: Path) -> None:
    with running(config):
        code, out, _ = bmv("flatten", "--yes")
        assert (code, out.splitlines()[0]) == (1, "pending: 0.5 SOL are still to be sold")
        code, out, err = bmv("resume")
        assert (code, out) == (5, "")
        assert err.startswith("error: the breaker halted: re-arm it first")
        assert "hunter2" not in err
        assert bmv("set", "market.symbol=A/B")[::2] == (5, "error: market.symbol can't change while a session runs\n")


@pytest.mark.parametrize("command", ["status", "orders", "fills", "pause", "resume", "stop"])
def test_where_no_session_runs_a_sentence_says_so_and_the_exit_code_is_1(
    config: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ([], [str(config)]):
        code = main([command, *words])
        out, err = capsys.readouterr()
        assert (code, out) == (1, "")
        assert err.startswith(f"error: no session{f' of {config}' if words else ''} runs; `bmv live CONFIG`")
        assert err.count("\n") == 1


def test_of_several_that_run_one_must_be_named(config: Path) -> None:
    with running(config), running(config, "paper"):
        code, _, err = bmv("status")
        assert code == 2
        assert "2 sessions run: live-sim-" in err
        assert bmv("stop", config)[0] == 2
        assert json.loads(bmv("status", "--session", "paper", "--json")[1])["mode"] == "paper"
        assert json.loads(bmv("status", config, "--session", "live", "--json")[1])["mode"] == "live"
        assert bmv("status", "--session", "shadow")[0] == 1


def test_a_killed_session_is_told_from_none_and_its_place_is_taken_over(config: Path) -> None:
    with running(config) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

        code, _, err = bmv("status", config)
        assert code == 1
        assert "ended without stopping: started again it recovers" in err
    with running(config):
        assert bmv("status", config)[0] == 0


def test_a_second_start_is_refused_and_the_first_goes_on(config: Path) -> None:
    with running(config) as first:
        second = subprocess.run(
            [sys.executable, SESSION, str(config), "live"], capture_output=True, text=True, check=False
        )
        assert second.returncode != 0
        assert f"already runs, as process {first.pid}" in second.stderr
        assert bmv("status", config)[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["set"], 2, "expected [CONFIG] and one KEY=VALUE"),
        (["set", "a=1", "b=2", "c=3"], 2, "expected [CONFIG] and one KEY=VALUE"),
        (["set", "grid.bid.levels"], 2, "expected [CONFIG] and one KEY=VALUE"),
        (["set", "grid.bid.levels="], 2, "expected [CONFIG] and one KEY=VALUE"),
        (["flatten"], 2, "give --yes to do it without asking (nothing was done)"),
        (["stop", "--mode", "flatten"], 2, "give --yes to do it without asking (nothing was done)"),
        (["stop", "--mode", "now"], 2, "is not one of 'cancel', 'keep', 'flatten'"),
        (["status", "none.toml"], 3, "none.toml: no such file"),
        (["status", "--set", "market.symbol=A/B"], 2, "give CONFIG"),
        (["fills", "--limit", "0"], 2, "0 is not in the range"),
        (["set", "live.endpoints=https://me:hunter2-secret@rpc.example"], 2, "a password in a URL"),
    ],
)  # fmt: skip
def test_wrong_use_is_told_before_a_session_is_looked_for(
    config: Path, words: list[str], code: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = main(words)
    out, err = capsys.readouterr()

    assert (found, out) == (code, "")
    assert why in err
    assert "hunter2" not in err
