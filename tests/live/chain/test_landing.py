"""`bmv chain landing`, by a journal alone."""

import asyncio
import json
from pathlib import Path

import pytest

from bmv.adapters.cli.main import main
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.data.journal.attempts import Attempted, Fated

CONFIG = """
version = 1
[market]
symbol = "SOL/USDC"
tick_size = "0.01"
lot_size = "0.001"
maker_fee_bps = 0
taker_fee_bps = 4
[grid.bid]
levels = 1
total_size = "0.1"
[grid.ask]
levels = 1
total_size = "0.1"
[inventory]
start_quote = 1000
max_position = 5
[storage]
journal = "sqlite:journal.sqlite"
"""


def keep(folder: Path, *sessions: str) -> Path:
    """Write a configuration and a journal of sessions with one landing each; return the configuration."""
    config = folder / "live.toml"
    config.write_text(CONFIG)

    async def write() -> None:
        store = SqliteSessions(folder / "journal.sqlite")
        for at, session in enumerate(sessions):
            one = Attempted(
                session,
                b"\x01",
                9,
                ("jito",),
                1,
                False,
                ((1, 1),),
                (),
                16_000,
                10_000,
                "jito",
                1_000,
                250_000,
                "refill",
                7,
            )
            ended = Fated(session, "finalized", {"slot": 9, "handed": {"jito": 1}})
            await store.append(session, 0, [one.note(at * 10**18), ended.note(at * 10**18)])
        await store.close()

    asyncio.run(write())
    return config


def test_the_newest_session_is_told_or_all_since_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = keep(tmp_path, "live/x/00000001", "live/x/00000002", "paper/x/00000009")

    assert main(["chain", "landing", str(config), "--json"]) == 0
    newest = json.loads(capsys.readouterr().out)
    assert main(["chain", "landing", str(config), "--since", "1970-01-01", "--json", "--transactions"]) == 0
    every = json.loads(capsys.readouterr().out)

    assert (newest["session"], newest["landed"], newest["tips"]) == ("live/x/00000002", 1, 10_000)
    assert newest["by_route"]["jito"]["slots_median"] == 2
    assert [row["signature"] for row in every["transactions"]] == ["live/x/00000001", "live/x/00000002"]


def test_the_page_says_share_slots_and_costs_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = keep(tmp_path, "live/x/00000001")

    assert main(["chain", "landing", str(config), "--session", "live/x/00000001"]) == 0
    page = capsys.readouterr().out

    assert "1 transactions, 1 landed" in page
    assert "16000 lamports in all, 10000 of them tips" in page
    assert "not known" in page


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [(["--session", "live/y/1"], "no session live/y/1", 4), ([], "no session has traded yet", 4)],
)
def test_what_is_not_there_is_said(
    words: list[str], told: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = keep(tmp_path, "paper/x/00000009")

    assert main(["chain", "landing", str(config), *words]) == code
    assert told in capsys.readouterr().err
