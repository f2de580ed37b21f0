"""The two loops that are measured against each other: the fused one, and a bare one that decides nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dependency_injector import providers
from numba import int64, njit, types

from bmv.adapters.bookkeeping.books import Sink
from bmv.adapters.config import Config, load
from bmv.adapters.strategy import plugin
from bmv.backtest.fused import Fused
from bmv.backtest.wiring import BacktestContainer
from bmv.core.engine import Strategy

MAKER = Path(__file__).with_name("maker.toml")
SECOND_NS = 1_000_000_000
_COLUMN = types.Array(int64, 1, "C")


def maker(sets: Sequence[str] = ()) -> Config:
    """Return the configuration that everything is measured with; `sets` change single keys, as `--set` does."""
    return load(MAKER, sets)


def wired(config: Config, strategy: Strategy | None = None) -> BacktestContainer:
    """Return the container of a backtest whose tape is given to it later."""
    c = BacktestContainer(config=config, paths=[], sample_ns=round(config.data.equity_sample_s * SECOND_NS))
    if strategy is not None:
        c.strategy.override(providers.Object(strategy))
        c.params().strategy = plugin.kind(strategy)
    return c


def prepared(config: Config, strategy: Strategy | None = None, sink: Sink | None = None) -> Fused:
    """Return a fused loop that has heard nothing yet; a marked `strategy` is compiled here."""
    c = wired(config, strategy)
    return Fused(c.params(), c.venue(), c.record(), sink or c.sink(), c.strategy(), "a benchmark's own")


def nobody(rows: int) -> None:
    """Hear of progress."""


@njit((types.float64)(*([_COLUMN] * 9), int64))
def bare(
    ts_ns: Any,
    kind: Any,
    side: Any,
    price: Any,
    size: Any,
    bid: Any,
    bid_size: Any,
    ask: Any,
    ask_size: Any,
    window_ns: int,
) -> float:
    """Read every column of every row and keep the VWAP over the last `window_ns`, evaluated at every row; no more.

    What a loop over a tape costs at the least: no venue, no orders, no decisions, no record. The return value depends
    on everything read, so that no compiler can leave any of it out.
    """
    seen, vwaps, volume, amount, tail = 0, 0.0, 0, 0, 0
    for i in range(len(ts_ns)):
        seen ^= ts_ns[i] + side[i] + bid[i] + bid_size[i] + ask[i] + ask_size[i]
        if kind[i] == 1:
            volume += size[i]
            amount += price[i] * size[i]
        oldest_ns = ts_ns[i] - window_ns
        while ts_ns[tail] < oldest_ns:
            if kind[tail] == 1:
                volume -= size[tail]
                amount -= price[tail] * size[tail]
            tail += 1
        if volume > 0:
            vwaps += float(amount) / float(volume)
    return vwaps + float(seen)
