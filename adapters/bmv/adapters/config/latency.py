"""The delays behind a simulated wire, as tables of whole nanoseconds."""

from math import exp, log
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy import int64
from numpy.typing import NDArray

from bmv.adapters.config.schema import ConstantLatency, RandomLatency, RecordedLatency
from bmv.adapters.sim.params import QUANTILES, RECORDED_MAX
from bmv.ports.errors import ConfigError

Model = ConstantLatency | RandomLatency | RecordedLatency
LATENCY_MS_MAX = 3_600_000


def fill(delay: Model, quantile_table: NDArray[int64], recorded_table: NDArray[int64]) -> int:
    """Write the tables that the model uses; return how many rows were recorded."""
    if isinstance(delay, RandomLatency):
        quantile_table[:] = quantiles(delay)
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
