"""Whether the verdict of a sweep can be trusted: it is asked of made-up markets of which the answer is known.

On a fair market (:mod:`bmv.backtest.sweep.markets`) no set is worth trading, on one with an edge the best one is. Each
is swept as any other tape is. Besides the verdict the table counts what two simpler ones would have said: the best set
earned in the search, and it also did so in what was held out. A test that those pass would be none.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil, floor, sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

import polars as pl

from bmv.adapters.config import Config, build
from bmv.backtest.folder import put_whole, writing
from bmv.backtest.numbers import Json, at
from bmv.backtest.sweep import api, markets
from bmv.backtest.sweep.markets import Nature
from bmv.backtest.sweep.reading import TRIALS
from bmv.backtest.sweep.validation.verdict import CHECKS

FAIR_MAX = 0.05  # Share of fair markets that may be found worth trading,
EDGE_MIN = 0.8  # and of those with an edge that must be.
RESULT = "calibration.json"
REGISTER = "trials.sqlite"

SIDE: Json = {"levels": 3, "first_bps": 4, "step_bps": 3, "total_size": 3}
TABLE: Json = {
    "version": 1,
    "market": {
        "symbol": markets.MARKET.symbol,
        "tick_size": markets.MARKET.tick_size,
        "lot_size": markets.MARKET.lot_size,
        "maker_fee_bps": markets.FEE_BPS,
        "taker_fee_bps": 2 * markets.FEE_BPS,
    },
    "pivot": {"history_s": 480},
    "grid": {"bid": SIDE, "ask": SIDE},
    "inventory": {"start_base": 4, "start_quote": 1000, "max_position": 4},
    "requote": {"threshold_bps": 1},
}
PARAMS = (  # 48 sets.
    "grid.bid.first_bps,grid.ask.first_bps=2:16:2",
    "pivot.window_s=30:480:x4",
    "inventory.price_skew_bps=0:4:4",
)

Told = Callable[[Json], None]  # Called with what became of each market.


class Case(NamedTuple):
    """A made-up market."""

    nature: Nature
    seed: int

    @property
    def name(self) -> str:
        """What its folder is called.

        >>> Case("fair", 7).name
        'fair-7'
        """
        return f"{self.nature}-{self.seed}"


def cases(fair: int, edge: int, seed: int) -> list[Case]:
    """Return so many markets of each nature; of either, the seeds count up from `seed`.

    >>> [case.name for case in cases(2, 1, 5)]
    ['fair-5', 'fair-6', 'edge-5']
    """
    return [Case("fair", seed + n) for n in range(fair)] + [Case("edge", seed + n) for n in range(edge)]


def configured() -> Config:
    """Return the configuration that is swept."""
    return build(**TABLE)


def calibrate(
    out: Path, asked: Sequence[Case], workers: int | None, told: Told, *, keep: bool = True,
    rows: int = markets.ROWS_MAX, params: Sequence[str] = PARAMS,
) -> Json:  # fmt: skip
    """Sweep each market that is `asked` below `out`; return how often the verdict was right, market by market.

    Args:
        workers: Threads; None: one a core.
        told: Hears of each market when it is done.
        keep: Whether tapes and sweeps stay where they were made.
        rows: Length of each market.
        params: What is swept.
    """
    started = time.perf_counter()
    found = list[Json]()
    with _register_at(out / REGISTER):
        for case in asked:
            found.append(_judged(out / case.name, case, workers, rows, params))
            told(found[-1])
            if not keep:
                shutil.rmtree(out / case.name)
    result = {"version": 1, "kind": "calibration", "rows": rows, "seconds": round(time.perf_counter() - started, 1)}
    result |= counted(found) | {"markets": found}
    with writing(out / RESULT, "result"):
        put_whole(out / RESULT, result)
    return result


def _judged(folder: Path, case: Case, workers: int | None, rows: int, params: Sequence[str]) -> Json:
    """Make a market, sweep it and return what was found."""
    lake, sweep = folder / "lake", folder / "sweep"
    markets.write(lake, case.nature, case.seed, rows)
    plan = api.planned(configured(), params, [str(lake)])
    api.begin(sweep, plan)
    return outcome(case, api.go_on(sweep, plan, workers, report=False), pl.read_parquet(sweep / TRIALS))


def outcome(case: Case, summary: Json, trials: pl.DataFrame) -> Json:
    """Return what is counted of a sweep: the verdict, which checks did not hold, and their figures."""
    verdict, figures = summary["verdict"], summary["validation"]
    checked = zip(CHECKS, verdict["reasons"], strict=True) if at(summary, "best") else ()
    return {
        "nature": case.nature,
        "seed": case.seed,
        "worth": verdict["worth"],
        "failed": [name for name, reason in checked if reason["ok"] is not True],
        "sets": trials.height,
        "net_mean": trials["net"].mean(),
        "net_vs_hold_mean": trials["net_vs_hold"].mean(),
        "fills_mean": trials["fills"].mean(),
        "net": at(summary, "best", "net"),
        "fills": at(summary, "best", "fills"),
        "set": at(summary, "best", "set"),
        "dsr": at(figures, "deflated", "dsr"),
        "pbo": at(figures, "overfitting", "pbo"),
        "holdout_net": at(figures, "holdout", "net"),
        "walk_forward_net": at(figures, "walk_forward", "net"),
        "kept": at(figures, "plateau", "kept"),
    }


def counted(found: Sequence[Json]) -> Json:
    """Return for each nature how many markets were found worth trading and whether so many may be; `ok` for both.

    >>> nothing = {"net": None, "holdout_net": None, "net_mean": None, "net_vs_hold_mean": None}
    >>> counted([nothing | {"nature": "edge", "worth": False}] * 20)["edge"]["bound"]
    16
    """
    parts: Json = {nature: _part(nature, [each for each in found if each["nature"] == nature])
                   for nature in markets.NATURES}  # fmt: skip
    return parts | {"ok": all(part["ok"] for part in parts.values())}


def _part(nature: Nature, found: Sequence[Json]) -> Json:
    worth = sum(each["worth"] for each in found)
    bound = floor(FAIR_MAX * len(found)) if nature == "fair" else ceil(EDGE_MIN * len(found))
    searched = [each for each in found if (each["net"] or 0.0) > 0]
    return {
        "markets": len(found),
        "worth": worth,
        "bound": bound,
        "ok": worth <= bound if nature == "fair" else worth >= bound,
        "net_above_0": len(searched),
        "holdout_above_0_too": sum((each["holdout_net"] or 0.0) > 0 for each in searched),
        "net_mean": _mean([each["net_mean"] for each in found]),
        "net_vs_hold_mean": _mean([each["net_vs_hold_mean"] for each in found]),
    }


def _mean(values: Sequence[float | None]) -> Json:
    """Return the mean over markets, with its standard error; None where it is not known."""
    known = [value for value in values if value is not None]
    return {
        "mean": fmean(known) if known else None,
        "error": stdev(known) / sqrt(len(known)) if len(known) > 1 else None,
    }


@contextmanager
def _register_at(path: Path) -> Iterator[None]:
    """Keep trials on made-up markets out of the user's own register."""
    before = os.environ.get("BMV_TRIALS")
    os.environ["BMV_TRIALS"] = str(path)
    try:
        yield
    finally:
        if before is None:
            del os.environ["BMV_TRIALS"]
        else:
            os.environ["BMV_TRIALS"] = before
