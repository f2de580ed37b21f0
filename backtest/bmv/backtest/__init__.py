"""The world that has already happened: backtests, as a library and behind the command line.

>>> from bmv.backtest import Backtest, Config
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bmv.adapters.config import Config
    from bmv.backtest.api import Backtest
    from bmv.backtest.result import Result

__all__ = ["Backtest", "Config", "Result"]

_HOME = {"Backtest": "bmv.backtest.api", "Config": "bmv.adapters.config", "Result": "bmv.backtest.result"}


def __getattr__(name: str) -> Any:  # Any: whatever is exported.
    """Import what is asked for when it is asked for, so that importing this room stays cheap."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
