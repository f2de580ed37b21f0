"""Rows in the binary form of COPY, as numpy tables: no Python object a value.

A row is the number of its fields (2 bytes), then each field with its length (4 bytes) before it, all big-endian; before
the rows stand 19 bytes, after them 2. Source: PostgreSQL 15 documentation, SQL COPY, Binary Format. All our fields have
a fixed length and none is null, so that a table is one numpy record after the other.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL = b"\xff\xff"
CHUNK_BYTES = 1 << 17
Rows = NDArray[np.void]


class Form:
    """The binary form of rows of some fields.

    Args:
        fields: Name and length in bytes of each, 2, 4 or 8: a smallint, an integer, a bigint.
    """

    def __init__(self, fields: Mapping[str, int]) -> None:
        self.fields = dict(fields)
        parts: list[tuple[str, str]] = [("fields", ">i2")]
        for name, length in self.fields.items():
            parts += [(f"{name}.length", ">i4"), (name, f">i{length}")]
        self.record = np.dtype(parts)

    @property
    def names(self) -> list[str]:
        """The fields, in order."""
        return list(self.fields)

    def written(self, columns: Mapping[str, NDArray[Any] | int]) -> bytes:  # Any: whole numbers of any length.
        """Return the rows of `columns`, each `(n,)` or one number for all rows, as COPY reads them.

        >>> form = Form({"a": 2, "b": 8})
        >>> form.read(form.written({"a": np.array([1, 2]), "b": np.array([3, 4])}))["b"].tolist()
        [3, 4]
        """
        rows = max(np.size(column) for column in columns.values())
        table = np.empty(rows, self.record)
        table["fields"] = len(self.fields)
        for name, length in self.fields.items():
            table[f"{name}.length"] = length
            table[name] = columns[name]
        return HEAD + table.tobytes() + TAIL

    def read(self, told: bytes | bytearray) -> Rows:
        """Return what COPY told, `(n,)` records with the fields by name, big-endian; no copy is made."""
        body = memoryview(told)[len(HEAD) : -len(TAIL)]
        assert bytes(told[: len(HEAD)]) == HEAD, "COPY told something else than rows"
        table: Rows = np.frombuffer(body, self.record)
        assert bool((table["fields"] == len(self.fields)).all())
        return table


async def chunks(written: bytes) -> AsyncIterator[memoryview]:
    """Yield `written` in pieces small enough that others have their turn in between."""
    for start in range(0, len(written), CHUNK_BYTES):
        yield memoryview(written)[start : start + CHUNK_BYTES]
        await asyncio.sleep(0)
