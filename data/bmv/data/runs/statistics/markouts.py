"""What fills were worth: the spread they earned, and what the market did afterwards."""

import numpy as np
import polars as pl

from bmv.data.runs.columns import HORIZONS_NS, MARKOUTS
from bmv.data.runs.contracts import gained
from bmv.data.runs.numbers import BPS, SECOND, Json, finite, mean, ratio, scaled
from bmv.ports.market import SPOT, Contract

HORIZONS = dict(zip(MARKOUTS, (ns / SECOND for ns in HORIZONS_NS), strict=True))
"""Columns of fills that hold the mid some seconds after the fill, and how many seconds."""

BAND = 1.96  # Standard errors to either side of a mean: 95 % of a normal distribution.


def markouts(fills: pl.DataFrame) -> list[Json]:
    """Tell what the fills were worth some seconds later.

    The markout of a fill is `side * (mid(t + h) - price) / mid(t)` in bps, mid(t) the mid before the row that filled
    us: what a fill was worth after `h` seconds, before fees; below 0 the market ran us over. Fills within `h` of the
    tape's end take no part. Every fill counts the same; the band of 95 % is `mean ± 1.96 sd / sqrt(n)`, as if fills
    were independent, which fills in one burst are not: it is too narrow rather than too wide.

    Returns:
        A row a group and horizon: `side` (1, -1, or None for both), `level` (None for all), `horizon_s`, `mean_bps`,
        `low_bps`, `high_bps` (None with fewer than two fills) and `n`.
    """
    each = _worth(fills)
    return [row for keys in ((), ("side",), ("side", "level")) for row in _grouped(each, keys)]


def overall(fills: pl.DataFrame) -> list[Json]:
    """Return the markouts of all `fills` together: a row a horizon, as those of :func:`markouts`."""
    return _grouped(_worth(fills), ())


def _worth(fills: pl.DataFrame) -> pl.DataFrame:
    """Return side, level and markouts in bps of each fill."""
    return fills.select(
        "side",
        "level",
        *(((pl.col("side") * (pl.col(name) - pl.col("price"))) / pl.col("mid") * BPS).alias(name) for name in HORIZONS),
    )


def _grouped(each: pl.DataFrame, keys: tuple[str, ...]) -> list[Json]:
    """Return mean, band and count of each horizon of each group of `keys`."""
    of_each = [
        figure
        for name in HORIZONS
        for figure in (
            pl.col(name).mean().alias(f"{name}.mean"),
            pl.col(name).std().alias(f"{name}.sd"),
            pl.col(name).count().alias(f"{name}.n"),
        )
    ]
    groups = each.group_by(keys).agg(of_each).sort(keys) if keys else each.select(of_each)
    return [
        {"side": row.get("side"), "level": row.get("level"), "horizon_s": horizon_s, **_banded(row, name)}
        for row in groups.iter_rows(named=True)
        for name, horizon_s in HORIZONS.items()
    ]


def _banded(row: Json, name: str) -> Json:
    middle, sd, n = finite(row[f"{name}.mean"]), finite(row[f"{name}.sd"]), int(row[f"{name}.n"])
    half = None if sd is None or n < 2 else BAND * sd / n**0.5
    return {
        "mean_bps": middle,
        "low_bps": None if middle is None or half is None else middle - half,
        "high_bps": None if middle is None or half is None else middle + half,
        "n": n,
    }


def spreads(fills: pl.DataFrame, sums: dict[str, float], times: dict[str, int], mean_mid: float | None) -> Json:
    """Compare the spread we quoted with the one we earned and the one that was left 5 s later.

    * `quoted`: our best ask - our best bid, mean over the time in which both rested; quote.
    * `effective`: `2 * side * (mid - price)`, mean over fills weighted by size; quote.
    * `realised`: the same against the mid 5 s later, over the fills that have one; `impact` is what lies between,
      over those same fills.
    * `*_bps`: of the mean mid (quoted), of the mid at the fill (the others).

    Source: Huang and Stoll, "Dealer versus auction markets", Journal of Financial Economics 41 (1996), section 3.
    """
    quoted = ratio(sums.get("quoted_spread_ns"), times.get("two_sided"))
    known = fills.filter(pl.col("mid_5s").is_not_null())
    effective, realised, before = _spread(fills, "mid"), _spread(known, "mid_5s"), _spread(known, "mid")
    return {
        "quoted": quoted,
        "quoted_bps": scaled(ratio(quoted, mean_mid), BPS),
        "effective": effective[0],
        "effective_bps": effective[1],
        "realised": realised[0],
        "realised_bps": realised[1],
        "impact_bps": None if before[1] is None or realised[1] is None else before[1] - realised[1],
        "reason": None if len(fills) else "no fills",
    }


def _spread(fills: pl.DataFrame, against: str) -> tuple[float | None, float | None]:
    """Return twice the mean distance to the column `against`, weighted by size: in quote, and in bps of the mid."""
    away = (2 * fills["side"] * (fills[against] - fills["price"])).to_numpy().astype(np.float64)
    size = fills["size"].to_numpy()
    return mean(away, size), mean(away / fills["mid"].to_numpy().astype(np.float64) * BPS, size)


def adverse_selection(fills: pl.DataFrame, contract: Contract = SPOT) -> Json:
    """Tell what part of the captured spread the market took back within 5 s.

    `captured` and `kept` are sums of `side * size * (mid - price)` against the mid at the fill and 5 s later, in
    quote (of inverse contracts their gain, in base), over the fills that have both; `share` is `1 - kept / captured`:
    0 nothing given back, 1 all of it, above 1 more than was earned. None when nothing was captured.
    """
    known = fills.filter(pl.col("mid_5s").is_not_null() & pl.col("mid").is_not_null())
    weight = known["side"] * known["size"]
    captured = float(gained(contract, weight, known["price"], known["mid"]).sum())
    kept = float(gained(contract, weight, known["price"], known["mid_5s"]).sum())
    share = 1 - kept / captured if captured > 0 else None
    return {
        "captured": captured if len(known) else None,
        "kept": kept if len(known) else None,
        "share": share,
        "n": len(known),
        "reason": None if share is not None else "no spread was captured on fills more than 5 s before the end",
    }


def pivot_quality(equity: pl.DataFrame) -> list[Json]:
    """Tell how far the pivot stood from the mid, now and some seconds later.

    Over the rows of the equity table that have a pivot and lie at least the horizon before the end:
    `abs_bps` is the mean of `|pivot - mid(t + h)| / mid(t + h)`, `bias_bps` the mean of the signed distance (above 0:
    the pivot stands too high). `mid(t + h)` is that of the last sample at or before `t + h`.
    """
    known = equity.select("ts_ns", "mid", "pivot").drop_nulls("mid").set_sorted("ts_ns")
    return [_pivot_at(known, horizon_s) for horizon_s in (0.0, 1.0, 5.0, 60.0)]


def _pivot_at(known: pl.DataFrame, horizon_s: float) -> Json:
    ahead = pl.col("ts_ns") + int(horizon_s * SECOND)
    later = (
        known.select("pivot", ts_ns=ahead, within=ahead <= pl.col("ts_ns").max())
        .filter(pl.col("pivot").is_not_null() & pl.col("within"))
        .set_sorted("ts_ns")
        .join_asof(known.select("ts_ns", "mid"), on="ts_ns")
    )
    away = (later["pivot"] / later["mid"] - 1) * BPS
    return {
        "horizon_s": horizon_s,
        "abs_bps": finite(away.abs().mean()),
        "bias_bps": finite(away.mean()),
        "n": len(away),
    }
