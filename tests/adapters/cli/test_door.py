"""No secret of a URL comes out of the command, wherever it was given and whatever becomes of it."""

import json
import os
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import click
import pytest

from bmv.adapters.cli.main import main, root
from bmv.adapters.config.masking import Masked, has_password, has_secret, mask_text

CANARY = "Hunter2Canary"
PASSWORDS = [
    "postgresql://me:{}@127.0.0.1:1/bmv",
    "postgresql://me:a@{}:/?#b@127.0.0.1:1/bmv",
    "postgres://me:%2F{}%40@127.0.0.1:1/bmv?market=a/b",
    "postgresql:me:{}@127.0.0.1:1/bmv",
    "postgresql://me@127.0.0.1:1/bmv?market=a/b&password={}",
    "postgresql://me@127.0.0.1:1/bmv?sslpassword=a%26{}",
    "s3://key:{}@bucket/lake",
    "//me:{}@127.0.0.1:1/lake",
    "me:{}@127.0.0.1:1/bmv",
    "me:{}@db.example/bmv?market=a/b",
    "7f%40me:a/{}?#@b@db",
    "host=127.0.0.1 port=1 user=me password={}",
    "host=127.0.0.1 port=1 password = 'a {} b' user=me",
]
TOKENS = [
    "https://127.0.0.1:1/lake?api-key={}",
    "https://{}@127.0.0.1:1/lake",
    "https://127.0.0.1:1/lake?a=b&to%6Ben={}",
]
FILLED = {"venue": "a", "symbol": "A", "first": "2025-09-03"}  # What is required beside the word that is tried.


