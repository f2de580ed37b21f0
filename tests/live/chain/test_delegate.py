"""An owner sets up and puts the key away; a delegate's key does the rest, by `bmv chain` against a running sandbox."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from sandboxes import Running, running
from solders.pubkey import Pubkey

from bmv.adapters.cli.main import main
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount, open_orders_address
from bmv.adapters.sandbox.wiring import Settings
from bmv.adapters.solana.tokens import associated_account, read_token_account
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.adapters.solana.wallet.keyfile import write_new
from bmv.adapters.solana.wallet.sealing import COST_MIN, seal
from bmv.adapters.solana.wallet.secret import Secret

PASSPHRASE = "owner is away"
DEPOSIT = ["--set", "live.deposit_base=50", "--set", "live.deposit_quote=2000.5"]
NATIVE = (50 * 10**9, 2_000_500_000)


class Pair(NamedTuple):
    """An owner and his delegate: options of each for the same configuration."""

    it: Running
    hot: Pubkey
    owner: list[str]
    delegate: list[str]

    def held(self, owner: Pubkey) -> tuple[int, ...]:
        """Return native base and quote of a wallet's token accounts."""
        mints = (self.it.world.base.mint, self.it.world.quote.mint)
        found = [self.it.account(associated_account(owner, mint)) for mint in mints]
        return tuple(read_token_account(one).amount for one in found if one is not None)


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setenv("BMV_WALLET_PASSPHRASE", PASSPHRASE)
    key, path = LocalKey.new(), tmp_path / "hot.json"
    write_new(path, seal(key, Secret(PASSPHRASE.encode()), COST_MIN))
    with running(Settings(venue="openbook-v2", speed=20.0), tmp_path / "sandbox") as it:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "requestAirdrop", "params": [key.address, 10**9]}
        assert "result" in httpx.post(it.rpc, json=asked).json()
        owner = ["--set", f"live.delegate={key.address}", *DEPOSIT]
        delegate = ["--set", f"live.wallet={path}", "--set", f"live.owner={it.world.user.address}"]
        yield Pair(it, Pubkey.from_string(key.address), owner, delegate)


def done(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    sends = words[0] not in ("orders", "balances")
    ended = main(["chain", *words, *(["--yes"] if sends else []), "--json"])
    printed = capsys.readouterr()
    assert ended == code, printed.err
    return json.loads(printed.out) if printed.out else printed.err


def test_the_owner_sets_up_once_and_the_delegate_does_the_rest(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    config, user = pair.it.config, pair.it.world.user.address
    before = pair.held(user)

    made = done(capsys, "setup", config, *pair.owner)
    again = done(capsys, "setup", config, *pair.owner)

    assert [one["what"] for one in made["made"]][-2:] == [
        "token account of quote, the delegate's",
        "deposit of 50 base, 2000.5 quote",
    ]
    assert again["made"] == []
    assert pair.held(user) == (before[0] - NATIVE[0], before[1] - NATIVE[1])
    account = pair.it.account(open_orders_address(user, 1)[0])
    assert account is not None
    assert OpenOrdersAccount.decode(account.data).delegate == pair.hot

    sol = pair.it.account(user)
    page = done(capsys, "balances", config, *pair.delegate)
    assert (page["owner"], page["signer"]) == (str(user), str(pair.hot))
    assert page["quote"]["native"]["free"] == NATIVE[1]
    assert done(capsys, "setup", config, *pair.delegate)["made"] == []
    assert done(capsys, "cancel-all", config, *pair.delegate, "--no-watch")["cleared"]
    assert done(capsys, "settle", config, *pair.delegate)["done"]
    assert pair.held(user) == before
    assert pair.held(pair.hot) == (0, 0)
    assert pair.it.account(user) == sol, "the owner paid for what the delegate did"


def test_what_is_the_owners_a_delegate_does_not_do(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    assert "has no account here; set it up with its key" in done(
        capsys, "setup", pair.it.config, *pair.delegate, code=5
    )
    done(capsys, "setup", pair.it.config, *pair.owner)

    words = done(capsys, "close", pair.it.config, *pair.delegate, code=5)

    assert "live.wallet is a delegate's key" in words


def test_a_key_that_the_account_does_not_name_is_told_so(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    done(capsys, "setup", pair.it.config)  # With no delegate.

    words = done(capsys, "settle", pair.it.config, *pair.delegate, code=4)

    assert f"has nobody as its delegate, and not {pair.hot}, whose key is to sign" in words


def test_a_delegate_without_an_owner_is_no_owner(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    alone = [*pair.delegate[:2], "--set", f"live.delegate={pair.hot}"]

    assert "live.owner: missing; live.wallet is the key of live.delegate" in done(
        capsys, "setup", pair.it.config, *alone, code=3
    )


def test_more_than_the_wallet_holds_is_not_deposited(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    much = ["--set", "live.deposit_base=1000000"]

    words = done(capsys, "setup", pair.it.config, *pair.owner, *much, code=5)

    assert "live.deposit_base: 1000000 more are to be deposited, and" in words
    assert "nothing was sent" in words


def test_a_deposit_is_topped_up_to_what_is_asked_for(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    done(capsys, "setup", pair.it.config, *pair.owner)

    more = done(capsys, "setup", pair.it.config, *pair.owner, "--set", "live.deposit_base=51")
    less = done(capsys, "setup", pair.it.config, *pair.owner, "--set", "live.deposit_base=1")

    assert [one["what"] for one in more["made"]] == ["deposit of 1 base, 0 quote"]
    assert less["made"] == []
