"""Where the values of a configuration come from: `--set` over environment over file over default.

Whatever is wrong is found at once and said in one :class:`~bmv.ports.errors.ConfigError`, one line a problem.
"""

import logging
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path, PurePath
from typing import Any

from pydantic import ValidationError

from bmv.adapters.config.check import check
from bmv.adapters.config.fields import Section, keys_of, section_of
from bmv.adapters.config.masking import mask_text
from bmv.adapters.config.problems import at_fault, concerns, explain, refuse, shown
from bmv.adapters.config.schema import Config, with_empty_sides
from bmv.ports.errors import ConfigError, UsageError

LOG = logging.getLogger(__name__)
ENV_PREFIX = "BMV__"
ENV_KNOWN = (  # Of the program, not of a configuration.
    "BMV_CACHE_DIR",
    "BMV_COINGECKO_KEY",
    "BMV_DEBUG",
    "BMV_OPENBOOK_V1_SO",
    "BMV_OPENBOOK_V2_SO",
    "BMV_POSTGRES",
    "BMV_PYTH_KEY",
    "BMV_RUNTIME_DIR",
    "BMV_TRIALS",
    "BMV_WALLETS",
    "BMV_WALLET_PASSPHRASE",
)
ENV_TESTS = ("BMV_TEST_", "BMV_BENCH_", "BMV_TICKS", "BMV_EXAMPLES")  # Of the tests and the benchmarks.
Table = dict[str, Any]  # Any: what TOML may hold, before it is validated.
PATHS = (
    "strategy",
    "simulation.entry_latency_ms.file",
    "simulation.response_latency_ms.file",
    "storage.ticks",
    "live.wallet",
    "live.api.token_file",
    "live.prices.coingecko_key_file",
    "live.prices.pyth_key_file",
)
# What may stand in for a key that is wrong or missing without making another one look wrong.
STAND_INS = {"version": 1, "market.symbol": "-", "market.maker_fee_bps": 0, "market.taker_fee_bps": 0}
COUNTED_IN = (  # Their defaults would make others look wrong.
    "market.venue",
    "market.quote_step",
    "market.contract",
    "market.contract.size",
    "market.contract.payoff",
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration, and for each dotted key who gave it: `file`, `env`, `set` or `default`."""

    config: Config
    origins: dict[str, str]


def load(
    path: str | Path, sets: Iterable[str] = (), env: Mapping[str, str] | None = None, *, grid_optional: bool = False
) -> Config:
    """Return the valid configuration of the TOML file at `path`.

    Args:
        sets: Overrides `key=value`, with dotted keys and values as TOML writes them; other text is a string.
        env: Where `BMV__SECTION__KEY` is looked up; the environment if absent.
        grid_optional: Whether the grid may be left out though no strategy is named: then a function decides.
    """
    return load_with_origins(path, sets, env, grid_optional=grid_optional).config


def load_with_origins(
    path: str | Path, sets: Iterable[str] = (), env: Mapping[str, str] | None = None, *, grid_optional: bool = False
) -> Loaded:
    """Return what :func:`load` does, with the origin of each value."""
    if not isinstance(path, str | os.PathLike):
        raise UsageError(f"path: expected that of a TOML file, found {a_kind(path)}; build(**table) takes a mapping")
    if re.match(r"\w{2,}:/", str(path)):  # It is not repeated: it may hold a password.
        raise UsageError("path: expected that of a TOML file on this machine, found a URL")
    path = Path(path)
    table = _read(path)
    given = dict.fromkeys(_leaves(table), "file")
    refuse_misspelt(os.environ if env is None else env)
    for key, value in _from_env(os.environ if env is None else env):
        _put(table, key, value, f"environment {env_name(key)}")
        given[key] = "env"
    for key, value in _from_sets(sets):
        _put(table, key, value, f"--set {key}")
        given[key] = "set"
    _find_paths(table, path.parent, given)
    if grid_optional:
        table["grid"] = with_empty_sides(table.get("grid", {}))
    config = _validated(table, str(path), given, grid_optional)
    return Loaded(config, {key: _origin(key, given) for key, _ in keys_of(Config)})


def build(**sections: Any) -> Config:  # Any: tables of plain values, as TOML would give them.
    """Return a valid configuration made in Python, refused with the same messages as a file.

    >>> side = {"levels": 1, "total_size": "0.1"}
    >>> market = {"symbol": "SOL/USDC", "tick_size": "0.01", "lot_size": "0.001"}
    >>> fees = {"maker_fee_bps": 0, "taker_fee_bps": 4}
    >>> build(version=1, market={**market, **fees}, grid={"bid": side, "ask": side},
    ...       inventory={"start_quote": 1000, "max_position": 5}).grid.bid.levels
    1
    """
    return _validated(deepcopy(sections), "configuration", {})


def configured(config: object, sets: Iterable[str] = (), *, grid_optional: bool = False) -> Config:
    """Return the configuration that a caller in Python means.

    Args:
        config: A `Config`, the path of a TOML file, or a mapping like the file's, which is judged by the same rules
            and named `configuration` in refusals. Relative paths in a mapping are relative to the working directory,
            and the environment has no say in it.
        sets: Overrides as `--set` takes them.
        grid_optional: As :func:`load` takes it.

    Raises:
        UsageError: It is none of these.
        ConfigError: It can't be run.
    """
    if isinstance(config, str | os.PathLike):
        return load(os.fspath(config), sets, grid_optional=grid_optional)
    if isinstance(config, Config):
        if not (sets := list(sets)):
            return config
        table = config.model_dump(exclude_none=True)
    elif isinstance(config, Mapping):
        table = _as_toml(config, "")
    else:
        raise UsageError(
            f"config: expected a Config, the path of a TOML file, or a mapping like that file's, found {a_kind(config)}"
        )
    for key, value in _from_sets(sets):
        _put(table, key, value, f"--set {key}")
    if grid_optional:
        table["grid"] = with_empty_sides(table.get("grid", {}))
    return _validated(table, "configuration", {}, grid_optional)


def a_kind(value: object) -> str:
    """Return what `value` is, in words for a refusal.

    >>> a_kind(None), a_kind(3), a_kind([])
    ('None', 'an int', 'a list')
    """
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _as_toml(table: Mapping[Any, Any], path: str) -> Table:  # Any: whatever a caller has.
    """Return a mapping as TOML would have given it: tables and lists of our own, paths as text, numbers as Python's."""
    plain: Table = {}
    for name, value in table.items():
        if not isinstance(name, str):
            raise ConfigError(f"configuration: {path or 'it'} has the key {name!r:.60}: expected a string")
        plain[name] = _plain_value(value, f"{path}.{name}" if path else name)
    return plain


def _plain_value(value: Any, path: str) -> Any:  # Any: as above.
    if isinstance(value, Mapping):
        return _as_toml(value, path)
    if isinstance(value, list | tuple):
        return [_plain_value(each, path) for each in value]
    if isinstance(value, PurePath):
        return str(value)
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):  # A number of numpy's, or an array of them.
        return value.tolist()
    return value


def env_name(key: str) -> str:
    """Return the environment variable that overrides a dotted key.

    >>> env_name("risk.breaker.halt_pct")
    'BMV__RISK__BREAKER__HALT_PCT'
    """
    return ENV_PREFIX + key.replace(".", "__").upper()


def _read(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"), parse_float=Decimal)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `bmv init {path}` writes a starter") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: expected a TOML file, found a directory") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected UTF-8 text, found another byte at {error.start}") from None
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None


def _from_env(env: Mapping[str, str]) -> Iterable[tuple[str, Any]]:  # Any: what TOML may hold.
    for name in sorted(env):
        if name.startswith(ENV_PREFIX):
            yield name.removeprefix(ENV_PREFIX).lower().replace("__", "."), _value(env[name])


def refuse_misspelt(env: Mapping[str, str]) -> None:
    """Raise `ConfigError` where a variable spells a key without its double underscores; warn of others not known."""
    keys = {key.replace(".", "_"): env_name(key) for key, _ in keys_of(Config)}
    known = {name.removeprefix("BMV_").lower(): name for name in ENV_KNOWN} | keys
    for name in sorted(env):
        word = re.sub("_+", "_", name.upper().removeprefix("BMV_").strip("_")).lower()
        if not name.upper().startswith("BMV_") or name.startswith((ENV_PREFIX, *ENV_TESTS)) or name in ENV_KNOWN:
            continue
        if word in keys:
            raise ConfigError(f"environment {name}: is read by nothing; did you mean {keys[word]}?")
        close = [known[found] for found in get_close_matches(word, known, n=1)]
        LOG.warning("environment %s: is read by nothing%s", name, f"; did you mean {close[0]}?" if close else "")


def _from_sets(sets: Iterable[str]) -> Iterable[tuple[str, Any]]:  # Any: as above.
    for each in sets:
        key, equals, text = each.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {each}: expected key=value, as in --set grid.bid.levels=5")
        yield key.strip(), _value(text.strip())


