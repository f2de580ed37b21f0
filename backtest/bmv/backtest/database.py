"""The files of a tape from a database: its rows are copied once, and judged and told as those of a lake are."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bmv.adapters.parquet.source import Source, open_all
from bmv.adapters.postgres.tape import Copy, PostgresSource
from bmv.ports.market import Market


class CopiedFiles:
    """The ticks of one market in Postgres, as the files of a tape; nothing is asked before its use.

    Args:
        recorded: Which ticks; what it has copied serves all tapes that are made of it.
    """

    def __init__(self, recorded: PostgresSource) -> None:
        self.recorded = recorded
        self._copy: Copy | None = None

    def __str__(self) -> str:
        return str(self.recorded.url)

    def open(self, market: Market, from_ns: int, to_ns: int) -> list[Source]:
        """Return the copied files, each named after what it was copied from."""
        self._copy = self.recorded.copy(market, from_ns, to_ns)
        found, first = list[Source](), 0
        for source in open_all(self._copy.files, market):
            found.append(replace(source, name=f"{self.recorded.url}, from row {first} of the window on"))
            first += source.rows
        return found

    def manifest(self, used: Sequence[Source]) -> list[dict[str, Any]]:  # Any: it is JSON.
        """Return what seed and run read: the URL, without secrets, and rows, first and last time and their SHA-256."""
        copy = self._copy
        assert copy is not None  # Files of it were used.
        return [
            {
                "path": self.recorded.url,
                "market": self.recorded.market,
                "source": self.recorded.source,
                "sha256": copy.sha256,
                "rows": copy.rows,
                "first_ns": copy.first_ns,
                "last_ns": copy.last_ns,
            }
        ]
