"""A session from the command line on a running sandbox, and what can be asked of its journal afterwards."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sandboxes import Running, patiently, running

from bmv.adapters.cli.main import main
from bmv.adapters.sandbox.wallets import fund
from bmv.adapters.sandbox.wiring import Settings
from bmv.core.standing import moved
from bmv.live.chain.upkeep import read_lines
from bmv.live.folder import outcome_of
from bmv.live.notes import ACCEPTED, HOLDING, OPENING, RECEIPT, read_said, read_standing
from bmv.live.stores import newest, open_sessions, words_of
from bmv.ports.storage import Note, Word

NEAR = [word for key in ("bid", "ask") for word in ("--set", f"grid.{key}.first_bps=2")]


@pytest.fixture(scope="module", params=["openbook-v1", "openbook-v2"])
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(Settings(venue=request.param, speed=4), tmp_path_factory.mktemp("sandbox")) as it:
        assert main(["chain", "setup", it.config, "--yes"]) == 0
        yield it


@pytest.fixture(scope="module")
def traded(live: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a session."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    words = ["live", live.config, "--yes", "--for", "8s", "--log", "none", "--out", str(folder), "--no-report", *NEAR]
    assert main(words) == 0
    return folder


def asked(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def words_in(live: Running) -> list[Word]:
    async def read() -> list[Word]:
        async with open_sessions("sqlite:sessions.sqlite", Path(live.config).parent) as store:
            return await words_of(store, await newest(store, "live"))

    return asyncio.run(read())


def test_a_session_ends_as_a_run_folder_with_the_digest_of_its_replay(
    live: Running, traded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = json.loads((traded / "summary.json").read_text())

    heard = asked(capsys, "replay", "--config", live.config)

    assert heard["equal"]
    assert heard["decisions"] > 5
    assert (summary["engine"], summary["digest"]) == ("live", heard["digest"])
    assert summary["session"] == heard["session"]
    assert summary["orders"] > 3
    assert summary["landing"]["sent"] > 0


def test_what_the_chain_was_paid_is_in_the_profit_to_the_lamport_and_what_setup_paid_with_it(
    live: Running, traded: Path
) -> None:
    summary = json.loads((traded / "summary.json").read_text())
    chain, setup = summary["chain"], read_lines(next(Path(live.config).parent.glob("upkeep-*.jsonl")))

    assert chain["rent_out_lamports"] == sum(line.rent for line in setup) > 0, "made by `bmv chain setup`"
    assert sum(map(Decimal, summary["pnl"].values())) == 2 * Decimal(summary["pnl"]["net"])
    assert Decimal(summary["pnl"]["rent_out"]) < 0
    orders = pl.read_parquet(traded / "orders.parquet")["lamports"].sum() + chain["others_lamports"]
    assert orders == sum(chain[f"{part}_lamports"] for part in ("base", "priority", "tip"))


def test_an_order_of_a_session_is_told_from_its_event_to_its_end(
    live: Running, traded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = asked(capsys, "why", "1", "--session", "live", "--config", live.config)

    names = [step["what"] for step in steps]
    assert names[:4] == ["event", "pivot", "wanted", "allowed"]
    assert {"places", "finalized", "accepted"} <= set(names)
    assert names[-1] in ("filled", "cancelled", "finalized", "expired")


def test_an_order_of_a_run_folder_is_told_as_far_as_its_tables_hold_it(
    traded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = asked(capsys, "why", "1", "--run", str(traded))

    assert [step["what"] for step in steps][:2] == ["pivot", "wanted"]
    assert steps[1]["level"] >= 0


def test_an_order_that_was_never_asked_for_is_said_to_be_none(
    live: Running, traded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["why", "999999", "--session", "live", "--config", live.config]) == 4

    assert "order 999999: the session asked for none of that number" in capsys.readouterr().err


def test_the_run_store_has_the_orders_and_fills_of_the_run_folder(live: Running, traded: Path) -> None:
    summary = json.loads((traded / "summary.json").read_text())

    with sqlite3.connect(Path(live.config).parent / "sessions.sqlite") as file:
        orders = file.execute("select count(*) from orders").fetchone()[0]
        fills = file.execute("select count(*) from fill").fetchone()[0]
        ended = file.execute("select mode, exit_code from run").fetchall()

    assert (orders, fills) == (summary["orders"], summary["fills"])
    assert ended == [("live", 0)]


def test_a_journal_says_how_a_session_began_what_is_held_and_how_it_ended(live: Running, traded: Path) -> None:
    words = words_in(live)

    topics = [word.topic for word in words if isinstance(word, Note)]
    assert topics.count(OPENING) == 1
    assert HOLDING in topics
    assert topics.count(RECEIPT) == 1
    _, _, made = outcome_of(words)
    assert made.pnl["net"] == sum(part for name, part in made.pnl.items() if name != "net")


def test_no_session_begins_where_journal_and_chain_differ_until_somebody_says_that_the_chain_is_right(
    live: Running, traded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["live", live.config, "--yes", "--for", "2s", "--log", "none", "--no-report"]
    assert asked(capsys, "reconcile", live.config)["equal"]

    _deposit(live)
    differs = asked(capsys, "reconcile", live.config, code=5)
    refused = main([*words, "--out", str(tmp_path / "refused")])
    said = capsys.readouterr().err
    before = read_standing(words_in(live))
    accepted = asked(capsys, "reconcile", live.config, "--accept", "--yes")
    heard = asked(capsys, "replay", "--config", live.config)
    after, kept = read_standing(words_in(live)), words_in(live)
    went_on = main([*words, "--out", str(tmp_path / "went_on")])

    assert len(differs["differences"]) == 1
    assert differs["differences"][0].startswith("base: the journal says ")
    assert differs["differences"][0].endswith("(1.000 more)")
    assert refused == 5
    assert "journal and chain differ, and nothing was placed" in said
    assert accepted["accepted"]
    assert (heard["equal"], heard["words"]) == (True, 0)
    moves = next(read_said(word) for word in kept if isinstance(word, Note) and word.topic == ACCEPTED)
    assert before is not None
    assert after == moved(before, moves["breaker_moves_by"])
    assert moves["breaker_moves_by"] > 0
    assert went_on == 0


def _deposit(live: Running) -> None:
    """Send one base to the wallet behind the journal's back."""
    world = live.world
    live.command("/pause")  # The chain's own thread and ours may not touch it at once.
    time.sleep(0.5)
    patiently(lambda: fund(world.chain, [world.user], 0, {world.base: 10**world.base.decimals}))
    live.command("/resume")
    time.sleep(0.5)  # Some blocks later it is final.


def test_paper_on_a_living_market_is_heard_again_the_same_and_what_was_killed_goes_on_with_what_it_had(
    live: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["paper", live.config, "--for", "5s", "--log", "none", "--no-report", *NEAR]

    traded = asked(capsys, *words, "--out", str(tmp_path / "run"))
    heard = asked(capsys, "replay", "paper", "--config", live.config)

    assert heard["equal"]
    assert heard["decisions"] > 3
    assert traded["digest"] == heard["digest"] == json.loads((tmp_path / "run/summary.json").read_text())["digest"]
    assert traded["receipt"]["cleared"]
