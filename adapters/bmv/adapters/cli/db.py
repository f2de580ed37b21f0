"""`bmv db`: the database of ticks and journals, made, kept up to date, looked at and copied."""

import asyncio
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import click

from bmv.adapters.cli.options import JSON, Journal, Local, overwriting
from bmv.adapters.report.bars import rows_bar
from bmv.adapters.report.tables import say
from bmv.ports.errors import ConfigError, UsageError

ENVIRONMENT = "BMV_POSTGRES"
CONFIG = click.argument("config", required=False, type=Journal(), metavar="[CONFIG|URL]")


class Place(NamedTuple):
    """Where a journal is: the DSN of a database, or the path of a SQLite file, and how that is shown."""

    dsn: str | None
    path: Path | None
    shown: str


@click.group()
def db() -> None:
    """Make, update, fill, look at and copy the database.

    Which one, `[storage] journal` of CONFIG says (postgresql:… or sqlite:…), or such a URL in place of CONFIG, or
    without either the environment variable BMV_POSTGRES. A password is never given on the command line: it comes from
    BMV_POSTGRES, PGPASSWORD or ~/.pgpass.
    """


@db.command()
@CONFIG
@JSON
def init(config: Path | str | None, as_json: bool) -> None:
    """Make the database if it is not there, and its tables.

    \b
    Examples:
      bmv db init my.toml
      BMV_POSTGRES=postgresql://me@localhost/bmv bmv db init
    """
    place = _place(config)
    if place.path:
        from bmv.adapters.sqlite.upkeep import make

        _tell(as_json, {"place": place.shown, "made": make(place.path), "applied": []})
        return
    from bmv.adapters.postgres.migrate import create, migrate

    assert place.dsn
    made = asyncio.run(create(place.dsn))
    applied = [step.name for step in asyncio.run(migrate(place.dsn))]
    _tell(as_json, {"place": place.shown, "made": made, "applied": applied})


@db.command()
@CONFIG
@JSON
def migrate(config: Path | str | None, as_json: bool) -> None:
    """Bring the tables up to date; every step is applied whole or not at all.

    A database that has steps which this program does not know, or one that was edited since, is refused (exit 3).

    \b
    Example:
      bmv db migrate my.toml
    """
    place = _place(config)
    applied = []
    if place.dsn:
        from bmv.adapters.postgres.migrate import migrate

        applied = [step.name for step in asyncio.run(migrate(place.dsn))]
    _tell(as_json, {"place": place.shown, "applied": applied})


@db.command()
@CONFIG
@JSON
def status(config: Path | str | None, as_json: bool) -> None:
    """Tell which steps the tables have and lack, and how much is in them.

    The number of ticks is the server's own estimate, as of its last vacuum.

    \b
    Examples:
      bmv db status my.toml
      bmv db status --json
    """
    place = _place(config)
    if place.path:
        from bmv.adapters.sqlite.upkeep import inventory as count

        _tell(as_json, {"place": place.shown, **count(place.path)})
        return
    from bmv.adapters.postgres.inventory import inventory
    from bmv.adapters.postgres.migrate import status

    assert place.dsn
    found = asyncio.run(status(place.dsn))
    names = {"applied": [step.name for step in found.applied], "pending": [step.name for step in found.pending]}
    _tell(as_json, {"place": place.shown, **names, **({} if found.pending else asyncio.run(inventory(place.dsn)))})


