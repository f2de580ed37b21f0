"""The log of a session: structlog in front, a thread behind that masks and writes, and between them a bounded queue.

Whoever logs pays for a queue, not for a disk or a pipe that is full: what finds no room is dropped and counted, and the
count is told as soon as there is room again.
"""

import logging
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, NoReturn, Self, TextIO

import orjson
import structlog

from bmv.adapters.telemetry.masking import Masker

LINES_MAX = 10_000
CLOSE_S = 2.0  # For what is left, at the end.
Form = Literal["json", "console"]
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
HEAD = ("time", "level", "event")  # First on every line.
Event = dict[str, Any]  # Any: whatever is logged.


class Logs:
    """Takes what structlog and `logging` (of `bmv`) are told, while it is entered, and writes it line by line.

    Args:
        stream: Where lines go.
        mask: Hides what is secret in URLs and settings, and whatever words it was told of; keys are hidden beside it.
        form: A line of JSON, or one for a person.
        level: The least that is written.
        lines_max: That may wait to be written.
    """

    def __init__(
        self,
        stream: TextIO,
        mask: Callable[[str], str],
        form: Form = "json",
        level: str = "info",
        lines_max: int = LINES_MAX,
    ) -> None:
        self.dropped = self.written = self.failed = 0
        self._stream, self._level = stream, LEVELS[level]
        self._masker = Masker(mask)
        self._render = _json if form == "json" else _console
        self._waiting: queue.Queue[Event | None] = queue.Queue(lines_max)
        self._told = 0  # Of those dropped, how many a line has told of.
        self._thread = threading.Thread(target=self._write_on, name="bmv-logs", daemon=True)
        self._logging = _Handler(self._put, self._level)
        self._before: tuple[list[logging.Handler], int, bool] = ([], 0, True)

    def __repr__(self) -> str:
        return f"<Logs: {self.written} written, {self._waiting.qsize()} waiting, {self.dropped} dropped>"

    def __enter__(self) -> Self:
        structlog.configure(
            processors=[structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, self._take],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
            cache_logger_on_first_use=False,
        )
        log = logging.getLogger("bmv")
        self._before = log.handlers, log.level, log.propagate
        log.handlers, log.propagate = [self._logging], False
        log.setLevel(self._level)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        structlog.reset_defaults()
        log = logging.getLogger("bmv")
        log.handlers, level, log.propagate = self._before
        log.setLevel(level)
        until = time.monotonic() + CLOSE_S
        try:
            self._waiting.put(None, timeout=CLOSE_S)
        except queue.Full:  # Nobody takes our lines: the session ends without them.
            return
        self._thread.join(max(0.0, until - time.monotonic()))

    def _take(self, _: Any, __: str, event: MutableMapping[str, Any]) -> NoReturn:  # Any: as structlog has it.
        self._put(event)
        raise structlog.DropEvent

    def _put(self, event: Mapping[str, Any]) -> None:  # Any: whatever is logged.
        """Let an event wait to be written; the time is now, and an exception the one that is handled now."""
        stamped = {"time": time.time_ns(), **event}
        if stamped.get("exc_info") is True:
            stamped["exc_info"] = sys.exc_info()
        try:
            self._waiting.put_nowait(stamped)
        except queue.Full:
            self.dropped += 1

    def _write_on(self) -> None:
        while (event := self._waiting.get()) is not None:
            if (missing := self.dropped - self._told) and not self._waiting.full():
                self._told += missing
                told = {"level": "warning", "event": "lines of the log were dropped", "lines": missing}
                self._write({"time": event["time"], **told})
            self._write(event)

    def _write(self, event: Event) -> None:
        try:
            self._stream.write(f"{self._render(self._masker(_readable(event)))}\n")
            self._stream.flush()
            self.written += 1
        except Exception:  # A log must not end what it tells of, and has nowhere to tell of itself.
            self.failed += 1


class _Handler(logging.Handler):
    """Hands on what was told to `logging`."""

    def __init__(self, put: Callable[[Mapping[str, Any]], None], level: int) -> None:
        super().__init__(level)
        self._put = put

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on a record; one whose arguments don't fit its text, as it is."""
        try:
            text = record.getMessage()
        except Exception:
            text = str(record.msg)
        event: Event = {"level": record.levelname.lower(), "event": text, "logger": record.name}
        self._put({**event, "exc_info": record.exc_info} if record.exc_info else event)


def _readable(event: Event) -> Event:
    """Return an event with its time in words, and its exception as a traceback without the values of variables."""
    event = dict(event)
    at_ns, error = event.pop("time"), event.pop("exc_info", None)
    head = {"time": datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="microseconds")}
    whole = {**head, **{name: event.pop(name, "") for name in HEAD[1:]}, **event}
    if isinstance(error, BaseException):
        error = type(error), error, error.__traceback__
    if isinstance(error, tuple) and error[0] is not None:
        whole["exception"] = "".join(traceback.format_exception(*error)).rstrip()  # It prints no variables.
    return whole


def _json(event: Event) -> str:
    return orjson.dumps(event).decode()


def _console(event: Event) -> str:
    event.pop("logger", None)  # For programs: a person has a line to read.
    time_, level, text = (str(event.pop(name)) for name in HEAD)
    trace = "\n".join(_shown(each, bare=True) for each in str(event.pop("exception", "")).splitlines())
    beside = " ".join(f"{name}={_shown(value)}" for name, value in event.items())
    line = f"{time_[11:23]} {level:<8} {_shown(text, bare=True)}  {beside}".rstrip()
    return f"{line}\n{trace}" if trace else line


def _shown(value: object, bare: bool = False) -> str:
    """Return a value on one line, without the signs that a terminal would obey."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(value))
    return text if bare or " " not in text else f'"{text}"'
