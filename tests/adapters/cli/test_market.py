"""`bmv market` against a running sandbox: the page, the JSON, and each way it ends."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from solders.account import Account

from bmv.adapters.cli.main import main
from bmv.adapters.cli.sandbox import _facts
from bmv.adapters.sandbox.wiring import Sandbox, Settings, World, make_world

VENUES = ["openbook-v1", "openbook-v2"]
NOWHERE = "8BnEgHoWFysVcuFFX7QztDmzuH8r5ZFvyP3sYwn1XTh6"
WAIT_S = 60


class Running(NamedTuple):
    """A sandbox that runs beside the test, and the configuration that it wrote."""

    world: World
    rpc: str
    config: str

    @property
    def market(self) -> str:
        return str(self.world.market.address)


async def _serve(box: Sandbox, out: Path, ready: "Future[dict[str, str]]", end: threading.Event) -> None:
    async with box:
        ready.set_result(_facts(box, out))
        while not end.is_set():
            await asyncio.sleep(0.02)


@contextmanager
def running(venue: str, out: Path, broken: bool = False) -> Iterator[Running]:
    world = make_world(Settings(venue=venue))
    if broken:
        let_a_stranger_close_the_vault(world)
    box, end = Sandbox(Settings(venue=venue), world), threading.Event()
    ready: Future[dict[str, str]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(box, out, ready, end)))
    thread.start()
    try:
        facts = ready.result(WAIT_S)
        yield Running(world, facts["rpc"], facts["config"])
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


@pytest.fixture(scope="module", params=VENUES)
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(request.param, tmp_path_factory.mktemp("sandbox")) as it:
        yield it


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run `bmv market`; return its exit code and what it printed."""
    code = main(["market", *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_configuration_of_a_sandbox_fits_its_market(live: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = shown(capsys, live.config)

    assert (code, err) == (0, "")
    assert live.market in out
    assert "0.01 quote per base" in out
    assert "maker -2 bps, taker 4 bps" in out
    assert "nobody may change it" in out
    assert "the market can be believed, and the configuration fits it" in out


def test_json_has_the_whole_page_and_nothing_else(live: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(capsys, live.config, "--json")

    page = json.loads(out)
    assert (code, page["ok"], page["findings"]) == (0, True, [])
    assert (page["tick_size"], page["lot_size"], page["maker_fee_bps"]) == ("0.01", "0.001", "-2")
    assert float(page["bids"]["levels"][0]["price"]) < float(page["asks"]["levels"][0]["price"])
    assert page["program"]["code_sha256"]
    assert page["quote"]["held_native"] >= page["quote"]["owed_native"] > 0


def test_an_address_is_enough_with_an_endpoint(live: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(capsys, live.market, "--rpc", live.rpc)

    assert code == 0
    assert "configuration" not in out


def test_an_address_names_no_endpoint(live: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = shown(capsys, live.market)

    assert code == 2
    assert "--rpc: expected the URL of an endpoint" in err


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("market.tick_size=0.02", "market.tick_size: is 0.02, and the market's is 0.01"),
        ("market.maker_fee_bps=0", "market.maker_fee_bps: is 0, and the market's is -2"),
        ("market.venue=sim", 'market.venue: is "sim"'),
    ],
)
def test_a_configuration_for_another_market_is_named_and_ends_with_3(
    live: Running, capsys: pytest.CaptureFixture[str], key: str, sentence: str
) -> None:
    code, out, err = shown(capsys, live.config, "--set", key)

    assert code == 3
    assert f"error: {sentence}" in err
    assert live.market in out
    assert "can be believed" not in out


def test_an_address_without_a_market_ends_with_4(live: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = shown(capsys, NOWHERE, "--rpc", live.rpc)

    assert code == 4
    assert f"market {NOWHERE}: there is no such account on this chain" in err


def test_an_account_that_is_no_market_is_a_finding_in_json(live: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(capsys, str(live.world.base.mint), "--rpc", live.rpc, "--json")

    page = json.loads(out)
    assert (code, page["ok"]) == (4, False)
    assert page["findings"][0]["kind"] == "data"
    assert "neither OpenBook v1" in page["findings"][0]["text"]


@pytest.mark.parametrize("venue", VENUES)
def test_a_market_that_nobody_should_trade_on_is_shown_and_ends_with_5(
    venue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(venue, tmp_path, broken=True) as live:
        code, out, err = shown(capsys, live.config)
        json_code, json_out, _ = shown(capsys, live.config, "--json", "--set", "market.tick_size=0.02")

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
    assert "secret" not in err


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(
    live: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))

    _, out, _ = shown(capsys, live.config)

    assert max(map(len, out.splitlines())) <= width
