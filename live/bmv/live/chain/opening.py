"""How every command of `bmv chain` begins: a configuration is read, our seat found, and, to act, the key opened."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import click

from bmv.adapters.config import load
from bmv.adapters.solana.rpc import Rpc, make_client
from bmv.adapters.solana.sending.courier import Courier
from bmv.adapters.solana.wallet import keyfile
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.adapters.solana.wallet.passphrase import read_passphrase
from bmv.adapters.solana.wallet.remote import RemoteSigner
from bmv.live.chain.hands import Hands
from bmv.live.chain.seated import Seated, take_seat, wallet_of
from bmv.ports.errors import BmvError, UsageError
from bmv.ports.signer import Signer

PATIENCE_S = 10.0  # With endpoints that refuse or lag.

T = TypeVar("T")


def at_our_seat(
    path: Path,
    sets: tuple[str, ...],
    job: Callable[[Seated], Awaitable[T]],
    *,
    patience_s: float = PATIENCE_S,
    stubborn: bool = False,
) -> T:
    """Find our seat by a configuration, and do something there."""
    config = load(path, sets)

    async def run() -> T:
        async with make_client() as client:
            return await job(await take_seat(path, config, client, patience_s, stubborn=stubborn))

    return asyncio.run(run())


def open_key(path: Path, passphrase_file: Path | None, named: str = "live.wallet") -> LocalKey | RemoteSigner:
    """Return the key of a file.

    Args:
        named: What names the file, for an error to say.
    """
    try:
        return keyfile.load(path, lambda: read_passphrase(passphrase_file, os.environ))
    except UsageError:
        raise
    except BmvError as error:
        raise type(error)(f"{named}: {error}") from None


@asynccontextmanager
async def hands_of(
    seated: Seated, passphrase_file: Path | None, say: Callable[[str], None], *, stubborn: bool = False
) -> AsyncIterator[Hands]:
    """Open the key, and what sends; both are gone at the end."""
    key = open_key(wallet_of(seated.config), passphrase_file)
    async with hands_with(seated, key, say, stubborn=stubborn) as hands:
        yield hands


@asynccontextmanager
async def hands_with(
    seated: Seated, key: Signer, say: Callable[[str], None], *, stubborn: bool = False
) -> AsyncIterator[Hands]:
    """Open what sends, for a key that is open."""
    readers = seated.readers
    courier = Courier(readers.endpoints, Rpc(readers.client, readers.endpoints.readers[0].url))
    hands = Hands(seated, key, courier, say, least_lamports=await seated.rent(0), stubborn=stubborn)
    try:
        async with courier.open():
            yield hands
    except (asyncio.CancelledError, KeyboardInterrupt):
        if hands.alive:
            say(f"broken off: {len(hands.alive)} transactions may still land; run it again to know")
        raise


def confirm(question: str, yes: bool) -> bool:
    """Ask whoever sits at the terminal; `UsageError` where there is nobody to ask and no `--yes`."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at; give --yes to do it without asking (nothing was sent)")
    return click.confirm(question, err=True)
