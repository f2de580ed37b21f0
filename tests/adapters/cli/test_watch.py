"""`bmv market --watch` in a terminal and in a pipe, beside a running sandbox."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandboxes import Running, running
from terminals import LEAVE, terminal

from bmv.adapters.cli.main import main
from bmv.adapters.sandbox.wiring import Settings

NOWHERE = "8BnEgHoWFysVcuFFX7QztDmzuH8r5ZFvyP3sYwn1XTh6"
SLOT = re.compile(r"slot +([\d,]+)")


@pytest.fixture
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with running(Settings(venue=getattr(request, "param", "openbook-v2")), tmp_path) as it:
        yield it


both_versions = pytest.mark.parametrize("live", ["openbook-v1", "openbook-v2"], indirect=True)


def slot_of(page: list[str]) -> int:
    return int(SLOT.findall(page[2])[0].replace(",", ""))


@both_versions
def test_the_page_moves_and_ctrl_c_ends_it_with_the_terminal_as_it_was(live: Running) -> None:
    with terminal("market", live.config, "--watch") as screen:
        first = screen.wait_for("up, http://127.0.0.1")
        later = screen.wait_for("at 1")  # A trade.
        typed_is_hidden = not screen.echoes
        screen.type("\x03")
        code = screen.end()

        assert (code, typed_is_hidden, screen.echoes) == (0, True, True)
    assert LEAVE in screen.drawn
    assert "\x1b[2J" not in screen.drawn  # A screen that is cleared before it is drawn flickers.
    assert slot_of(later) > slot_of(first)
    assert live.market in first[0]
    assert len(first) == 24
    assert any("bid" in line and "ask" in line for line in first)
    assert max(map(len, first)) <= 80


def test_a_new_size_is_drawn_whole(live: Running) -> None:
    with terminal("market", live.config, "--watch") as screen:
        screen.wait_for("up, http")
        screen.resize(50, 16)
        small = screen.wait_for("up, http")
        for _ in range(20):  # Pages of the size before may still be on their way.
            if len(small) == 16:
                break
            small = screen.wait_for("up, http")
        screen.type("q")

        assert screen.end() == 0
    assert len(small) == 16
    assert max(map(len, small)) <= 50


def test_a_feed_that_is_down_says_why_and_that_the_book_is_old(live: Running) -> None:
    with terminal("market", live.config, "--watch") as screen:
        screen.wait_for("up, http")
        live.command("/faults", kind="silence")
        down = "\n".join(screen.wait_for("DOWN"))
        live.command("/faults/off")
        screen.wait_for("up, http")

    assert "DOWN, stale" in down
    assert "may be gone" in down


@both_versions
def test_in_a_pipe_each_word_of_the_feed_is_a_line_of_json(live: Running) -> None:
    command = [sys.executable, "-m", "bmv.adapters.cli", "market", live.config, "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        words = [json.loads(process.stdout.readline()) for _ in range(8)]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    updates = [word for word in words if word["word"] == "update"]
    assert (process.returncode, err) == (0, "")
    assert words[0]["word"] in ("notice", "up")
    assert {"up", "update"} <= {word["word"] for word in words}
    assert [word["slot"] for word in updates] == sorted({word["slot"] for word in updates})
    assert float(updates[0]["bids"][0][0]) < float(updates[0]["asks"][0][0])


def test_a_reader_that_goes_away_ends_it_without_a_traceback(live: Running) -> None:
    command = [sys.executable, "-m", "bmv.adapters.cli", "market", live.config, "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()

    assert (process.wait(60), err) == (1, "")


def test_without_a_terminal_and_without_json_watching_is_refused(
    live: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["market", live.config, "--watch"]) == 2

    assert "--watch: expected a terminal" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["secret", "http://node:secret"])
def test_watching_through_what_is_no_url_is_wrong_use(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["market", NOWHERE, "--rpc", url, "--watch", "--json"]) == 2

    err = capsys.readouterr().err
    assert err.startswith("error: --rpc: expected the URL of an endpoint")
    assert "secret" not in err


def test_an_address_is_watched_through_the_endpoint_that_is_named(live: Running) -> None:
    with terminal("market", live.market, "--rpc", live.rpc, "--watch", rows=30) as screen:
        page = screen.wait_for("market ")

    assert live.market in page[0]
