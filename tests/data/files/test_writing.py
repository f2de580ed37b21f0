"""Files and folders that are whole or not there: a writer is killed at each of its steps, and its disk filled up."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bmv.data.files.writing import DRAFT, move_in, whole_file, whole_folder, whole_part

NAMES = ("manifest", "best", "table", "summary")

# Writes a place again and again, in processes that are killed at the first, second, third… call to the system that
# Python's audit hooks hear of; after each it prints what is there. The last one is not killed.
EACH_STEP = """
import json, os, shutil, signal, sys
from pathlib import Path
from bmv.data.files.writing import DRAFT, whole_file, whole_folder, whole_part

kind, folder, names = sys.argv[1], Path(sys.argv[2]), sys.argv[3].split(",")
place, steps = folder / "place", ("os.", "open", "shutil.", "tempfile.", "fcntl.", "ctypes.")

def fill(folder, text):
    for name in names:
        if name == "best":
            (folder / name).mkdir()
            (folder / name / "a").write_text(text)
        elif (name, text) != ("table", "new"):  # The new one has fewer files.
            (folder / name).write_text(text)

def write():
    if kind == "file":
        with whole_file(place) as path:
            path.write_text("new")
        return
    with (whole_part if kind == "part" else whole_folder)(place, names) as draft:
        fill(draft, "new")

def there():
    if not place.exists():
        return None
    if place.is_file():
        return place.read_text()
    return {path.relative_to(place).as_posix(): path.read_text() for path in sorted(place.rglob("*"))
            if path.is_file() and DRAFT not in str(path)}

for step in range(1, 1000):
    shutil.rmtree(place, ignore_errors=True)
    place.unlink(missing_ok=True) if place.is_file() else None
    if kind == "file":
        place.write_text("old")
    elif kind != "absent":
        place.mkdir()
        fill(place, "old")
        (place / "notes").write_text("mine")
        (place / "more").mkdir()
        (place / "more" / "notes").write_text("mine")
    child = os.fork()
    if not child:
        left = step
        def hear(event, _):
            global left
            if event.startswith(steps):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hear)
        write()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(json.dumps(there()))
    if status == 0:
        break
    assert os.WIFSIGNALED(status), status
# What the killed ones left is gone with the last one.
assert not [path for path in folder.rglob("*") if DRAFT in str(path)], list(folder.rglob("*"))
"""

MINE = {"notes": "mine", "more/notes": "mine"}
OLD = {"manifest": "old", "best/a": "old", "table": "old", "summary": "old"}
NEW = {"manifest": "new", "best/a": "new", "summary": "new"}


def after_each_step(kind: str, folder: Path) -> list[object]:
    """Return what was there after a kill at each step, and at the end."""
    import json

    words = [sys.executable, "-c", EACH_STEP, kind, str(folder), ",".join(NAMES)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) > 5, "it was never killed"
    return found


def test_killed_at_any_step_a_file_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    found = after_each_step("file", tmp_path)

    assert all(each in ("old", "new") for each in found)
    assert found[0] == "old"
    assert found[-1] == "new"


def test_killed_at_any_step_a_folder_is_not_there_or_whole(tmp_path: Path) -> None:
    found = after_each_step("absent", tmp_path)

    assert all(each in (None, NEW) for each in found)
    assert found[0] is None
    assert found[-1] == NEW


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no two folders can be exchanged")
def test_killed_at_any_step_a_folder_is_the_old_one_or_the_new_one_and_what_else_is_in_it_stays(tmp_path: Path) -> None:
    found = after_each_step("folder", tmp_path)

    assert all(each in (OLD | MINE, NEW | MINE) for each in found)
    assert found[0] == OLD | MINE
    assert found[-1] == NEW | MINE


def test_killed_at_any_step_the_last_name_stands_beside_files_of_its_own_time_alone(tmp_path: Path) -> None:
    found = after_each_step("part", tmp_path)

    whole = [each for each in found if isinstance(each, dict) and "summary" in each]
    assert all(each in (OLD | MINE, NEW | MINE) for each in whole)
    assert len(whole) < len(found), "it was never killed between its first name and its last"
    assert found[-1] == NEW | MINE


def test_what_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")

    def fail(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("on the way")

    for place in ("file", "other"):
        with pytest.raises(RuntimeError, match="on the way"), whole_file(tmp_path / place) as path:
            fail(path)
    with pytest.raises(RuntimeError, match="on the way"), whole_folder(tmp_path / "folder", NAMES) as draft:
        fail(draft / "manifest")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_a_draft_that_is_written_to_is_left_alone_by_other_writers(tmp_path: Path) -> None:
    left = tmp_path / f"{DRAFT}left"
    left.mkdir()

    with whole_file(tmp_path / "one") as one:
        one.write_text("1")
        with whole_file(tmp_path / "two") as two:
            two.write_text("2")

    assert not left.exists()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"one": "1", "two": "2"}


def test_who_may_read_a_file_stays_as_it_was(tmp_path: Path) -> None:
    file, secret = tmp_path / "file", tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o640)
    secret.write_text("old")

    for path, mode in ((file, None), (secret, 0o600)):
        with whole_file(path, mode) as half_done:
            half_done.write_text("new")

    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, secret)] == [0o640, 0o600]


def test_a_link_stays_and_what_it_names_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "summary").write_text("old")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "name").symlink_to("real/text")

    with whole_folder(tmp_path / "link", ("summary",)) as draft:
        (draft / "summary").write_text("new")
    with whole_file(tmp_path / "name") as path:
        path.write_text("text")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "name").is_symlink()
    assert (tmp_path / "real" / "summary").read_text() == "new"
    assert (tmp_path / "real" / "text").read_text() == "text"


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    for place in (pipe, Path("/dev/null")):
        with whole_file(place) as path:
            path.write_text("x")

    assert os.read(reader, 9) == b"x"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own, of 64 KB."""
    folder = Path(tempfile.mkdtemp(prefix="bmv-small-"))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("no small file system can be mounted here: that takes root, and leave to mount")
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


