"""Forms of keys, the encrypted file, and who may read it."""

import asyncio
import json
import os
from pathlib import Path

import base58
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from bmv.adapters.solana.wallet.forms import read_key
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.adapters.solana.wallet.keyfile import describe, load, write_new
from bmv.adapters.solana.wallet.sealing import COST_MIN, SealedKey, read_sealed, seal, unseal
from bmv.adapters.solana.wallet.secret import Secret
from bmv.ports.errors import ConfigError, DataError, UsageError

SEED = bytes(range(32))
KEYPAIR = Keypair.from_seed(SEED)
ADDRESS = str(KEYPAIR.pubkey())
WORDS = "pill tomorrow foster begin walnut borrow virtual kick shift mutual shoe scatter"
PASSPHRASE = Secret(b"correct horse")


def sealed(passphrase: Secret = PASSPHRASE) -> SealedKey:
    return seal(LocalKey.from_seed(SEED), passphrase, COST_MIN)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(list(bytes(KEYPAIR))),
        f" {json.dumps(list(bytes(KEYPAIR)))}\n",
        str(KEYPAIR),
        json.dumps(list(SEED)),
        SEED.hex(),
        SEED.hex().upper() + "\n",
    ],
)
def test_every_form_of_a_key_gives_the_same_key(text: str) -> None:
    assert read_key(Secret(text.encode())).address == ADDRESS


@pytest.mark.parametrize(
    ("path", "address"),
    [
        (None, "5ZWj7a1f8tWkjBESHKgrLmXshuXxqeY9SYcfbshpAqPG"),
        ("m/44'/501'/0'/0'", "5F86TNSTre3CYwZd1wELsGQGhqG2HkN3d8zxhbyBSnzm"),
    ],
)
def test_a_mnemonic_gives_one_key_with_a_path_and_another_without(path: str | None, address: str) -> None:
    assert read_key(Secret(WORDS.replace(" ", "\n  ").encode()), path).address == address


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a JSON array"),
        ("[1, 2, 3]", "3 bytes"),
        ("[256" + ", 0" * 63 + "]", "numbers from 0 to 255"),
        ("[true" + ", 0" * 63 + "]", "numbers from 0 to 255"),
        ("[1, 2", "no JSON"),
        (json.dumps([*SEED, *bytes(32)]), "damaged"),
        (ADDRESS, "public key"),
        (base58.b58encode(bytes(63)).decode(), "63 bytes"),
        ("0OIl", "none of them"),
        ("one two three", "3"),
    ],
)
def test_what_is_no_key_is_refused_without_being_repeated(text: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read_key(Secret(text.encode()))

    assert text == "" or text not in str(caught.value)


def test_bytes_that_are_no_text_are_no_key() -> None:
    with pytest.raises(DataError, match="no text"):
        read_key(Secret(b"\xff\xfe\x00"))


def test_what_was_sealed_opens_and_signs() -> None:
    key = unseal(read_sealed(Secret(sealed().text().encode())), PASSPHRASE)

    signature = asyncio.run(key.sign(b"message"))

    assert Signature(signature).verify(Pubkey(key.public_key), b"message")


def test_the_same_key_is_never_sealed_twice_alike() -> None:
    one, other = sealed(), sealed()

    assert one.ct != other.ct
    assert one.salt != other.salt
    assert one.nonce != other.nonce


def test_another_passphrase_does_not_open_it() -> None:
    with pytest.raises(DataError, match="does not open"):
        unseal(sealed(), Secret(b"wrong horse"))


@pytest.mark.parametrize(
    "change",
    [
        {"n": 2 * COST_MIN},
        {"p": 2},
        {"pubkey": str(Pubkey.default())},
        {"salt": "A" * 22 + "=="},
        {"nonce": "A" * 16},
        {"ct": "A" * 107 + "="},
    ],
)
def test_a_file_that_was_changed_anywhere_does_not_open(change: dict[str, object]) -> None:
    changed = sealed().model_copy(update=change)

    with pytest.raises(DataError, match="does not open"):
        unseal(changed, PASSPHRASE)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"kdf": "none"},
        {"n": 2**30},
        {"n": COST_MIN + 1},
        {"r": 1},
        {"p": 1000},
        {"salt": "!"},
        {"nonce": ""},
        {"ct": ""},
        {"pubkey": "x"},
        {"more": 1},
        {"n": "16384"},
    ],
)
def test_a_file_of_another_form_is_refused_before_it_costs_anything(change: dict[str, object]) -> None:
    table = {**sealed().model_dump(), **change}

    with pytest.raises(DataError, match="no encrypted key of version 1"):
        read_sealed(Secret(json.dumps(table).encode()))


@pytest.mark.parametrize("field", list(SealedKey.model_fields))
def test_a_file_that_lacks_a_field_is_refused_and_the_field_named(field: str) -> None:
    table = sealed().model_dump()
    del table[field]

    with pytest.raises(DataError, match=field):
        read_sealed(Secret(json.dumps(table).encode()))


def test_a_written_file_is_its_owners_alone_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "hot.json"
    old = os.umask(0)
    try:
        write_new(path, sealed())
    finally:
        os.umask(old)

    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert load(path, lambda: PASSPHRASE).address == ADDRESS
    assert describe(path) == ("encrypted", ADDRESS)


def test_a_key_is_never_written_over_another_file(tmp_path: Path) -> None:
    path = tmp_path / "hot.json"
    path.write_text("something")

    with pytest.raises(UsageError, match="never written over"):
        write_new(path, sealed())

    assert path.read_text() == "something"
    assert list(tmp_path.iterdir()) == [path]


def test_a_dangling_link_is_not_followed_when_a_key_is_written(tmp_path: Path) -> None:
    path = tmp_path / "hot.json"
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UsageError, match="exists"):
        write_new(path, sealed())

    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666, 0o610, 0o777])
def test_a_key_that_others_may_read_or_change_is_refused_and_says_what_to_do(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "id.json"
    path.write_text(json.dumps(list(bytes(KEYPAIR))))
    path.chmod(mode)

    with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
        load(path, lambda: PASSPHRASE)

    path.chmod(0o600)
    assert load(path, lambda: PASSPHRASE).address == ADDRESS
    assert describe(path) == ("plain", ADDRESS)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_that_belongs_to_another_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "id.json"
    path.write_text(json.dumps(list(bytes(KEYPAIR))))
    path.chmod(0o600)
    os.chown(path, 12345, -1)

    with pytest.raises(ConfigError, match="belongs to user 12345"):
        load(path, lambda: PASSPHRASE)


def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)

    for path in (pipe, tmp_path, tmp_path / "nothing"):
        with pytest.raises(ConfigError, match="expected the file of a key"):
            load(path, lambda: PASSPHRASE)


def test_a_file_beyond_all_keys_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b" " * 100_000)
    path.chmod(0o600)

    with pytest.raises(DataError, match="larger than"):
        load(path, lambda: PASSPHRASE)


def test_no_passphrase_is_asked_for_where_the_key_is_plain(tmp_path: Path) -> None:
    path = tmp_path / "id.json"
    path.write_text(json.dumps(list(bytes(KEYPAIR))))
    path.chmod(0o600)

    def ask() -> Secret:
        raise AssertionError("it was asked for")

    assert load(path, ask).address == ADDRESS
