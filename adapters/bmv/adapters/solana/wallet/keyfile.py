"""The file of a key: read only if nobody else can read it, written whole or not at all, and never over another.

Three forms are read: encrypted (`sealing`), the plain id.json that Solana's own tools write, and one that says behind
which service the key lies (`remote`).
"""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

from bmv.adapters.solana.wallet.forms import read_key
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.adapters.solana.wallet.remote import RemoteKey, RemoteSigner, is_remote, open_remote, read_remote
from bmv.adapters.solana.wallet.sealing import SealedKey, read_sealed, unseal
from bmv.adapters.solana.wallet.secret import Secret
from bmv.data.files.writing import sync_folder
from bmv.ports.errors import BmvError, ConfigError, DataError, UsageError

BYTES_MAX = 65_536
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Described(NamedTuple):
    """What is seen of a key without opening it.

    Args:
        form: "encrypted", "plain" or "remote".
        public_key: In base58. Of an encrypted one it is the file's own word, until it is opened.
    """

    form: str
    public_key: str


def load(path: Path, passphrase: Callable[[], Secret]) -> LocalKey | RemoteSigner:
    """Return the key of a file, or the signer of one that lies elsewhere.

    `ConfigError` or `DataError` names the file and what to do.

    Args:
        passphrase: Asked only if the file is encrypted.
    """
    content = read_private(path, "key")
    try:
        found = _parse(content)
        if isinstance(found, RemoteKey):
            return open_remote(found, lambda file: read_private(file, "secret"))
        return unseal(found, passphrase()) if isinstance(found, SealedKey) else found
    except (ConfigError, DataError) as error:
        kind, wrong = type(error), f"{path}: {error}"
    raise kind(wrong)


def describe(path: Path) -> Described:
    """Return form and public key of a file, without its passphrase; errors as of `load`."""
    content = read_private(path, "key")
    try:
        found = _parse(content)
    except DataError as error:
        wrong = f"{path}: {error}"
    else:
        if isinstance(found, SealedKey | RemoteKey):
            return Described("encrypted" if isinstance(found, SealedKey) else "remote", found.pubkey)
        return Described("plain", found.address)
    raise DataError(wrong)


def read_private(path: Path, what: str) -> Secret:
    """Return what a file holds, if it is this user's and no one else may read it.

    Looked at is the file that was opened, not the name: nothing can be exchanged in between.
    """
    content = _read(path, what)
    if isinstance(content, BmvError):
        raise content
    return content


def _read(path: Path, what: str) -> Secret | BmvError:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return ConfigError(f"{path}: expected the file of a {what}, and it can't be read: {error.strerror}")
    try:
        if why := _danger(path, os.fstat(handle), what):
            return ConfigError(why)
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(BYTES_MAX + 1)
    except OSError as error:
        return ConfigError(f"{path}: can't be read: {error.strerror}")
    finally:
        os.close(handle)
    if len(content) > BYTES_MAX:
        return DataError(f"{path}: is larger than {BYTES_MAX} bytes, and no {what} is")
    return Secret(content)


def _danger(path: Path, state: os.stat_result, what: str) -> str:
    if not stat.S_ISREG(state.st_mode):
        return f"{path}: expected the file of a {what}, found no file"
    if state.st_uid != os.geteuid():
        mend = f"chown {os.geteuid()} {path} and chmod 600 {path}"
        return f"{path}: belongs to user {state.st_uid}, not to the one who runs this; say {mend}"
    if state.st_mode & OTHERS:
        mode = stat.S_IMODE(state.st_mode)
        return f"{path}: others may read or change it, its mode is {mode:04o}; say chmod 600 {path}"
    return ""


def _parse(content: Secret) -> SealedKey | LocalKey | RemoteKey:
    if not content.reveal().lstrip().startswith(b"{"):
        return read_key(content)
    return read_remote(content) if is_remote(content) else read_sealed(content)


def write_new(path: Path, sealed: SealedKey) -> None:
    """Write an encrypted key to a file that is not there yet, for this user alone; `UsageError` if it is."""
    _write_new(path, Secret(sealed.text().encode()))


def write_plain(path: Path, key: LocalKey) -> None:
    """Write a key as Solana's own tools have it, an id.json of 64 numbers that anybody can use who reads it.

    Otherwise as `write_new`.
    """
    _write_new(path, Secret(json.dumps(list(key.reveal())).encode()))


def _write_new(path: Path, content: Secret) -> None:
    if why := _place(path, content):
        raise UsageError(why)


def _place(path: Path, content: Secret) -> str:
    """Write a file that is not there yet; return why it can't be, and raise nothing, see `secret`.

    It is written beside its place, synced, and linked there: a link is never made over what exists.
    """
    half_done = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        _write(half_done, content.reveal())
        try:
            os.link(half_done, path)
        finally:
            half_done.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        return f"{path}: exists, and a key is never written over another"
    except OSError as error:
        return f"{path}: can't be written: {error.strerror}"
    return ""


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
