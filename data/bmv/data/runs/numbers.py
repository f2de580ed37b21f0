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


def at(tree: Any, *path: str | int) -> Any:  # Any: a summary or a configuration, and whatever stands in it.
    """Return what stands in nested tables and lists, None where the path breaks off.

    >>> at({"orders": [{"side": 1}]}, "orders", 0, "side"), at({}, "orders", 0)
    (1, None)
    """
    for name in path:
        if isinstance(tree, Mapping):
            tree = tree.get(name)
        elif isinstance(tree, list) and isinstance(name, int) and -len(tree) <= name < len(tree):
            tree = tree[name]
        else:
            return None
    return tree


def setting(config: Json, key: str) -> float | None:
    """Return the number at a dotted `key` of a configuration; None when it is absent or not a number.

    >>> setting({"grid": {"bid": {"levels": 3}}}, "grid.bid.levels")
    3.0
    """
    try:
        return finite(at(config, *key.split(".")))
    except ValueError:
        return None


def target(config: Json) -> float | None:
    """Return the base that is wanted, by the rule of `config.compile.target`; None where a folder does not say it."""
    given = setting(config, "inventory.target")
    return setting(config, "inventory.start_base") if given is None else given
