"""`bmv chain cancel-all`: with a configuration and a key alone, whatever the endpoints do, the book is cleared."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandboxes import Running, dead_endpoint, running
from seats import Sitting, Wanted
from solders.keypair import Keypair

from bmv.adapters.cli.main import main
from bmv.adapters.openbook.book import Side
from bmv.adapters.sandbox.wiring import Settings, World
from bmv.adapters.solana.wallet.forms import read_key
from bmv.adapters.solana.wallet.sealing import seal
from bmv.adapters.solana.wallet.secret import Secret

VENUES = ["openbook-v1", "openbook-v2"]
FAST = 20.0
WAIT_S = 120
OPTIONS = {"encoding": "base64", "skipPreflight": True}


def full(world: World) -> None:
    """Let as many orders rest as a large grid has."""
    at = Sitting(world)
    at.set_up()
    at.rest(at.ladder(24 if "v1" in type(world.market).__module__ else 10))


@pytest.fixture(params=VENUES)
def crowded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with running(Settings(venue=request.param, speed=FAST), tmp_path / "sandbox", full) as it:
        yield it


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Running]:
    with running(Settings(venue="openbook-v2", speed=FAST), tmp_path / "sandbox", full) as it:
        yield it


def resting(it: Running) -> int:
    return Sitting(it.world, it.rpc).resting()


def process(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """Run `bmv chain` as anybody would, in a folder."""
    command = [sys.executable, "-m", "bmv.adapters.cli", "chain", *words]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def alone(it: Running, folder: Path) -> Path:
    """Return an empty folder that holds a configuration and a key, and nothing else."""
    folder.mkdir()
    source = Path(it.config)
    shutil.copy(source.parent / "wallet.json", folder / "key.json")
    (folder / "key.json").chmod(0o600)
    lines = source.read_text(encoding="utf-8").splitlines()
    kept = ['wallet = "key.json"' if line.startswith("wallet = ") else line for line in lines]
    (folder / "bmv.toml").write_text("\n".join(kept), encoding="utf-8")
    return folder


def test_from_an_empty_folder_half_of_all_lost_and_a_third_refused_the_book_is_cleared(
    crowded: Running, tmp_path: Path
) -> None:
    assert resting(crowded) >= 20
    crowded.command("/faults", kind="drop_transaction", share=0.5)
    crowded.command("/faults", kind="refuse", share=0.3, seconds=0.1)

    with process(alone(crowded, tmp_path / "empty"), "cancel-all", "bmv.toml", "--yes", "--json") as it:
        out, err = it.communicate(timeout=WAIT_S)
    crowded.command("/faults/off")

    assert it.returncode == 0, err
    page: dict[str, Any] = json.loads(out)
    assert page["cleared"]
    assert (page["left"], page["alive"]) == ([], [])
    assert any(one["state"] == "finalized" for one in page["attempts"])
    assert resting(crowded) == 0
    assert "final" in err  # Slot by slot, beside the page.
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == ["bmv.toml", "key.json"]


def test_a_dead_endpoint_is_in_nobodys_way(crowded: Running, capsys: pytest.CaptureFixture[str]) -> None:
    endpoints = f'live.endpoints=["{dead_endpoint()}", "{crowded.rpc}"]'

    code = main(["chain", "cancel-all", crowded.config, "--set", endpoints, "--yes", "--no-watch"])

    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "of ours rest" in printed.out
    assert "the finalized chain shows no order of ours" in printed.out
    assert "secret-path" not in printed.out + printed.err
    assert resting(crowded) == 0


def late_order(world: World, into: list[str]) -> None:
    """Sign an order that nobody sends yet, as a process would have that died."""
    full(world)
    at = Sitting(world)
    at.cancel_all()
    into.append(b64encode(bytes(at.signed([Wanted(Side.BID, at.mid // 3, 10)]))).decode())


@pytest.mark.parametrize("venue", VENUES)
def test_what_was_sent_before_and_lands_late_is_cancelled_too(venue: str, tmp_path: Path) -> None:
    signed: list[str] = []
    settings = Settings(venue=venue, speed=FAST)
    with running(settings, tmp_path / "sandbox", lambda world: late_order(world, signed), asleep=True) as live:
        live.command("/pause")  # The order's blockhash outlives the start of a process.
        with process(tmp_path, "cancel-all", live.config, "--yes") as it:
            assert it.stdout is not None
            first = it.stdout.readline()
            asked = {"jsonrpc": "2.0", "id": 1, "method": "sendTransaction", "params": [signed[0], OPTIONS]}
            answer = httpx.post(live.rpc, json=asked).json()
            live.command("/resume")
            out, err = it.communicate(timeout=WAIT_S)
        left = resting(live)

    assert "result" in answer, answer
    assert "no order of ours is left; watching" in first
    assert it.returncode == 0, err
    assert "1 order of ours rest" in out
    assert out.rstrip().endswith("done: no order of ours is left")
    assert left == 0


def test_given_up_it_says_what_is_left_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(Settings(speed=1), tmp_path, full) as it:  # What is sent is alive for half a minute.
        it.command("/faults", kind="drop_transaction")
        code = main(["chain", "cancel-all", it.config, "--yes", "--json", "--give-up-after", "3"])
        page = json.loads(capsys.readouterr().out)
        again = main(["chain", "cancel-all", it.config, "--yes", "--give-up-after", "2"])

    assert code == again == 1
    assert not page["cleared"]
    assert len(page["left"]) == 20
    assert len(page["alive"]) == 1
    assert "20 orders of ours rest, and 1 transactions may still land; run it again" in capsys.readouterr().out


def test_while_every_endpoint_refuses_it_goes_on_until_one_answers(
    two: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    two.command("/faults", kind="refuse", seconds=1)
    threading.Timer(2.0, lambda: two.command("/faults/off")).start()

    assert main(["chain", "cancel-all", two.config, "--yes", "--no-watch"]) == 0
    assert resting(two) == 0


def test_an_endpoint_that_comes_back_late_is_waited_for(two: Running, tmp_path: Path) -> None:
    with process(tmp_path, "cancel-all", two.config, "--yes", "--no-watch") as it:
        two.command("/faults", kind="fail")  # Wherever it has come by now.
        time.sleep(5)
        two.command("/faults/off")
        out, err = it.communicate(timeout=WAIT_S)

    assert it.returncode == 0, out + err
    assert resting(two) == 0


def test_broken_off_it_says_what_may_still_land(tmp_path: Path) -> None:
    with running(Settings(speed=1), tmp_path / "sandbox", full) as live:
        live.command("/faults", kind="drop_transaction")
        with process(tmp_path, "cancel-all", live.config, "--yes") as it:
            assert it.stdout is not None
            first = it.stdout.readline()
            time.sleep(1)
            it.send_signal(signal.SIGINT)
            out, err = it.communicate(timeout=WAIT_S)

    assert "20 orders of ours rest" in first
    assert "broken off: 1 transactions may still land" in out
    assert it.returncode == 130, err


def test_a_chain_that_stands_still_and_goes_back_is_waited_for(
    crowded: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    crowded.command("/dark")
    threading.Timer(2.0, lambda: crowded.command("/light")).start()

    assert main(["chain", "cancel-all", crowded.config, "--yes", "--no-watch"]) == 0
    assert resting(crowded) == 0


def test_an_endpoint_of_another_chain_is_not_believed(
    crowded: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(Settings(seed=2, speed=FAST), tmp_path / "another") as other:
        both = f'live.endpoints=["{other.rpc}", "{crowded.rpc}"]'

        assert main(["chain", "orders", crowded.config, "--set", both]) == 0

    assert f"{resting(crowded)} resting" in capsys.readouterr().out


def test_it_asks_before_it_cancels(two: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chain", "cancel-all", two.config]) == 2
    assert "give --yes" in capsys.readouterr().err
    assert resting(two) == 20


def test_without_an_account_there_is_nothing_to_cancel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(Settings(speed=FAST), tmp_path) as it:
        assert main(["chain", "cancel-all", it.config, "--yes"]) == 0

    assert "nothing to do: " in capsys.readouterr().out


def sealed(it: Running, tmp_path: Path) -> Path:
    """Return the user's key, encrypted by the passphrase `correct horse`."""
    key = read_key(Secret(json.dumps(list(bytes(it.world.user.key))).encode()))
    path = tmp_path / "sealed.json"
    path.write_text(seal(key, Secret(b"correct horse")).text(), encoding="utf-8")
    path.chmod(0o600)
    return path


