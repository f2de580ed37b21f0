"""What goes over the control socket, without any I/O: one line of JSON for a request, one for its answer."""

from dataclasses import dataclass
from typing import Any

import orjson

from bmv.live.control.steered import StopMode
from bmv.ports.errors import BmvError, ConfigError, DataError, Refused, UsageError

VERSION = 1
REQUEST_MAX = 4_096  # Bytes of a line.
ANSWER_MAX = 1 << 20
FILLS, FILLS_MAX = 20, 1_000
TEXT_MAX = 1_000  # Characters of a key, a value or an error.
FIELDS = {  # Request -> what may stand beside it.
    "status": frozenset[str](),
    "orders": frozenset[str](),
    "fills": frozenset({"limit"}),
    "health": frozenset[str](),
    "pause": frozenset[str](),
    "resume": frozenset[str](),
    "rearm": frozenset[str](),
    "stop": frozenset({"mode"}),
    "flatten": frozenset[str](),
    "set": frozenset({"key", "value"}),
}
ERRORS = {each.exit_code: each for each in (BmvError, UsageError, ConfigError, DataError, Refused)}


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks of a session.

    Args:
        name: One of `FIELDS`.
        limit: Of fills, 1 to `FILLS_MAX`.
        mode: Of a stop.
        key, value: Of a set.
    """

    name: str
    limit: int = FILLS
    mode: StopMode = StopMode.CANCEL
    key: str = ""
    value: str = ""


class Lines:
    """Cuts what arrives into lines.

    Args:
        length_max: Bytes that a line may have, its end not counted.
    """

    def __init__(self, length_max: int) -> None:
        self._length_max = length_max
        self._rest = bytearray()

    def __repr__(self) -> str:
        return f"<Lines: {len(self._rest)} bytes of the next line>"

    def feed(self, data: bytes) -> list[bytes]:
        """Take in bytes, and return the lines that are whole by now; `DataError` where one is too long."""
        self._rest += data
        *lines, rest = self._rest.split(b"\n")
        if any(len(line) > self._length_max for line in (*lines, rest)):
            self._rest.clear()
            raise DataError(f"expected a line of at most {self._length_max} bytes, found a longer one")
        self._rest = bytearray(rest)
        return [bytes(line) for line in lines]


def encode_request(request: Request) -> bytes:
    """Return the line of a request.

    >>> encode_request(Request("fills", limit=3))
    b'{"bmv":1,"request":"fills","limit":3}\\n'
    """
    beside = {name: getattr(request, name) for name in sorted(FIELDS[request.name])}
    return orjson.dumps({"bmv": VERSION, "request": request.name, **beside}) + b"\n"


def decode_request(line: bytes) -> Request:
    """Return the request of a line; `UsageError` says what is wrong with it.

    >>> decode_request(b'{"bmv":1,"request":"stop","mode":"keep"}').mode
    <StopMode.KEEP: 'keep'>
    """
    table = _table(line)
    if table.pop("bmv", None) != VERSION:
        raise UsageError(f"bmv: expected {VERSION}: this session is of another version than who asks")
    name = table.pop("request", None)
    if not isinstance(name, str) or name not in FIELDS:
        raise UsageError(f"request: expected one of {', '.join(FIELDS)}")
    if strange := table.keys() - FIELDS[name]:
        raise UsageError(f"request {name}: {min(strange)[:40]!r} is none of its fields")
    return Request(name, **{field: _CHECKS[field](value) for field, value in table.items()})


def _table(line: bytes) -> dict[str, Any]:  # Any: what JSON may hold, before it is looked at.
    try:
        table = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise UsageError("expected a line of JSON, found something else") from None
    if not isinstance(table, dict):
        raise UsageError("expected an object of JSON, found another value")
    return table


def _limit(value: object) -> int:
    if type(value) is not int or not 1 <= value <= FILLS_MAX:
        raise UsageError(f"limit: expected a whole number from 1 to {FILLS_MAX}")
    return value


def _mode(value: object) -> StopMode:
    if not isinstance(value, str) or value not in list(StopMode):
        raise UsageError(f"mode: expected one of {', '.join(StopMode)}")
    return StopMode(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_MAX:
        raise UsageError(f"key, value: expected text of 1 to {TEXT_MAX} characters")
    return value


_CHECKS: dict[str, Any] = {"limit": _limit, "mode": _mode, "key": _text, "value": _text}  # Any: a check of its field.


def encode_answer(answer: object) -> bytes:
    """Return the line of an answer; `TypeError` where JSON can't hold it, `DataError` where it is too long."""
    line = orjson.dumps({"bmv": VERSION, "answer": answer}) + b"\n"
    if len(line) > ANSWER_MAX:
        raise DataError(f"expected an answer of at most {ANSWER_MAX} bytes, found {len(line)}; ask for fewer rows")
    return line


def encode_error(error: BmvError) -> bytes:
    """Return the line that says what went wrong: one line of text, without secrets, and its exit code.

    >>> encode_error(UsageError("no such key"))
    b'{"bmv":1,"error":"no such key","exit_code":2}\\n'
    """
    from bmv.adapters.config.masking import mask_text  # It takes a while to import, and who asks does without.

    text = mask_text(" ".join(str(error).split()))[:TEXT_MAX]
    return orjson.dumps({"bmv": VERSION, "error": text, "exit_code": error.exit_code}) + b"\n"


def decode_answer(line: bytes) -> Any:  # Any: whatever the session answers.
    """Return the answer of a line, or raise the error that it tells; `DataError` where it is neither."""
    try:
        table = orjson.loads(line)
    except orjson.JSONDecodeError:
        table = None
    if not isinstance(table, dict) or table.get("bmv") != VERSION:
        raise DataError("expected an answer of this version of bmv, found something else")
    if "answer" in table:
        return table["answer"]
    code = table.get("exit_code")
    raise (ERRORS.get(code, BmvError) if isinstance(code, int) else BmvError)(str(table.get("error"))[:TEXT_MAX])
