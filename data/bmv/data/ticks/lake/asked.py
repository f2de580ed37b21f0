"""Which market an import is of, and in which steps it counts."""

from collections.abc import Sequence
from pathlib import Path

from bmv.data.ticks.importers import FORMS, Options, chosen
from bmv.data.ticks.lake.lake import Lake
from bmv.data.ticks.steps import ROWS_LOOKED_AT, UNKNOWN, Origin, Pair, Steps, find_steps
from bmv.ports.errors import DataError, UsageError
from bmv.ports.market import Market


def market_to_import(
    paths: Sequence[Path],
    lake: Lake,
    venue: str,
    symbol: str | None,
    given: Pair,
    configured: Market | None,
    form: str | None,
    options: Options,
) -> Market:
    """Return the market of an import: as given, else configured, else known to the lake, else stated by the files.

    What the numbers of the files tell is a hint, and no answer: a coarse day would settle the steps of all days.

    Raises:
        DataError: A file can't be read; that is told before what it counts in is asked.
        UsageError: The symbol or the steps are known to none of them.
    """
    for path in paths:
        chosen(FORMS, path, form, options)
    known = lake.market(venue, symbol) if symbol else None
    if configured is not None:
        symbol = symbol or configured.symbol
    if symbol is None:
        raise UsageError("which market is it? Give --symbol, or --config")
    stated = _first(_steps_of(configured), _steps_of(known))
    try:
        steps = find_steps(paths, given, stated, form, options, ROWS_LOOKED_AT)
    except DataError:
        raise
    except Exception:  # A hint may fail for any reason; the error that it belongs to is told all the same.
        steps = Steps(*given, Origin.NUMBERS)
    if steps.origin is Origin.NUMBERS or steps.tick is None or steps.lot is None:
        raise UsageError(f"give --tick-size and --lot-size, or --config{_hint(paths[0], _first(given, stated), steps)}")
    return Market(symbol, steps.tick, steps.lot)


def _steps_of(market: Market | None) -> Pair:
    return UNKNOWN if market is None else (market.tick_size, market.lot_size)


def _first(one: Pair, other: Pair) -> Pair:
    """Return each step of `one`, or where it is not known, of `other`."""
    return one[0] or other[0], one[1] or other[1]


def _hint(path: Path, known: Pair, steps: Steps) -> str:
    """Say which of the steps that are not known would fit, where that can be told."""
    fitting = [
        f"{option} {step}"
        for option, before, step in zip(("--tick-size", "--lot-size"), known, steps, strict=False)
        if before is None and step is not None
    ]
    words = [f"{' '.join(fitting)} would fit {path}"] if fitting else []
    words += ["as it records no sizes, any --lot-size does"] if steps.lot is None and steps.tick is not None else []
    return f"; {', and '.join(words)}" if words else ""
