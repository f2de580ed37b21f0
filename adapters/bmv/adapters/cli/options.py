"""Options that several commands share, spelt once."""

from decimal import Decimal, InvalidOperation

import click

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
SETS = click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override a key; may be repeated.")


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
