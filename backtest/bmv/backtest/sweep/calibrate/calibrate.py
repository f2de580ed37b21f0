"""Whether the verdict of a sweep can be trusted: it is asked of made-up markets of which the answer is known.

On a fair market (:mod:`bmv.backtest.sweep.calibrate.markets`) no set is worth trading, on one with an edge the best one
is. Each is swept as any other tape is. Besides the verdict the table counts what two simpler ones would have said: the
best set earned in the search, and it also did so in what was held out. A test that those pass would be none.

Markets come in kinds: with an edge or fair, drifting or not, and with nothing, half or all of the largest position held
at the start. A verdict that takes the market's drift for skill is wrong on those that drift.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil, floor, sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Literal, NamedTuple

import orjson
import polars as pl

from bmv.adapters.config import Config, build
from bmv.backtest.sweep import api
from bmv.backtest.sweep.calibrate import markets
from bmv.backtest.sweep.calibrate.markets import Nature, Trend
from bmv.backtest.sweep.judge.verdict import CHECKS
from bmv.backtest.sweep.trials.reading import TRIALS
from bmv.backtest.sweep.trials.summary import SweepSummary
from bmv.data.runs.folder import put_whole, writing
from bmv.data.runs.numbers import Json, at
from bmv.data.runs.product import product_hash
from bmv.ports.errors import DataError

FAIR_MAX = 0.05  # Share of fair markets that may be found worth trading,
EDGE_MIN = 0.8  # and of those with an edge that must be.
RESULT = "calibration.json"
REGISTER = "trials.sqlite"

Start = Literal["half", "nothing", "full"]
STARTS: dict[Start, tuple[int, int]] = {"half": (4, 1000), "nothing": (0, 1800), "full": (8, 200)}  # Base and quote.

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
    "inventory": {"target": 4, "max_position": 4},
    "requote": {"threshold_bps": 1},
}
PARAMS = (  # 48 sets.
    "grid.bid.first_bps,grid.ask.first_bps=2:16:2",
    "pivot.window_s=30:480:x4",
    "inventory.price_skew_bps=0:4:4",
)

MEANS = ("net", "quoting", "market", "net_vs_hold")  # Of all sets of a market.

Told = Callable[[Json], None]  # Called with what became of each market.


class Case(NamedTuple):
    """A made-up market, and what is held when it opens: nothing, half or all of the largest position."""

    nature: Nature
    seed: int
    trend: Trend = "none"
    start: Start = "half"

    @property
    def name(self) -> str:
        """What its folder is called.

        >>> Case("fair", 7).name, Case("edge", 1, "up10", "full").name
        ('fair-7', 'edge-1-up10-full')
        """
        return "-".join([self.nature, str(self.seed), *self.apart])

    @property
    def apart(self) -> list[str]:
        """In what it differs from the plain kind of its nature."""
        return [word for word, plain in ((self.trend, "none"), (self.start, "half")) if word != plain]


class Recorded(NamedTuple):
    """What a record has.

    Args:
        markets: That need not be swept again.
        size: Bytes of its whole lines.
        half: Bytes behind them, which a killed calibration left half written.
    """

    markets: Mapping[Case, Json]
    size: int
    half: int


def cases(
    fair: int, edge: int, seed: int, trends: Sequence[Trend] = ("none",), starts: Sequence[Start] = ("half",)
) -> list[Case]:
    """Return so many markets of each kind; of each, the seeds count up from `seed`.

    >>> [case.name for case in cases(2, 1, 5)]
    ['fair-5', 'fair-6', 'edge-5']
    """
    counts: tuple[tuple[Nature, int], ...] = (("fair", fair), ("edge", edge))
    return [
        Case(nature, seed + n, trend, start)
        for trend in trends
        for start in starts
        for nature, count in counts
        for n in range(count)
    ]


def configured(start: Start = "half") -> Config:
    """Return the configuration that is swept."""
    base, quote = STARTS[start]
    return build(**{**TABLE, "inventory": {**TABLE["inventory"], "start_base": base, "start_quote": quote}})


def calibrate(
    out: Path, asked: Sequence[Case], workers: int | None, told: Told, *, keep: bool = True,
    rows: int = markets.ROWS_MAX, params: Sequence[str] = PARAMS, record: Path | None = None,
) -> Json:  # fmt: skip
    """Sweep each market that is `asked` below `out`; return how often the verdict was right, market by market.

    Args:
        workers: Threads; None: one a core.
        told: Hears of each market when it is done.
        keep: Whether tapes and sweeps stay where they were made.
        rows: Length of each market.
        params: What is swept.
        record: A file that gets a line a market; a market that it has is not swept again. `DataError` where it was
            swept by other code, at another length or over other sets, or can't be read.
    """
    started = time.perf_counter()
    terms: Json = {"code": product_hash(), "rows": rows, "params": [*params]}
    recorded, found = _recorded(record, terms), list[Json]()
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    _cut_off(record, recorded)
    with _register_at(out / REGISTER):
        for case in asked:
            if case in recorded.markets:
                found.append(recorded.markets[case])
                continue
            found.append(_judged(out / case.name, case, workers, rows, params))
            _write_down(record, found[-1] | terms)
            told(found[-1])
            if not keep:
                shutil.rmtree(out / case.name)
    result = {"version": 2, "kind": "calibration", "rows": rows, "seconds": round(time.perf_counter() - started, 1)}
    result |= counted(found) | {"markets": found}
    with writing(out / RESULT, "result"):
        put_whole(out / RESULT, result)
    return result


def _recorded(path: Path | None, terms: Json) -> Recorded:
    """Return the markets that a file has; `DataError` where they were swept on other terms, or can't be read."""
    if path is None or not path.exists():
        return Recorded({}, 0, 0)
    *lines, half = (whole := path.read_bytes()).split(b"\n")
    known = dict[Case, Json]()
    for number, line in enumerate(lines, 1):
        try:
            market = orjson.loads(line)
            case = Case(market["nature"], market["seed"], market["trend"], market["start"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise DataError(f"{path}, line {number}: expected a market as a line of JSON; take the line out") from None
        if market.get("code") != terms["code"]:
            raise DataError(f"{path}, line {number}: was swept by another version of bmv: begin another file")
        for name in ("rows", "params"):
            if market.get(name) != terms[name]:
                raise DataError(
                    f"{path}, line {number}: expected {name} {terms[name]}, as asked for now,"
                    f" found {market.get(name)}: begin another file"
                )
        known[case] = market
    return Recorded(known, len(whole) - len(half), len(half))


def _cut_off(path: Path | None, recorded: Recorded) -> None:
    """Take away what a killed calibration left half written at the end of a record, if nobody wrote on meanwhile."""
    if path is not None and recorded.half:
        with writing(path, "record"):
            if path.stat().st_size == recorded.size + recorded.half:
                os.truncate(path, recorded.size)


def _write_down(path: Path | None, market: Json) -> None:
    if path is not None:
        with writing(path.parent), path.open("ab") as file:
            file.write(orjson.dumps(market) + b"\n")


def _judged(folder: Path, case: Case, workers: int | None, rows: int, params: Sequence[str]) -> Json:
    """Make a market, sweep it and return what was found."""
    lake, sweep = folder / "lake", folder / "sweep"
    markets.write(lake, case.nature, case.seed, rows, case.trend)
    plan = api.make_plan(configured(case.start), params, [str(lake)])
    api.begin(sweep, plan)
    return outcome(case, api.run(sweep, plan, workers, report=False), pl.read_parquet(sweep / TRIALS))


def outcome(case: Case, summary: SweepSummary, trials: pl.DataFrame) -> Json:
    """Return what is counted of a sweep: the verdict, which checks did not hold, and their figures."""
    verdict, figures = summary["verdict"], summary["validation"]
    checked = zip(CHECKS, verdict["reasons"], strict=True) if at(summary, "best") else ()
    return {
        **case._asdict(),
        "worth": verdict["worth"],
        "failed": [name for name, reason in checked if reason["ok"] is not True],
        "sets": trials.height,
        **{f"{name}_mean": trials[name].mean() for name in ("net", "quoting", "market", "net_vs_hold", "fills")},
        **{name: at(summary, "best", name) for name in ("net", "quoting", "market", "fills", "set")},
        "dsr": at(figures, "deflated", "dsr"),
        "pbo": at(figures, "overfitting", "pbo"),
        "holdout_net": at(figures, "holdout", "net"),
        "holdout_quoting": at(figures, "holdout", "quoting"),
        "walk_forward_quoting": at(figures, "walk_forward", "quoting"),
        "kept": at(figures, "plateau", "kept"),
    }


def counted(found: Sequence[Json]) -> Json:
    """Return for each kind how many markets were found worth trading and whether so many may be; `ok` for all.

    >>> nothing = dict.fromkeys(["net", "holdout_net", *(f"{name}_mean" for name in MEANS)])
    >>> edge = nothing | {"nature": "edge", "trend": "none", "start": "half", "worth": False}
    >>> counted([edge] * 20)["kinds"][0]["bound"]
    16
    """
    kinds: dict[tuple[str, str, str], list[Json]] = {}
    for each in found:
        kinds.setdefault((each["trend"], each["start"], each["nature"]), []).append(each)
    parts = [_part(*kind, markets) for kind, markets in kinds.items()]
    return {"kinds": parts, "ok": all(part["ok"] for part in parts)}


def _part(trend: str, start: str, nature: str, found: Sequence[Json]) -> Json:
    worth = sum(each["worth"] for each in found)
    bound = floor(FAIR_MAX * len(found)) if nature == "fair" else ceil(EDGE_MIN * len(found))
    searched = [each for each in found if (each["net"] or 0.0) > 0]
    return {
        "nature": nature,
        "trend": trend,
        "start": start,
        "markets": len(found),
        "worth": worth,
        "bound": bound,
        "ok": worth <= bound if nature == "fair" else worth >= bound,
        "net_above_0": len(searched),
        "holdout_above_0_too": sum((each["holdout_net"] or 0.0) > 0 for each in searched),
        **{f"{name}_mean": _mean([each[f"{name}_mean"] for each in found]) for name in MEANS},
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
