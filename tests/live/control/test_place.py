"""Where the socket of a session lies: a configuration finds it, and no other session has it."""

import os
from pathlib import Path
from typing import Any

import pytest

from bmv.adapters.config import Config, build
from bmv.data.files.user_folders import runtime_paths
from bmv.live.control.place import MODES, Place, hold, places, session_name, session_place
from bmv.ports.errors import ConfigError, Refused

HERE = Path("here") / "live.toml"


def config(symbol: str = "SOL/USDC", wallet: str | None = None, journal: str | None = None, **more: Any) -> Config:
    side = {"levels": 1, "total_size": "0.1"}
    market = {"symbol": symbol, "tick_size": "0.01", "lot_size": "0.001", "maker_fee_bps": 0, "taker_fee_bps": 4}
    tables = {"live": {"wallet": wallet} if wallet else {}, "storage": {"journal": journal} if journal else {}}
    inventory = {"start_quote": 1000, "max_position": 5}
    return build(version=1, market={**market, **more}, grid={"bid": side, "ask": side}, inventory=inventory, **tables)


def test_each_session_that_may_run_beside_another_has_a_name_of_its_own() -> None:
    ways = [
        config(), config("A/B"), config(wallet="one.json"), config(wallet="two.json"), config(journal="sqlite:one"),
        config(journal="sqlite:two"), config(journal="postgresql://db/bmv"), config(venue="openbook-v1"),
        config(venue="openbook-v2", address="1" * 32), config(venue="openbook-v2", address="2" * 32),
    ]  # fmt: skip

    live = [session_name(HERE, each, "live") for each in ways]
    paper = [session_name(HERE, each, "paper") for each in ways]

    assert len(set(live)) == len(ways) - 3  # A journal does not tell two that trade with one wallet apart,
    assert len(set(paper)) == len(ways) - 2  # nor a wallet two that trade on paper.
    assert not set(live) & set(paper)


def test_one_wallet_and_one_journal_are_known_however_they_are_spelt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    wallets = ["key.json", "./key.json", str(tmp_path / "key.json"), "link/key.json"]
    journals = [
        (tmp_path / "a.toml", "sqlite:j"),
        (Path("a.toml"), f"sqlite:{tmp_path / 'j'}"),
        (Path("link/b"), "sqlite:j"),
    ]

    assert len({session_name(HERE, config(wallet=each), "live") for each in wallets}) == 1
    assert len({session_name(path, config(journal=each), "paper") for path, each in journals}) == 1


@pytest.mark.parametrize("symbol", ["../../etc/passwd", "é" * 60, "SOL USDC\n", "a" * 64])
def test_a_symbol_from_outside_stays_within_the_folder(symbol: str) -> None:
    name = session_name(HERE, config(symbol), "live")

    assert "/" not in name
    assert name.isascii()
    assert len(name) < 70


def test_the_folder_is_that_of_the_login_or_else_one_of_the_users_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BMV_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    state = tmp_path / "state" / "bmv" / "run"

    assert runtime_paths() == [state]
    assert session_place(HERE, config(), "live").folder == state
    (tmp_path / "run").mkdir()
    assert runtime_paths() == [tmp_path / "run" / "bmv", state]
    place = session_place(HERE, config(), "live")
    assert place.folder == tmp_path / "run" / "bmv"
    assert place.folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_look_into_is_refused_and_the_variable_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMV_RUNTIME_DIR", str(tmp_path / "open"))
    (tmp_path / "open").mkdir(mode=0o755)

    with pytest.raises(ConfigError, match=r"mode 700\), found mode 755; BMV_RUNTIME_DIR names another"):
        session_place(HERE, config(), "live")


def test_a_session_that_runs_by_the_other_folder_is_found_and_not_started_twice(tmp_path: Path) -> None:
    """A login and a job of cron are told of different folders."""
    login, state = Place(tmp_path / "login", "live-a"), Place(tmp_path / "state", "live-a")
    for each in (login, state):
        each.folder.mkdir(mode=0o700)

    with hold(state, []), pytest.raises(Refused, match=f"already runs, as process {os.getpid()}"), \
            hold(login, [login.folder, state.folder]):  # fmt: skip
        pass
    with hold(login, [login.folder, state.folder]):
        pass


def test_sockets_are_found_whoever_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMV_RUNTIME_DIR", str(tmp_path))
    for name in ("live-b.sock", "live-a.sock", "live-a.lock", "other"):
        (tmp_path / name).touch()

    assert places() == [Place(tmp_path, "live-a"), Place(tmp_path, "live-b")]


def test_every_mode_has_its_own_name() -> None:
    assert len({session_name(HERE, config(), mode) for mode in MODES}) == len(MODES) == 3
