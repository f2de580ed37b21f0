"""Bytes that nothing shows: no print, log, dump, pickle, nor traceback that prints the variables of its frames.

A function that has such bytes in a variable raises nothing: its frame would go with the error. It returns what is
wrong, and a caller who holds only the `Secret` raises it. Nor is anything raised while another error is handled:
Python keeps the one inside the other, and a `JSONDecodeError` holds the file it was reading.
"""

from collections.abc import Callable
from typing import NoReturn, Self


class Sealed:
    """What goes through loggers, dumps and dataclasses unseen: it is copied as itself, and never pickled."""

    __slots__ = ()

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is never pickled")


class Secret(Sealed):
    """A passphrase, or the text of a key.

    >>> print(Secret(b"hunter2"), [Secret(b"hunter2")])
    <secret> [<secret>]
    """

    __slots__ = ("reveal",)

    reveal: Callable[[], bytes]

    def __init__(self, value: bytes) -> None:
        self.reveal = lambda: value  # A cell of a function is what no dump looks into.

    def __repr__(self) -> str:
        return "<secret>"
