"""`bmv wallet`: keys that sign, made, imported, listed, shown and exported. None of it ever prints a secret."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bmv.adapters.cli.options import JSON, Local
from bmv.ports.errors import ConfigError, DataError, UsageError

if TYPE_CHECKING:
    from bmv.adapters.solana.balances import Balances
    from bmv.adapters.solana.wallet.folder import Wallet
    from bmv.adapters.solana.wallet.key import LocalKey
    from bmv.adapters.solana.wallet.secret import Secret

PATH = "m/44'/501'/0'/0'"
PASSPHRASE = click.option(
    "--passphrase-file",
    type=Local(),
    metavar="FILE",
    help="Holds the passphrase; else BMV_WALLET_PASSPHRASE, else it is asked for.",
)
ONE_NAME = {"allow_extra_args": True}  # Click would print words too many, and a key may stand there.


@click.group()
def wallet() -> None:
    """Make, import, list, show, export and rotate the keys that sign.

    They lie encrypted in the user's data folder, or where BMV_WALLETS says. A key or a passphrase is never taken from
    the command line, where others on the machine could read it.

    \b
    Examples:
      bmv wallet new hot
      bmv wallet import hot --from ~/.config/solana/id.json
      bmv wallet list
      bmv wallet rotate live.toml --to hot2
    """


@wallet.command(context_settings=ONE_NAME)
@click.argument("name")
@PASSPHRASE
@click.pass_context
def new(ctx: click.Context, name: str, passphrase_file: Path | None) -> None:
    """Make a key, and write it encrypted; nothing is ever overwritten.

    \b
    Example:
      bmv wallet new hot
    """
    from bmv.adapters.solana.wallet.key import LocalKey

    path = _free_path(ctx, name)
    _write(path, LocalKey.new(), passphrase_file)
    click.echo("next: copy that file and its passphrase to a safe place; without both, what the wallet holds is lost")


@wallet.command("import", context_settings=ONE_NAME)
@click.argument("name")
@click.option("--from", "source", metavar="FILE", help="File of the key; - or absent: standard input.")
@click.option(
    "--path", default=PATH, show_default=True, metavar="PATH|none", help="By which a mnemonic's key is derived."
)
@click.option(
    "--expect", metavar="ADDRESS", help="Refuse a key of another address, as of a mnemonic with a wrong word."
)
@PASSPHRASE
@click.pass_context
def import_(
    ctx: click.Context, name: str, source: str | None, path: str, expect: str | None, passphrase_file: Path | None
) -> None:
    """Read a key, and write it encrypted; nothing is ever overwritten.

    It may be an id.json of Solana's tools, base58 of 64 bytes, a seed of 32 bytes as JSON or hexadecimal, or a
    mnemonic. The words of a mnemonic are not checked against a dictionary: compare the address, or say it by --expect.

    \b
    Examples:
      bmv wallet import hot --from ~/.config/solana/id.json
      bmv wallet import hot --from words.txt --expect 8BnEgHoWFysVcuFFX7QztDmzuH8r5ZFvyP3sYwn1XTh6
    """
    from bmv.adapters.solana.wallet.forms import read_key

    target = _free_path(ctx, name)
    derived = None if path == "none" else _checked_path(path)
    key = read_key(_source(source), derived)
    if expect is not None and expect != key.address:
        raise DataError(f"the key's address is {key.address}, not the one that --expect names; nothing was written")
    _write(target, key, passphrase_file)


@wallet.command("list")
@JSON
def list_(as_json: bool) -> None:
    """List the wallets: name, address, form. No passphrase is needed.

    \b
    Example:
      bmv wallet list --json
    """
    from bmv.adapters.solana.wallet.folder import list_wallets, wallets_path

    wallets = list(list_wallets())
    if as_json:
        click.echo(json.dumps([_row(each) for each in wallets]))
        return
    if not wallets:
        click.echo(f"no wallet in {wallets_path()}; bmv wallet new NAME makes one")
    for each in wallets:
        click.echo(
            f"{each.name:16}  {each.seen.public_key}  {each.seen.form}"
            if each.seen
            else f"{each.name:16}  {each.trouble}"
        )


@wallet.command(context_settings=ONE_NAME)
@click.argument("name")
@click.option("--config", type=Local(), metavar="CONFIG", help="Ask the first of its live.endpoints for balances.")
@click.option("--rpc", metavar="URL", help="Ask this endpoint for balances.")
@JSON
@click.pass_context
def show(ctx: click.Context, name: str, config: Path | None, rpc: str | None, as_json: bool) -> None:
    """Show a wallet's address, and what it holds if there is an endpoint to ask. No passphrase is needed.

    \b
    Examples:
      bmv wallet show hot
      bmv wallet show hot --config bmv.toml --json
    """
    from bmv.adapters.solana.wallet.folder import Wallet, path_of
    from bmv.adapters.solana.wallet.keyfile import describe

    _refuse_more(ctx)
    path = path_of(name)
    seen = describe(path)
    endpoint = rpc or (_endpoint(config) if config else None)
    held = asyncio.run(_balances(endpoint, seen.public_key)) if endpoint else None
    if as_json:
        row = {**_row(Wallet(name, path, seen)), "balances": held and held.table()}
        click.echo(json.dumps(row))
        return
    click.echo(f"address   {seen.public_key}\nfile      {path} ({seen.form})")
    if held is not None:
        click.echo("\n".join(held.lines()))


@wallet.command(context_settings=ONE_NAME)
@click.argument("name")
@click.option("--to", "target", type=Local(), required=True, metavar="FILE", help="A file that is not there yet.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@PASSPHRASE
@click.pass_context
def export(ctx: click.Context, name: str, target: Path, yes: bool, passphrase_file: Path | None) -> None:
    """Write a key as Solana's own tools read it: not encrypted, for this user alone.

    Whoever reads that file has all that the wallet holds. To move to another machine, copy the wallet's own file.

    \b
    Example:
      bmv wallet export hot --to hot-id.json
    """
    from bmv.adapters.solana.wallet.folder import path_of
    from bmv.adapters.solana.wallet.key import LocalKey
    from bmv.adapters.solana.wallet.keyfile import describe, load, write_plain
    from bmv.adapters.solana.wallet.passphrase import read_passphrase

    _refuse_more(ctx)
    path = path_of(name)
    address = describe(path).public_key
    if os.path.lexists(target):
        raise UsageError(f"--to: {target} exists, and a key is never written over another; choose another file")
    if not yes and not typed(f"the key of {address} will lie in {target}, not encrypted", name):
        click.echo("nothing was done", err=True)
        ctx.exit(1)
    key = load(path, lambda: read_passphrase(passphrase_file, os.environ))
    if not isinstance(key, LocalKey):
        raise UsageError(f"{name}: lies at {key.backend}, and can't be exported from here")
    write_plain(target, key)
    click.echo(f"wrote {target}\naddress {address}")


def typed(what: str, word: str) -> bool:
    """Say what will happen, and return whether whoever sits at the terminal types a word to go on."""
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at; give --yes to do it without asking (nothing was done)")
    answer: str = click.prompt(f"{what}; type {word} to go on", err=True, default="", show_default=False)
    return answer == word


def _free_path(ctx: click.Context, name: str) -> Path:
    """Return the file of a wallet that is not there yet, before anything is asked of anybody."""
    from bmv.adapters.solana.wallet.folder import path_of

    _refuse_more(ctx)
    path = path_of(name)
    if os.path.lexists(path):
        raise UsageError(f"{path}: exists, and a key is never written over another; choose another name")
    return path


def _refuse_more(ctx: click.Context) -> None:
    if ctx.args:
        raise UsageError(
            "expected one NAME and no more words (they are not shown: if one was a key or a passphrase, others on this "
            "machine may have read it, and it is no longer safe)"
        )


def _checked_path(path: str) -> str:
    if not path.startswith("m/"):
        raise UsageError(f'--path: expected none, or a path such as "{PATH}" (what was found is not shown)')
    return path


def _write(path: Path, key: "LocalKey", passphrase_file: Path | None) -> None:
    from bmv.adapters.solana.wallet.folder import make_folder
    from bmv.adapters.solana.wallet.keyfile import write_new
    from bmv.adapters.solana.wallet.passphrase import read_passphrase
    from bmv.adapters.solana.wallet.sealing import seal

    passphrase = read_passphrase(passphrase_file, os.environ, new=True)
    make_folder()
    write_new(path, seal(key, passphrase))
    click.echo(f"wrote {path}\naddress {key.address}")


def _source(source: str | None) -> "Secret":
    """Return what holds the key: a file that nobody else may read, standard input, or what is typed unseen."""
    from bmv.adapters.solana.wallet.keyfile import BYTES_MAX, read_private
    from bmv.adapters.solana.wallet.passphrase import ask
    from bmv.adapters.solana.wallet.secret import Secret

    if source not in (None, "-"):
        return read_private(Path(source), "key")
    if sys.stdin.isatty():
        return ask("Key (not shown): ")
    try:
        return Secret(sys.stdin.buffer.read(BYTES_MAX))
    except OSError:
        raise UsageError("the key: can't be read from standard input; give --from FILE") from None


def _row(each: "Wallet") -> dict[str, object]:
    seen = each.seen
    row: dict[str, object] = {"name": each.name, "path": str(each.path)}
    if seen is None:
        return {**row, "trouble": each.trouble}
    return {**row, "address": seen.public_key, "form": seen.form}


def _endpoint(config: Path) -> str:
    from bmv.adapters.config import load

    endpoint = next(iter(load(config, ()).live.endpoints), None)
    if endpoint is None:
        raise ConfigError(f"{config}: live.endpoints: expected at least one endpoint, found none; or give --rpc URL")
    return endpoint


async def _balances(endpoint: str, address: str) -> "Balances":
    from solders.pubkey import Pubkey

    from bmv.adapters.solana.balances import read_balances
    from bmv.adapters.solana.rpc import Rpc, make_client

    async with make_client() as client:
        return await read_balances(Rpc(client, endpoint), Pubkey.from_string(address))