def test_an_encrypted_key_needs_its_passphrase_to_cancel_and_none_to_look(
    two: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    named = ["--set", f"live.wallet={sealed(two, tmp_path)}"]
    assert main(["chain", "orders", two.config, *named]) == 0
    assert "20 resting" in capsys.readouterr().out

    monkeypatch.setenv("BMV_WALLET_PASSPHRASE", "wrong horse")
    assert main(["chain", "cancel-all", two.config, *named, "--yes"]) == 4
    told = capsys.readouterr()
    assert "live.wallet: " in told.err
    assert "wrong horse" not in told.out + told.err
    assert resting(two) == 20

    monkeypatch.setenv("BMV_WALLET_PASSPHRASE", "correct horse")
    assert main(["chain", "cancel-all", two.config, *named, "--yes", "--no-watch"]) == 0
    assert resting(two) == 0


def test_orders_of_another_wallet_are_none_of_ours(
    two: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps(list(bytes(Keypair.from_seed(bytes(range(32)))))), encoding="utf-8")
    other.chmod(0o600)

    assert main(["chain", "cancel-all", two.config, "--set", f"live.wallet={other}", "--yes"]) == 0
    assert "has no account on market" in capsys.readouterr().out
    assert resting(two) == 20


def leave(world: World, lamports: int) -> None:
    """Let orders rest, and leave the wallet so much."""
    full(world)
    account = world.chain.account(world.user.address)
    assert account is not None
    world.chain.put(world.user.address, type(account)(lamports, account.data, account.owner))
    world.chain.advance(2)


def test_a_poor_wallet_pays_what_it_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(Settings(speed=FAST), tmp_path, lambda world: leave(world, 890_880 + 7_000)) as it:
        assert main(["chain", "cancel-all", it.config, "--yes", "--no-watch"]) == 0
        assert Sitting(it.world, it.rpc).lamports() < 7_000 + 890_880
        assert resting(it) == 0


def test_a_wallet_without_money_is_told_what_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(Settings(speed=FAST), tmp_path, lambda world: leave(world, 3_000)) as it:
        code = main(["chain", "cancel-all", it.config, "--yes", "--give-up-after", "2"])

    printed = capsys.readouterr()
    assert code == 1
    assert "holds 0.000003 SOL, and needs 0.0" in printed.out
    assert "20 orders of ours rest, and 0 transactions may still land" in printed.out


def test_under_tower_it_waits_until_it_is_final(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(venue="openbook-v1", consensus="tower", speed=FAST)
    with running(settings, tmp_path, full) as it:
        assert main(["chain", "cancel-all", it.config, "--yes"]) == 0
        assert resting(it) == 0

    out = capsys.readouterr().out
    assert out.index("48 orders of ours rest") < out.index("is final") < out.index("done: no order of ours is left")


def test_a_whole_account_of_version_1_is_cleared_in_one_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def brimful(world: World) -> None:
        at = Sitting(world)
        at.set_up()
        for _ in range(2):
            at.rest(at.ladder(32))

    with running(Settings(venue="openbook-v1", speed=FAST), tmp_path, brimful) as it:
        assert resting(it) == 128
        assert main(["chain", "cancel-all", it.config, "--yes", "--no-watch"]) == 0
        assert resting(it) == 0

    assert "128 orders of ours rest" in capsys.readouterr().out
