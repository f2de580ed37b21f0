"""Machine code that is damaged, that others could have written, or that can't be kept: said in one line, and gone on."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from numba import types

from bmv.backtest import codecache
from bmv.backtest.codecache import Part, machine_code
from bmv.data.files import user_folders as userfolders


def double(number: int) -> int:
    """Stand for the loop."""
    return 2 * number


def half(number: int) -> int:
    """Stand for the function beside it."""
    return number // 2


PARTS = [Part(double, types.int64(types.int64), {"nogil": True}), Part(half, types.int64(types.int64), {})]
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="takes root, who can give files away")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that `BMV_CACHE_DIR` names; temporary files have one of their own as well."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("BMV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "cache"


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> "Said":
    """What is said on standard error; each line once more than in the tests before."""
    userfolders.said.clear()
    return Said(capsys)


class Said:
    """Lines that were said since they were last asked for."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def lines(self) -> list[str]:
        """Return them."""
        userfolders.said.clear()
        return self._capsys.readouterr().err.splitlines()


def works() -> None:
    """Load or compile, and call."""
    assert [function(7) for function in machine_code(PARTS)] == [14, 3]


def entry() -> Path:
    return codecache.folder()


def private(tmp_path: Path) -> Path:
    return tmp_path / "tmp" / f"bmv-{os.geteuid()}" / "machine-code"


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_compiled_is_kept_for_this_user_alone_and_found_again(cache: Path, said: Said) -> None:
    works()
    kept, times = files(cache), {path: path.stat().st_mtime_ns for path in cache.rglob("*.nb?")}

    works()

    assert len(kept) == 5  # Of each function an index and its code, and the sums.
    assert files(cache) == kept
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.nb?")} == times
    assert all(path.stat().st_mode & 0o077 == 0 for path in (cache, *cache.rglob("*")))
    assert said.lines() == []


def test_a_damaged_cache_is_thrown_away_and_made_again_in_one_line(cache: Path, said: Said) -> None:
    works()
    dice = random.Random(9)
    for name in {Path(name).suffix: name for name in files(entry())}.values():  # Of both functions the same kinds.
        for how in ("cut", "empty", "flipped", "overwritten", "gone", "longer"):
            path = entry() / name
            whole = path.read_bytes()
            at = dice.randrange(1, len(whole))
            damaged = {
                "cut": whole[:at],
                "empty": b"",
                "flipped": whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :],
                "overwritten": whole[:at] + bytes(len(whole) - at),
                "longer": whole + b"x",
            }
            path.write_bytes(damaged.get(how, b""))
            if how == "gone":
                path.unlink()

            works()

            (line,) = said.lines()
            assert "is thrown away and made anew" in line, (name, how)
            works()
            assert said.lines() == [], "it was not made again"


def test_a_cache_of_which_numba_can_read_nothing_is_made_again_though_its_sums_are_right(
    cache: Path, said: Said
) -> None:
    works()
    code = entry() / codecache.CODE
    for path in code.rglob("*.nbc"):
        path.write_bytes(b"no pickle")
    (entry() / codecache.SEAL).write_text(json.dumps(codecache._sums(code)))

    works()

    (line,) = said.lines()
    assert "is thrown away and made anew (UnpicklingError: " in line
    works()
    assert said.lines() == []


@pytest.mark.parametrize("which", ["cache", "cache/machine-code", "entry", "code", "file"])
@pytest.mark.parametrize("how", [0o777, 0o775, 0o1777, "nobody"])
def test_code_that_others_could_have_written_is_not_read(
    which: str, how: int | str, cache: Path, tmp_path: Path, said: Said
) -> None:
    works()
    code = next((entry() / codecache.CODE).iterdir())
    path = {"entry": entry(), "code": code, "file": next(code.glob("*.nbc"))}.get(which, tmp_path / which)
    if isinstance(how, int):
        path.chmod(how)
    elif os.geteuid() == 0:
        os.chown(path, 65_534, 65_534)
    else:
        pytest.skip("takes root, who can give files away")
    trap(entry())

    works()

    lines = said.lines()
    if which == "cache" and (how == 0o1777 or (how == 0o775 and userfolders._is_alone(path.stat().st_gid))):
        assert len(lines) == 1  # Above the folder of code the sticky bit is enough; what is damaged is the trap.
        assert "thrown away" in lines[0]
        return
    (line,) = lines
    assert f"{path} belongs to user " in line if how == "nobody" else f"{path} may be written by others" in line
    if which in ("cache", "cache/machine-code"):
        assert f"{private(tmp_path)} is; BMV_CACHE_DIR names another place" in line
        assert files(private(tmp_path))
        assert (entry() / codecache.CODE).exists()
    else:
        assert not list(entry().rglob("trap"))


def trap(folder: Path) -> None:
    """Let whoever unpickles what lies there be seen."""
    for path in folder.rglob("*.nbi"):
        path.write_bytes(b"cos\nmkdir\n(S'" + bytes(folder / "trap") + b"'\ntR.")


