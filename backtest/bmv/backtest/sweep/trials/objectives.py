"""What is asked of a set: what to make large or small, and the constraints that it must keep.

An objective is a figure of a run by its name, a dotted name of its summary, or a user's own function.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from math import isinf, isnan
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

from bmv.adapters.config.schema import Constraints
from bmv.adapters.strategy import plugin
from bmv.adapters.strategy.plugin import StrategyError
from bmv.backtest.sweep.trials.row import Figures
from bmv.data.runs.numbers import Json
from bmv.ports.errors import ConfigError


class ObjectiveError(ConfigError):
    """An objective that can be computed of no run: a name that no summary has, a function that raised."""


def _net_per_drawdown(figures: Figures) -> float | None:
    """Return the net profit per unit of the deepest fall; a run that never fell counts a fall of a millionth.

    It is a ratio, and so known only of a run that may have one (:func:`bmv.data.runs.statistics.returns.no_ratio`).
    """
    fall, net = figures["max_drawdown_quote"], float(figures["net"])
    if fall is None or figures["no_ratio"] is not None:
        return None
    return net / max(float(fall), 1e-6 * max(abs(net), 1.0))


def _markout_adjusted(figures: Figures) -> float | None:
    """Return what the fills were worth a minute later, after fees: profit without the luck of what was held longer."""
    worth = figures["markout_quote_60s"]
    return None if worth is None else float(worth) + float(figures["fees"])


NAMED: dict[str, Callable[[Figures], float | None]] = {
    "net": lambda figures: figures["net"],
    "net_vs_hold": lambda figures: figures["net_vs_hold"],
    "quoting": lambda figures: figures["quoting"],
    "net_per_drawdown": _net_per_drawdown,
    "sharpe": lambda figures: figures["sharpe"],
    "sortino": lambda figures: figures["sortino"],
    "markout_adjusted": _markout_adjusted,
    "volume": lambda figures: figures["volume"],
    "max_drawdown": lambda figures: figures["max_drawdown"],
    "fees": lambda figures: figures["fees"],
    "uptime": lambda figures: figures["uptime"],
}


RATIOS = {"net_per_drawdown", "sharpe", "sortino"}  # So are those below `statistics.ratios` in a summary.


class Objective(NamedTuple):
    """One thing to make large, or small.

    Args:
        spelling: As the configuration names it, without the sign.
        large: Whether more is better.
        of: Computes it; None where it is unknown. Takes the figures of :mod:`bmv.backtest.sweep.run.trial`, or a whole
            summary where `whole` says so.
        whole: Whether the summary of a backtest is needed, whose statistics take longer than most runs.
    """

    spelling: str
    large: bool
    of: Callable[[Any], float | None]  # Any: figures, or a summary.
    whole: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        return self.spelling.rpartition(":")[2] if ".py:" in self.spelling else self.spelling

    def column(self, tapes: int, taken: Collection[str]) -> str:
        """Return the name of its column, where columns of other names are `taken`.

        A figure by its name is the column of that name, as long as there is one tape; else a column of its own.
        """
        same = self.name in NAMED and not self.whole and tapes == 1
        return self.name if same or self.name not in taken else f"objective.{self.name}"

    @property
    def is_ratio(self) -> bool:
        """Whether it sets earnings against risk, which few runs are long enough for."""
        in_summary = self.spelling.startswith("statistics.ratios.") and ".py:" not in self.spelling
        return self.spelling in RATIOS or in_summary

    @property
    def direction(self) -> str:
        """The sign as `summary.json` spells it, and Optuna."""
        return "maximize" if self.large else "minimize"

    def __repr__(self) -> str:
        return f"<Objective {'' if self.large else '-'}{self.spelling}>"


def objectives_of(spelt: str | Sequence[str]) -> list[Objective]:
    """Return the objectives that the configuration names; `ConfigError` where one is unknown."""
    names = [spelt] if isinstance(spelt, str) else list(spelt)
    if not names:
        raise ConfigError("sweep.objective: expected at least one")
    found = [_objective(name.strip()) for name in names]
    if len({objective.name for objective in found}) != len(found):
        raise ConfigError(f"sweep.objective: one is there twice: {', '.join(names)}")
    return found


def unknown(objectives: Sequence[Objective], values: Sequence[float | None], figures: Figures) -> str:
    """Say which objectives of a run are not known, and why; empty where all are."""
    told = [
        f"{each.name} can't be told: {(each.is_ratio and figures['no_ratio']) or 'too little happened'}"
        for each, value in zip(objectives, values, strict=True)
        if value is None
    ]
    return "; ".join(told)


def violated(constraints: Constraints, figures: Figures) -> list[float]:
    """Return how far each constraint that is on is broken; 0 or below is kept, and what is unknown breaks it by 1."""
    found = list[float]()

    def over(value: float | None, limit: float | None, sign: int) -> None:
        if limit is not None:
            found.append(1.0 if value is None else sign * (float(value) - float(limit)))

    over(figures.get("max_drawdown"), constraints.max_drawdown, 1)
    over(figures.get("fills"), constraints.min_fills, -1)
    position = figures.get("end_position")
    most = constraints.max_position
    over(None if position is None else abs(position), None if most is None else float(most), 1)
    over(figures.get("uptime"), constraints.min_uptime, -1)
    return found


def _objective(spelt: str) -> Objective:
    large, name = not spelt.startswith("-"), spelt.removeprefix("-")
    if name in NAMED:
        return Objective(name, large, NAMED[name])
    if ".py:" in name:
        return Objective(name, large, _function(name), whole=True)
    if "." in name:
        return Objective(name, large, lambda summary: _dotted(summary, name), whole=True)
    raise ConfigError(
        f'sweep.objective = "{spelt}": expected {", ".join(NAMED)}, a dotted name in summary.json such as '
        "statistics.activity.net_bps, or path.py:name"
    )


def _dotted(summary: Json, name: str) -> float | None:
    found: Any = summary  # Any: what JSON may hold.
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise ObjectiveError(f'sweep.objective = "{name}": a summary has no such figure')
        found = found[part]
    try:
        return None if found is None else float(found)
    except (TypeError, ValueError):
        raise ObjectiveError(f'sweep.objective = "{name}": expected a number there, found {found!r:.60}') from None


def _function(spelling: str) -> Callable[[Json], float | None]:
    """Return the user's function of a summary."""
    function = plugin.function_at(spelling, "sweep.objective")

    def guarded(summary: Json) -> float | None:
        try:
            answer: object = function(summary)
        except Exception as error:
            raise ObjectiveError(f'sweep.objective = "{spelling}" failed: {type(error).__name__}: {error}') from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise StrategyError(f'sweep.objective = "{spelling}" failed: {plugin.where(error)}') from error
        return _number(answer, spelling)

    return guarded


def _number(answer: object, spelling: str) -> float | None:
    """Return a function's answer as a float, None for NaN: it is what a division by nothing leaves.

    Anything else that is no finite number, as text and truth never are, is a mistake of the function: `StrategyError`.
    """
    if not isinstance(answer, bool):
        with suppress(OverflowError, ValueError):  # Of a whole number beyond any float, and of a NaN that signals.
            if isinstance(answer, Real | Decimal) and not isinf(number := float(answer)):
                return None if isnan(number) else number
    path, _, name = spelling.rpartition(":")
    raise StrategyError(f"{Path(path).name}:{name} returned {answer!r:.60}; expected a finite number")
