"""What is taken out of a sweep folder: its trials as a table, and one set as a configuration."""

from pathlib import Path
from shlex import quote

import polars as pl

from bmv.adapters import config as configuration
from bmv.adapters.config import build
from bmv.backtest.sweep.finish import UNTRADED
from bmv.backtest.sweep.trials.reading import TRIALS, Sweep, read
from bmv.backtest.sweep.trials.space import trading, with_values
from bmv.data.runs.folder import CONFIG, put_whole, table_at, writing
from bmv.data.runs.numbers import at
from bmv.ports.errors import UsageError


def export(folder: Path, file: Path) -> None:
    """Write the trials of a sweep as CSV or Parquet."""
    read(folder)  # Which refuses what is no sweep that has ended.
    trials = table_at(folder / TRIALS)
    if file.suffix not in (".csv", ".parquet"):
        raise UsageError(f"{file}: expected a name that ends in .csv or .parquet")
    if file.suffix == ".csv":
        trials = trials.with_columns(pl.col(pl.List).list.eval(pl.element().cast(pl.String)).list.join(" "))
    with writing(file, "file"):
        put_whole(file, trials)


def apply(folder: Path, trial: int | None, file: Path) -> int:
    """Write a set of a sweep as a configuration; return its number."""
    sweep = read(folder)
    chosen = at(sweep.summary, "best", "trial") if trial is None else trial
    if chosen is None:
        raise UsageError(f"{folder}: no set keeps all constraints; --trial N takes one nevertheless")
    rows = sweep.trials.filter(pl.col("trial") == chosen)
    if rows.is_empty():
        raise UsageError(f"{folder}: there is no trial {chosen}; it has {len(sweep.trials):,}, the first is 0")
    keys = [key for told in sweep.parameters for key in (told["key"], *told["also"])]
    values = {key: rows[key][0] for key in keys}
    base = trading(configuration.load(folder / CONFIG, (), {}))
    text = configuration.dump(configuration.masked(build(**with_values(base, values))), without=UNTRADED)
    digest = rows["digest"][0]
    head = [f"Trial {chosen} of {folder.resolve()}: {', '.join(f'{key} = {value}' for key, value in values.items())}."]
    head += [f"On what was searched its digest is {digest or 'unknown'}:", *again(sweep, file)]
    with writing(file, "file"):
        put_whole(file, "".join(f"# {line}\n" for line in head) + text)
    return int(chosen)


def again(sweep: Sweep, file: Path) -> list[str]:
    """Return the commands by which a configuration is run on what was searched, a line a tape."""
    return [
        f"  bmv backtest {file} --data {' '.join(map(quote, tape['data']))}"
        + (f" --timerange {tape['searched']}" if tape["searched"] else "")
        + "".join(f" --set {quote(f'{key}={value}')}" for key, value in (tape.get("set") or {}).items())
        for tape in sweep.summary.get("tapes") or []
        if tape.get("searched") is not None or tape.get("split_ns") is None
    ]
