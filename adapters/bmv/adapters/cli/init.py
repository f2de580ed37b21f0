"""`bmv init`: a configuration to begin with."""

from pathlib import Path

import click

from bmv.ports.errors import UsageError

NAME = "bmv.toml"


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path(NAME))
@click.option(
    "--data", "tape", type=click.Path(path_type=Path), metavar="TAPE", help="Read symbol, tick and lot size from it."
)
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
def init(path: Path, tape: Path | None, force: bool) -> None:
    """Write a commented starter configuration to PATH, a file or a folder (then PATH/bmv.toml).

    \b
    Examples:
      bmv init
      bmv init sol.toml --data ticks/2025-09-03.parquet
    """
    from bmv.adapters.cli.starter import EXAMPLE, guess, text

    file = path if path.suffix == ".toml" and not path.is_dir() else path / NAME
    if file.exists() and not force:
        raise UsageError(f"{file}: exists; --force overwrites it")
    market = guess(tape) if tape else EXAMPLE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text(market), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: can't be written: {error.strerror}") from None
    click.echo(f"wrote {file}: {market.symbol}, tick {market.tick:f}, lot {market.lot:f} ({market.source})")
    click.echo(f"next: bmv backtest {file} --data {tape or 'TAPE.parquet'}")
