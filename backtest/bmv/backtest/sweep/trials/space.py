"""What a sweep draws from: each axis is a key of the configuration with its values or its range."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from math import floor, log10
from typing import Any, NamedTuple, TypedDict

from bmv.adapters.config.fields import keys_of
from bmv.adapters.config.problems import nearest
from bmv.adapters.config.schema import Choice, Config, Span
from bmv.ports.errors import ConfigError, UsageError

Value = int | float | str | bool
Set = dict[str, Value]  # A value for each full dotted key.

VALUES_MAX = 100_000  # Of one axis.
DIGITS = 6  # Significant ones of a value that is drawn from a range without steps: enough, and fit to be read.
NOT_SWEPT = (
    "version",
    "market.symbol",
    "market.venue",
    "market.address",
    "market.contract",
    "sweep.",
    "live.",
    "storage.",
    "data.",
)
COUNTED_IN = ("market.tick_size", "market.lot_size", "market.quote_step")  # A tape is read once, for all sets.


class Parameter(TypedDict):
    """A swept key: by its ends and its step, or by its values."""

    key: str
    kind: str  # `choice`, `int` or `float`.
    low: Value | None
    high: Value | None
    step: float | None
    log: bool
    values: list[Value] | None
    also: list[str]  # Keys that take the same value.


class Axis(NamedTuple):
    """One dimension of the space.

    Args:
        key: Full dotted key of the configuration.
        also: Keys that take the same value.
        values: All values, in order; empty for a range without steps.
        low: Smallest value of a range without steps.
        high: Its largest.
        log: Whether the range is drawn evenly by its logarithm.
        whole: Whether the key takes whole numbers only.
    """

    key: str
    also: tuple[str, ...] = ()
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    @property
    def ordered(self) -> bool:
        """Whether a value may lie between two others."""
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)
        return numbers and list(self.values) == sorted(self.values)

    @property
    def ends(self) -> tuple[Value, Value]:
        """The first and the last value."""
        return (self.values[0], self.values[-1]) if self.values else (self.low, self.high)

    def described(self) -> Parameter:
        """Return the axis as `summary.json` tells of it: by its ends and its step, or by its values."""
        kind = "choice" if not self.ordered else "int" if self.whole else "float"
        low, high = self.ends if self.ordered else (None, None)
        numbers = [float(value) for value in self.values] if self.ordered else []
        steps = {round(after - before, 12) for before, after in pairwise(numbers)}
        even = len(steps) == 1
        return {
            "key": self.key,
            "kind": kind,
            "low": low,
            "high": high,
            "step": steps.pop() if even else None,
            "log": self.log,
            "values": list(self.values) if self.values and not even else None,
            "also": list(self.also),
        }


def axes_of(config: Config, params: Iterable[str] = ()) -> list[Axis]:
    """Return the axes that a configuration and the command line name; `ConfigError` where there are none.

    Args:
        params: As `--param` gives them; one that the configuration names as well takes its place.
    """
    axes = {axis.key: axis for axis in _from_config(config.sweep.parameters)}
    spelt = list(map(parsed, params))
    if len({axis.key for axis in spelt}) < len(spelt):
        raise UsageError(f"--param: a key is there twice: {', '.join(axis.key for axis in spelt)}")
    axes |= {axis.key: axis for axis in spelt}
    if not axes:
        raise ConfigError(
            "nothing to sweep: say --param KEY=LOW:HIGH:STEP, or name keys in [sweep.parameters] of the configuration"
        )
    _refuse_doubles(axes.values())
    return list(axes.values())


def parsed(text: str) -> Axis:
    """Return the axis that `--param` spells.

    >>> parsed("grid.bid.levels=2:6:2").values
    (2, 4, 6)
    >>> parsed("grid.bid.first_bps,grid.ask.first_bps=1:8:x2")[:3]
    ('grid.bid.first_bps', ('grid.ask.first_bps',), (1.0, 2.0, 4.0, 8.0))
    >>> parsed("pivot.window_s=10:1000:log").log
    True
    >>> parsed("simulation.queue=back,power").values
    ('back', 'power')
    """
    keys, equals, spelt = text.partition("=")
    names = [name.strip() for name in keys.split(",")]
    if not equals or not all(names) or not spelt.strip():
        raise UsageError(f"--param {text}: expected KEY=LOW:HIGH:STEP, KEY=LOW:HIGH or KEY=A,B,C")
    try:
        return _axis(names[0], tuple(names[1:]), _described(spelt.strip()))
    except ConfigError as error:
        raise UsageError(f"--param {text}: {error}") from None


def _described(text: str) -> Span | Choice:
    parts = text.split(":")
    if len(parts) == 1:
        return Choice(values=[_value(each.strip()) for each in text.split(",")])
    low, high = (_number(each) for each in parts[:2])
    last = parts[2] if len(parts) == 3 else ""
    if len(parts) > 3 or low is None or high is None:
        raise ConfigError("expected LOW:HIGH, LOW:HIGH:STEP, LOW:HIGH:xFACTOR or LOW:HIGH:log, in numbers")
    if last in ("", "log"):
        return Span(low=low, high=high, log=last == "log")
    name, least = ("factor", 1) if last.startswith("x") else ("step", 0)
    number = _number(last.removeprefix("x"))
    if number is None or number <= least:
        raise ConfigError(f"{last}: expected a {name} above {least}, or log")
    return Span(low=low, high=high, factor=number) if name == "factor" else Span(low=low, high=high, step=number)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _value(text: str) -> Value:
    """Return what a word on the command line means: a number, true or false, or itself."""
    if text in ("true", "false"):
        return text == "true"
    number = _number(text)
    return text if number is None else _plain(number)


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _from_config(parameters: Mapping[str, Any]) -> Iterable[Axis]:  # Any: a list, or one of two tables.
    for key, given in parameters.items():
        try:
            if given == []:
                raise ConfigError("expected at least one value")
            described = Choice(values=given) if isinstance(given, list) else given
            yield _axis(key, tuple(described.also), described)
        except ConfigError as error:
            raise ConfigError(f"sweep.parameters.{key}: {error}") from None


def _axis(key: str, also: tuple[str, ...], given: Span | Choice) -> Axis:
    kinds = {_takes_whole(each) for each in (key, *also)}  # Each key is looked at, whatever the first one is.
    whole = True in kinds  # Whole numbers are numbers too.
    if isinstance(given, Choice):
        return Axis(key, also, _choices(given, whole), whole=whole)
    _refuse_odd(given)
    if given.step is None and given.factor is None:
        _refuse_parts(key, whole, (given.low, given.high))
        return Axis(key, also, (), float(given.low), float(given.high), given.log, whole)
    numbers = _steps(given)
    _refuse_parts(key, whole, numbers)
    values = tuple(int(number) if whole else float(number) for number in numbers)
    return Axis(key, also, values, log=given.factor is not None, whole=whole)


def _choices(given: Choice, whole: bool) -> tuple[Value, ...]:
    values = tuple(_plain(each) if isinstance(each, Decimal) else each for each in given.values)
    if any(not isinstance(each, int | float | str | bool) for each in values):
        raise ConfigError("expected numbers, words, true or false")
    if len(set(map(str, values))) != len(values):
        raise ConfigError(f"a value is there twice: {', '.join(map(str, values))}")
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values):
        return values
    if whole and any(number % 1 for number in numbers):
        raise ConfigError(f"expected whole numbers, found {', '.join(map(str, values))}")
    return tuple(sorted(numbers if whole else map(float, numbers)))


def _refuse_odd(span: Span) -> None:
    if span.low >= span.high:
        raise ConfigError(f"expected low under high, found {span.low:f} and {span.high:f}")
    if (span.step is not None) + (span.factor is not None) + span.log > 1:
        raise ConfigError("expected one of step, factor and log")
    if (span.log or span.factor is not None) and span.low <= 0:
        raise ConfigError(f"low = {span.low:f}: expected a number above 0 where steps are factors")


def _refuse_parts(key: str, whole: bool, numbers: Iterable[Decimal]) -> None:
    if whole and any(number % 1 for number in numbers):
        raise ConfigError(f"{key} takes whole numbers only")


def _steps(span: Span) -> list[Decimal]:
    """Return the values from low to high, both included; a step that passes high by is refused, not cut."""
    if span.step is not None:
        count = (span.high - span.low) / span.step
        if count > VALUES_MAX:
            raise ConfigError(f"{count:,.0f} steps: expected at most {VALUES_MAX:,}")
        values = [span.low + n * span.step for n in range(floor(count) + 1)]
    else:
        assert span.factor is not None
        values = [span.low]
        while values[-1] * span.factor <= span.high and len(values) <= VALUES_MAX:
            values.append(values[-1] * span.factor)
    if values[-1] != span.high:
        raise ConfigError(
            f"the steps from {span.low:f} never meet {span.high:f}, the last one before it is {values[-1]:f}: "
            "both ends are included, so let them meet"
        )
    return values


def _takes_whole(key: str) -> bool:
    """Return whether a key takes whole numbers only; `ConfigError` where it is no key that can be swept."""
    field = dict(keys_of(Config)).get(key)
    if key.startswith(NOT_SWEPT):
        raise ConfigError(f"{key} is not one of the keys that decide how a run trades: it can't be swept")
    if key in COUNTED_IN:
        raise ConfigError(
            f"{key} is what ticks and money are counted in, and the tape is read once for all sets: it can't be swept; "
            "run a sweep of each value, or give each tape its own with set in [[sweep.tapes]]"
        )
    if key == "strategy":
        raise ConfigError("strategy: a sweep has one strategy, made ready once for all sets; run a sweep of each")
    if field is None:
        raise ConfigError(f"{key} is not a key of the configuration{nearest(key, Config)}")
    return field.annotation in (int, int | None)


def _refuse_doubles(axes: Iterable[Axis]) -> None:
    seen = dict[str, str]()
    for axis in axes:
        for key in (axis.key, *axis.also):
            if key in seen:
                raise ConfigError(f"{key} is swept twice: by {seen[key]} and by {axis.key}")
            seen[key] = axis.key


def whole_set(axes: Sequence[Axis], values: Sequence[Value]) -> Set:
    """Return the set in which each axis has its value, keys that move along written out."""
    return {key: value for axis, value in zip(axes, values, strict=True) for key in (axis.key, *axis.also)}


def rounded(axis: Axis, value: float) -> int | float:
    """Return a value drawn from a range without steps with no more digits than it deserves, within the range."""
    if axis.whole:
        return round(value)
    if not value:
        return 0.0
    places = DIGITS - 1 - floor(log10(abs(value)))
    return min(max(round(value, places), axis.low), axis.high)


def size(axes: Sequence[Axis]) -> int | None:
    """Return how many sets there are; None where an axis has no steps."""
    count = 1
    for axis in axes:
        if not axis.values:
            return None
        count *= len(axis.values)
    return count


def trading(config: Config) -> dict[str, Any]:  # Any: tables of plain values.
    """Return what of a configuration decides how a run trades, as tables."""
    return config.model_dump(exclude_none=True, exclude={"sweep", "live", "storage"})


def with_values(table: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:  # Any: as above.
    """Return `table` with a value for each dotted key, everything else shared with it."""
    made = dict(table)
    for key, value in values.items():
        *parents, last = key.split(".")
        inner = made
        for name in parents:
            below = inner.get(name)
            inner[name] = inner = dict(below) if isinstance(below, dict) else {}
        inner[last] = value
    return made
