"""`bmv chain setup` and `close` against a running sandbox: made once, given back whole, to the last lamport."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandboxes import Running, running
from seats import Sitting, Wanted
from solders.system_program import TransferParams, transfer
from terminals import terminal

from bmv.adapters.cli.main import main
from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount
from bmv.adapters.sandbox import market_v1, market_v2
from bmv.adapters.sandbox.market import Market
from bmv.adapters.sandbox.wallets import Token, send
from bmv.adapters.sandbox.wiring import LOTS, Settings, World
from bmv.adapters.solana.tokens import NATIVE_MINT, associated_account

VENUES = ["openbook-v1", "openbook-v2"]
FAST = 20.0
FEE = 5_000 + 50_000  # Of one signature, and the most for priority.
OTHER = "8BnEgHoWFysVcuFFX7QztDmzuH8r5ZFvyP3sYwn1XTh6"


@pytest.fixture(params=VENUES)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with running(Settings(venue=request.param, speed=FAST), tmp_path) as it:
        yield it


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Running]:
    with running(Settings(venue="openbook-v2", speed=FAST), tmp_path) as it:
        yield it


def done(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    ended = main(["chain", *words, "--yes", "--json"])
    printed = capsys.readouterr()
    assert ended == code, printed.err
    return json.loads(printed.out)


def lamports(it: Running) -> int:
    return Sitting(it.world, it.rpc).lamports()


def test_setup_makes_what_it_says_for_what_it_says_and_once(fresh: Running, capsys: pytest.CaptureFixture[str]) -> None:
    before = lamports(fresh)

    made = done(capsys, "setup", fresh.config)

    assert "open-orders account" in [one["what"] for one in made["made"]]
    assert all(one["comes_back"] for one in made["made"])
    paid = sum(one["lamports"] for one in made["made"])
    assert lamports(fresh) == before - paid - FEE
    assert [one["state"] for one in made["attempts"]] == ["finalized"]
    assert done(capsys, "setup", fresh.config) == {"made": [], "attempts": []}
    assert lamports(fresh) == before - paid - FEE
    assert Sitting(fresh.world, fresh.rpc).spot.exists

    closed = done(capsys, "close", fresh.config)

    assert closed["lamports_back"] == paid
    assert lamports(fresh) == before - 2 * FEE
    assert done(capsys, "close", fresh.config)["closed"] == []
    assert len(done(capsys, "setup", fresh.config)["made"]) == len(made["made"])  # It can be made again.


@pytest.mark.parametrize("venue", VENUES)
def test_token_accounts_are_made_too(venue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def poor(world: World) -> None:
        for account in (world.user.base, world.user.quote):
            world.chain.put(account, None)
        world.chain.advance(2)

    with running(Settings(venue=venue, speed=FAST), tmp_path, poor) as it:
        made = done(capsys, "setup", it.config)
        again = done(capsys, "setup", it.config)

    assert [one["what"] for one in made["made"]][:2] == ["token account of base", "token account of quote"]
    assert [one["comes_back"] for one in made["made"]][:2] == [False, False]
    assert again["made"] == []


@pytest.mark.parametrize("venue", VENUES)
def test_sol_is_wrapped_up_to_what_is_asked_and_unwrapped_on_closing(
    venue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    markets: list[Market] = []

    def wrapped(world: World) -> None:
        mint = world.chain.account(world.base.mint)
        assert mint is not None
        world.chain.put(NATIVE_MINT, type(mint)(mint.lamports, bytes(44) + b"\x09\x01" + bytes(36), mint.owner))
        world.chain.advance()
        make = market_v1.make_market if venue == "openbook-v1" else market_v2.make_market
        markets.append(make(world.chain, 9, Token(NATIVE_MINT, 9), world.quote, LOTS))
        world.chain.advance(2)

    with running(Settings(venue=venue, speed=FAST), tmp_path, wrapped) as it:
        at = ["--set", f"market.address={markets[0].address}"]
        before = lamports(it)
        made = done(capsys, "setup", it.config, *at, "--wrap", "2.5")
        again = done(capsys, "setup", it.config, *at, "--wrap", "2.5")
        more = done(capsys, "setup", it.config, *at, "--wrap", "3")
        held = main(["chain", "balances", it.config, *at, "--json"])
        page = json.loads(capsys.readouterr().out)
        closed = done(capsys, "close", it.config, *at)
        after = lamports(it)
    wallet = it.world.chain.account(associated_account(it.world.user.address, NATIVE_MINT))
    assert "wrapped SOL" in [one["what"] for one in made["made"]]
    assert again["made"] == []
    assert [one["lamports"] for one in more["made"]] == [500_000_000]
    assert held == 0
    assert page["base"]["native"]["wallet"] == 3 * 10**9
    assert "wrapped SOL" in [one["what"] for one in closed["closed"]]
    assert wallet is None or wallet.lamports == 0
    assert after == before - 3 * FEE


def test_what_is_not_traded_is_not_wrapped(fresh: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chain", "setup", fresh.config, "--wrap", "1", "--yes"]) == 2
    assert "neither base nor quote of this market is wrapped SOL" in capsys.readouterr().err


def test_a_delegate_is_set_where_he_is_another(two: Running, capsys: pytest.CaptureFixture[str]) -> None:
    def delegate() -> str:
        account = Sitting(two.world, two.rpc).desk().account
        assert isinstance(account, OpenOrdersAccount)
        return str(account.delegate)

    done(capsys, "setup", two.config)
    assert delegate() == "None"

    named = ["--set", f"live.delegate={OTHER}"]
    made = done(capsys, "setup", two.config, *named)

    own = [f"token account of {what}, the delegate's" for what in ("base", "quote")]
    assert [one["what"] for one in made["made"]] == [*own, f"delegate {OTHER}"]
    assert delegate() == OTHER
    assert main(["chain", "balances", two.config]) == 0
    assert f"{OTHER} may trade for our account, and live.delegate does not name it" in capsys.readouterr().out
    assert done(capsys, "setup", two.config, *named)["made"] == []


def test_a_delegate_is_named_as_the_account_is_made(two: Running, capsys: pytest.CaptureFixture[str]) -> None:
    done(capsys, "setup", two.config, "--set", f"live.delegate={OTHER}")

    account = Sitting(two.world, two.rpc).desk().account
    assert isinstance(account, OpenOrdersAccount)
    assert str(account.delegate) == OTHER


def test_however_much_is_lost_it_is_made_once(fresh: Running, capsys: pytest.CaptureFixture[str]) -> None:
    before = lamports(fresh)
    for kind, share in (("drop_transaction", 0.6), ("lose_answer", 0.3), ("refuse", 0.2)):
        fresh.command("/faults", kind=kind, share=share, seconds=0.1)

    made = done(capsys, "setup", fresh.config)

    fresh.command("/faults/off")
    landed = [one for one in made["attempts"] if one["state"] == "finalized"]
    assert len(landed) == 1
    assert lamports(fresh) == before - sum(one["lamports"] for one in made["made"]) - FEE
    assert done(capsys, "setup", fresh.config)["made"] == []


def test_nobody_to_ask_means_that_nothing_is_sent(fresh: Running, capsys: pytest.CaptureFixture[str]) -> None:
    before = lamports(fresh)

    assert main(["chain", "setup", fresh.config]) == 2

    printed = capsys.readouterr()
    assert "there is no terminal to ask at; give --yes" in printed.err
    assert "open-orders account" in printed.out  # What it would have made.
    assert lamports(fresh) == before


@pytest.mark.parametrize(
    ("answer", "code", "words"), [("y\n", 0, "done: the seat is set up"), ("n\n", 1, "nothing was done")]
)
def test_at_a_terminal_it_asks_first(two: Running, answer: str, code: int, words: str) -> None:
    with terminal("chain", "setup", two.config, columns=120) as screen:
        screen.wait_for_line("make this? [y/N]")
        screen.type(answer)
        ended = screen.end()

    assert ended == code
    assert words in screen.drawn


def test_a_wallet_that_can_not_pay_sends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def poor(world: World) -> None:
        account = world.chain.account(world.user.address)
        assert account is not None
        world.chain.put(world.user.address, type(account)(1_000_000, account.data, account.owner))
        world.chain.advance(2)

    with running(Settings(speed=FAST), tmp_path, poor) as it:
        code = main(["chain", "setup", it.config, "--yes"])

    assert code == 5
    assert "holds 0.001 SOL, and this takes" in capsys.readouterr().err


def test_no_seat_is_made_on_a_market_that_does_not_fit(fresh: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chain", "setup", fresh.config, "--set", "market.tick_size=0.02", "--yes"]) == 3
    assert "market.tick_size: is 0.02" in capsys.readouterr().err


@pytest.mark.parametrize("venue", VENUES)
def test_an_account_with_orders_is_not_closed(venue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def resting(world: World) -> None:
        at = Sitting(world)
        at.set_up()
        at.rest(at.ladder(2))

    with running(Settings(venue=venue, speed=FAST), tmp_path, resting) as it:
        code = main(["chain", "close", it.config, "--yes"])
        words = capsys.readouterr().err
        done(capsys, "cancel-all", it.config, "--no-watch")
        closed = done(capsys, "close", it.config)
        spot = Sitting(it.world, it.rpc).spot

    assert code == 5
    assert "orders of ours rest, 4 of them; run `bmv chain cancel-all` first" in words
    assert closed["lamports_back"] > 0
    assert not spot.exists


def met(world: World) -> None:
    """Let an ask of 50 lots be met, and nobody crank it."""
    at = Sitting(world)
    at.set_up()
    ask = at.mid + 20
    at.rest([Wanted(Side.ASK, ask, 50)])
    at.be_met(Side.BID, ask)


@pytest.mark.parametrize("venue", VENUES)
def test_a_fill_is_cranked_and_paid_out(venue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(Settings(venue=venue, speed=FAST), tmp_path, met, asleep=True) as it:
        main(["chain", "balances", it.config, "--json"])
        waiting = json.loads(capsys.readouterr().out)
        cranked = done(capsys, "crank", it.config)
        settled = done(capsys, "settle", it.config)
        main(["chain", "balances", it.config, "--json"])
        after = json.loads(capsys.readouterr().out)
        again = done(capsys, "settle", it.config)

    assert waiting["quote"]["native"]["unsettled"] > 0
    owed = waiting["quote"]["native"]["unsettled"] + waiting["quote"]["native"]["free"]
    assert after["quote"]["native"]["wallet"] == waiting["quote"]["native"]["wallet"] + owed
    assert (after["quote"]["native"]["free"], after["events_waiting"]) == (0, 0)
    assert "crank of up to" in cranked["attempts"][0]["what"]
    assert settled["attempts"][0]["what"] == "settlement"
    assert settled["done"]
    assert again["attempts"] == []


def test_the_indexer_goes_with_the_last_account_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    markets: list[Market] = []

    def second(world: World) -> None:
        markets.append(market_v2.make_market(world.chain, 9, world.base, world.quote, LOTS))
        world.chain.advance(2)

    with running(Settings(speed=FAST), tmp_path, second) as it:
        before = lamports(it)
        there = ["--set", f"market.address={markets[0].address}"]
        done(capsys, "setup", it.config)
        other = done(capsys, "setup", it.config, *there)
        first = done(capsys, "close", it.config)
        last = done(capsys, "close", it.config, *there)
        after = lamports(it)

    assert [one["what"] for one in other["made"]] == ["open-orders account"]
    assert [one["what"] for one in first["closed"]] == ["open-orders account"]
    assert [one["what"] for one in last["closed"]] == ["open-orders account", "indexer of our accounts"]
    assert after == before - 4 * FEE


def test_an_address_that_others_have_paid_into_is_no_place_for_an_account(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def paid_into(world: World) -> None:
        usual = Sitting(world).spot.address
        sent = transfer(TransferParams(from_pubkey=world.user.address, to_pubkey=usual, lamports=10**7))
        send(world.chain, [world.user.key], [sent])
        world.chain.advance(2)

    with running(Settings(venue="openbook-v1", speed=FAST), tmp_path, paid_into) as it:
        code = main(["chain", "setup", it.config, "--yes"])
        page = main(["chain", "orders", it.config])

    assert code == 4
    assert "somebody sent 10000000 lamports there, so that it can't be made" in capsys.readouterr().err
    assert page == 0
