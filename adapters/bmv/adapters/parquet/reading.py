"""One passage through the rows of a tape: good ones told as whole numbers, bad ones counted, wild ones refused."""

from typing import Any

import numpy as np
import polars as pl
from numpy import bool_, int64, uint8
from numpy.typing import NDArray

from bmv.adapters.parquet.source import Source
from bmv.data.ticks.calendar import EARLIEST_NS, LATEST_NS, meant
from bmv.data.ticks.quality import WORDS, Fault, Quality, utc
from bmv.ports.errors import DataError
from bmv.ports.market import NOTIONAL_MAX, PRICE_TICKS_MAX, Market
from bmv.ports.market_data import Columns

MIN_NS, MAX_NS = -(2**63), 2**63 - 1


class Reading:
    """One passage through the rows: what must be remembered from one batch to the next.

    Args:
        market: For the largest amount of money a row may speak of.
        end_ns: Rows from this time on are not of the run, wherever they stand.
        quality: Where rows, told and dropped, are counted.
        earliest_ns: A row before this time is no tick of any market, and is refused.
    """

    def __init__(
        self,
        market: Market,
        end_ns: int,
        quality: Quality,
        price_ticks_max: int = PRICE_TICKS_MAX,
        earliest_ns: int = EARLIEST_NS,
    ) -> None:
        self.earliest_ns = earliest_ns
        self.end_ns = end_ns
        self.quality = quality
        self.last_ns: int | None = None  # Time of the last good row.
        self.first_bad: list[tuple[Source, int, Fault]] = []  # The first row of each fault, in order of the tape.
        self.price_ticks_max = price_ticks_max
        # In ticks times lots; what is summed of an inverse market is not money, but the pivot's prices times sizes.
        self.notional_max = NOTIONAL_MAX / (1 if market.contract.inverse else 2 * market.half)

    def take(self, source: Source, offset: int, frame: pl.DataFrame) -> Columns:
        """Count the rows of `frame`, row `offset` of `source` and on, and return the good ones; raise on wild ones."""
        ts_ns, faults = frame["ts_ns"].to_numpy(), frame["fault"].to_numpy()
        if ts_ns.max() > source.last_ns:
            raise DataError(
                f"{source.path}: damaged: it holds rows later than {utc(source.last_ns)}, its end by its footer"
            )
        self._refuse_impossible(source, offset, ts_ns, faults)
        keep = self._keep(source, offset, ts_ns, faults)
        told = Columns(*(_whole(frame[name].to_numpy(), keep) for name in Columns._fields))
        off_lot = frame["off_lot"] if keep is None else frame["off_lot"].filter(pl.Series(keep))
        self.quality.off_lot += int(off_lot.sum())
        self._refuse_wild(source, offset, told, keep)
        self.quality.count(told, self.last_ns)
        if len(told.ts_ns):
            self.last_ns = int(told.ts_ns[-1])
        return told

    def _refuse_impossible(self, source: Source, offset: int, ts_ns: NDArray[int64], faults: NDArray[uint8]) -> None:
        """Refuse times at which no market was open: a clock, a day, or another unit was taken for them."""
        if self.earliest_ns <= ts_ns.min() and ts_ns.max() < LATEST_NS:
            return
        wrong = (ts_ns < self.earliest_ns) | (ts_ns >= LATEST_NS)
        if not (wrong := wrong & (faults != Fault.TIME)).any():
            return
        at = int(np.argmax(wrong))
        raise DataError(
            f"{source.shown}, row {offset + at} (the first is 0): column '{source.time}' is {ts_ns[at]}; "
            f"{meant(ts_ns[at], 'ns')}"
        )

    def _keep(
        self, source: Source, offset: int, ts_ns: NDArray[int64], faults: NDArray[uint8]
    ) -> NDArray[bool_] | None:
        """Count the rows and their faults, and return which rows are good, None if all are."""
        last_ns = MIN_NS if self.last_ns is None else self.last_ns
        if not faults.any() and ts_ns[0] >= last_ns and ts_ns[-1] < self.end_ns and (ts_ns[1:] >= ts_ns[:-1]).all():
            self.quality.rows += len(ts_ns)
            return None
        inside = ts_ns < self.end_ns
        latest = np.maximum.accumulate(np.where(inside & (faults == Fault.NONE), ts_ns, MIN_NS))
        back = (faults == Fault.NONE) & (ts_ns < np.maximum(latest, last_ns))
        faults = np.where(inside, np.where(back, uint8(Fault.BACK), faults), uint8(Fault.NONE))
        self.quality.rows += int(np.count_nonzero(inside))
        self.quality.drop(faults)
        self._note_first(source, offset, faults)
        good: NDArray[bool_] = inside & (faults == Fault.NONE)
        return good

    def _note_first(self, source: Source, offset: int, faults: NDArray[uint8]) -> None:
        kinds, rows = np.unique(faults, return_index=True)
        known = {fault for _, _, fault in self.first_bad} | {Fault.NONE}
        for row, fault in sorted(zip(rows.tolist(), map(Fault, kinds.tolist()), strict=True)):
            if fault == Fault.RANGE:
                raise DataError(where(source, offset + row, f"{WORDS[fault]} (2**40 ticks or lots, or more)"))
            if fault not in known:
                self.first_bad.append((source, offset + row, fault))

    def _refuse_wild(self, source: Source, offset: int, told: Columns, keep: NDArray[bool_] | None) -> None:
        """Refuse a row whose price times size, in quanta, could wrap an int64 further on."""
        for price, size in ((told.price, told.size), (told.bid, told.bid_size), (told.ask, told.ask_size)):
            if not len(price):
                continue
            dearest = int(price.max())
            if dearest > self.price_ticks_max:
                row = np.argmax(price) if keep is None else np.flatnonzero(keep)[np.argmax(price)]
                limit = f"above {self.price_ticks_max:,} ticks the largest position allowed, times the price, is"
                raise DataError(where(source, offset + int(row), f"{limit} too much money to count in 64 bits"))
            if float(dearest) * float(size.max()) < self.notional_max:
                continue
            wild = np.flatnonzero(price.astype(float) * size >= self.notional_max)
            if len(wild):
                row = wild[0] if keep is None else np.flatnonzero(keep)[wild[0]]
                raise DataError(where(source, offset + int(row), "price times size out of range (2**61 quanta)"))


def where(source: Source, row: int, what: str) -> str:
    """Say what is wrong with a row, and show it."""
    values = " ".join(f"{name}={value}" for name, value in source.row(row).items() if value is not None)
    return f"{source.shown}, row {row} (the first is 0): {what}: {values}"


def _whole(steps: NDArray[Any], keep: NDArray[bool_] | None) -> NDArray[int64]:  # Any: whole numbers, maybe as float64.
    """Return the steps to keep as int64; what is that already is not copied, and can't be written to."""
    return (steps if keep is None else steps[keep]).astype(int64, copy=False)
