"""`bmv market` against a running sandbox: the page, the JSON, and each way it ends."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from solders.account import Account
from tests.servers.sandbox import running

from bmv.adapters.cli.main import main
from bmv.adapters.sandbox.wiring import Sandbox, Settings, World, make_world

VENUES = ["openbook-v1", "openbook-v2"]
NOWHERE = "8BnEgHoWFysVcuFFX7QztDmzuH8r5ZFvyP3sYwn1XTh6"
WAIT_S = 60


class Live(NamedTuple):
    """What the first line of a running sandbox says."""

    venue: str
    rpc: str
    market: str
    config: str


@pytest.fixture(scope="module", params=VENUES)
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("sandbox")
    with running(folder, "--venue", request.param, "--out", str(folder), "--json") as (_, line):
        facts = json.loads(line)
        yield Live(**{name: facts[name] for name in Live._fields})


async def _serve(box: Sandbox, ready: "Future[str]", end: threading.Event) -> None:
    async with box:
        ready.set_result(box.node.rpc_url)
        while not end.is_set():
            await asyncio.sleep(0.02)


@contextmanager
def broken(venue: str) -> Iterator[str]:
    """Serve the same market as `live` beside the test, but broken; give its endpoint."""
    settings, end, ready = Settings(venue=venue), threading.Event(), Future[str]()
    world = make_world(settings)
    let_a_stranger_close_the_vault(world)
    thread = threading.Thread(target=lambda: asyncio.run(_serve(Sandbox(settings, world), ready, end)))
    thread.start()
    try:
        yield ready.result(WAIT_S)
    finally:
        end.set()
        thread.join(WAIT_S)


def let_a_stranger_close_the_vault(world: World) -> None:
    """Break the market in a way that its traders don't feel."""
    state = world.market.state  # type: ignore[attr-defined]  # Both versions have it.
    vault = state.market_quote_vault if hasattr(state, "market_quote_vault") else state.pc_vault
    account = world.chain.account(vault)
    assert account is not None
    data = bytearray(account.data)
    data[129:165] = b"\1\0\0\0" + bytes(range(32))
    world.chain.put(vault, Account(account.lamports, bytes(data), account.owner, False))
    for _ in range(3):
        world.chain.advance()


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run `bmv market`; return its exit code and what it printed."""
    code = main(["market", *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_configuration_of_a_sandbox_fits_its_market(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = shown(capsys, live.config)

    assert (code, err) == (0, "")
    assert live.market in out
    assert "0.01 quote per base" in out
    assert "maker -2 bps, taker 4 bps" in out
    assert "nobody may change it" in out
    assert "the market can be believed, and the configuration fits it" in out


def test_json_has_the_whole_page_and_nothing_else(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(capsys, live.config, "--json")

    page = json.loads(out)
    assert (code, page["ok"], page["findings"]) == (0, True, [])
    assert (page["tick_size"], page["lot_size"], page["maker_fee_bps"]) == ("0.01", "0.001", "-2")
    assert float(page["bids"]["levels"][0]["price"]) < float(page["asks"]["levels"][0]["price"])
    assert page["program"]["code_sha256"]
    assert page["quote"]["held_native"] >= page["quote"]["owed_native"] > 0


def test_an_address_is_enough_with_an_endpoint(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(capsys, live.market, "--rpc", live.rpc)

    assert code == 0
    assert "configuration" not in out


def test_an_address_names_no_endpoint(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = shown(capsys, live.market)

    assert code == 2
    assert err.startswith("error: --rpc: expected the URL of an endpoint")


def test_an_endpoint_that_is_no_url_is_named_by_its_option_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = shown(capsys, NOWHERE, "--rpc", "secret")

    assert code == 2
    assert err.startswith("error: --rpc: expected the URL of an endpoint")
    assert "secret" not in err


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("market.tick_size=0.02", "market.tick_size: is 0.02, and the market's is 0.01"),
        ("market.maker_fee_bps=0", "market.maker_fee_bps: is 0, and the market's is -2"),
        ("market.venue=sim", 'market.venue: is "sim"'),
    ],
)
def test_a_configuration_for_another_market_is_named_and_ends_with_3(
    live: Live, capsys: pytest.CaptureFixture[str], key: str, sentence: str
) -> None:
    code, out, err = shown(capsys, live.config, "--set", key)

    assert code == 3
    assert f"error: {sentence}" in err
    assert live.market in out
    assert "can be believed" not in out


def test_an_address_without_a_market_ends_with_4(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = shown(capsys, NOWHERE, "--rpc", live.rpc)

    assert code == 4
    assert f"market {NOWHERE}: there is no such account on this chain" in err


def test_an_account_that_is_no_market_is_a_finding_in_json(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    mint = json.loads(shown(capsys, live.config, "--json")[1])["base"]["mint"]

    code, out, _ = shown(capsys, mint, "--rpc", live.rpc, "--json")

    page = json.loads(out)
    assert (code, page["ok"]) == (4, False)
    assert page["findings"][0]["kind"] == "data"
    assert "neither OpenBook v1" in page["findings"][0]["text"]


def test_a_market_that_nobody_should_trade_on_is_shown_and_ends_with_5(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    with broken(live.venue) as rpc:
        code, out, err = shown(capsys, live.config, "--rpc", rpc)
        json_code, json_out, _ = shown(capsys, live.config, "--rpc", rpc, "--json", "--set", "market.tick_size=0.02")

    assert code == json_code == 5
    assert "may be closed by" in err
    assert live.market in out
    assert [finding["kind"] for finding in json.loads(json_out)["findings"]] == ["safety", "config"]


def test_an_endpoint_that_is_away_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    code, _, err = shown(capsys, NOWHERE, "--rpc", f"http://127.0.0.1:{port}/secret")

    assert code == 1
    assert f"http://127.0.0.1:{port}: can't be reached" in err
    assert "`bmv sandbox` starts a chain on this machine" in err
    assert "secret" not in err


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(
    live: Live, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))

    _, out, _ = shown(capsys, live.config)

    assert max(map(len, out.splitlines())) <= width


def test_a_word_that_is_neither_file_nor_address_is_told_what_was_expected(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["market", "abc"])

    found = capsys.readouterr().err
    assert code == 2
    assert "expected the file of a configuration, such as sandbox/bmv.toml, or a market's address, 32 bytes" in found
    assert "init" not in found
