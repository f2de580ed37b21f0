"""Whether delays that were recorded are of the time of the tape on which they are used."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy import int64
from numpy.typing import NDArray

from bmv.adapters.config import Config
from bmv.adapters.config.latency import recorded
from bmv.adapters.config.schema import RecordedLatency
from bmv.adapters.sim.params import L_TS_NS
from bmv.data.runs.wording import percent
from bmv.data.ticks.calendar import EARLIEST_NS, may_be
from bmv.data.ticks.quality import utc
from bmv.ports.errors import DataError

HOLE_NS = 60_000_000_000  # Without a delay for longer than this,
TIMES_USUAL = 10  # and for so many times what lies between two of them in the middle: a hole.
ENOUGH = 0.999  # Share of the tape's time; two recorders never begin and end at one instant.


def recorded_delays(config: Config) -> dict[str, Path]:
    """Return the files of recorded delays, by the key that names each."""
    keys = ("entry_latency_ms", "response_latency_ms")
    delays = {f"simulation.{key}": getattr(config.simulation, key) for key in keys}
    return {key: Path(delay.file) for key, delay in delays.items() if isinstance(delay, RecordedLatency)}


def delay_warnings(config: Config, first_ns: int, last_ns: int, unused: Collection[str] = ()) -> list[str]:
    """Say of each recording of delays how much of a tape it does not cover, at the ends or by holes within it.

    `DataError` where it covers none of it.

    Args:
        first_ns: Time of the first row of the tape, nanoseconds UTC.
        last_ns: Time of the last one.
        unused: Keys that no run goes by, since a sweep sets them otherwise.
    """
    files = recorded_delays(config)
    return [warning for key in files if key not in unused for warning in _uncovered(key, files[key], first_ns, last_ns)]


def _uncovered(key: str, file: Path, first_ns: int, last_ns: int) -> list[str]:
    times = recorded(file)[:, L_TS_NS]
    from_ns, to_ns = int(times[0]), int(times[-1])
    lasts = f"delays were recorded from {utc(from_ns)} to {utc(to_ns)}"
    if to_ns < first_ns or last_ns < from_ns:
        guesses = " or ".join(may_be(str(from_ns))) if from_ns < EARLIEST_NS else ""
        raise DataError(
            f"{file} ({key}): {lasts}, and the ticks are from {utc(first_ns)} to {utc(last_ns)}: none of the one lies "
            "in the other; take a recording of the time of the ticks, or a constant or random delay"
            + (f" (ts_ns is {from_ns}, and should be in ns; it may be {guesses})" if guesses else "")
        )
    found, length_ns = list[str](), max(1, last_ns - first_ns)
    share = (min(to_ns, last_ns) - max(from_ns, first_ns)) / length_ns if last_ns > first_ns else 1.0
    if share < ENOUGH:
        found.append(
            f"{file} ({key}) covers {percent(share)} of the time of the ticks: {lasts}; before and after that its "
            f"first and its last delay stood for {percent(1 - share)} of the time"
        )
    holes = _holes(times, first_ns, last_ns)
    if holes and (lost := sum(to - since for since, to in holes) / length_ns) > 1 - ENOUGH:
        since, to = max(holes, key=lambda hole: hole[1] - hole[0])
        found.append(
            f"{file} ({key}) has no delay within {percent(lost)} of the time of the ticks, in {len(holes):,} holes, "
            f"the longest from {utc(since)} to {utc(to)}; what stood there is a straight line between its neighbours"
        )
    return found


def _holes(times: NDArray[int64], first_ns: int, last_ns: int) -> list[tuple[int, int]]:
    """Return the stretches of a tape in which a recording has no delay, though it has them elsewhere."""
    steps = np.diff(times)
    if not len(steps):
        return []
    wide = np.flatnonzero(steps > max(HOLE_NS, TIMES_USUAL * float(np.median(steps))))
    ends = ((max(first_ns, int(times[at])), min(last_ns, int(times[at + 1]))) for at in wide)
    return [(since, to) for since, to in ends if since < to]
