"""`bmv wallet export`: a key as Solana's own tools read it, for its owner alone, and on no screen."""

import json
import stat
from pathlib import Path

import pytest
from solders.keypair import Keypair
from terminals import ENVIRONMENT, terminal
from tests.adapters.solana.wallet.test_canary import leaks as sings
from tests.adapters.solana.wallet.test_canary import told

from bmv.adapters.cli.main import main
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.adapters.solana.wallet.keyfile import load, write_new, write_plain
from bmv.adapters.solana.wallet.sealing import COST_MIN, seal
from bmv.adapters.solana.wallet.secret import Secret
from bmv.ports.errors import UsageError

SEED = bytes.fromhex("c0ffee0ddba11fa57badc0de5eed5afe" * 2)
KEYPAIR = Keypair.from_seed(SEED)
NUMBERS = json.dumps(list(bytes(KEYPAIR)))


@pytest.fixture(autouse=True)
def wallets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wallets"
    folder.mkdir(mode=0o700)
    for name, value in (("BMV_WALLETS", str(folder)), ("BMV_WALLET_PASSPHRASE", "passphrase")):
        monkeypatch.setenv(name, value)
        monkeypatch.setitem(ENVIRONMENT, name, value)
    write_new(folder / "hot.json", seal(LocalKey.from_seed(SEED), Secret(b"passphrase"), COST_MIN))
    return folder


def leaks(text: str) -> bool:
    return any(each in text for each in (NUMBERS[:40], NUMBERS.replace(" ", "")[:30], str(KEYPAIR), SEED.hex()))


def test_an_exported_key_is_the_key_and_its_owners_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "id.json"

    assert main(["wallet", "export", "hot", "--to", str(target), "--yes"]) == 0

    printed = capsys.readouterr()
    assert json.loads(target.read_text()) == list(bytes(KEYPAIR))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert load(target, lambda: Secret(b"")).public_key == bytes(KEYPAIR.pubkey())
    assert f"address {KEYPAIR.pubkey()}" in printed.out
    assert leaks(target.read_text())
    assert not leaks(printed.out + printed.err)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["id.json", "wallets"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["hot", "--to", "there"], 2, "exists, and a key is never written over another"),
        (["cold", "--to", "new", "--yes"], 3, "expected the file of a key"),
        (["hot", "--to", "new"], 2, "there is no terminal to ask at"),
        (["hot", "--to", "no/folder/new", "--yes"], 2, "can't be written"),
        (["hot", "more", "--to", "new", "--yes"], 2, "expected one NAME"),
    ],
)
def test_what_can_not_be_exported_is_told_and_nothing_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").write_text("mine")

    assert main(["wallet", "export", *words]) == code

    assert says in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there", "wallets"]
    assert (tmp_path / "there").read_text() == "mine"


@pytest.mark.parametrize(("typed", "code"), [("hot", 0), ("yes", 1)])
def test_at_a_terminal_the_name_is_typed(tmp_path: Path, typed: str, code: int) -> None:
    target = tmp_path / "id.json"

    with terminal("wallet", "export", "hot", "--to", str(target), columns=200) as screen:
        screen.wait_for_line("type hot to go on")
        screen.type(f"{typed}\n")
        ended = screen.end()

    assert ended == code
    assert target.exists() == (code == 0)
    assert not leaks(screen.drawn)


def test_an_error_of_writing_carries_no_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_plain(tmp_path / "no" / "folder", LocalKey.from_seed(SEED))

    assert not sings(told(caught.value))