@db.command()
@click.argument("file", type=Local())
@CONFIG
@overwriting("Replace FILE.")
@JSON
def backup(file: Path, config: Path | str | None, overwrite: bool, as_json: bool) -> None:
    """Copy the database into FILE, as it is at this moment; nobody who writes to it waits.

    Of Postgres it is what `pg_restore` reads, made by `pg_dump`, which must be installed; of SQLite it is a SQLite
    file. FILE is there whole or not at all. It may stand before or after CONFIG, which is the one that ends in .toml.

    \b
    Examples:
      bmv db backup bmv.dump my.toml
      bmv db backup bmv.dump --overwrite
    """
    file, config = _out_and_config(file, config)
    place = _place(config)
    if file.exists() and not overwrite:
        raise UsageError(f"{file}: exists; --overwrite replaces it")
    if place.path:
        from bmv.adapters.sqlite.upkeep import backup as copy

        size = copy(place.path, file)
    else:
        from bmv.adapters.postgres.backup import backup as dump

        assert place.dsn
        size = dump(place.dsn, file)
    _tell(as_json, {"place": place.shown, "file": str(file), "bytes": size})


@db.command()
@CONFIG
@click.option("--lake", "root", type=Local(), default="lake", show_default=True, help="The lake.")
@click.option("--venue", required=True, help="A folder of the lake.")
@click.option("--symbol", required=True, help="The market, a folder within that.")
@click.option("--replace", is_flag=True, help="Load days anew whose files have changed since they were loaded.")
@JSON
def load(config: Path | str | None, root: Path, venue: str, symbol: str, replace: bool, as_json: bool) -> None:
    """Copy the ticks that a lake has of a market into the database, for a backtest from there, or for SQL.

    Loading twice changes nothing, and a load that was broken off goes on where it was. The database knows the market as
    VENUE/SYMBOL.

    \b
    Examples:
      bmv db load my.toml --lake lake --venue binance --symbol BTCUSDT
      bmv backtest my.toml --data 'postgresql://me@db/bmv?market=binance/BTCUSDT'
    """
    place = _place(config)
    if place.dsn is None:
        raise ConfigError(f"{place.shown}: SQLite keeps journals, not ticks; expected postgresql://USER@HOST/DATABASE")
    from bmv.adapters.postgres.load import load as copy
    from bmv.data.ticks.lake.lake import Lake

    lake = Lake(root)
    with rows_bar(as_json, lambda: sum(lake.manifest(day).rows for day in lake.days(venue, symbol))) as progress:
        done = asyncio.run(copy(place.dsn, lake, venue, symbol, replace, progress))
    _tell(as_json, {"place": place.shown, **asdict(done)})


def _out_and_config(file: Path, config: Path | str | None) -> tuple[Path, Path | str | None]:
    """Tell the file to write from the configuration, in whichever order they were given."""
    if file.suffix == ".toml" and file.is_file() and isinstance(config, Path) and config.suffix != ".toml":
        file, config = config, file
    if file.suffix == ".toml":
        raise UsageError(
            f"{file}: that is the name of a configuration; expected a file to write, as in "
            f"bmv db backup bmv.dump {file}"
        )
    return file, config


def _place(config: Path | str | None) -> Place:
    """Return where the journal is; `ConfigError` if nobody says."""
    from bmv.adapters.postgres.dsn import checked, masked

    journal = _journal(config)
    scheme, _, rest = journal.partition(":")
    if scheme == "sqlite":
        path = (config.parent if isinstance(config, Path) else Path()) / rest
        return Place(None, path, f"sqlite:{path}")
    return Place(checked(journal), None, masked(journal))


def _journal(config: Path | str | None) -> str:
    if config is None:
        if named := os.environ.get(ENVIRONMENT):
            return named
        raise ConfigError(f"which database? name a configuration, or set {ENVIRONMENT}=postgresql://USER@HOST/DATABASE")
    if isinstance(config, str):
        return config
    from bmv.adapters.config import load

    journal = load(config).storage.journal
    if journal is None:
        raise ConfigError(f"{config}: storage.journal is not set; expected postgresql:… or sqlite:…")
    return journal


def _tell(as_json: bool, told: dict[str, Any]) -> None:  # Any: it becomes JSON.
    if as_json:
        click.echo(json.dumps(told))
        return
    width = max(map(len, told))
    for name, value in told.items():
        say(f"{name.replace('_', ' '):<{width}}  {_shown(value)}", "  ")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:,}" if isinstance(value, int) else "-" if value is None else str(value)
