"""`bmv wallet rotate` against a running sandbox: everything goes to the new key, and to nobody else."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from sandboxes import Running, running
from seats import Sitting
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from terminals import ENVIRONMENT, terminal

from bmv.adapters.cli.main import main
from bmv.adapters.sandbox import market_v1, market_v2
from bmv.adapters.sandbox.market import Market
from bmv.adapters.sandbox.wallets import Token
from bmv.adapters.sandbox.wiring import LOTS, Settings, World
from bmv.adapters.solana.tokens import NATIVE_MINT, associated_account, read_token_account
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.adapters.solana.wallet.keyfile import write_new, write_plain
from bmv.adapters.solana.wallet.sealing import COST_MIN, seal
from bmv.adapters.solana.wallet.secret import Secret
from bmv.live.rotation.diary import Change, open_diary, read_diary, unfinished
from bmv.ports.errors import Refused

VENUES = ["openbook-v1", "openbook-v2"]
PASSPHRASE = "rotated in a test"
FAST = 20.0
both = pytest.mark.parametrize("venue", VENUES)


class Place(NamedTuple):
    """A sandbox, and the folder of wallets with a new key in it."""

    it: Running
    wallets: Path
    key: LocalKey

    @property
    def new(self) -> Pubkey:
        return Pubkey.from_string(self.key.address)

    def held(self, owner: Pubkey) -> list[int | None]:
        """Return lamports, and native base and quote, of a wallet; None: there is no account."""
        tokens = [associated_account(owner, one.mint) for one in (self.it.world.base, self.it.world.quote)]
        own = self.it.account(owner)
        found = [one if one is not None and one.lamports else None for one in map(self.it.account, tokens)]
        amounts = [None if one is None else read_token_account(one).amount for one in found]
        return [None if own is None else own.lamports or None, *amounts]


@pytest.fixture(autouse=True)
def wallets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wallets"
    folder.mkdir(mode=0o700)
    for name, value in (("BMV_WALLETS", str(folder)), ("BMV_WALLET_PASSPHRASE", PASSPHRASE)):
        monkeypatch.setenv(name, value)
        monkeypatch.setitem(ENVIRONMENT, name, value)
    return folder


def sealed(path: Path, key: LocalKey) -> None:
    write_new(path, seal(key, Secret(PASSPHRASE.encode()), COST_MIN))


Open = Callable[..., Place]


@pytest.fixture
def at(tmp_path: Path, wallets: Path) -> Iterator[Open]:
    """Give what opens a sandbox."""
    held = []

    def open_it(venue: str = "openbook-v2", change: Callable[[World], None] = lambda world: None) -> Place:
        key = LocalKey.new()
        sealed(wallets / "hot2.json", key)
        context = running(Settings(venue=venue, speed=FAST), tmp_path / "sandbox", change)
        held.append(context)
        return Place(context.__enter__(), wallets, key)

    yield open_it
    for context in held:
        context.__exit__(None, None, None)


def with_orders(world: World) -> None:
    sitting = Sitting(world)
    sitting.set_up()
    sitting.rest(sitting.ladder(2))


def rotate(capsys: pytest.CaptureFixture[str], place: Place, *words: str, code: int = 0) -> Any:
    ended = main(["wallet", "rotate", place.it.config, "--to", "hot2", "--yes", "--json", *words])
    printed = capsys.readouterr()
    assert ended == code, printed.err
    written = [path.read_text() for path in (Path(place.it.config), *place.wallets.glob("rotations/*"))]
    for text in (printed.out, printed.err, *written):
        assert not any(secret in text for secret in secrets_of(place)), "a secret came out"
    return json.loads(printed.out) if printed.out else printed.err


def secrets_of(place: Place) -> list[str]:
    """Return what no output may hold: the passphrase, and both keys in the forms that people have them in."""
    pairs = [place.it.world.user.key, Keypair.from_bytes(place.key.reveal())]
    numbers = [str(list(bytes(pair)))[:40] for pair in pairs]
    return [PASSPHRASE, *map(str, pairs), *numbers, *(pair.secret().hex() for pair in pairs)]


@both
def test_everything_goes_to_the_new_key_which_trades_on(
    venue: str, at: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    place = at(venue, with_orders)
    old = place.it.world.user.address

    page = rotate(capsys, place)

    assert place.held(old) == [None, None, None]
    assert place.held(place.new)[1:] == [1_000 * 10**9, 200_000 * 10**6]
    assert (page["old"], page["new"], page["by_hand"]) == (str(old), str(place.new), None)
    assert {one["state"] for one in page["attempts"]} == {"finalized"}
    assert f'wallet = "{place.wallets / "hot2.json"}"' in Path(place.it.config).read_text()
    assert main(["chain", "orders", place.it.config, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["orders"], shown["account"] is None) == ([], False)
    kinds = [row["kind"] for row in read_diary(place.wallets / "rotations" / f"{old}.jsonl")]
    assert (kinds[0], kinds[-1], kinds.count("sent")) == ("begun", "done", len(page["attempts"]))
    assert rotate(capsys, place)["attempts"] == []


def test_an_owner_whom_the_configuration_names_is_named_anew(at: Open, capsys: pytest.CaptureFixture[str]) -> None:
    place = at("openbook-v2", with_orders)
    config, old = Path(place.it.config), place.it.world.user.address
    config.write_text(config.read_text().replace("[live] ", f'[live]\nowner = "{old}"\n# ', 1))

    rotate(capsys, place)

    assert f'owner = "{place.new}"' in config.read_text()
    assert main(["chain", "balances", str(config), "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert (page["owner"], page["signer"], page["account"] is None) == (str(place.new), str(place.new), False)


@both
def test_wrapped_sol_stays_wrapped(venue: str, at: Open, capsys: pytest.CaptureFixture[str]) -> None:
    markets: list[Market] = []

    def wrapped(world: World) -> None:
        mint = world.chain.account(world.base.mint)
        assert mint is not None
        world.chain.put(NATIVE_MINT, type(mint)(mint.lamports, bytes(44) + b"\x09\x01" + bytes(36), mint.owner))
        world.chain.advance()
        make = market_v1.make_market if venue == "openbook-v1" else market_v2.make_market
        markets.append(make(world.chain, 9, Token(NATIVE_MINT, 9), world.quote, LOTS))
        world.chain.advance(2)

    place = at(venue, wrapped)
    there = ["--set", f"market.address={markets[0].address}"]
    assert main(["chain", "setup", place.it.config, *there, "--wrap", "3", "--yes"]) == 0
    capsys.readouterr()

    rotate(capsys, place, *there)

    account = place.it.account(associated_account(place.new, NATIVE_MINT))
    assert account is not None
    assert read_token_account(account).amount == 3 * 10**9
    gone = place.it.account(associated_account(place.it.world.user.address, NATIVE_MINT))
    assert gone is None or gone.lamports == 0


def test_a_delegate_is_replaced_by_its_owner_and_the_deposit_stays(
    at: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    place = at()
    config, user = Path(place.it.config), place.it.world.user
    hot = LocalKey.new()
    sealed(place.wallets / "hot.json", hot)
    sealed(place.wallets / "cold.json", LocalKey(user.key))
    named = ["--set", f"live.delegate={hot.address}", "--set", "live.deposit_base=5", "--set", "live.deposit_quote=70"]
    assert main(["chain", "setup", str(config), *named, "--yes"]) == 0
    airdrop(place, hot.address)
    text = config.read_text()
    lines = [
        f'wallet = "{place.wallets / "hot.json"}"  # Hot.\nowner = "{user.address}"\ndelegate = "{hot.address}"'
        if line.startswith("wallet = ")
        else line
        for line in text.splitlines()
    ]
    config.write_text("\n".join(lines) + "\n")
    capsys.readouterr()

    words = rotate(capsys, place, code=2)
    page = rotate(capsys, place, "--owner", "cold")

    assert f"--owner: expected the key of {user.address}" in words
    appointed = [one["what"] for one in page["attempts"]]
    assert appointed == ["setup", "moving base and quote", "all SOL"]
    assert place.held(Pubkey.from_string(hot.address)) == [None, None, None]
    text = config.read_text()
    assert f'wallet = "{place.wallets / "hot2.json"}"  # Hot.' in text
    assert f'delegate = "{place.new}"' in text
    assert main(["chain", "balances", str(config), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["signer"], shown["delegate"]) == (str(place.new), str(place.new))
    assert (shown["base"]["native"]["free"], shown["quote"]["native"]["free"]) == (5 * 10**9, 70 * 10**6)


def airdrop(place: Place, address: str) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "requestAirdrop", "params": [address, 10**9]}
    assert "result" in httpx.post(place.it.rpc, json=asked).json()


def test_what_can_not_be_rotated_is_refused_before_anything_moves(at: Open, capsys: pytest.CaptureFixture[str]) -> None:
    place = at("openbook-v2", with_orders)
    before = place.held(place.it.world.user.address)
    write_plain(place.wallets / "plain.json", LocalKey.new())
    sealed(place.wallets / "cold.json", LocalKey.new())

    def said(*words: str, code: int) -> str:
        assert main(["wallet", "rotate", place.it.config, *words]) == code
        return capsys.readouterr().err

    assert "there is no key file" in said("--to", "nobody", "--yes", code=2)
    assert "is not encrypted" in said("--to", "plain", "--yes", code=2)
    assert "is no delegate's; take it out" in said("--to", "hot2", "--owner", "cold", "--yes", code=2)
    assert "there is no terminal to ask at" in said("--to", "hot2", code=2)
    dear = [
        "--set",
        "live.max_priority_fee_lamports=1000000000",
        "--set",
        "live.wallet=" + str(place.wallets / "cold.json"),
    ]
    assert "holds 0 SOL, and a rotation may take" in said("--to", "hot2", *dear, "--yes", code=5)
    assert place.held(place.it.world.user.address) == before
    assert place.held(place.new) == [None, None, None]


def test_a_passphrase_that_does_not_open_the_new_key_moves_nothing(
    at: Open, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = at("openbook-v2", with_orders)
    before = place.held(place.it.world.user.address)
    wrong = tmp_path / "wrong"
    wrong.write_text("another passphrase")
    wrong.chmod(0o600)

    words = rotate(capsys, place, "--new-passphrase-file", str(wrong), code=4)

    assert "--to: " in words
    assert "does not open" in words
    assert place.held(place.it.world.user.address) == before


def test_accounts_on_other_markets_are_not_left_behind(at: Open, capsys: pytest.CaptureFixture[str]) -> None:
    markets: list[Market] = []

    def second(world: World) -> None:
        markets.append(market_v2.make_market(world.chain, 9, world.base, world.quote, LOTS))
        world.chain.advance(2)

    place = at("openbook-v2", second)
    assert main(["chain", "setup", place.it.config, "--set", f"market.address={markets[0].address}", "--yes"]) == 0
    capsys.readouterr()

    assert "has accounts on 1 other markets" in rotate(capsys, place, code=5)


@pytest.mark.parametrize(("typed", "code"), [("right", 0), ("wrong", 1)])
def test_at_a_terminal_the_new_address_is_typed(at: Open, typed: str, code: int) -> None:
    place = at()

    with terminal("wallet", "rotate", place.it.config, "--to", "hot2", columns=140) as screen:
        screen.wait_for_line("to go on")
        screen.type(f"{str(place.new)[:6] if typed == 'right' else 'yes'}\n")
        ended = screen.end()

    assert ended == code
    assert ("nothing was done" in screen.drawn) == (typed == "wrong")
    assert (place.held(place.new)[1] is None) == (typed == "wrong")


def test_one_process_rotates_a_key_and_to_one_key(wallets: Path) -> None:
    change = Change("OLD", "NEW", "MARKET", "new.json")
    with open_diary(change), pytest.raises(Refused, match="another process rotates OLD now"), open_diary(change):
        pass
    with pytest.raises(Refused, match=r"is being rotated to NEW \(new.json\)"), open_diary(change._replace(new="X")):
        pass
    with open_diary(change) as diary:
        diary.done()
    path = wallets / "rotations" / "OLD.jsonl"
    assert unfinished(path) is None
    with open_diary(change._replace(new="X")):
        assert unfinished(path) == change._replace(new="X")


def test_a_line_that_was_torn_off_says_nothing_and_spoils_none(wallets: Path) -> None:
    change = Change("OLD", "NEW", "MARKET", "new.json")
    with open_diary(change) as diary:
        diary.step("clear")
    path = wallets / "rotations" / "OLD.jsonl"
    with path.open("a") as file:
        file.write('{"ts_ns": 1, "kind": "st')

    with open_diary(change) as diary:
        diary.sent("all SOL", "SIGNATURE")

    assert [row["kind"] for row in read_diary(path)] == ["begun", "step", "sent"]
    assert path.stat().st_mode & 0o777 == 0o600
