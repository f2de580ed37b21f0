"""Folders of this user, in which something is kept between runs; where they can't be used, a private one.

Code that others could have written is not run: a folder for code, and each one above it, must belong to this user or to
root, and nobody else may write to it. Where such a folder lies in one that everybody writes to, as `/tmp`, the sticky
bit keeps others from renaming it.
"""

import errno
import os
import pwd
import stat
import sys
import tempfile
from collections.abc import Iterator
from grp import getgrgid
from pathlib import Path

from platformdirs import user_cache_path, user_data_path, user_state_path

LINKS_MAX = 40  # As Linux has it.
CACHE_DIR, TRIALS, RUNTIME_DIR = "BMV_CACHE_DIR", "BMV_TRIALS", "BMV_RUNTIME_DIR"

said = set[str]()  # Lines that this process has printed.


def cache_path() -> Path:
    """Return the folder of what can be made again; `BMV_CACHE_DIR` names another one."""
    named = os.environ.get(CACHE_DIR)
    return Path(os.path.expanduser(named)) if named else user_cache_path("bmv")


def trials_path() -> Path:
    """Return where the register of trials lies; `BMV_TRIALS` names another file."""
    named = os.environ.get(TRIALS)
    return Path(os.path.expanduser(named)) if named else user_data_path("bmv") / "trials.sqlite"


def runtime_paths() -> list[Path]:
    """Return the folders in which sockets of running processes may lie, best first; `BMV_RUNTIME_DIR` names one.

    A login has a runtime folder; a job of cron, or of `sudo`, often is not told of it, and must find the same one.
    """
    if named := os.environ.get(RUNTIME_DIR):
        return [Path(os.path.expanduser(named))]
    login = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
    state = user_state_path("bmv") / "run"
    return [login / "bmv", state] if login.is_absolute() and login.is_dir() else [state]


def notice(line: str) -> None:
    """Print a line for whoever started this process, once."""
    if line not in said:
        said.add(line)
        print(line, file=sys.stderr)


def folder_for_code(name: str) -> Path | None:
    """Return the folder `name` of the cache; where that can't be used, say so, and return a private one, or None."""
    own = cache_path() / name
    why = unusable(own)
    if not why:
        return own
    private = private_folder(name)
    notice(moved(own, why, private, CACHE_DIR))
    return private


def moved(own: Path, why: str, private: Path | None, variable: str) -> str:
    """Return the line that says where something is kept, and which variable mends it.

    >>> moved(Path("/home/me/x"), "no such disk", Path("/spare/bmv-7/x"), "BMV_CACHE_DIR")
    'note: /home/me/x is not used (no such disk), /spare/bmv-7/x is; BMV_CACHE_DIR names another place'
    """
    instead = f"{private} is" if private else "and nothing else could be: it is kept in memory, for this run"
    return f"note: {own} is not used ({why}), {instead}; {variable} names another place"


def private_folder(name: str = "", *, make: bool = True) -> Path | None:
    """Return a folder that is this user's alone, below that of temporary files; None where there is or can be none."""
    try:
        folder = Path(tempfile.gettempdir()) / f"bmv-{os.geteuid()}" / name
    except OSError:  # There is no folder for temporary files.
        return None
    return None if not (make or folder.is_dir()) or unusable(folder) else folder


def unusable(folder: Path) -> str:
    """Return why code can't be kept in `folder`, which is made if it is not there; empty where it can."""
    if str(folder).startswith("~"):
        return "no home folder is known"
    if why := danger(folder):
        return why
    try:
        make_private(folder)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        return str(error.strerror)
    return danger(folder)


def make_private(folder: Path) -> None:
    """Make a folder and those above it; what is made is this user's alone."""
    for each in (*reversed(folder.parents), folder):
        if not os.path.lexists(each):
            each.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def danger(path: Path) -> str:
    """Return why others could put something at `path`; empty where they can't. What is not there yet is no danger.

    We go as the system does, step by step and link by link: whoever may write to a folder that holds a link in the
    middle of the way can lead it elsewhere.
    """
    here, ahead, links = Path("/"), [*reversed(path.absolute().parts)], 0  # What lies ahead, the next of it last.
    while ahead:
        name = ahead.pop()
        if name == "..":
            here = here.parent
            continue
        step = here / name
        if why := _risk(step, above=True):
            return why
        if not os.path.islink(step):
            here = step
            continue
        links += 1
        if links > LINKS_MAX:
            return f"{path} leads through more than {LINKS_MAX} links"
        ahead += reversed(Path(os.readlink(step)).parts)  # One that is absolute begins with "/", where we go on.
    return _risk(here, above=False)


def danger_below(folder: Path) -> str:
    """Return why others could have changed something in `folder`; empty where they can't."""
    return danger(folder) or next(filter(None, (_risk(each, above=False) for each in _tree(folder))), "")


def _tree(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent) / name for name in (*folders, *files))


def _risk(path: Path, *, above: bool) -> str:
    """Return why `path` is at the mercy of others.

    Args:
        above: Whether it is a folder above the one in question: then others may write beside that one if the sticky bit
            is set, and a group that has this user alone, as many systems give to each, is not others.
    """
    try:
        state = path.lstat()
    except OSError:
        return ""
    if state.st_uid not in (0, os.geteuid()):
        return f"{path} belongs to {_user(state.st_uid)}"
    if stat.S_ISLNK(state.st_mode) or not state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return ""
    if above and (state.st_mode & stat.S_ISVTX or (not state.st_mode & stat.S_IWOTH and _is_alone(state.st_gid))):
        return ""
    return f"{path} may be written by others, its mode is {stat.S_IMODE(state.st_mode):o}"


def _user(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"


def _is_alone(gid: int) -> bool:
    """Tell whether nobody else than this user is in a group; nobody is alone in root's."""
    if gid == 0:
        return False
    try:
        mine = pwd.getpwuid(os.geteuid()).pw_name
        members = {*getgrgid(gid).gr_mem, *(each.pw_name for each in pwd.getpwall() if each.pw_gid == gid)}
    except KeyError:
        return False
    return members <= {mine}
