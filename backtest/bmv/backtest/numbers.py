"""Numbers that may be missing: what a table or a configuration holds, as a finite float or None."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

Json = dict[str, Any]  # What orjson writes and reads: its depth is not worth a type of its own.

SECOND = 1_000_000_000  # Nanoseconds.
BPS = 1e4


def finite(value: object) -> float | None:
    """Return `value` as a float; None when it is missing, not a number, or infinite.

    >>> finite("0.5"), finite(None), finite(float("nan"))
    (0.5, None, None)
    """
    if value is None:
        return None
    number = float(str(value)) if not isinstance(value, (int, float)) else float(value)
    return number if isfinite(number) else None


def ratio(part: object, whole: object) -> float | None:
    """Return `part / whole`; None when either is missing or the whole is 0.

    >>> ratio(1, 4), ratio(1, 0)
    (0.25, None)
    """
    above, below = finite(part), finite(whole)
    return None if above is None or not below else above / below


def scaled(value: float | None, factor: float) -> float | None:
    """Return `value * factor`, or None for None."""
    return None if value is None else value * factor


def mean(values: "np.typing.NDArray[np.float64]", weights: "np.typing.NDArray[np.float64]") -> float | None:
    """Return the mean of `values` (n,) weighted by `weights` (n,); None when there is no weight."""
    return ratio(float(values @ weights), float(weights.sum()))


def setting(config: Mapping[str, Any], key: str) -> float | None:
    """Return the number at a dotted `key` of a configuration; None when it is absent or not a number.

    >>> setting({"grid": {"bid": {"levels": 3}}}, "grid.bid.levels")
    3.0
    """
    found: Any = config  # A tree of tables and values.
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    try:
        return finite(found)
    except ValueError:
        return None


def target(config: Mapping[str, Any]) -> float | None:
    """Return the base that is wanted: `inventory.target`, else what is held at the start; None when neither is told."""
    told = setting(config, "inventory.target")
    return setting(config, "inventory.start_base") if told is None else told
