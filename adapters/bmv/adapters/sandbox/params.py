"""Whether a method can use what a client sent with it: types and ranges, looked at before it sees them.

A parameter's annotation says what it takes; `config`, the last of most methods, has a table here.
"""

from base64 import b64decode
from collections.abc import Callable, Sequence
from inspect import Parameter, signature
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import base58

from bmv.adapters.sandbox.jsonrpc import INVALID_PARAMS, Json, RpcError

U64 = range(2**64)
CONFIG_OR_ENCODING = str | dict[str, Json] | None  # A bare text is an encoding, as of old.
CONFIG: dict[str, Any] = {  # Any: types, and unions of them.
    "before": str | None,
    "commitment": str | None,
    "encoding": str | None,
    "limit": int | None,
    "maxSupportedTransactionVersion": int | None,
    "minContextSlot": int | None,
    "preflightCommitment": str | None,
    "transactionDetails": str | None,
    "until": str | None,
}
SLICE: dict[str, Any] = {"offset": int, "length": int}
COMPARED: dict[str, Any] = {"offset": int, "bytes": str | list[int], "encoding": str | None}
ACCOUNTS: dict[str, Any] = {"addresses": list[str] | None, "encoding": str | None}
TOKEN_ACCOUNT = "tokenAccountState"  # The one filter that has no value.


def check_arguments(function: Callable[..., Json], arguments: Sequence[Json]) -> None:
    """Refuse arguments that a method can't be called with; its first parameter is not the client's."""
    try:
        signature(function).bind(None, *arguments)
    except TypeError as error:
        raise RpcError(INVALID_PARAMS, f"Invalid params: {error}") from None
    parameters = list(signature(function).parameters.values())[1:]
    for parameter, value in zip(parameters, arguments, strict=False):
        _check_argument(parameter, value)


def _check_argument(parameter: Parameter, value: Json) -> None:
    if parameter.name == "config" and not (isinstance(value, str) and parameter.annotation == CONFIG_OR_ENCODING):
        check_config(value)
    elif not _fits(value, parameter.annotation):
        raise _wrong(parameter.name, value)


def check_config(config: Json) -> None:
    """Refuse a call's configuration that has a field of another type than it takes."""
    if config is None:
        return
    _check_fields("config", config, CONFIG)
    if config.get("dataSlice") is not None:
        _check_fields("dataSlice", config["dataSlice"], SLICE)
    if config.get("accounts") is not None:
        _check_fields("accounts", config["accounts"], ACCOUNTS)
    if not _fits(config.get("filters"), list | None):
        raise _wrong("filters", config["filters"])
    for one in config.get("filters") or ():
        _check_filter(one)


def _check_filter(wanted: Json) -> None:
    if wanted == TOKEN_ACCOUNT:
        return
    if not isinstance(wanted, dict) or not wanted.keys() & {"dataSize", "memcmp", TOKEN_ACCOUNT}:
        raise _wrong("filters", wanted)
    _check_fields("filters", wanted, {"dataSize": int | None})
    if wanted.get("memcmp") is not None:
        _check_fields("memcmp", wanted["memcmp"], COMPARED)
        compared_bytes(wanted["memcmp"])


def compared_bytes(compared: dict[str, Json]) -> bytes:
    """Return the bytes that a filter compares with."""
    text = compared["bytes"]
    try:
        if isinstance(text, list):
            return bytes(text)
        return b64decode(text) if compared.get("encoding") == "base64" else base58.b58decode(text)
    except ValueError:
        raise RpcError(INVALID_PARAMS, "Invalid param: unable to decode the bytes of memcmp") from None


def _check_fields(name: str, value: Json, hints: dict[str, Any]) -> None:
    if not isinstance(value, dict):
        raise _wrong(name, value)
    for field, hint in hints.items():
        if not _fits(value.get(field), hint):
            raise _wrong(field, value.get(field))


def _fits(value: Json, hint: Any) -> bool:
    """Say whether a value is of a type; numbers are whole, and of 64 bits without sign."""
    if isinstance(hint, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_fits(one, get_args(hint)[0]) for one in value)
    if hint is int:
        return type(value) is int and value in U64
    kind = get_origin(hint) or hint
    return isinstance(value, kind) if kind in (str, list, dict, NoneType) else True


def _wrong(name: str, value: Json) -> RpcError:
    return RpcError(INVALID_PARAMS, f"Invalid params: {name} can't be {str(value)[:80]!r}")
