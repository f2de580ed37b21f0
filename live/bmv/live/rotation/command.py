"""`bmv wallet rotate`: a new key takes the old one's place."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bmv.adapters.cli.options import JSON, SETS, Local
from bmv.adapters.cli.wallet import PASSPHRASE, typed, wallet
from bmv.ports.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from bmv.adapters.config import Config
    from bmv.live.rotation.diary import Change
    from bmv.live.rotation.steps import Keys, Rotation

PATIENCE_S = 60.0
TYPED = 6  # Letters of the address that gets everything.


@wallet.command()
@click.argument("config", type=Local())
@click.option("--to", "new", required=True, metavar="NAME|FILE", help="The new key, as `bmv wallet new` writes it.")
@click.option(
    "--owner",
    metavar="NAME|FILE",
    help="The owner's key, where the configuration's is a delegate's: it names the new one.",
)
@SETS
@click.option("--yes", is_flag=True, help="Do it without asking.")
@PASSPHRASE
@click.option(
    "--new-passphrase-file", type=Local(), metavar="FILE", help="Of the new key; as for the old one if absent."
)
@click.option("--owner-passphrase-file", type=Local(), metavar="FILE", help="Of the owner's key; likewise.")
@JSON
@click.pass_context
def rotate(
    ctx: click.Context,
    config: Path,
    new: str,
    owner: str | None,
    sets: tuple[str, ...],
    yes: bool,
    passphrase_file: Path | None,
    new_passphrase_file: Path | None,
    owner_passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Put a new key in the place of the one that a configuration trades with.

    Stop what trades first. Every order is cancelled, until the finalized chain shows none; the account is settled and
    closed; base, quote, wrapped SOL and all SOL go to the new key; its account is made, and the configuration names it.
    A delegate's key (openbook-v2) is replaced by one transaction of the owner's, and its SOL goes to the new one.

    It may be broken off at any time and run again. What it did is noted in the folder of wallets, in rotations.

    \b
    Examples:
      bmv wallet new hot2
      bmv wallet rotate live.toml --to hot2
      bmv wallet rotate live.toml --to hot2 --owner cold
    """
    from bmv.adapters.config import load

    say: Callable[[str], None] = lambda line: click.echo(line, err=as_json)  # noqa: E731 as of `bmv chain`
    loaded, target = load(config, sets), _file_of(new, "--to")
    change = _change(loaded, target)
    if change.old == change.new:
        _end_of_done(change, as_json)
        return
    keys = _open_keys(loaded, target, owner, (passphrase_file, new_passphrase_file, owner_passphrase_file), say)
    page = asyncio.run(_rotate(config, loaded, keys, change, yes, say))
    if page is None:
        click.echo("nothing was done", err=True)
        ctx.exit(1)
    click.echo(json.dumps(page) if as_json else _words(page, config))


def _file_of(name: str, option: str) -> Path:
    """Return the file of a key that is named, or whose path is given; it has to be there."""
    from bmv.adapters.solana.wallet.folder import path_of

    path = Path(name) if "/" in name or name.endswith(".json") else path_of(name)
    if not path.is_file():
        raise UsageError(f"{option}: there is no key file {path}; `bmv wallet new` makes one")
    return path.resolve()


def _change(config: "Config", target: Path) -> "Change":
    """Return which key takes whose place, by what stands in their files."""
    from bmv.adapters.solana.wallet.keyfile import describe
    from bmv.live.chain.seated import signer_of
    from bmv.live.rotation.diary import Change

    seen = describe(target)
    if seen.form == "plain":
        raise UsageError(f"--to: {target} is not encrypted; `bmv wallet import NAME --from FILE` makes one that is")
    if config.market.address is None:
        raise ConfigError("market.address: missing; expected the market that is traded on")
    return Change(str(signer_of(config)), seen.public_key, config.market.address, str(target))


def _end_of_done(change: "Change", as_json: bool) -> None:
    """End the diary of a rotation whose last step, to name the new key, was done."""
    from bmv.live.rotation.diary import open_diary, unfinished_to

    left = unfinished_to(change.new)
    if left is not None:
        with open_diary(left) as diary:
            diary.done()
    words = f"nothing to do: {change.new} is the key of the configuration already"
    click.echo(
        json.dumps({"old": None if left is None else left.old, "new": change.new, "attempts": []}) if as_json else words
    )


def _open_keys(
    config: "Config",
    target: Path,
    owner: str | None,
    passphrases: tuple[Path | None, Path | None, Path | None],
    say: Callable[[str], None],
) -> "Keys":
    """Open every key before anything moves."""
    from bmv.adapters.config.mandate import owner_of
    from bmv.live.chain.opening import open_key
    from bmv.live.chain.seated import signer_of, wallet_of
    from bmv.live.rotation.steps import Keys

    old_wallet, named = wallet_of(config), owner_of(config)
    delegated = named is not None and named != signer_of(config)
    if delegated != (owner is not None):
        raise UsageError(
            f"--owner: expected the key of {named}, for whom the configuration's key trades"
            if delegated
            else "--owner: the configuration's key is no delegate's; take it out"
        )
    first, second, third = passphrases
    owner_wallet = None if owner is None else _file_of(owner, "--owner")
    say(f"opening {old_wallet}, {target}{'' if owner_wallet is None else f', {owner_wallet}'}")
    old, new = open_key(old_wallet, first), open_key(target, second or first, "--to")
    opened = None if owner_wallet is None else open_key(owner_wallet, third or first, "--owner")
    if opened is not None and opened.address != str(named):
        raise UsageError(f"--owner: is the key of {opened.address}, and {named} is the owner")
    return Keys(old, new, opened, old_wallet, target, owner_wallet)


async def _rotate(
    path: Path, config: "Config", keys: "Keys", change: "Change", yes: bool, say: Callable[[str], None]
) -> dict[str, object] | None:
    """Ask, unless it was asked before, and do it; None: nobody wants it."""
    from bmv.adapters.solana.rpc import make_client
    from bmv.live.rotation.diary import diary_path, open_diary, unfinished
    from bmv.live.rotation.steps import Rotation, check_means

    async with make_client() as client:
        rotation = Rotation(path, config, keys, client, say, PATIENCE_S)
        if unfinished(diary_path(change.old)) is None:
            await check_means(rotation)
        if not yes and not await _confirm(rotation, change):
            return None
        with open_diary(change) as diary:
            await rotation.run(diary)
        return {
            "old": change.old,
            "new": change.new,
            "diary": str(diary.path),
            "by_hand": rotation.by_hand or None,
            "attempts": [outcome.to_json() for outcome in rotation.outcomes],
        }


async def _confirm(rotation: "Rotation", change: "Change") -> bool:
    """Say what will happen, and let the operator type part of the address that gets everything."""
    from bmv.adapters.solana.balances import read_balances

    seated = await rotation.purse_seat()
    held = await seated.readers.ask(lambda rpc: read_balances(rpc, seated.seat.owner))
    rotation.say("\n  ".join([f"{change.old} holds", *held.lines()]))
    what = f"every order is cancelled, and all of this market's coins and the SOL go to {change.new}"
    return typed(what, change.new[:TYPED])


def _words(page: dict[str, object], config: Path) -> str:
    last = page["by_hand"] or f"{config} names it; the file of the old key is kept, for what may still be sent to it"
    return f"done: {page['new']} has taken the place of {page['old']}\n{last}"
