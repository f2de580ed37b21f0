"""What a sweep is made of: its configuration, axes, objectives and tapes, checked before anything is run."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bmv.adapters.config import Config, a_kind, build, configured
from bmv.adapters.config.compile import refuse_without_reference
from bmv.adapters.config.problems import explain
from bmv.adapters.strategy import plugin
from bmv.backtest.delays import delay_warnings
from bmv.backtest.sweep.tapes import tapes
from bmv.backtest.sweep.tapes.tapes import Source, Split
from bmv.backtest.sweep.trials.objectives import Objective, objectives_of
from bmv.backtest.sweep.trials.proposer import Proposer
from bmv.backtest.sweep.trials.space import Axis, axes_of, trading, with_values
from bmv.backtest.wiring import listed
from bmv.data.runs.numbers import SECOND
from bmv.data.runs.statistics.returns import RETURNS_MIN, no_ratio
from bmv.ports.errors import ConfigError, UsageError

Table = dict[str, Any]  # Any: plain values, as a configuration has them.
NOT_OF_A_TAPE = ("version", "sweep.", "storage.", "live.")


@dataclass(frozen=True)
class Plan:
    """What a sweep is made of, checked, with nothing read but the ends of its tapes."""

    config: Config
    axes: list[Axis]
    objectives: list[Objective]
    splits: list[Split]
    left_out: tuple[str, ...] = ()  # Parts of the data that are no tape, in words.
    warnings: tuple[str, ...] = ()  # What a reader of any result must know of what the sets are run with.

    @property
    def periods(self) -> int:
        """Stretches of each tape for the statistics."""
        return self.config.sweep.validation.periods

    def proposer(self) -> Proposer:
        """Return what proposes the sets, from the first one on."""
        s = self.config.sweep
        large = [objective.large for objective in self.objectives]
        return Proposer(self.axes, s.sampler, s.seed, s.trials, large, s.batch)

    def names(self) -> list[str]:
        """Return the names of the tapes that are searched."""
        return [split.source.name for split in self.splits if split.searched is not None]


def make_plan(
    config: Config | Mapping[str, Any] | str | Path,  # Any: what TOML may hold.
    params: Sequence[str] | str = (),
    data: Iterable[str | Path] | str | Path = (),
    timerange: str | None = None,
) -> Plan:
    """Return the plan of a sweep; what is wrong with it is said before anything is run.

    Args:
        config: A configuration, the path of its file, or a mapping like the file's, judged by the same rules. Relative
            paths in a mapping are relative to the working directory.
        params: Axes as `--param` spells them, beside or in place of those of the configuration.
        data: Files or folders, in place of the tapes of the configuration.
        timerange: The part of them that is swept.
    """
    plugin.refuse_without_compiler("a sweep", "")
    config = configured(config)
    refuse_without_reference(config)
    axes = axes_of(config, _texts("params", params))
    objectives = objectives_of(config.sweep.objective)
    if timerange is not None and not isinstance(timerange, str):
        raise UsageError(f"timerange: expected text such as 20250903-20250905, or None, found {a_kind(timerange)}")
    sources = tapes.sources_of(config, [str(each) for each in listed(data)], timerange)
    whole = _written_out(config, axes, sources)
    _refuse_odd(whole, axes, objectives, sources)
    Plan(whole, axes, objectives, []).proposer()  # A sampler that can't do it says so before the tapes are opened.
    splits, left_out = tapes.split_up(whole, sources)
    _refuse_no_ratio(objectives, splits)
    return Plan(whole, axes, objectives, splits, tuple(left_out), tuple(_of_delays(whole, axes, splits)))


def _of_delays(config: Config, axes: Sequence[Axis], splits: Sequence[Split]) -> Iterator[str]:
    """Yield what part of each tape its recorded delays do not cover; `DataError` where they cover none of one."""
    swept = {key for axis in axes for key in (axis.key, *axis.also)}
    for split in splits:
        own = tapes.config_of(config, split.source)
        for part, first_ns, last_ns in split.parts():
            yield from (f"{part}: {warning}" for warning in delay_warnings(own, first_ns, last_ns, swept))


def _texts(name: str, given: Any) -> list[str]:  # Any: whatever a caller in Python has.
    """Return axes as a caller in Python spells them, one or several."""
    parts: list[str] = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    for part in parts:
        if not isinstance(part, str):
            raise UsageError(
                f"{name}: expected text such as grid.bid.first_bps=2:20:2, or a list, found {a_kind(part)}"
            )
    return parts


def _refuse_no_ratio(objectives: Sequence[Objective], splits: Sequence[Split]) -> None:
    """Raise `ConfigError` where an objective is a ratio, and a tape is so short that no set on it has one."""
    for objective in (each for each in objectives if each.is_ratio):
        for split in (each for each in splits if each.searched is not None):
            span_s = ((split.split_ns or split.last_ns) - split.first_ns) / SECOND
            if reason := no_ratio(1, span_s, RETURNS_MIN):
                raise ConfigError(
                    f'sweep.objective = "{objective.spelling}": no set has that ratio: {reason} (what is searched of '
                    f"{split.source.name}); take more ticks, or another objective, such as net"
                )


def _refuse_odd(
    config: Config, axes: Sequence[Axis], objectives: Sequence[Objective], sources: Sequence[Source]
) -> None:
    """Raise `ConfigError` for what no run needs to show: a value that its key can't take, rules that contradict."""
    for axis in axes:
        for value in axis.ends if axis.ordered else axis.values:  # What a key takes has no holes: the ends tell.
            _refuse_value(config, axis, value)
    swept = {key for axis in axes for key in (axis.key, *axis.also)}
    for source in sources:
        for key in source.overrides:
            if key == "strategy" or key.startswith(NOT_OF_A_TAPE):
                raise ConfigError(f"sweep.tapes.{source.name}: {key} is a key that no tape can have for itself")
        if twice := swept & set(source.overrides):
            raise ConfigError(f"{min(twice)} is swept, and set otherwise on the tape {source.name}: take it out of one")
    asked = [each.spelling for each in objectives if each.large]
    if config.sweep.pruning == "median" and (len(objectives) > 1 or asked not in (["net"], ["net_vs_hold"])):
        raise ConfigError(
            'sweep.pruning = "median" goes by net or net_vs_hold, and the objective is another: take "hopeless"'
        )


