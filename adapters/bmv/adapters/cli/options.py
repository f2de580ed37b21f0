"""Options that several commands share, spelt once."""

from decimal import Decimal, InvalidOperation

import click

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
SETS = click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override a key; may be repeated.")


class Amount(click.ParamType[Decimal]):
    """A positive decimal number, kept exactly as written."""

    name = "decimal"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Return `value` as a number, or refuse it as wrong use."""
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not a decimal number", param, ctx)
        if not amount.is_finite() or amount <= 0:
            self.fail(f"{value} is not above 0", param, ctx)
        return amount
