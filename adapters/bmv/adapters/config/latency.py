"""The delays behind a simulated wire, as tables of whole nanoseconds."""

from functools import cache
from math import exp, log
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy import int64
from numpy.typing import NDArray

from bmv.adapters.config.schema import ConstantLatency, LandingLatency, RandomLatency, RecordedLatency
from bmv.adapters.sim.params import QUANTILES, RECORDED_MAX
from bmv.data.landing.delays import Sending, landing_ns
from bmv.data.landing.model import World
from bmv.ports.errors import ConfigError

Model = ConstantLatency | RandomLatency | RecordedLatency | LandingLatency
LATENCY_MS_MAX = 3_600_000


def fill(delay: Model, seed: int, quantile_table: NDArray[int64], recorded_table: NDArray[int64]) -> int:
    """Write the tables that the model uses; return how many rows were recorded. `seed` is of a world of landing."""
    if isinstance(delay, RandomLatency):
        quantile_table[:] = quantiles(delay)
    if isinstance(delay, LandingLatency):
        quantile_table[:] = landing(delay, seed)
    if not isinstance(delay, RecordedLatency):
        return 0
    rows = recorded(Path(delay.file))
    recorded_table[: len(rows)] = rows
    return len(rows)


def quantiles(delay: RandomLatency) -> NDArray[int64]:
    """Return the middles of 4096 equal shares of the log-normal with this median and 99th percentile, ns, ascending."""
    normal = NormalDist()
    sigma = log(delay.p99_ms / delay.median_ms) / normal.inv_cdf(0.99)
    shares = ((i + 0.5) / QUANTILES for i in range(QUANTILES))
    middle, longest = log(delay.median_ms * 1e6), log(LATENCY_MS_MAX * 1e6)  # Nobody waits longer.
    return np.array([round(exp(min(longest, middle + sigma * normal.inv_cdf(s)))) for s in shares], np.int64)


def landing(delay: LandingLatency, seed: int) -> NDArray[int64]:
    """Return how long 4096 batches take by the model of landing, ns, ascending.

    Which of them a batch of a run takes is drawn anew for each: that one leader serves four slots on end, and that a
    cancel needs no tip, is left out.
    """
    world = World(seed, delay.jito_share, delay.crowd, dropped=delay.dropped)
    sending = Sending(delay.tip_lamports, delay.units, delay.after_slots, delay.node_slots)
    return np.array(_landing_ns(world, sending, round(delay.slot_ms * 1e6)), np.int64)


@cache
def _landing_ns(world: World, sending: Sending, slot_ns: int) -> list[int]:
    """Return the same for the same: each trial of a sweep asks."""
    return landing_ns(world, sending, slot_ns, QUANTILES)


def recorded(path: Path) -> NDArray[int64]:
    """Return rows `(n, 2)` of (time, latency), ns, of a CSV or Parquet file with `ts_ns` and `latency_ms`."""
    import polars as pl  # Heavy, and only this model needs it.

    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
        ts = frame["ts_ns"].cast(pl.Int64)
        ns = (frame["latency_ms"].cast(pl.Float64) * 1e6).round()
    except (OSError, pl.exceptions.PolarsError) as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"{path}: expected CSV or Parquet with ts_ns and latency_ms: {first}") from None
    if not len(ts):
        raise ConfigError(f"{path}: expected at least one row, found none")
    if empty := ts.null_count() + ns.null_count():
        raise ConfigError(f"{path}: expected no empty ts_ns or latency_ms, found {empty:,}")
    if len(ts) > RECORDED_MAX:
        raise ConfigError(f"{path}: expected at most {RECORDED_MAX:,} rows, found {len(ts):,}")
    back = np.flatnonzero(np.diff(ts.to_numpy()) <= 0)
    if len(back):
        before, after = ts[int(back[0])], ts[int(back[0]) + 1]
        raise ConfigError(f"{path}: expected ts_ns strictly ascending (ns), found {after} after {before}")
    outside = ns.filter(~ns.is_between(0, LATENCY_MS_MAX * 1e6) | ns.is_nan())
    if len(outside):
        raise ConfigError(f"{path}: expected latency_ms from 0 to {LATENCY_MS_MAX} (ms), found {outside[0] / 1e6:g}")
    return np.column_stack([ts.to_numpy(), ns.cast(pl.Int64).to_numpy()])