def _refuse_value(config: Config, axis: Axis, value: Any) -> None:  # Any: as a user spelt it.
    """Let the schema look at one value of an axis, whatever it does beside others; a tape has no reference price."""
    changed = with_values(trading(config), dict.fromkeys((axis.key, *axis.also), value))
    try:
        refuse_without_reference(Config.model_validate(changed))
    except ValidationError as error:
        raise ConfigError(explain(error, Config, lambda key: " (swept)")[0]) from None


def _written_out(config: Config, axes: Sequence[Axis], sources: Sequence[Source]) -> Config:
    """Return the configuration with axes and tapes in it, so that its folder alone tells what was swept."""
    table = config.model_dump(exclude_none=True)
    table["sweep"]["parameters"] = {axis.key: _parameter(axis) for axis in axes}
    table["sweep"]["tapes"] = [_tape(source) for source in sources]
    return build(**table)


def _parameter(axis: Axis) -> Table:
    also = {"also": list(axis.also)} if axis.also else {}
    if axis.values and axis.log:  # Steps that are factors, spelt as they were, or resuming would take them for others.
        low, after = (Decimal(str(value)) for value in axis.values[:2])
        return {"low": axis.values[0], "high": axis.values[-1], "factor": after / low, **also}
    if axis.values:
        return {"values": list(axis.values), **also}
    return {"low": axis.low, "high": axis.high, "log": axis.log, **also}


def _tape(source: Source) -> Table:
    table: Table = {"name": source.name, "data": list(source.data), "set": dict(source.overrides)}
    if source.start_ns is None and source.end_ns is None:
        return table
    return table | {"timerange": format_timerange(source.start_ns, source.end_ns)}


def format_timerange(start_ns: int | None, end_ns: int | None) -> str | None:
    """Return a window as `--timerange` takes it; None for all of the data.

    >>> format_timerange(None, 1756857600000000000)
    '-20250903T000000'
    """
    return None if start_ns is None and end_ns is None else f"{_instant(start_ns)}-{_instant(end_ns)}"


def _instant(ts_ns: int | None) -> str:
    """Return an instant as `--timerange` spells it."""
    return "" if ts_ns is None else time.strftime("%Y%m%dT%H%M%S", time.gmtime(ts_ns // SECOND))


PACKAGES = ("bmv", "numba", "numpy", "optuna", "polars")
