"""What prices, sizes and sides show together, where no column says whether they are of prints or of a book."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from bmv.data.ticks.importers.meaning import BOUGHT, SOLD
from bmv.data.ticks.importers.text import Cells

ENOUGH, SOME = 20, 4  # Rows whose sides can be compared; fewer prove nothing, unless all of them say the same.


@dataclass(slots=True)
class Signs:
    """What prices, sizes and sides show together, for files in which nothing else says what they are.

    Args:
        zero_sizes: Rows whose size is zero.
        crowded: Rows with another price than the row of their side before, at the same time.
        below, above: Rows at which the last price bought (or bid) lay below, or above, the last price sold (or ask).
    """

    zero_sizes: int = 0
    crowded: int = 0
    below: int = 0
    above: int = 0

    def add(self, part: Cells, found: Mapping[str, str]) -> None:
        """Look at some rows; cells that are no numbers say nothing here and are refused elsewhere."""
        if "price" not in found or "side" not in found:
            return
        rows = pl.DataFrame(
            {
                "ts": part.rows[found["ts"]],
                "side": _sides(part.rows[found["side"]]),
                "price": _numbers(part.rows[found["price"]]),
            }
        )
        if "size" in found:
            self.zero_sizes += int((_numbers(part.rows[found["size"]]) == 0).sum())
        known = rows.filter((pl.col("side") != 0) & pl.col("price").is_not_null())
        for side in (1, -1):
            other = (pl.col("ts") == pl.col("ts").shift(1)) & (pl.col("price") != pl.col("price").shift(1))
            self.crowded += known.filter(pl.col("side") == side).select(other.sum()).item()
        last = known.select(
            pl.when(pl.col("side") == side).then(pl.col("price")).forward_fill().alias(name)
            for side, name in ((1, "bought"), (-1, "sold"))
        )
        self.below += last.select((pl.col("bought") < pl.col("sold")).sum()).item()
        self.above += last.select((pl.col("bought") > pl.col("sold")).sum()).item()

    def mostly(self, below: bool, share: float) -> bool:
        """Say whether what was bought lay below (or above) what was sold in more than a share of rows, or in all."""
        count, both = self.below if below else self.above, self.below + self.above
        return (both >= ENOUGH and count > share * both) or (both >= SOME and count == both)


def _sides(text: pl.Series) -> pl.Series:
    """Return 1 for bought or bid, -1 for sold or ask, 0 for every other word."""
    words = {word: word.strip().lower() for word in text.unique().drop_nulls().to_list()}
    known = {word: 1 if meant in BOUGHT else -1 for word, meant in words.items() if meant in (*BOUGHT, *SOLD)}
    return text.replace_strict(known, default=0, return_dtype=pl.Int64)


def _numbers(text: pl.Series) -> pl.Series:
    numbers = text.cast(pl.Float64, strict=False)
    if numbers.null_count() == text.null_count():
        return numbers
    return text.str.strip_chars().cast(pl.Float64, strict=False)
