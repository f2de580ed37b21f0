"""What JSON-RPC is made of: what JSON holds, and the errors that a node answers with."""

import json
from typing import Any, TypeAlias

Json: TypeAlias = Any  # Any: whatever JSON can hold.

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL = -32603
PREFLIGHT_FAILURE = -32002
BLOCK_NOT_AVAILABLE = -32004
SLOT_SKIPPED = -32007
UNSUPPORTED_VERSION = -32015
MIN_CONTEXT_SLOT = -32016


class RpcError(Exception):
    """A call that a node refuses.

    Args:
        code: As Solana's nodes number it.
        message: In their words, as clients match on them.
        data: What goes with it, if anything.
    """

    def __init__(self, code: int, message: str, data: Json = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data

    def to_json(self) -> dict[str, Json]:
        """Return the `error` member of an answer."""
        plain = {"code": self.code, "message": self.message}
        return plain if self.data is None else {**plain, "data": self.data}


def parsed(text: str | bytes) -> Json:
    """Return what a client's JSON says."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise RpcError(PARSE_ERROR, "Parse error") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is a number of Python's and not of JSON's")


def answer(identity: Json, outcome: Json | RpcError) -> dict[str, Json]:
    """Return the answer to the call `identity`: what it came to, or why it was refused."""
    part = {"error": outcome.to_json()} if isinstance(outcome, RpcError) else {"result": outcome}
    return {"jsonrpc": "2.0", **part, "id": identity}
