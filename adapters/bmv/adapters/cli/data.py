"""`bmv data`: ticks to try things on."""

import json
from pathlib import Path

import click


@click.group()
def data() -> None:
    """Make and look at ticks."""


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another seed, another market.")
@click.option("--rows", type=click.IntRange(1), default=200_000, show_default=True, help="How many rows.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def synth(folder: Path, seed: int, rows: int, as_json: bool) -> None:
    """Write a made-up SOL/USDC tape as a lake below FOLDER, the same on every machine.

    \b
    Examples:
      bmv data synth lake
      bmv data synth lake --seed 7 --rows 1000000
    """
    from bmv.data.synth import synth as write

    files = [str(file) for file in write(folder, seed, rows)]
    click.echo(json.dumps({"files": files, "rows": rows, "seed": seed}) if as_json else "\n".join(files))
