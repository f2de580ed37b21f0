"""Where the control socket of a session lies, so that a configuration is enough to find it, and who may hold it.

A process holds a lock beside its socket for as long as it lives; the system frees it, however the process ends. So a
socket that a killed process left is taken over, and one of a process that lives, stopped or not, is not.
"""

import fcntl
import hashlib
import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING

from bmv.data.files.user_folders import RUNTIME_DIR, runtime_paths, unusable
from bmv.ports.errors import ConfigError, Refused

if TYPE_CHECKING:
    from bmv.adapters.config import Config

MODES = ("live", "paper", "shadow")
SYMBOL_MAX = 32  # Characters of a symbol within the name of a file.
SUFFIX = ".sock"
CREDENTIALS = Struct("=iII")  # Process, user and group, as Linux tells them.


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session's socket lies.

    Args:
        folder: Of this user alone.
        name: Of the session, as `--session` takes it.
    """

    folder: Path
    name: str

    @property
    def socket(self) -> Path:
        """The socket."""
        return self.folder / f"{self.name}{SUFFIX}"

    @property
    def lock(self) -> Path:
        """The file whose lock a living process holds; it stays: a lock on a file that is gone holds nobody off."""
        return self.folder / f"{self.name}.lock"


def session_place(path: Path, config: "Config", mode: str) -> Place:
    """Return the place of the session that a configuration means, in the first folder that can be used.

    What trades for real is one by its market and its wallet, whatever journal it writes; what trades on paper by its
    market and its journal. A wallet is known by its path: two copies of one key are held apart by the journal only.

    Args:
        path: Of the configuration: a relative path of a journal is meant from its folder.
        mode: One of `MODES`.

    Raises:
        ConfigError: No folder can be used.
    """
    name, whys = session_name(path, config, mode), list[str]()
    for folder in runtime_paths():
        if not (why := unusable(folder) or _open_to_others(folder)):
            return Place(folder, name)
        whys.append(f"{folder}: {why}")
    raise ConfigError(f"no folder for the control socket: {'; '.join(whys)}; {RUNTIME_DIR} names another")


def session_name(path: Path, config: "Config", mode: str) -> str:
    """Return the name of the session that a configuration means, as :func:`session_place` does: in every process."""
    assert mode in MODES, mode
    market, wallet = config.market, config.live.wallet
    holder = _real(wallet) if mode == "live" else _journal(path, config.storage.journal)
    key = "\0".join((mode, market.venue, market.address or market.symbol, holder))
    symbol = re.sub(r"[^A-Za-z0-9]+", "-", market.symbol).strip("-")[:SYMBOL_MAX]
    return f"{mode}-{market.venue}-{symbol}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _journal(path: Path, journal: str | None) -> str:
    scheme, _, file = (journal or "").partition(":")
    return _real(path.parent / file) if scheme == "sqlite" else journal or ""


def _real(path: str | Path | None) -> str:
    return "" if path is None else os.path.realpath(path)


def _open_to_others(folder: Path) -> str:
    mode = folder.stat().st_mode & 0o777
    return f"expected a folder of this user alone (mode 700), found mode {mode:o}" if mode & 0o077 else ""


def places() -> list[Place]:
    """Return the places of all sockets of this user, whether somebody listens or not."""
    found = list[Place]()
    for folder in runtime_paths():
        with suppress(OSError):
            found += [Place(folder, path.name[: -len(SUFFIX)]) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    return found


def listens(place: Place) -> bool:
    """Tell whether a process listens at a place; one that is stopped does, and will not answer."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            connect(probe, place)
        except BlockingIOError:  # Its queue is full: somebody is there.
            return True
        except OSError:
            return False
    return True


@contextmanager
def hold(place: Place, folders: Sequence[Path] | None = None) -> Iterator[None]:
    """Hold a place for this process until the end of the block.

    Args:
        folders: Where else the same session may have been started; those of this user if absent.

    Raises:
        Refused: A living process holds it.
    """
    for folder in runtime_paths() if folders is None else folders:
        other = Place(folder, place.name)
        if other != place and other.lock.exists():
            with _locked(other):
                pass
    with _locked(place) as file:
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield


@contextmanager
def _locked(place: Place) -> Iterator[int]:
    file = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 20, 0).decode("ascii", "replace").strip() or "that is just starting"
            raise Refused(
                f"session {place.name} already runs, as process {holder}: `bmv stop --session {place.name}` stops it"
            ) from None
        yield file
    finally:
        os.close(file)


def bind(listener: socket.socket, place: Place) -> None:
    """Bind a socket at a place, in the stead of what a killed process left; only this user may connect.

    Whoever binds holds the place.
    """
    place.socket.unlink(missing_ok=True)
    with _short(place) as path:
        listener.bind(path)
    place.socket.chmod(0o600)


def connect(client: socket.socket, place: Place) -> None:
    """Connect a socket to whoever listens at a place."""
    with _short(place) as path:
        client.connect(path)


@contextmanager
def _short(place: Place) -> Iterator[str]:
    """Give a path of the socket that fits into its address, which holds about a hundred bytes."""
    links = Path("/proc/self/fd")
    if not links.is_dir():
        yield str(place.socket)
        return
    folder = os.open(place.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"{links}/{folder}/{place.socket.name}"
    finally:
        os.close(folder)


def peer_uid(connection: socket.socket) -> int | None:
    """Return the user at the other end; None where the system does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    _, uid, _ = CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
    return int(uid)