def leaves(
    command: click.Command, name: str, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command there is, with the words that call it."""
    if not isinstance(command, click.Group):
        yield words, command
        return
    context = click.Context(command, info_name=name)
    for inner in command.list_commands(context):
        found = command.get_command(context, inner)
        assert found is not None
        yield from leaves(found, inner, (*words, inner))


def calls() -> Iterator[tuple[str, ...]]:
    """Yield a call for every argument and option that takes a word, where `{}` stands for that word."""
    for words, command in leaves(root, "bmv"):
        yield (*words, "--no-such-option={}")
        yield (*words, *["{}"] * 9)
        for tried in command.params:
            if not getattr(tried, "is_flag", False):
                yield (
                    *words,
                    *(word for each in command.params for word in _filled(each, "{}" if each is tried else "")),
                )


def _filled(each: click.Parameter, word: str) -> list[str]:
    """Return what a call says of one parameter: the word that is tried, or what it can't do without."""
    if not word and not each.required:
        return []
    word = word or FILLED.get(str(each.name), "config.toml" if each.name == "config" else "nothing")
    if isinstance(each, click.Option) and each.name == "sets":
        return ["--set", f"storage.ticks={word}", "--set", f"{word}=1", "--set", f"grid.bid.levels={word}"]
    return (
        [f"{each.opts[-1]}={word}" if each.opts[-1].startswith("--") else f"{each.opts[-1]}{word}"]
        if isinstance(each, click.Option)
        else [word]
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a good configuration, in which commands run."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("BMV_", "PG"))]:
        monkeypatch.delenv(name)
    assert main(["init", "config.toml", "--maker-fee-bps", "0", "--taker-fee-bps", "4"]) == 0
    return tmp_path


def told(capfd: pytest.CaptureFixture[str], folder: Path) -> str:
    """Return all that came out: both streams, names of files, and what is in them."""
    out, err = capfd.readouterr()
    files = list(folder.rglob("*"))
    return "\n".join(
        [out, err, *map(str, files), *(path.read_bytes().decode("latin-1") for path in files if path.is_file())]
    )


def spelt(form: str) -> str:
    return form.format(CANARY)


def test_every_command_is_tried() -> None:
    tried = {" ".join(words) for words, _ in leaves(root, "bmv")}

    assert {"backtest", "sweep run", "data list", "data import", "db init", "db load", "config show"} <= tried
    assert len(list(calls())) > 3 * len(tried)


def test_no_argument_and_no_option_of_any_command_gives_a_secret_back(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    forms = cycle([*PASSWORDS, *TOKENS])

    for call in calls():
        code = main([word.replace("{}", spelt(next(forms))) for word in call])

        found = told(capfd, here)
        assert CANARY not in found, call
        assert (code, "PGPASSWORD" in found) == (2, True), call


def test_no_argument_and_no_option_of_any_command_gives_a_query_back(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for call in calls():
        if call[:2] == ("data", "download") or "--data={}" in call:  # They would ask the network, again and again.
            continue
        code = main([word.replace("{}", f"https://127.0.0.1:1/lake?session={CANARY}") for word in call])

        out, err = capfd.readouterr()
        assert CANARY not in out + err, call
        assert code != 1 or "a fault of bmv" not in err, call


@pytest.mark.parametrize("form", [*PASSWORDS, *TOKENS])
def test_a_secret_in_any_spelling_is_refused_on_the_command_line(
    here: Path, capfd: pytest.CaptureFixture[str], form: str
) -> None:
    for call in (
        ["db", "init", spelt(form)],
        ["data", "check", spelt(form)],
        ["config", "show", "config.toml", "--set", f"storage.ticks={spelt(form)}"],
    ):
        assert main(call) == 2
        assert CANARY not in told(capfd, here)


@pytest.mark.parametrize("form", [*PASSWORDS, *TOKENS])
def test_neither_environment_nor_file_gives_a_secret_back(
    here: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    form: str,
) -> None:
    monkeypatch.setenv("BMV_DEBUG", "1")
    good, bad_file = (here / "config.toml").read_text(), tmp_path_factory.mktemp("bad") / "config.toml"
    word = json.dumps(spelt(form))
    bad = [
        "[storage]\nticks = {}",
        "[storage]\njournal = {}",
        "[storage]\nodd = {}",
        "{} = 1",
        "[live]\nendpoints = [{}]",
    ]
    for text in bad:
        bad_file.write_text(good.replace('"SOL/USDC"', '"A"') + "\n" + text.format(word))
        for call in (["config", "show"], ["db", "status"]):
            main([*call, str(bad_file)])
            assert CANARY not in told(capfd, here), (call, text)
    for name in (
        "BMV__STORAGE__TICKS",
        "BMV__MARKET__SYMBOL",
        "BMV__GRID__BID__LEVELS",
        "BMV__NO__SUCH",
    ):
        with monkeypatch.context() as environment:
            environment.setenv(name, spelt(form))
            main(["config", "show", "config.toml"])
            assert CANARY not in told(capfd, here), name


def test_a_database_is_named_on_the_command_line_as_in_a_configuration(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "init", "sqlite:kept.db"]) == 0
    assert main(["db", "status", "sqlite:kept.db"]) == 0
    assert main(["db", "status", "postgresql://me@127.0.0.1:1/bmv#half"]) == 3

    assert (here / "kept.db").is_file()
    assert "expected postgresql://USER@HOST:PORT/DATABASE" in capfd.readouterr().err


@pytest.mark.parametrize(
    "call",
    [
        "init {}",
        "show {}",
        "backtest {}",
        "config check {}",
        "data list --lake {}",
        "db load --lake {} --venue a --symbol b",
    ],
)
def test_a_url_in_place_of_a_path_is_told_as_such(here: Path, capfd: pytest.CaptureFixture[str], call: str) -> None:
    code = main(call.replace("{}", "postgresql://me@127.0.0.1:1/bmv").split())

    found = capfd.readouterr().err
    assert code == 2
    assert "URL" in found
    assert "no such file" not in found


@pytest.mark.parametrize("form", [*PASSWORDS, *TOKENS])
@pytest.mark.parametrize(
    "around", ["{}", "no such file: {}, really", "'{}'", '{"place": "{}"}', "--lake={}", "{}\n{} x"]
)
def test_a_secret_within_a_text_is_masked(form: str, around: str) -> None:
    word = spelt(form)

    found = Masked([word])(around.replace("{}", word))

    assert CANARY not in found
    assert Masked([])(found) == found


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8080/status", "postgresql://me@db:5432/bmv?market=a/b", "sqlite:kept.db", "s3://bucket/lake/day.parquet",
        "wrote runs/backtest/x: 3 rows", "C:/ticks/day.parquet", "12:00:01 me@here", "level=3 size=2", "https://docs.example/a#b",
        "sqlite:kept@home.db", "C:\\ticks\\a@b.parquet", "runs/a:b@c", "market.symbol=A:B", "strategies/a.py:quote", "git@host:a/b",
    ],
)  # fmt: skip
def test_what_is_no_secret_is_told_as_it_is(text: str) -> None:
    assert Masked([text])(text) == text == mask_text(text)
    assert not has_password(text)


@pytest.mark.parametrize(
    "text", ["https://h/?token=", "https://h/?api-key=***", "postgresql://me@db/bmv?SSLKEY=/k", "https://h/?token=&a=b"]
)
def test_a_name_of_a_secret_without_one_passes(text: str) -> None:
    assert not has_secret(text)