@ROOT_ONLY
def test_a_link_of_another_user_is_not_followed(cache: Path, tmp_path: Path, said: Said) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    cache.symlink_to("elsewhere")
    os.chown(cache, 65_534, 65_534, follow_symlinks=False)

    works()

    (line,) = said.lines()
    assert f"{cache} belongs to user " in line
    assert files(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize("absolute", [True, False])
def test_a_link_on_the_way_that_others_could_lead_elsewhere_is_not_followed(
    absolute: bool, cache: Path, tmp_path: Path, said: Said
) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    (tmp_path / "shared" / "link").symlink_to(tmp_path / "mine" if absolute else "../mine")
    cache.symlink_to(tmp_path / "shared" / "link" if absolute else "shared/link")

    works()

    (line,) = said.lines()
    assert f"{tmp_path / 'shared'} may be written by others" in line
    assert files(tmp_path / "mine") == {}


def test_links_that_only_this_user_can_lead_elsewhere_are_followed(cache: Path, tmp_path: Path, said: Said) -> None:
    (tmp_path / "mine" / "deep").mkdir(mode=0o700, parents=True)
    (tmp_path / "mine" / "up").symlink_to("../mine/./deep")
    cache.symlink_to("mine/up")

    works()

    assert said.lines() == []
    assert files(tmp_path / "mine" / "deep")


def test_links_that_lead_in_a_circle_are_said(cache: Path, tmp_path: Path, said: Said) -> None:
    cache.symlink_to("other")
    (tmp_path / "other").symlink_to("cache")

    works()

    (line,) = said.lines()
    assert f"{cache / 'machine-code'} leads through more than 40 links" in line


@ROOT_ONLY
def test_code_in_a_folder_of_root_is_loaded_by_another_user_and_left_as_it_is(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as name:
        monkeypatch.setenv("BMV_CACHE_DIR", name)
        works()
        kept, where = files(Path(name)), entry()
        for path in (Path(name), *Path(name).rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
            if path.is_relative_to(where) and path != where:  # Numba reads only where it may write.
                os.chown(path, 65_534, 65_534)
        os.seteuid(65_534)
        try:
            readable = os.access(__file__, os.R_OK, effective_ids=True)
            loaded = codecache._load(where, PARTS)
        finally:
            os.seteuid(0)
        if not readable:
            pytest.skip("the tests lie where no other user may read them")

        assert loaded
        assert [function(7) for function in loaded] == [14, 3]
        assert said.lines() == []
        assert files(Path(name)) == kept


def test_a_cache_that_can_not_be_made_is_replaced_by_a_private_one_and_that_by_memory(
    cache: Path, tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("no folder")

    works()
    works()
    first = said.lines()
    shutil.rmtree(tmp_path / "tmp")
    (tmp_path / "tmp").write_text("no folder either")
    works()
    second = said.lines()

    where = f"{cache / 'machine-code'} is not used (Not a directory), "
    assert first == [f"note: {where}{private(tmp_path)} is; BMV_CACHE_DIR names another place"]
    assert second == [
        f"note: {where}and nothing else could be: it is kept in memory, for this run; BMV_CACHE_DIR names another place"
    ]


@ROOT_ONLY
def test_a_private_folder_that_another_user_made_first_is_not_used(cache: Path, tmp_path: Path, said: Said) -> None:
    cache.write_text("no folder")
    private(tmp_path).mkdir(parents=True)
    os.chown(private(tmp_path).parent, 65_534, 65_534)

    works()

    (line,) = said.lines()
    assert "it is kept in memory" in line
    assert files(private(tmp_path)) == {}


def test_without_a_known_home_no_folder_of_that_name_is_made(tmp_path: Path, said: Said) -> None:
    assert userfolders.unusable(Path("~/.cache/bmv")) == "no home folder is known"


def test_a_disk_that_is_full_is_said_and_the_code_is_kept_elsewhere(cache: Path, tmp_path: Path, said: Said) -> None:
    cache.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", cache], capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here: that takes root, and leave to mount")
    try:
        cache.chmod(0o700)
        works()
        lines, times = said.lines(), {path: path.stat().st_mtime_ns for path in private(tmp_path).rglob("*.nb?")}
        works()
        left = files(cache)
    finally:
        subprocess.run(["umount", cache], check=True)

    where = f"{cache / 'machine-code'} is not used (No space left on device), {private(tmp_path)} is"
    assert lines == [f"note: {where}; BMV_CACHE_DIR names another place"]
    assert len(times) == 4
    assert {path: path.stat().st_mtime_ns for path in private(tmp_path).rglob("*.nb?")} == times
    assert said.lines() == []
    assert left == {}


def test_those_used_last_are_kept(cache: Path) -> None:
    works()
    for number in range(7):
        (cache / "machine-code" / f"old-{number}").mkdir()
        os.utime(cache / "machine-code" / f"old-{number}", (number, number))
    shutil.rmtree(entry())

    works()

    assert {path.name for path in (cache / "machine-code").iterdir()} == {
        entry().name, *(f"old-{number}" for number in range(3, 7))
    }  # fmt: skip


def test_an_import_of_the_loop_makes_no_folder(tmp_path: Path) -> None:
    environment = os.environ | {"BMV_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path / "home")}

    done = subprocess.run(
        [sys.executable, "-c", "import bmv.backtest.fused, bmv.backtest.api"], env=environment, check=False
    )

    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []
