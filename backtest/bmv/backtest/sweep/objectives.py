"""What a sweep makes large or small: figures of a run by name, dotted names of its summary, a user's own function."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bmv.backtest.numbers import Json
from bmv.ports.errors import ConfigError

Figures = Mapping[str, Any]  # Any: a figure of a run, or None where it is unknown.


def _net_per_drawdown(figures: Figures) -> float | None:
    """Return the net profit per unit of the deepest fall; a run that never fell counts a fall of a millionth."""
    fall = figures["max_drawdown_quote"]
    return (
        None if fall is None else float(figures["net"]) / max(float(fall), 1e-6 * max(abs(float(figures["net"])), 1.0))
    )


def _markout_adjusted(figures: Figures) -> float | None:
    """Return what the fills were worth a minute later, after fees: profit without the luck of what was held longer."""
    worth = figures["markout_quote_60s"]
    return None if worth is None else float(worth) + float(figures["fees"])


NAMED: dict[str, Callable[[Figures], float | None]] = {
    "net": lambda figures: figures["net"],
    "net_vs_hold": lambda figures: figures["net_vs_hold"],
    "net_per_drawdown": _net_per_drawdown,
    "sharpe": lambda figures: figures["sharpe"],
    "sortino": lambda figures: figures["sortino"],
    "markout_adjusted": _markout_adjusted,
    "volume": lambda figures: figures["volume"],
    "max_drawdown": lambda figures: figures["max_drawdown"],
    "fees": lambda figures: figures["fees"],
    "uptime": lambda figures: figures["uptime"],
}


class Objective(NamedTuple):
    """One thing to make large, or small.

    Args:
        spelling: As the configuration names it, without the sign.
        large: Whether more is better.
        of: Computes it; None where it is unknown. Takes the figures of :mod:`bmv.backtest.sweep.trial`, or a whole
            summary where `whole` says so.
        whole: Whether the summary of a backtest is needed, whose statistics take longer than most runs.
    """

    spelling: str
    large: bool
    of: Callable[[Any], float | None]  # Any: figures, or a summary.
    whole: bool = False

    @property
    def name(self) -> str:
        """The name of its column."""
        return self.spelling.rpartition(":")[2] if ".py:" in self.spelling else self.spelling

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
            raise ConfigError(f'sweep.objective = "{name}": a summary has no such figure')
        found = found[part]
    try:
        return None if found is None else float(found)
    except (TypeError, ValueError):
        raise ConfigError(f'sweep.objective = "{name}": expected a number there, found {found!r:.60}') from None


def _function(spelling: str) -> Callable[[Json], float | None]:
    """Return the user's function of a summary."""
    path, _, name = spelling.rpartition(":")
    if not Path(path).is_file():
        raise ConfigError(f'sweep.objective = "{spelling}": there is no file {path}')
    spec = importlib.util.spec_from_file_location(f"bmv_objective_{Path(path).stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f'sweep.objective = "{spelling}": {path} can\'t be imported: {error}') from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ConfigError(f'sweep.objective = "{spelling}": {path} has no function {name}')

    def guarded(summary: Json) -> float | None:
        try:
            figure = function(summary)
            return None if figure is None else float(figure)
        except Exception as error:
            raise ConfigError(f'sweep.objective = "{spelling}" failed: {type(error).__name__}: {error}') from error

    return guarded
