"""Who decides in a session: the engine of a configuration, and which of its keys may change while it runs."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from operator import getitem
from typing import Any

from bmv.adapters.config import Config, compile, configured
from bmv.adapters.config.dump import dump
from bmv.adapters.strategy import identity, plugin
from bmv.core.engine import Engine, Strategy
from bmv.core.params import Params
from bmv.core.standing import Standing
from bmv.ports.errors import DataError, Refused
from bmv.ports.market import Market

FREE = ("grid", "requote", "inventory.price_skew_bps", "inventory.size_skew")  # Keys, and tables.
DOWNWARDS = ("risk", "inventory.max_position")  # Limits, which may only become narrower.
# Limits of whoever pays and signs, who learns them once.
AT_START = ("risk.min_sol", "risk.max_fees_sol_per_day", "risk.max_fees_sol_per_hour", "risk.stale_after_slots")


@dataclass(slots=True)
class Decider:
    """Makes the engine of a configuration, and its parameters anew when a key changes.

    Args:
        config: As it is now; it changes with :meth:`change`.
        strategy: The user's function; None: the pivot grid.
        checks: Refuse a configuration that may not take the place of the present one, by `Refused`.
        listeners: Hear each configuration that takes the place of another.
    """

    config: Config
    strategy: Strategy | None
    checks: list[Callable[[Config], None]] = field(default_factory=list)
    listeners: list[Callable[[Config], None]] = field(default_factory=list)

    @property
    def market(self) -> Market:
        """The instrument."""
        return compile.market(self.config)

    def params(self) -> Params:
        """Return what the engine decides by now."""
        return compile.params(self.config, self.market, plugin.kind(self.strategy))

    def engine(self, standing: Standing | None = None) -> Engine:
        """Return a fresh engine, which goes on from how an earlier one stood."""
        engine = Engine(self.params(), plugin.guarded(self.strategy))
        if standing is not None:
            engine.begin_as(standing)
        return engine

    def change(self, key: str, value: str) -> Params:
        """Change a key, and return what the engine decides by from now on.

        `ConfigError` where a file may not say so either, `Refused` where that can't change now.
        """
        key = key.strip()  # As whoever reads it does: or a space would be a key that has no limit.
        changed = _changed(self.config, key, value)
        _refuse_fixed(key)
        if _is_of(key, DOWNWARDS):
            _refuse_wider(key, _at(self.config, key), _at(changed, key))
        params = compile.params(changed, self.market, plugin.kind(self.strategy))
        for check in self.checks:
            check(changed)
        self.config = changed
        for listen in self.listeners:
            listen(changed)
        return params


def decider_of(config: Config) -> Decider:
    """Return who decides by a configuration; a strategy's file is imported anew."""
    return Decider(config, plugin.load(config.strategy) if config.strategy else None)


def identity_of(config: Config) -> Mapping[str, Any] | None:  # Any: it is JSON.
    """Return what tells the strategy of a configuration from others; None: the pivot grid."""
    return identity.of_file(config.strategy) if config.strategy else None


def decider_of_text(text: str, strategy: Mapping[str, Any] | None) -> Decider:  # Any: it is JSON.
    """Return who decided in a session, by its configuration and what told its strategy; `DataError` if that is another.

    A strategy that was changed since would say something else, and that would be called a difference.
    """
    config = configured(tomllib.loads(text))
    now = identity_of(config)
    if (now or {}).get("sha256") != (strategy or {}).get("sha256"):
        raise DataError(
            f"{config.strategy}: is not the file that decided in the session (SHA-256 {(strategy or {}).get('sha256')}"
            f", now {(now or {}).get('sha256')}); put that one back to replay the session"
        )
    return decider_of(config)


def _changed(config: Config, key: str, value: str) -> Config:
    """Return a configuration with another value of a key, judged like the file."""
    return configured(tomllib.loads(dump(config)), [f"{key}={value}"])


def _refuse_fixed(key: str) -> None:
    if key in AT_START:
        raise Refused(f"{key}: is heeded from the start of a session, and can't change while one runs")
    if not _is_of(key, (*FREE, *DOWNWARDS)):
        free, limits = ", ".join(FREE), ", ".join(DOWNWARDS)
        raise Refused(f"{key}: can't change while a session runs; what can: {free}, and downwards {limits}")


def _is_of(key: str, names: tuple[str, ...]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _at(config: Config, key: str) -> Any:  # Any: whatever a key may hold.
    try:
        return reduce(getitem, key.split("."), config.model_dump())
    except (KeyError, TypeError):
        return None


def _refuse_wider(key: str, before: object, now: object) -> None:
    """Raise `Refused` where a limit would become wider: none is the widest."""
    if now == before:
        return
    if isinstance(before, dict) or isinstance(now, dict):
        raise Refused(f"{key}: is a table, and can't change as a whole; name one of its keys")
    if isinstance(now, str):
        raise Refused(f"{key}: can't change while a session runs")
    if before is None:
        return
    if now is None or Decimal(str(now)) > Decimal(str(before)):
        raise Refused(f"{key}: limits may only become narrower while a session runs; it is {before}, asked {now}")
