"""The markets of a lake: which days each has, how large they are, its gaps, and how late its rows arrived."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from bmv.data.ticks.check.check import between
from bmv.data.ticks.delays import Stamped, all_of, in_time
from bmv.data.ticks.lake.lake import Lake, Manifest
from bmv.data.ticks.noted import in_order, in_words, noted_in
from bmv.data.ticks.quality import Hole, utc
from bmv.ports.market import Market
from bmv.ports.storage import Gap


@dataclass(frozen=True, slots=True)
class Listed:
    """One market of a lake.

    Args:
        folder: Name of its folder below that of its venue.
        days: Manifests of its days, in order; at least one.
        between_days: Holes from the end of one day to the beginning of the next.
        noted: Gaps that who recorded it noted.
        stamped: What its rows say of slots and arrivals.
    """

    venue: str
    folder: str
    days: Sequence[Manifest]
    between_days: Sequence[Hole]
    noted: Sequence[Gap]
    stamped: Stamped

    @property
    def symbol(self) -> str:
        """Its name, as its last day has it."""
        return self.days[-1].symbol

    @property
    def rows(self) -> int:
        """Rows of all days."""
        return sum(day.rows for day in self.days)

    @property
    def bytes(self) -> int:
        """Size of all days."""
        return sum(day.bytes for day in self.days)

    def as_dict(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return all of it as JSON-able values."""
        first, last = self.days[0], self.days[-1]
        return {
            "venue": self.venue, "symbol": self.symbol, "folder": self.folder, "days": len(self.days),
            "first_day": first.day, "last_day": last.day, "rows": self.rows, "bytes": self.bytes,
            "tick_size": last.tick_size, "lot_size": last.lot_size, "contract": dict(last.contract) or None,
            "first_ns": first.first_ns, "last_ns": last.last_ns, "gaps": sum(len(day.gaps) for day in self.days),
            "between_days": [gap._asdict() for gap in self.between_days],
            "noted_gaps": [gap._asdict() for gap in self.noted], **self.stamped.as_dict(),
        }  # fmt: skip

    def cells(self) -> dict[str, str]:
        """Return the cells of a table for people, by the names of its columns."""
        whole, delay = self.as_dict(), self.stamped.delay()
        return {name: str(value) for name, value in whole.items()} | {
            "MB": f"{self.bytes / 1e6:.1f}",
            "rows": f"{self.rows:,}",
            "from": utc(whole["first_ns"]),
            "to": utc(whole["last_ns"]),
            "between": str(len(self.between_days)),
            "received": f"{whole['stamps']['received_ns'] / self.rows:.1%}" if delay else "",
            "delay": in_time(delay.median_ns) if delay else "",
            "99 %": in_time(delay.p99_ns) if delay else "",
        }

    def noted_in_words(self) -> list[str]:
        """Return the gaps that were noted, a line each, with cause and size."""
        last = self.days[-1]
        market = None if last.contract else Market("", Decimal(last.tick_size), Decimal(last.lot_size))
        return in_words(self.noted, market)


def markets_of(lake: Lake, venue: str | None = None, symbol: str | None = None) -> list[Listed]:
    """Return the markets of a lake, of one venue or one symbol where that is asked."""
    days = [(day, lake.manifest(day)) for day in lake.days(venue, symbol)]
    return [
        _listed(lake, place, folder, [manifest for _, manifest in pairs])
        for (place, folder), pairs in groupby(days, lambda pair: (pair[0].venue, pair[0].symbol))
    ]


def _listed(lake: Lake, venue: str, folder: str, days: Sequence[Manifest]) -> Listed:
    files = lake.root / venue / folder
    return Listed(
        venue,
        folder,
        days,
        between((day.first_ns, day.last_ns) for day in days),
        in_order(gap for day in days for gap in noted_in(files / f"{day.day}.parquet", day.sources)),
        all_of(day.stamped for day in days),
    )
