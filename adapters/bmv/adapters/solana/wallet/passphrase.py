"""Where a passphrase comes from: a file, the environment, or whoever sits at the terminal; never the command line."""

import os
from collections.abc import Mapping
from getpass import getpass
from pathlib import Path

from bmv.adapters.solana.wallet.keyfile import read_private
from bmv.adapters.solana.wallet.secret import Secret
from bmv.ports.errors import UsageError

VARIABLE = "BMV_WALLET_PASSPHRASE"
LENGTH_MIN = 8  # Of a new one, in bytes.
TERMINAL = "/dev/tty"


def read_passphrase(file: Path | None, environment: Mapping[str, str], *, new: bool = False) -> Secret:
    """Return the passphrase: of the file if one is named, else of the environment, else as typed.

    Args:
        new: Whether one is being chosen: then it is asked for twice, and may not be short.
    """
    if file is not None:
        found = _line(read_private(file, "passphrase"))
    elif environment.get(VARIABLE):
        found = Secret(environment[VARIABLE].encode())
    else:
        found = _typed(new)
    if new and len(found.reveal()) < LENGTH_MIN:
        raise UsageError(f"passphrase: expected at least {LENGTH_MIN} bytes, found fewer (it is not shown)")
    return found


def _line(content: Secret) -> Secret:
    """Return a file's content without the end of its line."""
    return Secret(content.reveal().removesuffix(b"\n").removesuffix(b"\r"))


def _typed(new: bool) -> Secret:
    if not _has_terminal():
        raise UsageError(f"passphrase: there is no terminal to ask at; give --passphrase-file FILE or {VARIABLE}")
    passphrase = ask("Passphrase: ")
    if new and passphrase.reveal() != ask("The same again: ").reveal():
        raise UsageError("passphrase: the two are not the same")
    return passphrase


def ask(question: str) -> Secret:
    """Return what is typed at the terminal, unseen."""
    return Secret(getpass(question).encode())


def _has_terminal() -> bool:
    try:
        os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
