"""Whether the best set of a sweep is worth trading: every check, its figures, and one plain sentence for each.

A set is worth trading only if every check holds. What cannot be known does not hold.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.backtest.numbers import Json
from bmv.backtest.sweep.validation import sharpe as ratios
from bmv.backtest.sweep.validation.folds import Fold, Metric, Step, step, walk_forward
from bmv.backtest.sweep.validation.overfitting import cscv
from bmv.backtest.sweep.validation.plateau import plateau
from bmv.backtest.wording import money_decimals, percent, plain, significant
from bmv.ports.errors import DataError

DEFAULTS: Mapping[str, Any] = {
    "holdout": 0.25,
    "periods": 240,
    "blocks": 16,
    "folds": 5,
    "anchored": True,
    "purge": 1,
    "embargo": 1,
}

CHECKS = ("evidence", "net", "deflated", "overfitting", "holdout", "walk_forward", "plateau")  # Reasons in order.
PERIODS_MIN = 30  # With movement; fewer say nothing about their own spread.
FILLS_MIN = 30
DSR_MIN = 0.95
PBO_MAX = 0.3
HOLDOUT_PSR_MIN = 0.5
BINS = 40  # Of the histogram of logits.


class Reason(NamedTuple):
    """One check: whether it holds, None where that cannot be known, and a sentence with its figures."""

    ok: bool | None
    text: str


class Search(NamedTuple):
    """What the checks look at."""

    row: Json  # Of the best trial.
    returns: NDArray[np.int64]  # Of the best trial (t,), quanta.
    everyone: NDArray[np.int64]  # Of every complete trial (t, n).
    choice: NDArray[np.int64]  # Of those that might have been chosen: the constraints are met.
    numbers: Sequence[int]  # Trial of each column of `choice`.
    quantum: float  # Quote in a quantum.
    objective: str
    currency: str


def judge(
    frame: pl.DataFrame,
    parameters: Sequence[Mapping[str, Any]],
    objective: str,
    holdout: Mapping[str, Any] | None,
    n_trials_ever: int,
    sharpes_ever: ratios.Returns,
    settings: Mapping[str, Any],
    *,
    direction: str = "maximize",
    currency: str = "quote",
    best: int | None = None,
) -> tuple[Json, Json]:
    """Return the figures of the validation and the verdict that follows from them, both as in `summary.json`.

    Args:
        frame: Columns as `trials.parquet`.
        parameters: As in `summary.json`.
        objective: Name of its column.
        holdout: Of the best trial on what the search never saw: `net` (quote), `returns` (quanta), `fills`.
        n_trials_ever: How many different sets were ever tried on this data, by the register.
        sharpes_ever: Their Sharpe ratios per period, as far as they are known.
        settings: `[sweep.validation]`; absent keys take their defaults.
        direction: `maximize` or `minimize`.
        currency: Name of the quote, for the sentences.
        best: The trial to judge; the best by `objective` of those that meet the constraints, if absent.

    Returns:
        `validation`: `trial` and `quantum` of the best, and under the name of each check its figures; ratios are per
        period and money is in quote. `verdict`: `worth`, `headline`, and `reasons` with `ok` and `text`.
    """
    options = {**DEFAULTS, **settings}
    search = _search(frame, objective, direction, currency, best)
    if search is None:
        text = (
            f"None of {frame.height:,} sets ran to the end within the constraints, so that there is nothing to judge."
        )
        return {"trial": None}, {"worth": False, "headline": text, "reasons": [{"ok": None, "text": text}]}
    tried = max(n_trials_ever, search.everyone.shape[1])
    checks = (
        _evidence(search),
        _net(search),
        _deflated(search, tried, sharpes_ever),
        _overfitting(search, int(options["blocks"])),
        _holdout(search, holdout),
        _walk_forward(search, options),
        _plateau(frame, parameters, search, direction),
    )
    reasons = [reason for _, reason in checks]
    validation = {"trial": search.row["trial"], "quantum": search.quantum, "settings": options}
    validation |= {name: found for name, (found, _) in zip(CHECKS, checks, strict=True)}
    return validation, verdict(search.row["trial"], reasons)


def verdict(trial: int, reasons: Sequence[Reason]) -> Json:
    """Return the verdict on `trial`: worth trading where every reason holds; see `judge`."""
    failed = [reason for reason in reasons if reason.ok is False]
    unknown = [reason for reason in reasons if reason.ok is None]
    if failed:
        fail = "fails" if len(failed) == 1 else "fail"
        headline = f"Not worth trading: {len(failed)} of {len(reasons)} checks {fail}. {failed[0].text}"
    elif unknown:
        headline = (
            f"Not known to be worth trading: {len(unknown)} of {len(reasons)} checks cannot be made. {unknown[0].text}"
        )
    else:
        headline = f"Worth trading: trial {trial} passes all {len(reasons)} checks."
    return {
        "worth": not failed and not unknown,
        "headline": headline,
        "reasons": [{"ok": reason.ok, "text": reason.text} for reason in reasons],
    }


def _search(frame: pl.DataFrame, objective: str, direction: str, currency: str, best: int | None) -> Search | None:
    """Return what there is to look at; None without a trial to judge."""
    complete = frame.filter((pl.col("state") == "complete") & (pl.col("returns").list.len() > 0)).sort("trial")
    value = pl.col(objective).cast(pl.Float64)
    chosen = (
        complete.filter(pl.col("feasible") & value.is_finite())
        if best is None
        else complete.filter(pl.col("trial") == best)
    )
    if chosen.is_empty():
        return None
    row = chosen.sort(value, "trial", descending=[direction == "maximize", False]).drop("returns").row(0, named=True)
    everyone = _matrix(complete)
    at = complete["trial"].to_list().index(row["trial"])
    open_to_choice = complete["feasible"].fill_null(False).to_numpy() | (complete["trial"] == row["trial"]).to_numpy()
    numbers = complete["trial"].to_numpy()[open_to_choice].tolist()
    quantum = _quantum(complete["net"].to_numpy(), everyone)
    return Search(row, everyone[:, at], everyone, everyone[:, open_to_choice], numbers, quantum, objective, currency)


def _matrix(complete: pl.DataFrame) -> NDArray[np.int64]:
    """Return the returns of each trial as a column (t, n)."""
    lengths = complete["returns"].list.len()
    odd = complete.filter(lengths != lengths[0])
    if len(odd):
        raise DataError(
            f"trials: column returns: trial {odd['trial'][0]} has {len(odd['returns'][0])} periods,"
            f" expected {lengths[0]} as in trial {complete['trial'][0]}"
        )
    flat = complete["returns"].explode().cast(pl.Int64).to_numpy()
    return np.ascontiguousarray(flat.reshape(len(complete), lengths[0]).T)


def _quantum(nets: NDArray[np.float64], matrix: NDArray[np.int64]) -> float:
    """Return the quote in a quantum: a trial's returns sum to its net, and the largest sum tells it best."""
    sums = matrix.sum(axis=0, dtype=np.float64)
    at = int(np.argmax(np.abs(sums)))
    return float(nets[at] / sums[at]) if sums[at] else 1.0


def _evidence(search: Search) -> tuple[Json, Reason]:
    moving, periods = int(np.count_nonzero(search.returns)), len(search.returns)
    fills = search.row.get("fills")
    found = {"periods": periods, "moving": moving, "fills": fills, "moving_min": PERIODS_MIN, "fills_min": FILLS_MIN}
    moved = f"the equity of trial {search.row['trial']} moved in {moving:,} of {periods:,} periods"
    if fills is None:
        return found, Reason(None, f"How often trial {search.row['trial']} was filled is not known; {moved}.")
    enough = moving >= PERIODS_MIN and fills >= FILLS_MIN
    weight = "enough" if enough else "too little"
    text = (
        f"With {fills:,} fills {moved}: {weight} to judge by ({FILLS_MIN} fills and {PERIODS_MIN} periods are wanted)."
    )
    return found, Reason(enough, text)


def _net(search: Search) -> tuple[Json, Reason]:
    net, sets = float(search.row["net"]), search.everyone.shape[1]
    who = f"The best of {sets:,} sets" if sets > 1 else "The only set that ran to the end"
    text = f"{who}, trial {search.row['trial']}, {_earned(net, search.currency)} in the search."
    return {"net": net, "sets": sets}, Reason(net > 0, text)


def _deflated(search: Search, tried: int, sharpes_ever: ratios.Returns) -> tuple[Json, Reason]:
    """Check against the best that luck would have found in so many trials.

    The variance is that of the ratios of this search or of all ever known, the larger: a narrow search after a wide one
    was no smaller gamble. It is bounded by what luck can do (`sharpe.luck_variance`), or sets that are sure to lose
    would count against those that win. `dsr_unbounded` is the paper's own, without that bound.
    """
    found = _sharpe_figures(search, tried)
    here = ratios.each_sharpe(search.everyone)
    ratio = found["sharpe"]
    spread = max(here, np.asarray(sharpes_ever, np.float64), key=lambda known: ratios.variance(known) or 0.0)
    bound = ratios.luck_variance(max(len(search.returns), 2))
    told = ratios.deflated(search.returns, spread, tried, bound)
    paper = ratios.deflated(search.returns, spread, tried)
    if ratio is None:
        return found, Reason(None, "The equity of the best set never moved, so that it has no Sharpe ratio.")
    if told is None or paper is None:
        text = f"Of {_sets(tried)} too few Sharpe ratios are known, or all are alike: what luck can do is not known."
        return found, Reason(None, text)
    found |= {"dsr": told.dsr, "sr0": told.sr0, "variance": told.variance, "dsr_unbounded": paper.dsr}
    found |= {"sr0_unbounded": paper.sr0}
    ok = told.dsr >= DSR_MIN
    text = (
        f"The luckiest of {_sets(tried)} tried on this data would reach a Sharpe ratio of {_figure(told.sr0)} per"
        f" period without any edge; this one has {_figure(ratio)}, above luck with a confidence of {_sure(told.dsr)}"
        f" ({percent(DSR_MIN)} is wanted)."
    )
    return found, Reason(ok, text)


def _sharpe_figures(search: Search, tried: int) -> Json:
    return {
        "sharpe": ratios.sharpe(search.returns),
        "psr": ratios.psr(search.returns),
        "min_track_record": ratios.min_track_record(search.returns),
        "periods": len(search.returns),
        "n_trials": tried,
        "effective_trials": ratios.effective_trials(search.everyone),
        "dsr": None,
        "sr0": None,
        "variance": None,
        "dsr_unbounded": None,
        "sr0_unbounded": None,
        "dsr_min": DSR_MIN,
    }


def _overfitting(search: Search, blocks: int) -> tuple[Json, Reason]:
    told = cscv(search.choice, blocks)
    if told is None:
        text = (
            "Too few sets that differ, or too few periods, to tell whether the best of one half is good in the other."
        )
        return {"pbo": None, "blocks": blocks, "pbo_max": PBO_MAX}, Reason(None, text)
    counts, edges = np.histogram(told.logits, BINS)
    found = {
        "pbo": told.pbo,
        "blocks": blocks,
        "pbo_max": PBO_MAX,
        "n_combinations": told.n_combinations,
        "n_sets": told.n_sets,
        "slope": told.slope,
        "intercept": told.intercept,
        "prob_loss": told.prob_loss,
        "logits": {"edges": edges.tolist(), "counts": counts.tolist()},
    }
    text = (
        f"Chosen in one half of the search and looked up in the other, in {told.n_combinations:,} ways, the best of"
        f" {told.n_sets:,} sets was no better than the middle {percent(told.pbo)} of the time, and lost"
        f" {percent(told.prob_loss)} of the time (at most {percent(PBO_MAX)} of the former is allowed)."
    )
    return found, Reason(told.pbo <= PBO_MAX, text)


def _holdout(search: Search, holdout: Mapping[str, Any] | None) -> tuple[Json, Reason]:
    if holdout is None or not len(holdout["returns"]):
        text = "There is no holdout: no stretch of time was kept from the search to try the best set on."
        return {"net": None}, Reason(None, text)
    net, fills = float(holdout["net"]), int(holdout["fills"])
    sure = ratios.psr(holdout["returns"])
    found = {
        "net": net,
        "fills": fills,
        "periods": len(holdout["returns"]),
        "sharpe": ratios.sharpe(holdout["returns"]),
        "psr": sure,
        "psr_min": HOLDOUT_PSR_MIN,
    }
    start = f"In the holdout, which the search never saw, it {_earned(net, search.currency)} with {fills:,} fills"
    if net <= 0:
        return found, Reason(False, f"{start}.")
    if sure is None:
        return found, Reason(None, f"{start}, in too few periods to tell what that is worth.")
    return found, Reason(sure >= HOLDOUT_PSR_MIN, f"{start}: above zero with a confidence of {_sure(sure)}.")


def _walk_forward(search: Search, options: Mapping[str, Any]) -> tuple[Json, Reason]:
    metric: Metric = "net" if search.objective == "net" else "sharpe"
    anchored, purge, embargo = bool(options["anchored"]), int(options["purge"]), int(options["embargo"])
    wanted = int(options["folds"])
    folds = walk_forward(len(search.returns), wanted, anchored, purge, embargo) if wanted else []
    steps = [(fold, made) for fold in folds if (made := step(search.choice, fold, metric)) is not None]
    found: Json = {
        "metric": metric,
        "anchored": anchored,
        "purge": purge,
        "embargo": embargo,
        "sets": len(search.numbers),
    }
    found |= {"folds": [_told(search, *each) for each in steps], "net": None}
    if not steps or len(search.numbers) < 2:
        text = "There is no walk-forward: it takes two sets to choose from, and periods enough to choose and to look."
        return found, Reason(None, text)
    # Summed as whole quanta, so that a sum of 0 is 0.
    total = sum(made.test_net for _, made in steps)
    found["net"] = total * search.quantum
    won = sum(made.test_net > 0 for _, made in steps)
    text = (
        f"Chosen anew before each of {len(steps)} stretches and traded through it unseen, the sets"
        f" {_earned(found['net'], search.currency)} in sum; {won} of the stretches ended in profit."
    )
    return found, Reason(total > 0, text)


def _told(search: Search, fold: Fold, made: Step) -> Json:
    """Return one fold as JSON: periods are first and last, both included."""
    return {
        "train": [int(fold.train[0]), int(fold.train[-1])],
        "test": [int(fold.test[0]), int(fold.test[-1])],
        "trial": search.numbers[made.column],
        "train_figure": made.train,
        "test_figure": made.test,
        "train_net": made.train_net * search.quantum,
        "test_net": made.test_net * search.quantum,
        "rank": made.rank,
    }


def _plateau(
    frame: pl.DataFrame, parameters: Sequence[Mapping[str, Any]], search: Search, direction: str
) -> tuple[Json, Reason]:
    found = plateau(frame, parameters, search.row["trial"], search.objective, direction)
    if found["kept"] is None:
        return found, Reason(None, "Too few sets near the best one were tried to tell a plateau from a spike.")
    what = "lead over the middle set" if found["over"] == "median" else search.objective
    kept = f"Of its {what}, {percent(found['kept'])} remains a step away in the parameters"
    meaning = {
        "plateau": "a plateau, on which small changes cost little",
        "slope": "a slope, on which small changes cost a part of it",
        "spike": "a spike, which a small change of the market would lose",
    }
    return found, Reason(found["word"] != "spike", f"{kept}: {meaning[found['word']]}.")


def _earned(net: float, currency: str) -> str:
    """Say what was earned or lost.

    >>> _earned(1204.5, "USDC"), _earned(-0.25, "USDC"), _earned(0, "USDC")
    ('earned 1,204.50 USDC', 'lost 0.250000 USDC', 'earned nothing')
    """
    if not net:
        return "earned nothing"
    return f"{'earned' if net > 0 else 'lost'} {plain(abs(net), money_decimals(abs(net)))} {currency}"


def _sets(count: int) -> str:
    return f"{count:,} sets" if count != 1 else "1 set"


def _sure(confidence: float) -> str:
    """Return a confidence in percent; none is shown as certain.

    >>> _sure(0.95), _sure(1.0), _sure(0.00001)
    ('95.0 %', '> 99.9 %', '< 0.1 %')
    """
    if confidence > 0.999:
        return "> 99.9 %"
    return "< 0.1 %" if confidence < 0.001 else percent(confidence)


def _figure(ratio: float) -> str:
    """Return a Sharpe ratio with three digits that mean something.

    >>> _figure(0.11317), _figure(-1.5)
    ('0.113', '−1.5')
    """
    return significant(ratio, 3)
