"""`bmv chain orders` and `balances` against a running sandbox: what is said is what the chain has."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sandboxes import Running, dead_endpoint, running
from seats import Sitting, Wanted
from solders.token import ID as TOKEN

from bmv.adapters.cli.main import main
from bmv.adapters.openbook.book import Side
from bmv.adapters.sandbox.wiring import Settings, World

VENUES = ["openbook-v1", "openbook-v2"]  # They stand still, or else somebody would crank.


def busy(world: World) -> None:
    """Let three orders rest, and a fourth be met."""
    at = Sitting(world)
    at.set_up()
    ask = at.mid + 20
    at.rest([*at.ladder(1), Wanted(Side.ASK, ask, 50)])
    at.be_met(Side.BID, ask)


@pytest.fixture(scope="module", params=VENUES)
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(Settings(venue=request.param, speed=0.001), tmp_path_factory.mktemp("sandbox"), busy) as it:
        yield it


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code = main(["chain", *words, "--json"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return json.loads(printed.out)


def test_orders_are_those_of_the_chain(live: Running, capsys: pytest.CaptureFixture[str]) -> None:
    page = told(capsys, "orders", live.config)

    at = Sitting(live.world, live.rpc)
    assert page["account"] == str(at.seat.open_orders)
    assert [(one["side"], one["price_ticks"], one["size_lots"]) for one in page["orders"]] == [
        ("ask", at.desk().own(at.seat.open_orders).resting[1].price, 10),
        ("bid", at.desk().own(at.seat.open_orders).resting[0].price, 10),
    ]
    assert all(
        Decimal(one["size"]) == Decimal("0.01") and one["client_id"] in ("1001", "1002") for one in page["orders"]
    )
    slots = page["slots"]
    assert slots["resting"] == 2
    assert slots["waiting_for_crank"] == 1
    assert slots["free"] + 3 == slots["all"] == (128 if page["account"] and "v1" in _venue(live) else 24)


def _venue(live: Running) -> str:
    return Path(live.config).read_text(encoding="utf-8").partition('venue = "')[2].partition('"')[0]


def test_balances_add_up_and_say_what_waits(live: Running, capsys: pytest.CaptureFixture[str]) -> None:
    page = told(capsys, "balances", live.config)

    assert page["quote"]["native"]["unsettled"] > 0
    assert page["base"]["native"]["locked"] == 60 * 10**6  # 10 lots rest, and 50 were met and wait for the crank.
    assert page["base"]["native"]["wallet"] + page["base"]["native"]["locked"] == 1_000 * 10**9
    assert page["events_waiting"] >= 1
    assert page["comes_back_on_closing"][0]["lamports"] > 10**6
    assert Decimal(page["sol"]["amount"]) < 100


def test_the_pages_are_for_people_too(live: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chain", "orders", live.config]) == 0
    orders = capsys.readouterr().out
    assert "ask" in orders
    assert "2 resting, 1 wait for the crank" in orders
    assert main(["chain", "balances", live.config]) == 0
    balances = capsys.readouterr().out
    assert "unsettled" in balances
    assert "SOL would come back from the open-orders account" in balances


def test_the_second_endpoint_is_asked_where_the_first_is_dead(
    live: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoints = f'live.endpoints=["{dead_endpoint()}", "{live.rpc}"]'

    assert len(told(capsys, "orders", live.config, "--set", endpoints)["orders"]) == 2


Spoil = Callable[[Running, Path], list[str]]


def _plain(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


BROKEN: list[tuple[Spoil, int, str]] = [
    (lambda it, _: ["--set", "live.wallet=nowhere.json"], 3, "live.wallet: nowhere.json: expected the file of a key"),
    (lambda it, at: ["--set", f"live.wallet={_plain(at / 'bad.json', '[1, 2]')}"], 3, "live.wallet: "),
    (lambda it, _: ["--set", f"live.endpoints=['{dead_endpoint()}']"], 1, "can't be reached"),
    (lambda it, _: ["--set", "live.endpoints=[]"], 3, "live.endpoints: expected at least one endpoint"),
    (lambda it, _: ["--set", f"market.address='{TOKEN}'"], 4, "which is neither OpenBook v1"),
    (lambda it, _: ["--set", f"live.open_orders={it.market}"], 3, "live.open_orders: "),
    (lambda it, _: ["--set", f"market.venue=openbook-v{3 - int(_venue(it)[-1])}"], 3, "market.venue: is"),
]


@pytest.mark.parametrize(("spoil", "code", "words"), BROKEN)
@pytest.mark.parametrize("command", ["orders", "balances"])
def test_what_is_wrong_is_named_and_ends_with_its_code(
    live: Running,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    spoil: Spoil,
    code: int,
    words: str,
) -> None:
    ended = main(["chain", command, live.config, *spoil(live, tmp_path)])

    printed = capsys.readouterr()
    assert words in printed.err
    assert ended == code
    assert "secret-path" not in printed.err
    assert "Traceback" not in printed.err


def test_without_a_wallet_or_a_market_nothing_is_guessed(
    live: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Path(live.config).read_text(encoding="utf-8").splitlines()
    for key, words in (("wallet", "live.wallet: missing"), ("address", "market.address: expected the address")):
        path = tmp_path / f"{key}.toml"
        path.write_text("\n".join(line for line in lines if not line.startswith(key)), encoding="utf-8")

        assert main(["chain", "orders", str(path)]) == 3
        assert words in capsys.readouterr().err
