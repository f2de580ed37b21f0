"""A tape from a database: its rows are copied once, and judged and told as those of a lake are."""

from dataclasses import replace
from functools import cached_property
from typing import Any

from bmv.adapters.parquet.reading import MAX_NS, MIN_NS
from bmv.adapters.parquet.source import Source, open_all
from bmv.adapters.parquet.tape import ParquetTape
from bmv.adapters.postgres.tape import Copy, Recorded
from bmv.ports.market import Market
from bmv.ports.market_data import Columns


class DatabaseTape(ParquetTape):
    """The ticks of one market in Postgres, as a :class:`~bmv.ports.market_data.Tape`; nothing is asked before its use.

    Args:
        recorded: Which ticks; what it has copied serves all tapes that are made of it.
        market, start_ns, end_ns, choices: As for :class:`~bmv.adapters.parquet.tape.ParquetTape`.
    """

    def __init__(
        self,
        recorded: Recorded,
        market: Market,
        start_ns: int | None = None,
        end_ns: int | None = None,
        **choices: Any,  # Any: what the tape of files takes as well.
    ) -> None:
        super().__init__([], market, start_ns, end_ns, **choices)
        self.recorded = recorded
        self._history_ns = 0

    def __repr__(self) -> str:
        return f"<DatabaseTape {self.market.symbol} | {self.recorded.url}>"

    @cached_property
    def sources(self) -> list[Source]:
        """The copied files, each named after what it was copied from."""
        found, first = list[Source](), 0
        for source in open_all(self._copy.files, self.market):
            found.append(replace(source, name=f"{self.recorded.url}, from row {first} of the window on"))
            first += source.rows
        return found

    def seed(self, history_ns: int) -> Columns:
        """Return the good trades of the `history_ns` before `start_ns`; one exactly that old still counts."""
        self._history_ns = history_ns
        return super().seed(history_ns)

    def manifest(self) -> list[dict[str, Any]]:  # Any: it is JSON.
        """Return what seed and run read: the URL, without secrets, and rows, first and last time and their SHA-256."""
        copy = self._copy
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

    @property
    def _copy(self) -> Copy:
        start_ns = MIN_NS if self.start_ns is None else max(self.start_ns - self._history_ns, MIN_NS)
        return self.recorded.copy(self.market, start_ns, MAX_NS if self.end_ns is None else self.end_ns)
