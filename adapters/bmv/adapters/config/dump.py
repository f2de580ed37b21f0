"""A configuration written out again: every key that has a value, so that a run can be repeated from its folder."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from functools import reduce
from hashlib import sha256
from operator import getitem
from typing import Any

from bmv.adapters.config.fields import Section, keys_of
from bmv.adapters.config.masking import mask_value
from bmv.adapters.config.schema import Config, Contract

ONE_LINE = (Contract,)  # Tables that stand as the value of one key, beside those that name a model.


def dump(config: Config, without: Collection[str] = ()) -> str:
    """Return `config` as TOML that loads to an equal configuration; defaults are written out, absent keys are not.

    Args:
        without: Tables at the top that are left out, for those in whose place their defaults do.
    """
    kept = [(name, value) for name, value in config if name not in without]
    return "\n".join(_lines("", kept)).lstrip("\n") + "\n"


def digest(config: Config) -> str:
    """Return the SHA-256 of the masked dump, 64 hex digits: equal for equal configurations, on every machine."""
    return sha256(dump(masked(config)).encode()).hexdigest()


def masked(config: Config) -> Config:
    """Return `config` with the secrets that a URL may carry (a password, the values of its query) made unreadable."""
    return Config.model_validate(_mask(config.model_dump(exclude_none=True)))


def flat(config: Config) -> dict[str, Any]:  # Any: whatever a key may hold.
    """Return every dotted key with its masked value as plain data; `None` where it is absent."""
    tree = masked(config).model_dump()
    return {key: reduce(getitem, key.split("."), tree) for key, _ in keys_of(Config)}


def _mask(value: Any) -> Any:  # Any: whatever a key may hold.
    if isinstance(value, Mapping):
        return {name: _mask(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mask(each) for each in value]
    return mask_value(value) if isinstance(value, str) else value


def _lines(name: str, values: Iterable[tuple[str, Any]]) -> list[str]:  # Any: whatever a key may hold.
    plain, inner = list[str](), list[str]()
    for key, value in values:
        path = f"{name}.{key}" if name else key
        if isinstance(value, Section) and type(value) not in ONE_LINE and "model" not in type(value).model_fields:
            inner += _lines(path, value)
        elif isinstance(value, Mapping):
            rows = [f"{_key(each)} = {inline(v)}" for each, v in value.items()]
            inner += ["", f"[{path}]", *rows] if rows else []
        elif value is not None:
            plain.append(f"{key} = {inline(value)}")
    head = ["", f"[{name}]"] if name and plain else []
    return head + plain + inner


def inline(value: Any) -> str:  # Any: whatever a key may hold.
    """Return `value` as TOML writes it on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f'"{value:f}"'
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return "[" + ", ".join(inline(each) for each in value) + "]"
    if isinstance(value, Section):
        return inline(dict(value))
    if isinstance(value, Mapping):  # TOML has no word for what is absent.
        return "{ " + ", ".join(f"{_key(k)} = {inline(v)}" for k, v in value.items() if v is not None) + " }"
    return repr(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)
