"""The register of trials: counted once, by any number of processes, whatever is killed."""

import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmv.adapters.sqlite.trials import OwnRegister, Register, Row
from bmv.data.files import user_folders as userfolders
from bmv.data.files.user_folders import trials_path
from bmv.ports.errors import ConfigError, DataError, StorageError

MONDAY, TUESDAY, SUNDAY = "a" * 64, "b" * 64, "c" * 64
WRITER = """
import sys
from bmv.adapters.sqlite.trials import Register

register, first, count = Register(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
for number in range(first, first + count):
    register.add([sys.argv[4]], [(f"set-{number}-{part}", 0.5, "sweep") for part in range(10)])
    print(number, flush=True)
"""


def rows(*names: str, sharpe: float | None = 0.1) -> list[Row]:
    return [(name, sharpe, "sweep") for name in names]


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path / "made" / "on the way" / "trials.sqlite")


def test_a_set_counts_once_however_often_it_is_added(register: Register) -> None:
    for _ in range(3):
        register.add([MONDAY], rows("one", "two", "one"))

    assert register.count([MONDAY]) == 2


def test_nothing_was_ever_tried_on_new_data(register: Register) -> None:
    assert register.count([MONDAY]) == register.count([]) == 0
    assert register.sharpes([MONDAY]).tolist() == []


def test_data_that_shares_a_file_shares_its_trials(register: Register) -> None:
    register.add([MONDAY], rows("one", "two"))
    register.add([TUESDAY, MONDAY], rows("two", "three"))
    register.add([SUNDAY], rows("four"))

    assert register.count([MONDAY]) == 3
    assert register.count([TUESDAY]) == 2
    assert register.count([TUESDAY, SUNDAY]) == 3
    assert register.count([MONDAY, TUESDAY, SUNDAY]) == 4


def test_the_order_of_files_makes_no_other_data(register: Register) -> None:
    register.add([MONDAY, TUESDAY], rows("one", sharpe=0.1))
    register.add([TUESDAY, MONDAY, TUESDAY], rows("one", sharpe=0.2))

    assert register.count([MONDAY]) == 1
    assert register.sharpes([MONDAY]).tolist() == [0.2]


def test_a_ratio_that_is_not_known_forgets_none_that_was(register: Register) -> None:
    register.add([MONDAY], [("one", 0.3, "backtest"), ("two", None, "sweep"), ("three", float("nan"), "sweep")])
    register.add([MONDAY], rows("one", sharpe=None))

    assert register.count([MONDAY]) == 3
    assert register.sharpes([MONDAY]).tolist() == [0.3]


def test_a_set_on_several_data_has_the_ratio_of_the_last(register: Register) -> None:
    register.add([MONDAY], rows("one", sharpe=0.3))
    register.add([MONDAY, TUESDAY], rows("one", sharpe=0.4))

    assert register.sharpes([MONDAY]).tolist() == [0.4]


def test_trials_on_no_data_are_refused(register: Register) -> None:
    with pytest.raises(DataError, match="trials on no data"):
        register.add([], rows("one"))


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=5)


@given(st.lists(st.tuples(st.lists(names, min_size=1, max_size=3), st.lists(names, max_size=4)), max_size=6), names)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_register_counts_as_sets_do(tmp_path: Path, added: list[tuple[list[str], list[str]]], asked: str) -> None:
    register = Register(Path(mkdtemp(dir=tmp_path)) / "trials.sqlite")
    for data, digests in added:
        register.add(data, rows(*digests))

    for data in [asked], *(data for data, _ in added):
        tried = {digest for other, digests in added if set(other) & set(data) for digest in digests}
        assert register.count(data) == len(register.sharpes(data)) == len(tried)


def start(register: Register, first: int, count: int, data: str = MONDAY) -> "subprocess.Popen[str]":
    arguments = [str(register.path), str(first), str(count), data]
    return subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True)


def test_processes_that_add_at_once_lose_nothing_and_count_nothing_twice(register: Register) -> None:
    writers = [start(register, first, 20) for first in (0, 10, 20, 10)]

    ends = [writer.communicate(timeout=120) and writer.returncode for writer in writers]

    assert ends == [0, 0, 0, 0]
    assert register.count([MONDAY]) == 400


