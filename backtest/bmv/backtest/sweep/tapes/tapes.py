"""The tapes of a sweep: what is read, which part the search sees and which it never does."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any

from bmv.adapters.cli.timerange import span_ns
from bmv.adapters.config import Config, build
from bmv.adapters.config.compile import to_ns
from bmv.adapters.lake.places import market_folder
from bmv.adapters.parquet.tape import ParquetTape
from bmv.backtest.sweep.tapes.shared import Stretch, prepare
from bmv.backtest.sweep.trials.space import Axis, trading, with_values
from bmv.backtest.wiring import BacktestContainer
from bmv.data.files.path import is_url
from bmv.data.runs.numbers import SECOND
from bmv.data.ticks.lake.lake import DAY_NS, day_of
from bmv.ports.errors import DataError, UsageError

ROW_BYTES = 48  # Of a tape in memory.
DAY_LEAST_NS = 60 * SECOND  # A day of less, such as what ran on past midnight, is no tape.
MEMORY_SHARE = 0.7  # Of what the machine has left.

Window = tuple[int | None, int | None]  # Start and end (exclusive), nanoseconds; None: that of the data.


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
    def searched(self) -> Window | None:
        """The window of the search, as a backtest takes it; None where all of it is held out."""
        if self.split_ns is not None and self.split_ns <= self.first_ns:
            return None
        return self.source.start_ns, self.source.end_ns if self.split_ns is None else self.split_ns

    @property
    def held_out(self) -> Window | None:
        """The window that the search never sees."""
        if self.split_ns is None:
            return None
        return (self.source.start_ns if self.searched is None else self.split_ns), self.source.end_ns

    def parts(self) -> Iterator[tuple[str, int, int]]:
        """Yield each part in words, with the times of its first and last row as far as the files tell them."""
        if self.split_ns is None:
            yield self.source.name, self.first_ns, self.last_ns
            return
        if self.searched is not None:
            yield f"what is searched of {self.source.name}", self.first_ns, self.split_ns - 1
        yield f"what is held out of {self.source.name}", self.split_ns, self.last_ns


def sources_of(config: Config, data: Sequence[str], timerange: str | None) -> list[Source]:
    """Return the tapes that command line and configuration name; the command line comes first."""
    start_ns, end_ns = span_ns(timerange)
    market, ticks = config.market, config.storage.ticks
    stored = (market_folder(ticks, market.venue, market.symbol),) if ticks and not config.sweep.tapes else ()
    given = data or stored
    if given:
        return [Source("tape", _absolute(given), start_ns, end_ns)]
    if not config.sweep.tapes:
        raise DataError(
            "no ticks given: say --data PATH, or set [storage].ticks or [[sweep.tapes]] in the configuration"
        )
    if timerange is not None and any(each.timerange for each in config.sweep.tapes):
        raise UsageError(f"--timerange {timerange}: the tapes of the configuration have their own")
    names = [each.name for each in config.sweep.tapes]
    if len(set(names)) < len(names):
        raise DataError(f"sweep.tapes: a name is there twice: {', '.join(names)}")
    return [Source(t.name, _absolute(t.data), *span_ns(t.timerange or timerange), t.set) for t in config.sweep.tapes]


def _absolute(data: Sequence[str]) -> tuple[str, ...]:
    """Return where the data lie, wherever the sweep is gone on with."""
    return tuple(each if is_url(each) else str(Path(each).resolve()) for each in data)


def split_up(config: Config, sources: Sequence[Source]) -> tuple[list[Split], list[str]]:
    """Look at each tape and say where its search ends; by days where the configuration asks for it.

    Returns the tapes in the order of their time, and what was left out, in words.
    """
    holdout, by_day, left_out = config.sweep.validation.holdout, config.sweep.split == "day", list[str]()
    found = list[Split]()
    for source in sources:
        if by_day:
            found += _by_day(config, _split(config, source, 0), holdout, left_out)
        else:
            found.append(_split(config, source, holdout))
    found.sort(key=lambda split: split.first_ns)
    _refuse_leaks(found)
    return found, left_out


def _by_day(config: Config, whole: Split, holdout: float, left_out: list[str]) -> list[Split]:
    """Return a tape for each UTC day; the last days as they are held out: nothing that is searched lies behind them."""
    days = [_split(config, day, 0) for day in _days(whole) if _has_rows(config, day)]
    left_out += [
        f"{day.source.name} is left out: {(day.last_ns - day.first_ns) / SECOND:.1f} s of it say nothing"
        for day in days
        if day.last_ns - day.first_ns < DAY_LEAST_NS
    ]
    days = [day for day in days if day.last_ns - day.first_ns >= DAY_LEAST_NS]
    held = ceil(holdout * len(days))
    if held >= len(days):
        raise DataError(
            f"{whole.source.name}: of {len(days)} days {held} would be held out and none searched; "
            "take more days, or set sweep.validation.holdout = 0"
        )
    searched = len(days) - held
    return [*days[:searched], *(replace(day, split_ns=day.first_ns, rows=0) for day in days[searched:])]


def _refuse_leaks(splits: Sequence[Split]) -> None:
    """Raise `DataError` where what is held out of one tape is searched in another of the same data."""
    for one in splits:
        for other in splits:
            if one is other or one.split_ns is None or not set(one.source.data) & set(other.source.data):
                continue
            end_ns = other.last_ns + 1 if other.split_ns is None else other.split_ns
            if other.first_ns <= one.last_ns and one.split_ns < end_ns:
                raise DataError(
                    f"what is held out of the tape {one.source.name} is searched in {other.source.name}: give tapes "
                    "of the same data time ranges that do not overlap, or set sweep.validation.holdout = 0"
                )


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
    parts = [(split.source, window) for split in splits if (window := split.searched) is not None]
    return _in_memory(config, axes, parts)


def read_held_out(config: Config, axes: Sequence[Axis], splits: Sequence[Split]) -> list[Stretch]:
    """Read the part of each tape that the search never saw; none of a tape of which nothing is held out."""
    held = [(split.source, window) for split in splits if (window := split.held_out) is not None]
    return _in_memory(config, axes, held)


def _in_memory(config: Config, axes: Sequence[Axis], parts: Sequence[tuple[Source, Window]]) -> list[Stretch]:
    history_ns = to_ns(longest_history_s(config, axes))
    return [
        Stretch(prepare(source.name, opened(config, source, *window), history_ns), source.overrides)
        for source, window in parts
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
    first_ns, last_ns = tape.ends()
    split_ns = None
    if holdout > 0:
        at = first_ns + round((last_ns - first_ns) * (1 - holdout))
        split_ns = at // SECOND * SECOND  # So that the command line can say it.
        if not first_ns < split_ns <= last_ns:
            raise DataError(
                f"{source.name}: {(last_ns - first_ns) / SECOND:.1f} s are too short to hold {holdout:.0%} of it out; "
                "take more data, or set sweep.validation.holdout = 0"
            )
    rows = sum(span.stop - span.start for span in tape.window)
    share = 1 - holdout if split_ns is not None else 1
    return Split(source, first_ns, last_ns, split_ns, round(rows * share))


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
    date = day_of(day * DAY_NS)
    return f"{date}" if name == "tape" else f"{name} {date}"


def _has_rows(config: Config, source: Source) -> bool:
    try:
        return bool(opened(config, source, source.start_ns, source.end_ns).window)
    except DataError:
        return False