def test_a_folder_that_is_a_disk_of_its_own_is_written_in_place(small_disk: Path) -> None:
    (small_disk / "notes").write_text("mine")

    for text in ("old", "new"):
        with whole_folder(small_disk, NAMES) as draft:
            for name in NAMES:
                (draft / name).write_text(text)

    assert {path.name: path.read_text() for path in small_disk.iterdir()} == dict.fromkeys(NAMES, "new") | {
        "notes": "mine"
    }


def test_a_full_disk_leaves_what_was_there(small_disk: Path) -> None:
    place = small_disk / "place"
    for name in ("old", "new"):
        with whole_folder(place, NAMES) as draft:
            (draft / "summary").write_text(name * 4_000)
            if name == "new":
                with pytest.raises(OSError, match="No space left"):
                    (draft / "table").write_text("x" * 100_000)
                (draft / "table").unlink()
    with pytest.raises(OSError, match="No space left"), whole_file(place / "summary") as path:
        path.write_text("x" * 100_000)
    with pytest.raises(OSError, match="No space left"), whole_folder(place, NAMES) as draft:
        (draft / "table").write_text("x" * 100_000)

    assert (place / "summary").read_text() == "new" * 4_000
    assert [path.name for path in small_disk.iterdir()] == ["place"]


def test_a_name_that_is_not_written_any_more_is_removed(tmp_path: Path) -> None:
    for old in ("one", "other"):
        (tmp_path / old).mkdir()
        for name in NAMES:
            (tmp_path / old / name).write_text("old")

    with whole_folder(tmp_path / "one", NAMES) as draft:
        (draft / "summary").write_text("new")
    with whole_part(tmp_path / "other", NAMES[1:]) as draft:
        (draft / "summary").write_text("new")

    assert [path.name for path in (tmp_path / "one").iterdir()] == ["summary"]
    assert sorted(path.name for path in (tmp_path / "other").iterdir()) == ["manifest", "summary"]


def test_what_is_moved_in_replaces_a_folder_too(tmp_path: Path) -> None:
    for name in ("draft/new/best", "place/best"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "place/best/stale").write_text("old")
    (tmp_path / "draft/new/best/fresh").write_text("new")

    move_in(tmp_path / "draft/new", tmp_path / "place", ("best", "summary"))

    assert [path.name for path in (tmp_path / "place/best").iterdir()] == ["fresh"]
