"""What a journal in a SQLite file is like, beyond what every store owes."""

import asyncio
import re
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmv.adapters.cli.main import main
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.ports.errors import ConfigError, DataError, StorageError
from bmv.ports.messages import Event
from bmv.ports.storage import Head, SessionStore

DEMO = Path(__file__).parents[3] / "docs" / "examples" / "demo.toml"
WRITER = """
import asyncio, sys
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.ports.messages import Event

async def write():
    store = SqliteSessions(sys.argv[1])
    words = (await store.head("s")).words
    while True:
        head = await store.append("s", words, [Event(1, n) for n in range(words, words + 7)])
        words = head.words
        print(words, flush=True)

asyncio.run(write())
"""


def events(start: int, stop: int) -> list[Event]:
    return [Event(1, number) for number in range(start, stop)]


def using(path: Path, *acts: Callable[[SessionStore], Awaitable[Any]], **choices: Any) -> list[Any]:
    async def each() -> list[Any]:
        store = SqliteSessions(path, **choices)
        try:
            return [await act(store) for act in acts]
        finally:
            await store.close()

    return asyncio.run(each())


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of 20 words."""
    path = tmp_path / "journal.sqlite"
    using(path, lambda s: s.append("s", 0, events(0, 20)))
    return path


def tampered(path: Path, *statements: str) -> None:
    """Change what the triggers would refuse, as somebody would who may write to the file."""
    with sqlite3.connect(path) as file:
        for (name,) in file.execute("select name from sqlite_schema where type = 'trigger'").fetchall():
            file.execute(f"drop trigger {name}")
        for statement in statements:
            file.execute(statement)
    file.close()


@pytest.mark.parametrize(
    "statement",
    [
        "update journal set body = 'x' where seq = 3",
        "delete from journal where seq = 3",
        "insert or replace into journal select session, 20, body, prev, hash from journal where seq = 3",
        "insert into journal values ('t', 5, 'x', zeroblob(32), zeroblob(32))",
    ],
)
def test_the_file_itself_refuses_a_change(journal: Path, statement: str) -> None:
    file = sqlite3.connect(journal)
    file.execute("pragma foreign_keys = on")

    with pytest.raises(sqlite3.IntegrityError):
        file.execute(statement)

    file.close()

    assert using(journal, lambda s: s.verify("s"))[0].words == 20


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("update journal set body = '[\"e\",1,99]' where seq = 7", "word 7 was changed"),
        ("update journal set hash = zeroblob(32) where seq = 7", "word 7 was changed"),
        ("delete from journal where seq = 7", "after word 6 comes word 8"),
        ("delete from journal where seq >= 18", "18 words are there, expected 20: some were cut off"),
        ("update journal set seq = 100 - seq where seq in (7)", "after word 6 comes word 8"),
        ("update session set words = 21", "20 words are there, expected 21"),
    ],
)
def test_whoever_changes_the_file_is_found_out(journal: Path, statement: str, told: str) -> None:
    tampered(journal, statement)

    with pytest.raises(DataError, match=told):
        using(journal, lambda s: s.verify("s"))


@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
@given(seq=st.integers(0, 19), column=st.sampled_from(["body", "prev", "hash"]), data=st.data())
def test_every_flipped_byte_is_found(tmp_path_factory: Any, seq: int, column: str, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("flip") / "journal.sqlite"
    using(path, lambda s: s.append("s", 0, events(0, 20)))
    with sqlite3.connect(path) as file:
        (value,) = file.execute(f"select cast({column} as blob) from journal where seq = ?", (seq,)).fetchone()
        flipped = bytearray(value)
        flipped[data.draw(st.integers(0, len(value) - 1))] ^= data.draw(st.integers(1, 127))
        file.execute("drop trigger no_update")
        kept = flipped.decode("latin-1") if column == "body" else bytes(flipped)
        file.execute(f"update journal set {column} = ? where seq = ?", (kept, seq))
    file.close()

    with pytest.raises(DataError, match="was changed"):
        using(path, lambda s: s.verify("s"))


def test_what_was_acknowledged_survives_a_kill_and_the_chain_holds(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    acknowledged = 0
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout
            for _ in range(20):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            acknowledged = max([acknowledged, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        kept = using(path, lambda s: s.verify("s"))[0].words
        assert acknowledged <= kept <= acknowledged + 7

    assert acknowledged >= 5 * 20 * 7


def test_a_full_disk_is_told_and_what_is_there_stays_whole(journal: Path) -> None:
    async def fill(store: SessionStore) -> Head:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
        head = await store.head("s")
        told = ""
        try:
            while not told:
                head = await store.append("s", head.words, events(head.words, head.words + 200))
        except StorageError as error:
            told = str(error)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert re.search(r"journal\.sqlite: cannot be written: .*; what was acknowledged is kept", told)
        return head

    head, kept = using(journal, fill, lambda s: s.verify("s"))

    assert head == kept
    assert kept.words > 20
    assert using(journal, lambda s: s.append("s", kept.words, events(0, 1)))[0].words == kept.words + 1


def test_a_file_that_another_process_holds_is_given_up_within_the_deadline(journal: Path) -> None:
    holder = sqlite3.connect(journal, isolation_level=None)
    holder.execute("begin immediate")

    with pytest.raises(StorageError, match="another process writes and does not end"):
        using(journal, lambda s: s.append("s", 20, events(0, 1)), deadline_s=0.2)

    holder.close()


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    text, other, newer = (tmp_path / name for name in ("text", "other.sqlite", "newer.sqlite"))
    text.write_text("Not a database. " * 100)
    with sqlite3.connect(other) as file:
        file.execute("create table a (b)")
    file.close()
    using(newer, lambda s: s.head("s"))
    with sqlite3.connect(newer) as file:
        file.execute("pragma user_version = 9")
    file.close()

    with pytest.raises(DataError, match="not a journal, or a damaged one"):
        using(text, lambda s: s.head("s"))
    with pytest.raises(DataError, match="a SQLite file of another program"):
        using(other, lambda s: s.head("s"))
    with pytest.raises(ConfigError, match="schema 9, expected 2: it was written by a newer bmv"):
        using(newer, lambda s: s.head("s"))
    with pytest.raises(ConfigError, match="is its folder there"):
        using(tmp_path / "nowhere" / "j.sqlite", lambda s: s.head("s"))


def test_bmv_db_makes_counts_and_copies_a_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.toml").write_text(f'{DEMO.read_text("utf-8")}\n[storage]\njournal = "sqlite:live.sqlite"\n')

    assert main(["db", "status", "my.toml"]) == 4
    assert main(["db", "init", "my.toml"]) == 0
    using(Path("live.sqlite"), lambda s: s.append("s", 0, events(0, 20)))
    assert main(["db", "migrate", "my.toml"]) == 0
    assert main(["db", "backup", "copy.sqlite", "my.toml"]) == 0
    assert main(["db", "backup", "copy.sqlite", "my.toml"]) == 2
    assert main(["db", "backup", "copy.sqlite", "my.toml", "--force"]) == 0
    assert main(["db", "status", "my.toml"]) == 0

    out = capsys.readouterr()
    assert "live.sqlite: no such journal; `bmv db init` makes it" in out.err
    assert "words     20" in out.out
    assert using(Path("copy.sqlite"), lambda s: s.verify("s"))[0].words == 20
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.sqlite", "live.sqlite", "my.toml"]
