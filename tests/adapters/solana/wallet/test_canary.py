"""A canary: a secret that can be told from everything else, and every place where it might come out."""

import asyncio
import copy
import io
import json
import logging
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from pprint import pformat

import pytest
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.traceback import Traceback
from solders.keypair import Keypair

from bmv.adapters.solana.wallet.forms import read_key
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.adapters.solana.wallet.keyfile import describe, load, write_new
from bmv.adapters.solana.wallet.passphrase import read_passphrase
from bmv.adapters.solana.wallet.sealing import COST_MIN, read_sealed, seal, unseal
from bmv.adapters.solana.wallet.secret import Secret

SEED = bytes.fromhex("c0ffee0ddba11fa57badc0de5eed5afe" * 2)
KEYPAIR = Keypair.from_seed(SEED)
WORDS = "canary tomorrow foster begin walnut borrow virtual kick shift mutual shoe scatter"
PASSPHRASE = "canary-passphrase-7731"
TELLTALES = (
    str(KEYPAIR),
    SEED.hex(),
    str(list(SEED))[1:40],
    str(list(SEED)).replace(" ", "")[1:30],
    repr(SEED)[2:-1],
    WORDS[:30],
    PASSPHRASE,
)


def leaks(text: str | bytes) -> bool:
    """Say whether a text holds the secret in any of its forms."""
    if isinstance(text, bytes):
        return SEED in text or PASSPHRASE.encode() in text or any(each.encode() in text for each in TELLTALES)
    return any(each in text for each in TELLTALES)


@dataclass
class Holder:
    """What a program may keep a key in."""

    key: LocalKey
    passphrase: Secret


class Model(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    key: LocalKey
    passphrase: Secret


def subjects() -> Iterator[object]:
    key, passphrase = LocalKey(KEYPAIR), Secret(PASSPHRASE.encode())
    yield from (key, passphrase, [key, passphrase], {"key": key, "text": passphrase})
    yield Holder(key, passphrase)
    yield asdict(Holder(key, passphrase))
    yield astuple(Holder(key, passphrase))
    yield Model(key=key, passphrase=passphrase)


def logged(thing: object) -> str:
    stream = io.StringIO()
    log = logging.Logger("canary")
    log.addHandler(logging.StreamHandler(stream))
    log.error("%s %r", thing, thing)
    return stream.getvalue()


@pytest.mark.parametrize(
    "sink",
    [
        str,
        repr,
        format,
        lambda thing: f"{thing!s} {thing!r} {thing}",
        pformat,
        ascii,
        logged,
        lambda thing: json.dumps(thing, default=str),
        lambda thing: json.dumps(thing, default=repr),
        lambda thing: json.dumps(getattr(thing, "__dict__", {}), default=str),
        lambda thing: str([getattr(thing, name, "") for name in dir(thing) if not isinstance(thing, Model)]),
        lambda thing: repr(copy.copy(thing)) + repr(copy.deepcopy(thing)),
        lambda thing: str(thing.model_dump()) + repr(thing) if isinstance(thing, Model) else "",
    ],
)
@pytest.mark.parametrize("thing", list(subjects()), ids=lambda thing: type(thing).__name__)
def test_nothing_that_prints_or_dumps_shows_the_secret(thing: object, sink: Callable[[object], str]) -> None:
    assert leaks(str(KEYPAIR)), "the canary does not sing"

    assert not leaks(sink(thing))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_that_holds_a_secret_is_pickled(protocol: int) -> None:
    for thing in subjects():
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(thing, protocol)


def told(error: BaseException) -> str:
    """Return everything that a program might print of an error, with the variables of all frames, and what caused it."""
    seen, texts = [error], [str(error), repr(error), repr(error.args), repr(vars(error))]
    texts += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    console = Console(file=io.StringIO(), width=500)
    console.print(Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True))
    texts.append(console.file.getvalue())  # type: ignore[attr-defined]
    while seen:
        each = seen.pop()
        texts.append(repr(vars(each)))
        for frame, _ in traceback.walk_tb(each.__traceback__):
            own = "tests" in frame.f_code.co_filename  # Of the test itself, which has the canary in its hands.
            texts += [] if own else [f"{name} {value!r} {value!s}" for name, value in frame.f_locals.items()]
        seen += [inner for inner in (each.__cause__, each.__context__) if inner is not None]
    return "\n".join(texts)


class Case:
    """Something that fails with the secret in its hands; the secret is no argument that a traceback would print."""

    def __init__(self, name: str, fail: Callable[[Path], object]) -> None:
        self.name, self.fail = name, fail


