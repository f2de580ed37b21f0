"""Options of commands that read files of other people's forms: how each is to be read."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from bmv.adapters.cli.options import Amount, Bytes
from bmv.ports.errors import UsageError

if TYPE_CHECKING:
    from bmv.data.ticks.importers import Options

TICK = click.option("--tick-size", type=Amount(), help="Step of price, quote per base.")
LOT = click.option("--lot-size", type=Amount(), help="Step of size, base.")
MAX_BAD = click.option(
    "--max-bad-share", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="Bad rows allowed."
)
FORM = click.option("--format", "form", metavar="NAME", help="Form of the file or files; each is looked at if absent.")
COLUMN = click.option("--column", "columns", multiple=True, metavar="OURS=THEIRS", help="Generic form: name a column.")
TIME_UNIT = click.option(
    "--time-unit", type=click.Choice(["auto", "s", "ms", "us", "ns"]), default="auto", show_default=True,
    help="Of times that are numbers.",
)  # fmt: skip
KIND = click.option(
    "--kind", type=click.Choice(["trade", "quote", "depth"]),
    help="Generic form: what all rows are. quote: of price, size and side, each row moves one side of the top; depth: "
    "each row says what its level now holds.",
)  # fmt: skip
ONLY = click.option(
    "--only", "only", multiple=True, metavar="COLUMN=VALUE",
    help="Take rows with this value alone, such as --only symbol=BTCUSDT or --only level=0. May be repeated.",
)  # fmt: skip
IGNORE = click.option(
    "--ignore", "ignore", multiple=True, metavar="COLUMN",
    help="Generic form: this column says nothing, whatever its name. May be repeated.",
)  # fmt: skip
COLUMNS = click.option(
    "--columns", "header", metavar="NAME,NAME,…", help="Generic form: names of the columns of a text without a header."
)
DAY_FIRST = click.option("--day-first/--month-first", default=None, help="How 01/05/2026 is to be read.")
UNPACKED_MAX = click.option(
    "--unpacked-max", type=Bytes(), metavar="SIZE",
    help="How much a packed file, or a page of Parquet, may unpack to, such as 20GB; by default a hundred "
    "times its size, at least 256 MB and at most 64 GB, and 64 MB a page.",
)  # fmt: skip
LOCAL = click.option("--local-time", is_flag=True, help="Take the recorder's time, where a form has both.")


NAMES = ("columns", "header", "time_unit", "day_first", "kind", "local_time", "only", "ignore", "unpacked_max")


def reading(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of how files are read, as one argument `options`."""

    @COLUMN
    @COLUMNS
    @TIME_UNIT
    @DAY_FIRST
    @KIND
    @LOCAL
    @ONLY
    @IGNORE
    @UNPACKED_MAX
    @wraps(command)
    def wrapped(*words: Any, **given: Any) -> None:
        options = _options(**{name: given.pop(name) for name in NAMES})
        command(*words, options=options, **given)

    return wrapped


def _options(
    columns: tuple[str, ...],
    header: str | None,
    time_unit: str,
    day_first: bool | None,
    kind: str | None,
    local_time: bool,
    only: tuple[str, ...],
    ignore: tuple[str, ...],
    unpacked_max: int | None,
) -> "Options":
    from bmv.data.ticks.importers import Options

    named = dict(_pairs("--column", columns, "OURS=THEIRS, such as --column size=qty"))
    wanted = dict[str, list[str]]()
    for name, value in _pairs("--only", only, "COLUMN=VALUE, such as --only symbol=BTCUSDT"):
        wanted.setdefault(name, []).append(value)
    names = None if header is None else [name.strip() for name in header.split(",")]
    return Options(named, time_unit, kind, local_time, wanted, ignore, names, day_first, unpacked_max=unpacked_max)


def _pairs(option: str, words: tuple[str, ...], expected: str) -> Iterator[tuple[str, str]]:
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise UsageError(f"{option} {word}: expected {expected}")
        yield name, value
