"""The folder of wallets: where they lie, and which there are."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_data_path

from bmv.adapters.solana.wallet.keyfile import Described, describe
from bmv.data.files.user_folders import make_private
from bmv.ports.errors import BmvError, UsageError

FOLDER = "BMV_WALLETS"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


class Wallet(NamedTuple):
    """A wallet as a list shows it.

    Args:
        seen: Form and public key; None: the file can't be used, and `trouble` says why.
    """

    name: str
    path: Path
    seen: Described | None
    trouble: str = ""


def wallets_path() -> Path:
    """Return the folder of wallets; `BMV_WALLETS` names another one."""
    named = os.environ.get(FOLDER)
    return Path(os.path.expanduser(named)) if named else user_data_path("bmv") / "wallets"


def path_of(name: str) -> Path:
    """Return the file of a wallet by its name; a word that is no name is not repeated: it may be a key."""
    if not NAME.fullmatch(name):
        raise UsageError("NAME: expected up to 32 letters, digits, - and _, found another word (which is not shown)")
    return wallets_path() / f"{name}.json"


def make_folder() -> Path:
    """Make the folder, for this user alone, unless it is there."""
    folder = wallets_path()
    try:
        make_private(folder)
    except OSError as error:
        raise UsageError(f"{folder}: can't be made: {error.strerror}; {FOLDER} names another folder") from None
    return folder


def list_wallets() -> Iterator[Wallet]:
    """Yield every wallet by name, those that can't be used too."""
    for path in sorted(wallets_path().glob("*.json")):
        try:
            yield Wallet(path.stem, path, describe(path))
        except BmvError as error:
            yield Wallet(path.stem, path, None, str(error))