def of_text(text: bytes) -> Callable[[Path], object]:
    boxed = Secret(text)
    return lambda _: read_key(boxed)


def of_file(text: bytes) -> Callable[[Path], object]:
    boxed = Secret(text)

    def fail(folder: Path) -> object:
        path = folder / "id.json"
        path.write_bytes(boxed.reveal())
        path.chmod(0o600)
        return load(path, lambda: Secret(PASSPHRASE.encode()))

    return fail


BAD_TEXTS = {
    "cut array": json.dumps(list(SEED))[:-5].encode(),
    "array of 63": json.dumps([*SEED, *bytes(31)]).encode(),
    "other half": json.dumps([*SEED, *bytes(32)]).encode(),
    "cut base58": str(KEYPAIR)[:-3].encode(),
    "base58 and more": str(KEYPAIR).encode() + b"0",
    "too many words": f"{WORDS} one".encode(),
    "no text": SEED + b"\xff" + PASSPHRASE.encode(),
    "object": json.dumps({"secret": list(SEED), "words": WORDS}).encode(),
    "sealed with words": json.dumps({"v": 1, "kdf": WORDS, "n": SEED.hex(), "extra": PASSPHRASE}).encode(),
}


def wrong_passphrase(_: Path) -> object:
    return unseal(seal(LocalKey.from_seed(SEED), Secret(b"x"), COST_MIN), Secret(PASSPHRASE.encode()))


def short_passphrase_in_a_file(folder: Path) -> object:
    path = folder / "passphrase"
    path.write_text(PASSPHRASE)
    return read_passphrase(path, {}, new=True)  # Others may read it.


CASES = [
    *(Case(f"text: {name}", of_text(text)) for name, text in BAD_TEXTS.items()),
    *(Case(f"file: {name}", of_file(text)) for name, text in BAD_TEXTS.items()),
    Case("wrong passphrase", wrong_passphrase),
    Case("passphrase that others may read", short_passphrase_in_a_file),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_error_carries_the_secret_nor_do_the_frames_it_came_through(case: Case, tmp_path: Path) -> None:
    with pytest.raises(Exception) as caught:  # Whatever it is, it carries nothing.
        case.fail(tmp_path)

    assert type(caught.value).__module__.startswith("bmv.")
    assert not leaks(told(caught.value))


def test_no_file_but_the_key_holds_it_and_that_one_encrypted(tmp_path: Path) -> None:
    write_new(tmp_path / "hot.json", seal(LocalKey.from_seed(SEED), Secret(PASSPHRASE.encode()), COST_MIN))
    asyncio.run(load(tmp_path / "hot.json", lambda: Secret(PASSPHRASE.encode())).sign(b"message"))
    describe(tmp_path / "hot.json")
    read_sealed(Secret((tmp_path / "hot.json").read_bytes()))

    assert [path.name for path in tmp_path.rglob("*")] == ["hot.json"]
    assert not leaks((tmp_path / "hot.json").read_bytes())


BMV = [sys.executable, "-m", "bmv.adapters.cli"]


@pytest.mark.parametrize(
    ("words", "given", "code"),
    [
        (["new", "hot"], "", 0),
        (["import", "hot"], str(KEYPAIR), 0),
        (["import", "hot"], json.dumps(list(bytes(KEYPAIR))), 0),
        (["import", "hot"], WORDS, 0),
        (["import", "hot"], str(KEYPAIR)[:-3], 4),
        (["import", "hot", str(KEYPAIR)], "", 2),
        (["import", "hot", *WORDS.split()], "", 2),
        (["import", str(KEYPAIR)], "", 2),
        (["import", "hot", "--path", WORDS], WORDS, 2),
        (["show", str(KEYPAIR)], "", 2),
        (["new", "hot", PASSPHRASE], "", 2),
        (["import", "hot", "--expect", "x"], str(KEYPAIR), 4),
        (["list"], "", 0),
    ],
)
def test_the_command_prints_no_secret_however_it_is_called(
    tmp_path: Path, words: list[str], given: str, code: int
) -> None:
    env = {
        "BMV_WALLETS": str(tmp_path / "w"),
        "BMV_WALLET_PASSPHRASE": PASSPHRASE,
        "PATH": "/usr/bin",
        "HOME": str(tmp_path),
    }

    done = subprocess.run(
        [*BMV, "wallet", *words],
        input=given,
        capture_output=True,
        text=True,
        env={**env, "BMV_DEBUG": "1"},
        check=False,
    )

    assert done.returncode == code, done.stderr
    assert not leaks(done.stdout + done.stderr)
    assert not any(leaks(path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())