def test_what_was_acknowledged_survives_a_kill_and_adding_goes_on(register: Register) -> None:
    dice, acknowledged = random.Random(1), 0
    for _ in range(6):
        writer = start(register, acknowledged, 100_000)
        assert writer.stdout is not None
        for _ in range(dice.randint(1, 8)):
            acknowledged = int(writer.stdout.readline()) + 1
        time.sleep(dice.uniform(0, 0.01))
        writer.send_signal(signal.SIGKILL)
        acknowledged += len(writer.stdout.read().splitlines())
        writer.wait()
        writer.stdout.close()

        counted = register.count([MONDAY])
        assert counted % 10 == 0, "half of a batch was kept"
        assert 0 <= counted // 10 - acknowledged <= 1, "a batch on its way may be kept, and no other"
        acknowledged = counted // 10

    register.add([MONDAY], rows("afterwards"))
    assert register.count([MONDAY]) == acknowledged * 10 + 1
    assert sqlite3.connect(register.path).execute("pragma integrity_check").fetchone() == ("ok",)


def test_half_an_addition_is_none(register: Register) -> None:
    register.add([MONDAY], rows("one"))

    def failing() -> "list[Row]":
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        register.add([MONDAY], (row for source in (lambda: rows("two"), failing) for row in source()))

    assert register.count([MONDAY]) == 1


def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "notes.txt", tmp_path / "other.sqlite"
    text.write_text("not a database, but long enough to be looked at as one" * 20)
    with sqlite3.connect(other) as file:
        file.execute("create table mine (a)")
    file.close()
    before = text.read_bytes()

    with pytest.raises(DataError, match=r"notes\.txt: not a register of trials"):
        Register(text).count([MONDAY])
    with pytest.raises(DataError, match=r"other\.sqlite: expected a register of trials"):
        Register(other).add([MONDAY], rows("one"))

    assert text.read_bytes() == before


def test_a_register_of_a_newer_program_is_refused(register: Register) -> None:
    register.add([MONDAY], rows("one"))
    with sqlite3.connect(register.path) as file:
        file.execute("pragma user_version = 2")
    file.close()

    with pytest.raises(ConfigError, match="written by a newer bmv"):
        register.count([MONDAY])


def test_a_place_that_is_no_place_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match=r"trials\.sqlite: its folder cannot be made"):
        Register(tmp_path / "file" / "trials.sqlite").count([MONDAY])
    with pytest.raises(ConfigError, match="cannot be opened as a register of trials"):
        Register(tmp_path).count([MONDAY])


def test_another_process_that_never_ends_is_given_up(register: Register) -> None:
    from bmv.adapters.sqlite.file import transaction
    from bmv.adapters.sqlite.trials import FORM

    with transaction(register.path, FORM), pytest.raises(StorageError, match="another process writes"):  # noqa: SIM117
        with transaction(register.path, FORM, deadline_s=0.1):
            pass


def test_the_environment_moves_the_register(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BMV_TRIALS", str(tmp_path / "mine.sqlite"))
    assert trials_path() == tmp_path / "mine.sqlite"

    monkeypatch.delenv("BMV_TRIALS")
    assert trials_path().name == "trials.sqlite"
    assert "bmv" in trials_path().parts


def test_a_register_says_where_it_lies(register: Register) -> None:
    assert repr(register) == f"<Register {register.path}>"


def test_where_no_register_can_be_written_a_private_one_is_and_a_line_says_so_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("BMV_TRIALS", str(tmp_path / "file" / "trials.sqlite"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    userfolders.said.clear()

    register = OwnRegister()
    register.add([MONDAY], rows("one", "other"))
    count = register.count([MONDAY])

    (private,) = (tmp_path / "tmp").glob("bmv-*/trials.sqlite")
    (line,) = capsys.readouterr().err.splitlines()
    assert count == 2
    assert line == register.note
    assert "trials.sqlite is not used (its folder cannot be made: " in line
    assert line.endswith(f"), {private} is; BMV_TRIALS names another place")


def test_where_no_private_register_can_be_either_the_first_refusal_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("BMV_TRIALS", str(tmp_path / "file" / "trials.sqlite"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))

    with pytest.raises(ConfigError, match=r"file/trials\.sqlite: its folder cannot be made"):
        OwnRegister().add([MONDAY], rows("one"))
