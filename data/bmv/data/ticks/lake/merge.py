"""Two records of one stretch of time into one: what both have is kept once, what either has is kept.

Rows are told apart by the nine columns of the lake and by how many equal ones came before: two equal prints in one
record are two prints, the same two in another record are the same two.

Where a record is cut within an instant, that rule would take the equal prints of its second part for those of the
first. So the ids that venues give their trades are kept for the first and the last time of each file, where it may be
cut (:class:`Ends`), and prints of other ids are other prints. Of files without ids the rule above is all there is.

Stamps tell no rows apart. Of a row that both records have, those of the record that was there first stay.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from bmv.data.ticks.schema import LAKE, LAKE_SCHEMA
from bmv.data.ticks.stamps import stamps_among, together
from bmv.ports.messages import Kind

_COLUMNS = list(LAKE)
IDS_MAX = 10_000  # That are kept of one time; an instant of more prints is joined as without ids.
Print = tuple[int | None, ...]  # The columns of the lake.
Ids = Mapping[int, Mapping[str, Print]]  # Time -> id of a trade -> what it is.
NO_IDS: Ids = {}


@dataclass(slots=True)
class Ends:
    """The ids of the prints at the first and at the last time of a record, as its rows pass."""

    first_ns: int | None = None
    last_ns: int | None = None
    _ids: dict[int, dict[str, Print]] = field(default_factory=dict)

    def add(self, rows: pl.DataFrame, ids: pl.Series) -> None:
        """Look at some rows and at their ids, null for what is no print."""
        if not len(rows):
            return
        low, high = rows["ts_ns"].min(), rows["ts_ns"].max()
        assert isinstance(low, int)
        assert isinstance(high, int)
        self.first_ns = low if self.first_ns is None else min(self.first_ns, low)
        self.last_ns = high if self.last_ns is None else max(self.last_ns, high)
        ends = {self.first_ns, self.last_ns}
        self._ids = {ts: known for ts, known in self._ids.items() if ts in ends}
        if ids.null_count() == len(ids):
            return
        at = rows["ts_ns"].is_in(list(ends)) & ids.is_not_null()
        for one, row in zip(
            ids.filter(at).head(2 * IDS_MAX + 2), rows.filter(at).select(_COLUMNS).iter_rows(), strict=False
        ):
            known = self._ids.setdefault(row[0], {})
            if len(known) <= IDS_MAX:
                known[one] = row

    def found(self) -> Ids:
        """Return the ids of both ends; none of an instant that has too many."""
        return {ts: known for ts, known in self._ids.items() if len(known) <= IDS_MAX}


def merged(old: pl.DataFrame, new: pl.DataFrame, known: Ids = NO_IDS, ids: Ids = NO_IDS) -> tuple[pl.DataFrame, int]:
    """Return the rows of both in order of time, and how many of `new` were not in `old`.

    Rows of equal time in one record keep their order. Where both have rows of a time, prints that only `new` has go
    before those of `old`, its quotes and depth changes after: a print happened against the book that stood before it.
    Where `new` begins at the time at which `old` ends, and the ids say that it goes on there, all of it goes after.

    Args:
        old: Rows in the lake's form, in order.
        new: The same.
        known: Ids of prints in `old`, of some times.
        ids: Ids of prints in `new`.
    """
    if not len(old):
        return new, len(new)
    fresh = _only_new(old, new)
    if more := list(_other_prints(old, new, known, ids)):
        others = _stamped(pl.DataFrame(more, schema=LAKE_SCHEMA, orient="row"), old, new)
        fresh = together([fresh, others]).sort("ts_ns", maintain_order=True)
    if not len(fresh):
        return old, 0
    met = pl.col("ts_ns").is_in(old["ts_ns"].implode())
    rank = pl.when(~met).then(1).when(pl.col("kind") == Kind.TRADE).then(0).otherwise(2)
    rank = pl.when(pl.col("ts_ns").is_in(_goes_on(old, new, known, ids))).then(2).otherwise(rank)
    parts = [old.with_columns(rank=pl.lit(1, pl.Int32)), fresh.with_columns(rank=rank.cast(pl.Int32))]
    whole = together(parts).sort("ts_ns", "rank", maintain_order=True).drop("rank")
    return whole, len(fresh)


def _other_prints(old: pl.DataFrame, new: pl.DataFrame, known: Ids, ids: Ids) -> Iterator[Print]:
    """Yield prints of `new` that equal those of `old` and were taken for them, though their ids are others.

    Of equal prints of one time, those whose id is known are the same; the others may be those of `old` whose id is not
    known, as far as there are any.
    """
    for ts, ours in known.items():
        theirs = ids.get(ts, {})
        if not theirs:
            continue
        there, here = (Counter(rows.filter(pl.col("ts_ns") == ts).select(_COLUMNS).iter_rows()) for rows in (old, new))
        kept, same = Counter(ours.values()), Counter(row for one, row in theirs.items() if ours.get(one) == row)
        for row, count in Counter(theirs.values()).items():
            unnamed = max(0, there[row] - kept[row])
            taken = same[row] + min(count - same[row], unnamed)
            yield from [row] * max(0, min(here[row], there[row]) - taken)


def _goes_on(old: pl.DataFrame, new: pl.DataFrame, known: Ids, ids: Ids) -> Sequence[int]:
    """Return the time at which `old` ends and `new` goes on, if the ids of it there are all others."""
    ts = old["ts_ns"][-1]
    ours, theirs = known.get(ts, {}), ids.get(ts, {})
    goes_on = len(new) and new["ts_ns"][0] == ts and ours and theirs and not set(ours) & set(theirs)
    return [ts] if goes_on else []


def _only_new(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `new` that `old` lacks, in order; only where their times overlap need anything be compared."""
    if not len(old) or not len(new):
        return new
    common = pl.col("ts_ns").is_between(max(old["ts_ns"][0], new["ts_ns"][0]), min(old["ts_ns"][-1], new["ts_ns"][-1]))
    ours, theirs = old.filter(common), new.filter(common)
    if ours.select(_COLUMNS).equals(theirs.select(_COLUMNS)):
        return new.filter(~common)
    number = pl.int_range(pl.len()).over(_COLUMNS).alias("number")
    lacking = theirs.with_columns(number).join(
        ours.select(*_COLUMNS, number), on=[*_COLUMNS, "number"], how="anti", nulls_equal=True, maintain_order="left"
    )
    outside = new.filter(~common)
    return pl.concat([outside, lacking.drop("number")]).sort("ts_ns", maintain_order=True)


def _stamped(prints: pl.DataFrame, old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Return prints of `new` that were taken for equal ones of `old` with their stamps: the last of those are meant."""
    if not stamps_among(new.columns):
        return prints
    first, last = pl.int_range(pl.len()), pl.int_range(pl.len()).reverse()
    met = pl.col("ts_ns").is_in(prints["ts_ns"].implode())
    counts = old.filter(met).group_by(_COLUMNS).len("count")
    taken = new.filter(met).with_columns(number=first.over(_COLUMNS))
    taken = taken.join(counts, on=_COLUMNS, nulls_equal=True, maintain_order="left").filter(
        pl.col("number") < pl.col("count")
    )
    taken = taken.drop("count").with_columns(number=last.over(_COLUMNS))
    numbered = prints.with_columns(number=first.over(_COLUMNS))
    on = [*_COLUMNS, "number"]
    return numbered.join(taken, on=on, how="left", nulls_equal=True, maintain_order="left").drop("number")
