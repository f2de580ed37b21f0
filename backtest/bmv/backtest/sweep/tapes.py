"""The tapes of a sweep: what is read, which part the search sees and which it never does."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bmv.adapters.config import Config, build
from bmv.adapters.config.compile import to_ns
from bmv.adapters.parquet.tape import ParquetTape
from bmv.backtest.cli import span_ns
from bmv.backtest.sweep.shared import prepare
from bmv.backtest.sweep.space import Axis
from bmv.backtest.sweep.work import Stretch, trading, with_values
from bmv.backtest.wiring import BacktestContainer
from bmv.ports.errors import DataError

NS = 1_000_000_000
DAY_NS = 86_400 * NS
ROW_BYTES = 48  # Of a tape in memory.
MEMORY_SHARE = 0.7  # Of what the machine has left.


@dataclass(frozen=True, slots=True)
class Source:
    """One tape as it was named.

    Args:
        name: What the report calls it.
        data: Files or folders.
        start_ns: First instant that is run; None: that of the data.
        end_ns: End, exclusive; None: that of the data.
        overrides: Keys that are different on it.
    """

    name: str
    data: tuple[str, ...]
    start_ns: int | None = None
    end_ns: int | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)  # Any: a value of whatever key.


@dataclass(frozen=True, slots=True)
class Split:
    """A tape, and where the search ends on it: what lies behind is held out.

    Args:
        first_ns: Time of its first row.
        last_ns: Time of its last row.
        split_ns: First instant that is held out, a whole second; None where nothing is.
        rows: Rows of the part that is searched, bad ones included.
    """

    source: Source
    first_ns: int
    last_ns: int
    split_ns: int | None
    rows: int

    @property
    def searched(self) -> tuple[int | None, int | None]:
        """The window of the search, as a backtest takes it."""
        return self.source.start_ns, self.split_ns if self.split_ns is not None else self.source.end_ns

    @property
    def held_out(self) -> tuple[int, int | None] | None:
        """The window that the search never sees."""
        return None if self.split_ns is None else (self.split_ns, self.source.end_ns)


def sources_of(config: Config, data: Sequence[str], timerange: str | None) -> list[Source]:
    """Return the tapes that command line and configuration name; the command line comes first."""
    start_ns, end_ns = span_ns(timerange)
    given = data or ((config.storage.ticks,) if config.storage.ticks and not config.sweep.tapes else ())
    if given:
        return [Source("tape", tuple(given), start_ns, end_ns)]
    if not config.sweep.tapes:
        raise DataError(
            "no ticks given: say --data PATH, or set [storage].ticks or [[sweep.tapes]] in the configuration"
        )
    names = [each.name for each in config.sweep.tapes]
    if len(set(names)) < len(names):
        raise DataError(f"sweep.tapes: a name is there twice: {', '.join(names)}")
    return [Source(t.name, tuple(t.data), *span_ns(t.timerange or timerange), t.set) for t in config.sweep.tapes]


def split_up(config: Config, sources: Sequence[Source]) -> list[Split]:
    """Look at each tape and say where its search ends; by days where the configuration asks for it."""
    found = [_split(config, source, config.sweep.validation.holdout) for source in sources]
    if config.sweep.split == "none":
        return found
    return [
        _split(config, day, config.sweep.validation.holdout)
        for whole in found
        for day in _days(whole)
        if _has_rows(config, day)
    ]


def config_of(config: Config, source: Source) -> Config:
    """Return the configuration as it is on a tape."""
    return build(**with_values(trading(config), source.overrides)) if source.overrides else config


def opened(config: Config, source: Source, start_ns: int | None, end_ns: int | None) -> ParquetTape:
    """Return the tape of a window."""
    own = config_of(config, source)
    container = BacktestContainer(
        config=own, paths=list(source.data), sample_ns=to_ns(own.data.equity_sample_s), start_ns=start_ns, end_ns=end_ns
    )
    return container.tape()


def read(config: Config, axes: Sequence[Axis], splits: Sequence[Split]) -> list[Stretch]:
    """Read the searched part of each tape into memory; `DataError` where the machine has too little of it."""
    refuse_too_much(splits)
    history_ns = to_ns(longest_history_s(config, axes))
    return [
        Stretch(prepare(s.source.name, opened(config, s.source, *s.searched), history_ns), s.source.overrides)
        for s in splits
    ]


def longest_history_s(config: Config, axes: Sequence[Axis]) -> float:
    """Return the longest history that any set asks for."""
    swept = [axis for axis in axes if "pivot.history_s" in (axis.key, *axis.also)]
    values = [float(value) for axis in swept for value in (*axis.values, axis.high)]
    others = [float(t.set["pivot.history_s"]) for t in config.sweep.tapes if "pivot.history_s" in t.set]
    return max([config.pivot.history_s, *values, *others])


def refuse_too_much(splits: Sequence[Split]) -> None:
    """Raise `DataError` where the tapes together do not fit into memory."""
    needed = sum(split.rows for split in splits) * ROW_BYTES
    free = _memory_left()
    if free is not None and needed > MEMORY_SHARE * free:
        raise DataError(
            f"the tapes need {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free: "
            "narrow --timerange, or sweep fewer tapes at once"
        )


def _memory_left() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        pages = os.sysconf("SC_PHYS_PAGES") if "SC_PHYS_PAGES" in os.sysconf_names else 0
        return pages * os.sysconf("SC_PAGE_SIZE") or None


def _split(config: Config, source: Source, holdout: float) -> Split:
    tape = opened(config, source, source.start_ns, source.end_ns)
    first_ns, last_ns = _ends(tape)
    split_ns = None
    if holdout > 0:
        at = first_ns + round((last_ns - first_ns) * (1 - holdout))
        split_ns = at // NS * NS  # So that the command line can say it.
        if not first_ns < split_ns <= last_ns:
            raise DataError(
                f"{source.name}: {(last_ns - first_ns) / NS:.1f} s are too short to hold {holdout:.0%} of it out; "
                "take more data, or set sweep.validation.holdout = 0"
            )
    rows = sum(span.stop - span.start for span in tape.window)
    share = 1 - holdout if split_ns is not None else 1
    return Split(source, first_ns, last_ns, split_ns, round(rows * share))


def _ends(tape: ParquetTape) -> tuple[int, int]:
    """Return the times of the first and the last row of a tape's window, as its files tell them."""
    files = [span.source for span in tape.window]
    first_ns, last_ns = min(file.first_ns for file in files), max(file.last_ns for file in files)
    if tape.start_ns is not None:
        first_ns = max(first_ns, tape.start_ns)
    if tape.end_ns is not None:
        last_ns = min(last_ns, tape.end_ns - 1)
    return first_ns, last_ns


def _days(whole: Split) -> list[Source]:
    """Return a tape for each UTC day of a longer one."""
    first, last = whole.first_ns // DAY_NS, whole.last_ns // DAY_NS
    return [
        replace(
            whole.source,
            name=_day_name(whole.source.name, day),
            start_ns=max(day * DAY_NS, whole.source.start_ns or day * DAY_NS),
            end_ns=min((day + 1) * DAY_NS, whole.source.end_ns or (day + 1) * DAY_NS),
        )
        for day in range(first, last + 1)
    ]


def _day_name(name: str, day: int) -> str:
    date = datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
    return date if name == "tape" else f"{name} {date}"


def _has_rows(config: Config, source: Source) -> bool:
    try:
        return bool(opened(config, source, source.start_ns, source.end_ns).window)
    except DataError:
        return False
