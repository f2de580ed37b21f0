"""Which lines of a transaction's log a program wrote, and the bytes in them.

A log line says nothing about who wrote it, and any program may write a line that looks like a fill. So the lines are
read with the calls around them: only what stands inside a call of the program itself counts. A node that cuts a
transaction's logs short says "Log truncated": what came after is unknown, which is not the same as nothing.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator

from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import CutOff, Malformed

PREFIX = "Program data: "
_INVOKE = re.compile(r"Program (\w{32,44}) invoke \[\d+\]")
_END = re.compile(r"Program (\w{32,44}) (?:success|failed: .*)")


def own_data(lines: Iterable[str], program: Pubkey) -> Iterator[bytes]:
    """Yield the data that a program logged in one transaction, in order; lines of other programs are passed over.

    Raises:
        CutOff: The lines end before the transaction does.
        Malformed: A line of the program holds none.
    """
    calls: list[str] = []
    own = str(program)
    for line in lines:
        if line == "Log truncated":
            raise CutOff("the transaction's logs were cut off")
        if match := _INVOKE.fullmatch(line):
            calls.append(match[1])
        elif match := _END.fullmatch(line):
            if not calls or calls.pop() != match[1]:
                raise Malformed(f"{match[1]} ends without having begun")
        elif calls and calls[-1] == own and line.startswith(PREFIX):
            yield data_of(line)


def data_of(line: str) -> bytes:
    """Return the data of one line that begins with "Program data: "."""
    try:
        return b64decode(line.removeprefix(PREFIX), validate=True)
    except (Base64Error, ValueError):
        raise Malformed(f"{line[:80]!r} is no log") from None


def line_of(data: bytes) -> str:
    """Return the line that the chain shows for data that were logged."""
    return PREFIX + b64encode(data).decode()
