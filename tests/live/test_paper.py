"""Stored ticks traded on paper: word for word what a backtest of them makes, and its journal heard again."""

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.rigs.endurance import CONFIG as MAKER

from bmv.adapters.cli.main import main
from bmv.backtest import Backtest
from bmv.live.folder import outcome_of
from bmv.live.stores import open_sessions, words_of
from bmv.ports.storage import Word

CONFIG = f"""{MAKER}[risk.breaker]
warn_pct = 0.01
reduce_pct = 0.05
"""
STRATEGY = '''
"""Quotes one order a side around the mid."""


def quote(params, state, memory, wanted):
    """Want a bid and an ask."""
    middle = state.mid2 // 2
    memory[0] += 1
    for row, side in enumerate((1, -1)):
        wanted[row, 0] = side
        wanted[row, 1] = 0
        wanted[row, 2] = middle - 3 * side
        wanted[row, 3] = 100 + int(memory[0]) % 7
        wanted[row, 4] = 0
    return 2
'''


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bmv.toml").write_text(CONFIG)
    assert main(["data", "synth", "lake", "--seed", "3", "--rows", "12000"]) == 0
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def read(place: Path, session: str) -> Sequence[Word]:
    async def all_words() -> Sequence[Word]:
        async with open_sessions("sqlite:sessions.sqlite", place) as store:
            return await words_of(store, session)

    return asyncio.run(all_words())


@pytest.mark.parametrize("own", [False, True], ids=["grid", "strategy"])
def test_paper_on_stored_ticks_is_the_backtest_of_them_and_the_replay(
    own: bool, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "quote.py").write_text(STRATEGY)
    sets = ["--set", "strategy=quote.py:quote"] if own else []
    data = ["--data", "lake"]

    traded = run(capsys, "paper", "bmv.toml", *data, *sets, "--out", "run", "--no-report")
    heard = run(capsys, "replay", "bmv.toml", "tape")

    ran = Backtest("bmv.toml" if not own else _with_strategy(place), ["lake"], engine="reference").run()
    kept = json.loads((place / "run/summary.json").read_text())
    assert ran.outcome.counts["orders"] > 50
    assert ran.outcome.counts["fills"] > 5
    assert traded["digest"] == heard["digest"] == kept["digest"] == ran.digest
    assert heard["equal"] is True
    assert kept["pnl"] == ran.summary["pnl"]
    assert kept["statistics"] == json.loads(json.dumps(ran.summary["statistics"]))


def _with_strategy(place: Path) -> str:
    path = place / "own.toml"
    path.write_text(CONFIG.replace("version = 1", 'version = 1\nstrategy = "quote.py:quote"'))
    return str(path)


def test_a_tape_at_a_speed_says_the_same_as_one_at_once(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["paper", "bmv.toml", "--data", "lake", "--timerange", "20250903T0000-20250903T0008", "--no-report"]

    at_once = run(capsys, *words, "--out", "at_once")
    paced = run(capsys, *words, "--out", "paced", "--speed", "120")

    assert paced["digest"] == at_once["digest"]


def test_one_flipped_bit_of_a_journal_is_found(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "paper", "bmv.toml", "--data", "lake", "--out", "run", "--no-report")
    with sqlite3.connect(place / "sessions.sqlite") as file:
        (seq, body) = file.execute(
            "select seq, body from journal where body like '[\"e\"%' limit 1 offset 50"
        ).fetchone()
        flipped = body[:-2] + chr(ord(body[-2]) ^ 1) + body[-1]
        for trigger in [row[0] for row in file.execute("select name from sqlite_master where type = 'trigger'")]:
            file.execute(f"drop trigger {trigger}")
        file.execute("update journal set body = ? where seq = ?", (flipped, seq))

    assert main(["replay"]) != 0

    assert f"word {seq}" in capsys.readouterr().err


def test_a_run_folder_is_made_again_from_the_journal_alone(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traded = run(capsys, "paper", "bmv.toml", "--data", "lake", "--out", "run", "--no-report")

    _, _, made = outcome_of(read(place, str(traded["session"])))

    assert made.digest == traded["digest"]
    assert made.counts["fills"] == json.loads((place / "run/summary.json").read_text())["fills"]


def test_a_second_session_of_a_market_is_numbered_after_the_first(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["paper", "bmv.toml", "--data", "lake", "--timerange", "20250903T0000-20250903T0008", "--no-report"]

    first, second = (run(capsys, *words, "--out", out) for out in ("a", "b"))

    assert [first["session"], second["session"]] == [f"tape/sim/SOL-USDC/0000000{number}" for number in (1, 2)]
    assert first["digest"] == second["digest"]


def test_a_session_that_fails_leaves_its_run_folder_which_says_why(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fails = STRATEGY.replace("memory[0] += 1", "memory[0] += 1\n    assert memory[0] < 30, 'enough'")
    (place / "quote.py").write_text(fails)
    words = ["paper", "bmv.toml", "--data", "lake", "--set", "strategy=quote.py:quote", "--out", "run", "--no-report"]

    assert main(words) == 1

    said = capsys.readouterr().err
    summary = json.loads((place / "run/summary.json").read_text())
    assert "the strategy failed: AssertionError: enough" in said
    assert "of a session that failed" in said
    assert "enough" in summary["failed"]
    assert summary["warnings"][0].startswith("the session failed: the strategy failed")
    assert summary["orders"] > 10
    assert run(capsys, "replay")["digest"] == summary["digest"]
