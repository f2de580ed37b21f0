"""Options that several commands share, spelt once."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from os import PathLike
from pathlib import Path
from re import fullmatch
from typing import Any

import click

from bmv.adapters.postgres.dsn import is_database
from bmv.data.files.path import is_url, open_path
from bmv.ports.errors import UsageError

UNITS = {None: 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}  # Letter -> bytes.
SPANS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}  # Letter -> seconds.
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
SETS = click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override a key; may be repeated.")


class _Renamed(click.Option):
    """An option whose help names it by its first name only; it still answers to those of before."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return its line of the help."""
        return self.opts[0], self.help or ""


def overwriting(help: str) -> Callable[[Any], Any]:  # Any: a function that Click makes a command of, or has.
    """Return the option that lets a command write over what is there."""
    return click.option("--overwrite", "--force", "overwrite", cls=_Renamed, is_flag=True, help=help)


class Local(click.Path):
    """A path of this machine; what an object store or a database holds is read elsewhere, and written nowhere."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self, value: str | PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | PathLike[str]:
        """Return `value` as a path, or refuse a URL as wrong use."""
        if is_url(value) or is_database(value):
            raise UsageError(
                f"{value}: expected a path of this machine, found a URL; `bmv data list, check, export` and "
                "`bmv backtest --data` read one"
            )
        return super().convert(value, param, ctx)


class Journal(click.ParamType[Path | str]):
    """A configuration, or the place of a journal itself as one would name it."""

    name = "path"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        """Return a place of a journal as it is, a configuration as a path, or refuse another URL as wrong use."""
        text = str(value)
        if is_database(text) or text.startswith("sqlite:"):
            return text
        if is_url(text):
            raise UsageError(f"{text}: expected a configuration, or a URL as postgresql://USER@HOST/DATABASE")
        return Path(text)


class Place(click.ParamType[Path]):
    """A path of this machine, or a URL of an object store that is read as one."""

    name = "path"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return `value` as a path, or refuse a URL that leads nowhere as wrong use."""
        return open_path(value if isinstance(value, Path) else str(value))


class Bytes(click.ParamType[int]):
    """A number of bytes, as `20GB`, `500 MB` or `4096`."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return `value` as a whole number of bytes, or refuse it as wrong use."""
        found = fullmatch(r"(\d+(?:\.\d+)?)\s*(k|m|g|t)?b?", str(value).strip().lower())
        count = int(Decimal(found[1]) * UNITS[found[2]]) if found else 0
        if count < 1:
            self.fail(f"{value!r} is no size; expected such as 20GB, 500MB or 4096", param, ctx)
        return count


class Exact(click.ParamType[Decimal]):
    """A decimal number, kept exactly as written."""

    name = "decimal"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Return `value` as a number, or refuse it as wrong use."""
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not a decimal number", param, ctx)
        if not number.is_finite():
            self.fail(f"{value} is not a number", param, ctx)
        return number


class Amount(Exact):
    """A positive decimal number, kept exactly as written."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Return `value` as a number, or refuse it as wrong use."""
        amount = super().convert(value, param, ctx)
        if amount <= 0:
            self.fail(f"{value} is not above 0", param, ctx)
        return amount


class Fee(Exact):
    """A fee in bps, negative for a rebate, within what a configuration takes."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Return `value` as a number, or refuse it as wrong use."""
        fee = super().convert(value, param, ctx)
        if abs(fee) > 1000 or fee * 10_000 % 1:
            self.fail(f"{value} is not a fee from -1000 to 1000 bps in steps of 0.0001", param, ctx)
        return fee


class Duration(click.ParamType[float]):
    """A stretch of time, as `90s`, `10m`, `1.5h` or `2d`; a plain number is seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return `value` in seconds, or refuse it as wrong use."""
        found = fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", str(value).strip())
        seconds = float(found[1]) * SPANS[found[2] or "s"] if found else 0.0
        if seconds <= 0:
            self.fail(f"{value!r} is no stretch of time; expected such as 90s, 10m, 1h or 2d", param, ctx)
        return seconds
