"""The door of the command: what goes out through it holds no secret, and no secret is taken in by the command line."""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO, cast

import click

from bmv.adapters.postgres.dsn import SECRET
from bmv.ports.errors import UsageError

WHERE = (
    "it belongs in PGPASSWORD, ~/.pgpass or a service file (postgresql://USER@HOST/DATABASE then does without); "
    "for an object store in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a key of an endpoint in the configuration"
)


def refuse_passwords(words: Sequence[str]) -> None:
    """Raise `UsageError` where a word of the command line holds a password or a key, which is not repeated."""
    suspects = [(number, word) for number, word in enumerate(words, 1) if _may_be_url(word)]
    if not suspects:
        return
    from bmv.adapters.config.masking import has_secret

    for number, word in suspects:
        if has_secret(word):
            raise UsageError(f"word {number} of the command line: a password in a URL can be read by others; {WHERE}")


@contextmanager
def masked_output(words: Sequence[str]) -> Iterator[None]:
    """Let nothing secret through to standard output and error, whoever writes there; tell what is logged of our own.

    Args:
        words: Of the command line; what stands in the environment is looked at too.
    """
    masked = _Masked([*words, *(value for name, value in os.environ.items() if name.startswith("BMV_"))])
    before = sys.stdout, sys.stderr
    told, log = _Told(), logging.getLogger("bmv")
    sys.stdout, sys.stderr = (cast(TextIO, _Stream(stream, masked)) for stream in before)
    log.addHandler(told)
    try:
        yield
    finally:
        log.removeHandler(told)
        sys.stdout, sys.stderr = before


def _may_be_url(text: str) -> bool:
    """Say whether a URL, or a setting of a database, may stand in a text."""
    return any(mark in text for mark in (":/", "//", "@")) or ("=" in text and SECRET.search(text) is not None)


class _Masked:
    """Masks a text; what that takes, the configuration's masking, is imported only once there may be need of it."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._suspect = any(map(_may_be_url, words))
        self._made: Callable[[str], str] | None = None

    def __call__(self, text: str) -> str:
        """Return `text` without secrets."""
        if not (self._suspect or _may_be_url(text)):
            return text
        if self._made is None:
            from bmv.adapters.config.masking import Masked

            self._made = Masked(self._words)
        return self._made(text)


class _Stream:
    """A text stream that masks what it is given; it has no bytes beneath, so that nobody writes past it."""

    def __init__(self, stream: TextIO, masked: Callable[[str], str]) -> None:
        self._stream = stream
        self._masked = masked

    def __getattr__(self, name: str) -> Any:  # Any: whatever the stream has.
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write `text`, masked, and return how long it was."""
        self._stream.write(self._masked(text))
        return len(text)

    def writelines(self, lines: Sequence[str]) -> None:
        """Write lines, masked."""
        for line in lines:
            self.write(line)


class _Told(logging.Handler):
    """Tells what is logged as a warning, once for each text."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told = set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record as a line of standard error."""
        text = record.getMessage()
        if text not in self.told:
            self.told.add(text)
            click.echo(f"{'warning' if record.levelno == logging.WARNING else 'error'}: {text}", err=True)