def _value(text: str) -> Any:  # Any: as above.
    """Read `text` as TOML would read a value; what is not one is a string."""
    try:
        table = tomllib.loads(f"value = {text}", parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError):
        return text
    return table["value"] if set(table) == {"value"} else text


def _put(table: Table, key: str, value: Any, source: str) -> None:  # Any: as above.
    *parents, last = key.split(".")
    for name in parents:
        inner = table.setdefault(name, {})
        if isinstance(inner, int | float | Decimal):  # A plain latency becomes a table when a key of it is set.
            inner = table[name] = {}
        if not isinstance(inner, dict):
            raise ConfigError(f"{source}: expected {name} to be a table, found {shown(inner)}")
        table = inner
    table[last] = value


def _leaves(table: Table, prefix: str = "") -> Iterable[str]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _origin(key: str, given: Mapping[str, str]) -> str:
    """Return who gave `key`, or a key inside it, last."""
    inside = [origin for each, origin in given.items() if each == key or each.startswith(f"{key}.")]
    above = [origin for each, origin in given.items() if key.startswith(f"{each}.")]
    return next((o for o in ("set", "env", "file") if o in inside + above), "default")


def _find_paths(table: Table, folder: Path, given: Mapping[str, str]) -> None:
    """Let a relative path mean what exists beside the configuration file, or where the command runs.

    Which of the two comes first is a matter of who wrote it: a file means what lies beside it, wherever the command
    runs, and a command line (or an environment) means what its shell would mean.
    """
    for key in PATHS:
        *parents, last = key.split(".")
        inner: Any = table  # Any: a table, or what stands in place of one.
        for name in parents:
            inner = inner.get(name) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and isinstance(inner.get(last), str):
            inner[last] = _found(inner[last], folder, here_first=_origin(key, given) != "file")


def _found(text: str, folder: Path, *, here_first: bool) -> str:
    path, colon, name = text.rpartition(":") if ".py:" in text else (text, "", "")
    beside = folder / path
    # Not `Path.exists`: it raises where a name is too long, and a value that is no path may be any text.
    if not path or "://" in text or Path(path).is_absolute() or not os.path.exists(beside):
        return text
    if here_first and os.path.exists(path):
        return text
    here = Path.cwd()
    found = beside.resolve()
    return f"{found.relative_to(here) if found.is_relative_to(here) else found}{colon}{name}"


def _validated(table: Table, source: str, given: Mapping[str, str], grid_optional: bool = False) -> Config:
    _open_tables(table, Config)
    try:
        config = Config.model_validate(table)
    except ValidationError as error:
        problems = explain(error, Config, lambda key: _where(key, given))
        problems += _problems_beside(table, at_fault(error, Config), grid_optional)
        raise ConfigError("\n".join(mask_text(f"{source}: {each}") for each in problems)) from None
    refuse(check(config, grid_optional=grid_optional), source)
    return config


def _problems_beside(table: Table, faulty: Iterable[str], grid_optional: bool) -> list[str]:
    """Return what keys that are right by themselves get wrong together, as far as it can be told without the others."""
    faulty = list(faulty)
    if not set(faulty).isdisjoint(COUNTED_IN):
        return []
    mended = deepcopy(table)
    for key in faulty:
        _take_out(mended, key)
    for key in STAND_INS.keys() & faulty:
        _put(mended, key, STAND_INS[key], key)
    try:
        config = Config.model_validate(mended)
    except ValidationError:
        return []
    doubted = [key for key in faulty if _is_known(key)]
    found = check(config, grid_optional=grid_optional)
    return [problem for problem in found if not any(concerns(problem, key) for key in doubted)]


def _is_known(key: str) -> bool:
    """Tell whether a dotted key is one of the schema, a table of it, or stands inside a key."""
    return any(f"{name}.".startswith(f"{key}.") or key.startswith(f"{name}.") for name, _ in keys_of(Config))


def _take_out(table: Table, key: str) -> None:
    """Remove a dotted key, or as much of what stands in its place as is no table."""
    name, _, rest = key.partition(".")
    if rest and isinstance(table.get(name), dict):
        _take_out(table[name], rest)
    else:
        table.pop(name, None)


def _where(key: str, given: Mapping[str, str]) -> str:
    origin = _origin(key, given)
    return {"env": f" (environment {env_name(key)})", "set": " (--set)"}.get(origin, "")


def _open_tables(table: Table, section: type[Section]) -> None:
    """Give every absent table that has keys without a default an empty one, so that those are named one by one."""
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        optional = name == "grid" and table.get("strategy")
        if inner and field.is_required() and not optional:
            below = table.setdefault(name, {})
            if isinstance(below, dict):
                _open_tables(below, inner)
