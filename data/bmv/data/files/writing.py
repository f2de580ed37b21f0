"""Files and folders that are whole or not there, whatever is killed and however full the disk is.

Each is written in a *draft*, a hidden folder on the same file system, synced, and takes its place in one step. Whoever
writes holds a lock on the draft; a draft that nobody holds was left by a killed writer, and the next one removes it.
"""

import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

DRAFT = ".bmv-draft-"
HELD = (errno.EWOULDBLOCK, errno.EACCES)  # What a lock that another process has is refused with.
# A folder that can't be exchanged as a whole: a mount, a file system that knows no exchange, a parent of others.
FIXED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES)
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fs.h


@contextmanager
def whole_file(path: Path, mode: int | None = None) -> Iterator[Path]:
    """Give the path of a file to be written, which takes the place of `path` when the block ends without an error.

    Folders above `path` are made. What is no file, such as `/dev/stdout` or a pipe, is written to as it is.

    Args:
        mode: Who may do what with it; None: as with the file that it replaces, or as is usual.
    """
    if _is_stream(path):
        yield path
        return
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    with _draft(target.parent) as draft:
        half_done = draft / target.name
        yield half_done
        if mode is not None:
            half_done.chmod(mode)
        elif target.exists():
            shutil.copymode(target, half_done)
        sync(half_done)
        half_done.replace(target)
        sync_folder(target.parent)


@contextmanager
def whole_folder(path: Path, names: Sequence[str]) -> Iterator[Path]:
    """Give an empty folder to be filled, which takes the place of `path` when the block ends without an error.

    A folder that is there is exchanged for the new one in one step; whatever it holds beside `names` is carried over.
    Where nothing can be exchanged (`FIXED`), its files are replaced one by one as :func:`move_in` does.

    Args:
        path: The folder; those above it are made.
        names: What may be written, in order: a folder without the last of them is not whole.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    inside = _must_stay(target)
    with _draft(target if inside else target.parent) as draft:
        new = draft / (target.name or "new")
        new.mkdir()
        yield new
        if target.is_dir():
            shutil.copymode(target, new)
        sync_tree(new)
        if inside or not _take_place(new, target, names):
            move_in(new, target, names)


@contextmanager
def whole_part(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Give an empty folder for `names`, which :func:`move_in` brings into `folder` when the block ends well."""
    with _draft(folder) as draft:
        new = draft / "new"
        new.mkdir()
        yield new
        sync_tree(new)
        move_in(new, folder, names)


def move_in(new: Path, folder: Path, names: Sequence[str]) -> None:
    """Replace `names` in `folder` by those in `new`, one by one; what `new` lacks of them is removed.

    The last name is taken away first and comes back last: at no moment does it stand beside files of another time.
    """
    (folder / names[-1]).unlink(missing_ok=True)
    sync_folder(folder)
    for name in names:
        if name == names[-1]:
            sync_folder(folder)
        old = folder / name
        if os.path.lexists(old) and (not (new / name).exists() or old.is_dir()):
            old.rename(new.parent / f"old-{name}")
        if (new / name).exists():
            (new / name).rename(old)
    sync_folder(folder)


def sync_tree(folder: Path) -> None:
    """Put everything in `folder` on the disk."""
    for parent, _, files in os.walk(folder):
        for name in files:
            sync(Path(parent) / name)
        sync_folder(Path(parent))


def is_draft(path: Path) -> bool:
    """Tell whether a path is a draft, which is nobody's result."""
    return path.name.startswith(DRAFT)


def remove_drafts(folder: Path) -> None:
    """Remove what killed writers left in `folder`; drafts that are written to stay."""
    for left in folder.glob(f"{DRAFT}*"):
        with suppress(OSError):
            handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(handle)


@contextmanager
def _draft(parent: Path) -> Iterator[Path]:
    """Give a folder in `parent` that is gone afterwards."""
    remove_drafts(parent)
    draft, lock = _made(parent)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        os.close(lock)


def _made(parent: Path) -> tuple[Path, int]:
    """Return a new draft and the handle that holds its lock."""
    while True:  # Until no other writer took it for a left one before it was locked.
        draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=parent))
        try:
            lock = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in HELD:
                os.close(lock)
                continue
            # A file system without locks: nobody can take this draft for a left one either.
        if draft.exists():
            return draft, lock
        os.close(lock)


def _must_stay(target: Path) -> bool:
    """Tell whether a folder can't be renamed, as far as that can be seen: a mount, or one in a folder of others."""
    return target.is_dir() and (os.path.ismount(target) or not os.access(target.parent, os.W_OK | os.X_OK))


def _take_place(new: Path, target: Path, names: Container[str]) -> bool:
    """Let `new` take the place of `target` in one step; tell whether that could be done."""
    try:
        try:
            new.rename(target)  # Of one that is not there, or empty.
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            _carry(target, new, names)
            _exchange(new, target)
    except OSError as error:
        if error.errno not in FIXED or not target.is_dir():
            raise
        return False
    sync_folder(target.parent)
    return True


def _carry(old: Path, new: Path, names: Container[str]) -> None:
    """Let whatever else lies in `old` lie in `new` as well, as the same file where the file system can."""
    for entry in old.iterdir():
        if entry.name in names or is_draft(entry):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(entry, new / entry.name, symlinks=True, copy_function=_link, dirs_exist_ok=True)
        else:
            _link(str(entry), str(new / entry.name))


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
    return target


def _exchange(one: Path, other: Path) -> None:
    """Exchange two folders in one step; Python has no call for it."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if call(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(other))


def _is_stream(path: Path) -> bool:
    """Tell whether `path` is where bytes go to, and no file of a folder."""
    spelling = os.path.abspath(path)
    special = spelling.startswith(("/dev/", "/proc/")) and not spelling.startswith("/dev/shm/")
    return path.exists() and (special or not (path.is_file() or path.is_dir()))


def sync(path: Path) -> None:
    """Put the bytes of a file on the disk; what the system could not write, for want of room say, is raised here."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make a new name in `folder` last through a loss of power, where the system can."""
    if os.name == "posix":
        sync(folder)
