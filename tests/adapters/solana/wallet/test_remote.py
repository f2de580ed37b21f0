"""A key behind a service: signed for over real HTTP, within a time limit, and with no secret in what goes wrong."""

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0, MessageV1, TransactionConfig, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from tests.adapters.solana.wallet.test_canary import told
from vault import KEY_NAME, Vault, vault

from bmv.adapters.cli.main import main
from bmv.adapters.solana.wallet.keyfile import describe, load
from bmv.adapters.solana.wallet.remote import RemoteSigner
from bmv.adapters.solana.wallet.secret import Secret
from bmv.ports.errors import BmvError, ConfigError, DataError
from bmv.ports.signer import SignerError

REST = {"api_base_url": "https://vault.test", "key_name": KEY_NAME}
KEY = Keypair.from_seed(bytes(range(32)))
ADDRESS = str(KEY.pubkey())
PLACE = "TOKEN-GOES-HERE"  # Where a test may not hold it itself: its frame is looked at.
TOKEN = "canary-hvs.7731-of-the-vault"
INSTRUCTION = transfer(TransferParams(from_pubkey=KEY.pubkey(), to_pubkey=Pubkey.default(), lamports=1))
V0 = to_bytes_versioned(MessageV0.try_compile(KEY.pubkey(), [INSTRUCTION], [], Hash.default()))
V1 = to_bytes_versioned(
    MessageV1.try_compile(KEY.pubkey(), [INSTRUCTION], Hash.default(), TransactionConfig(0, 1_000, 32_768))
)


def never() -> Secret:
    raise AssertionError("no passphrase is asked for")


def written(folder: Path, service: Vault | None = None, **changes: object) -> Path:
    """Write the file of a key behind the service, and its token beside it; return that file."""
    token = folder / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    row: dict[str, object] = {
        "v": 1,
        "backend": "vault",
        "pubkey": ADDRESS,
        "limit_s": 30,
        "settings": {
            "api_base_url": "http://127.0.0.1:9" if service is None else service.url,
            "key_name": KEY_NAME,
            "token": {"file": str(token)},
        },
    }
    path = folder / "remote.json"
    path.write_text(json.dumps({**row, **changes}).replace(PLACE, TOKEN))
    path.chmod(0o600)
    return path


@pytest.fixture
def service() -> Iterator[Vault]:
    with vault(KEY, TOKEN) as running:
        yield running


def opened(folder: Path, service: Vault | None, **changes: object) -> RemoteSigner:
    signer = load(written(folder, service, **changes), never)
    assert isinstance(signer, RemoteSigner)
    return signer


@pytest.mark.parametrize("message", [V0, V1], ids=["version 0", "version 1"])
def test_a_service_signs_what_it_is_given(tmp_path: Path, service: Vault, message: bytes) -> None:
    signer = opened(tmp_path, service)

    signature = asyncio.run(signer.sign(message))

    assert Signature.from_bytes(signature).verify(KEY.pubkey(), message)
    assert signer.public_key == bytes(KEY.pubkey())
    assert repr(signer) == f"<RemoteSigner {ADDRESS} at vault>"
    assert describe(tmp_path / "remote.json") == ("remote", ADDRESS)


BAD = {
    "slow": "no answer within 0.5 s",
    "sealed": "remote api error, HTTP status 503",
    "forbidden": "remote api error, HTTP status 403",
    "wrong": "signing failed",
    "garbage": "serialization error",
    "away": "http error",
    "gone": "http error",
}


@pytest.mark.parametrize("mode", sorted(BAD))
def test_whatever_the_service_does_is_told_in_our_own_words_and_with_no_secret(
    tmp_path: Path, service: Vault, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    signer = opened(tmp_path, None if mode == "gone" else service, limit_s=0.5 if mode == "slow" else 30)
    service.mode = mode

    with pytest.raises(SignerError) as caught:
        asyncio.run(signer.sign(V0))

    assert str(caught.value) == f"the key {ADDRESS} at vault gives no signature: {BAD[mode]}"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert TOKEN not in told(caught.value)
    assert TOKEN not in caplog.text
    assert len(caplog.records) > 0, "nothing was logged, so nothing was looked at"


def test_a_service_that_comes_back_signs_again(tmp_path: Path, service: Vault) -> None:
    async def play() -> bytes:
        signer = opened(tmp_path, service)
        service.mode = "sealed"
        with pytest.raises(SignerError):
            await signer.sign(V0)
        service.mode = "good"
        return await signer.sign(V0)

    assert Signature.from_bytes(asyncio.run(play())).verify(KEY.pubkey(), V0)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"backend": "shamir"}, ConfigError, "backend: shamir is none of aws-kms"),
        ({"backend": "memory"}, ConfigError, "backend: memory is none of"),
        ({"backend": PLACE}, DataError, "backend missing, unknown or out of range"),
        ({"pubkey": PLACE}, DataError, "pubkey: expected 32 bytes in base58"),
        ({"limit_s": 0}, DataError, "limit_s missing, unknown or out of range"),
        ({"secret": PLACE}, DataError, "fields missing, unknown or out of range"),
        ({"settings": {"token": PLACE}}, ConfigError, "settings.token: is a secret, and stands in no key file"),
        ({"settings": {"tokn": "x"}}, ConfigError, "settings: vault knows no tokn; it knows api_base_url, key_name"),
        ({"settings": {"key_name": "hot"}}, ConfigError, "settings: vault needs api_base_url, token too"),
        ({"settings": {**REST, "token": {"env": "BMV_NOT_SET"}}}, ConfigError, "the variable BMV_NOT_SET is not set"),
        ({"settings": {**REST, "token": {}}}, ConfigError, "settings.token: expected"),
        (
            {"settings": {**REST, "token": {"file": "/nowhere/token"}}},
            ConfigError,
            "/nowhere/token: expected the file of a",
        ),
    ],
)
def test_a_file_that_is_wrong_is_told_so_and_never_repeated(
    tmp_path: Path, changes: dict[str, object], kind: type[BmvError], words: str
) -> None:
    path = written(tmp_path, None, **changes)

    with pytest.raises(kind) as caught:
        load(path, never)

    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert TOKEN not in told(caught.value)


def test_a_token_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "token").chmod(0o644)

    with pytest.raises(ConfigError, match=f"say chmod 600 {tmp_path / 'token'}"):
        load(path, never)


def test_a_token_may_stand_in_a_variable(tmp_path: Path, service: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMV_TEST_VAULT", TOKEN)
    settings = {"api_base_url": service.url, "key_name": KEY_NAME, "token": {"env": "BMV_TEST_VAULT"}}

    signer = opened(tmp_path, service, settings=settings)

    assert len(asyncio.run(signer.sign(V0))) == 64


def test_no_command_prints_a_secret_of_the_service(
    tmp_path: Path, service: Vault, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMV_WALLETS", str(tmp_path))
    written(tmp_path, service)
    (tmp_path / "token").rename(tmp_path / "token.json")  # A stranger among the wallets.

    codes = [
        main(words)
        for words in (
            ["wallet", "list"],
            ["wallet", "list", "--json"],
            ["wallet", "show", "remote", "--json"],
            ["wallet", "export", "remote", "--to", str(tmp_path / "out.json"), "--yes"],
        )
    ]

    printed = capsys.readouterr()
    assert codes == [0, 0, 0, 3]
    assert f'"address": "{ADDRESS}", "form": "remote"' in printed.out
    assert TOKEN not in printed.out + printed.err
    assert not (tmp_path / "out.json").exists()
