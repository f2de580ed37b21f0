"""What fills come to in money, as floats for the statistics, whatever a unit of size is; and in which units."""

from collections.abc import Mapping
from typing import Any, TypeVar

import polars as pl
from numpy import float64
from numpy.typing import NDArray

from bmv.data.runs.numbers import Json
from bmv.data.runs.wording import currencies
from bmv.ports.market import SPOT, Contract

Column = TypeVar("Column", pl.Series, NDArray[float64])


def contract_of(config: Json) -> Contract:
    """Return what a unit of size is by a configuration, nested as in its file."""
    given = (config.get("market") or {}).get("contract")
    return Contract(given["size"], given["payoff"]) if given else SPOT


def gained(contract: Contract, size: Column, before: Column, after: Column) -> Column:
    """Return what `size`, negative if it was sold, gains as its price goes from `before` to `after`.

    Quote of a linear market, base of an inverse one.
    """
    if contract.inverse:
        return size * float(contract.size) * (1 / before - 1 / after)
    return size * (after - before) * float(contract.size)


def traded(contract: Contract, size: Column, price: Column) -> Column:
    """Return the notional of `size` at `price`, in the units of :func:`gained`."""
    if contract.inverse:
        return size * float(contract.size) / price
    return price * size * float(contract.size)


def units_of(symbol: str, contract: Contract) -> str:
    """Return what sizes and money are counted in, as a pair of currencies is written.

    >>> units_of("BTC-USD", Contract(payoff="inverse")), units_of("SOL/USDC", SPOT)
    ('contracts/BTC', 'SOL/USDC')
    """
    if contract == SPOT:
        return symbol
    base, quote = currencies(symbol)
    return f"contracts/{base if contract.inverse else quote}"


def units(summary: Mapping[str, Any]) -> str:  # Any: what JSON holds.
    """Return the same of a run or a sweep that is over, by its summary."""
    return str(summary.get("units") or summary.get("symbol") or "")


def axis_units(summary: Mapping[str, Any]) -> tuple[str, str]:  # Any: as above.
    """Return what the axes of a picture call sizes and money: plain words where the symbol leaves a doubt.

    >>> axis_units({"symbol": "SOL/USDC"}), axis_units({"symbol": "us_AIG"})
    (('SOL', 'USDC'), ('base', 'quote'))
    """
    return currencies(units(summary))
