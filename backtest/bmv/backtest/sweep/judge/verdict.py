"""Whether the best set of a sweep is worth trading: every check, its figures, and one plain sentence for each.

Whatever the objective, skill is judged by what quoting earned: net, less what the market made of the position that was
held on average (:mod:`bmv.backtest.sweep.trials.accounts`). A set is worth trading only if every check holds. What
cannot be known does not hold.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.backtest.sweep.judge import sharpe as ratios
from bmv.backtest.sweep.judge.folds import Fold, Metric, Step, step, walk_forward
from bmv.backtest.sweep.judge.overfitting import cscv
from bmv.backtest.sweep.judge.plateau import plateau
from bmv.backtest.sweep.trials.accounts import LISTS, MIDS, Accounts, accounts
from bmv.backtest.sweep.trials.space import Parameter
from bmv.backtest.sweep.trials.summary import Verdict
from bmv.data.runs.numbers import Json
from bmv.data.runs.wording import money_decimals, percent, plain, significant
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
QUOTING = "quoting"
SUMS = ("net", "net_vs_hold", QUOTING)  # Objectives that are sums: a fold chooses by what quoting earned in sum.
BINS = 40  # Of the histogram of logits.


class Reason(NamedTuple):
    """One check: whether it holds, None where that cannot be known, and a sentence with its figures."""

    ok: bool | None
    text: str
    proviso: str = ""  # On what alone it holds; said beside the verdict.


class Everyone(NamedTuple):
    """What the quoting of every complete trial came to: n of them."""

    sums: NDArray[np.float64]  # Quanta.
    sharpes: NDArray[np.float64]  # Per period; NaN where there is none.
    effective: float | None  # How many independent trials they amount to.


class Search(NamedTuple):
    """What the checks look at."""

    row: Json  # Of the best trial.
    change: NDArray[np.int64]  # Of the equity of the best trial (t,), quanta.
    returns: NDArray[np.int64]  # Of these what quoting earned.
    everyone: "Everyone"
    choice: Accounts  # Of those that might have been chosen: the constraints are met.
    numbers: Sequence[int]  # Trial of each column of `choice`.
    trials: pl.DataFrame  # All of them, with what quoting earned in the column `QUOTING`, quote.
    quantum: float  # Quote in a quantum.
    objective: str
    currency: str


def judge(
    frame: pl.DataFrame,
    parameters: Sequence[Parameter],
    objective: str,
    holdout: Mapping[str, Any] | None,
    n_trials_ever: int,
    sharpes_ever: ratios.Returns,
    settings: Mapping[str, Any],
    *,
    direction: str = "maximize",
    currency: str = "quote",
    best: int | None = None,
    sets: Accounts | None = None,
) -> tuple[Json, Verdict]:
    """Return the figures of the validation and the verdict that follows from them, both as in `summary.json`.

    Args:
        frame: Columns as `trials.parquet`.
        parameters: As in `summary.json`.
        objective: Name of its column.
        holdout: Of the best trial on what the search never saw: `net` (quote), `fills`, and `returns`, `held` and
            `mids` as `trials.parquet` has them.
        n_trials_ever: How many different sets were ever tried on this data, by the register.
        sharpes_ever: Their Sharpe ratios per period, as far as they are known.
        settings: `[sweep.validation]`; absent keys take their defaults.
        direction: `maximize` or `minimize`.
        currency: Name of the quote, for the sentences.
        best: The trial to judge; the best by `objective` of those that meet the constraints, if absent.
        sets: Accounts of the complete trials of `frame`, in its order, which is that of their numbers. None: they are
            made from its lists, and where it has none there are none.

    Returns:
        `validation`: `trial` and `quantum` of the best, and under the name of each check its figures; ratios are per
        period and money is in quote. `verdict`: `worth`, `headline`, and `reasons` with `ok` and `text`.
    """
    options = {**DEFAULTS, **settings}
    search = _search(frame, objective, direction, currency, best, sets)
    if search is None:
        text = (
            f"None of {frame.height:,} sets ran to the end within the constraints, so that there is nothing to judge."
        )
        return {"trial": None}, {"worth": False, "headline": text, "reasons": [{"ok": None, "text": text}]}
    tried = max(n_trials_ever, len(search.everyone.sums))
    checks = (
        _evidence(search),
        _net(search),
        _deflated(search, tried, sharpes_ever),
        _overfitting(search, int(options["blocks"])),
        _holdout(search, holdout),
        _walk_forward(search, options),
        _plateau(parameters, search),
    )
    reasons = [reason for _, reason in checks]
    validation = {"trial": search.row["trial"], "quantum": search.quantum, "settings": options}
    validation |= {name: found for name, (found, _) in zip(CHECKS, checks, strict=True)}
    return validation, verdict(search.row["trial"], reasons)


def verdict(trial: int, reasons: Sequence[Reason]) -> Verdict:
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
        provisos = "".join(f", {reason.proviso}" for reason in reasons if reason.proviso)
        headline = f"Worth trading: trial {trial} passes all {len(reasons)} checks{provisos}."
    return {
        "worth": not failed and not unknown,
        "headline": headline,
        "reasons": [{"ok": reason.ok, "text": reason.text} for reason in reasons],
    }


def _search(
    frame: pl.DataFrame, objective: str, direction: str, currency: str, best: int | None, sets: Accounts | None
) -> Search | None:
    """Return what there is to look at; None without a trial to judge."""
    if sets is None and not {*LISTS} <= set(frame.columns):
        return None
    if sets is None:
        complete = frame.filter((pl.col("state") == "complete") & (pl.col("returns").list.len() > 0)).sort("trial")
        sets = accounts_of(complete) if len(complete) else None
    else:
        complete = frame.filter(pl.col("state") == "complete")
    frame, complete = frame.drop(LISTS, strict=False), complete.drop(LISTS, strict=False)
    value = pl.col(objective).cast(pl.Float64)
    chosen = (
        complete.filter(pl.col("feasible") & value.is_finite())
        if best is None
        else complete.filter(pl.col("trial") == best)
    )
    if chosen.is_empty() or sets is None:
        return None
    row = chosen.sort(value, "trial", descending=[direction == "maximize", False]).row(0, named=True)
    at = complete["trial"].to_list().index(row["trial"])
    everyone = _everyone(sets)
    open_to_choice = complete["feasible"].fill_null(False).to_numpy() | (complete["trial"] == row["trial"]).to_numpy()
    numbers = complete["trial"].to_numpy()[open_to_choice].tolist()
    quantum = _quantum(complete["net"].to_numpy(), sets.change)
    earned = complete.select("trial", pl.Series(QUOTING, everyone.sums * quantum))
    trials = frame.drop(QUOTING, strict=False).join(earned, "trial", "left")
    part, column = sets.part_with(at)
    choice = sets if open_to_choice.all() else sets.of(open_to_choice)
    change, returns = sets.change[:, at], part.quoting()[:, column]
    return Search(row, change, returns, everyone, choice, numbers, trials, quantum, objective, currency)


def _everyone(sets: Accounts) -> Everyone:
    matrices = (part.quoting() for part in sets.parts())
    found = [
        (matrix.sum(axis=0, dtype=np.float64), ratios.each_sharpe(matrix), ratios.directions(matrix))
        for matrix in matrices
    ]
    sums, sharpes, directions = zip(*found, strict=True)
    return Everyone(np.concatenate(sums), np.concatenate(sharpes), ratios.effective_of(directions))


def accounts_of(complete: pl.DataFrame) -> Accounts:
    """Return what each complete trial earned and held; `DataError` where one has other periods than the rest."""
    return accounts(*(matrix(complete["trial"], complete[name]) for name in LISTS))


def matrix(numbers: pl.Series, lists: pl.Series, wanted: pl.Series | None = None) -> NDArray[np.int64]:
    """Return the lists of trials as rows of a matrix (n, t), a view of them if it can be.

    Mids that are the same for all are one row (1, t), and a copy.

    Args:
        numbers: Of the trials, for the message of the `DataError` that lists of other lengths are.
        wanted: Marks the trials whose lists are wanted; None: all.
    """
    if lists.null_count() and wanted is not None:
        numbers, lists, wanted = numbers.filter(wanted), lists.filter(wanted), None
    lengths = lists.list.len()
    odd = (lengths != lengths[0]).arg_true()
    if len(odd):
        at = int(odd[0])
        raise DataError(
            f"trials: column {lists.name}: trial {numbers[at]} has {len(lists[at])} figures,"
            f" expected {lengths[0]} as in trial {numbers[0]}"
        )
    rows = lists.explode().cast(pl.Int64).to_numpy().reshape(len(lists), -1)
    if lists.name == MIDS and _alike(rows):
        return rows[:1].copy()
    return rows if wanted is None or wanted.all() else rows[wanted.to_numpy()]


def _alike(rows: NDArray[np.int64]) -> bool:
    """Tell whether all rows are the same."""
    return all(np.array_equal(column, np.broadcast_to(column[0], len(column))) for column in rows.T)


def _quantum(nets: NDArray[np.float64], matrix: NDArray[np.int64]) -> float:
    """Return the quote in a quantum: a trial's returns sum to its net, and the largest sum tells it best."""
    sums = matrix.sum(axis=0, dtype=np.float64)
    at = int(np.argmax(np.abs(sums)))
    return float(nets[at] / sums[at]) if sums[at] else 1.0


def _evidence(search: Search) -> tuple[Json, Reason]:
    moving, periods = int(np.count_nonzero(search.change)), len(search.change)
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
    sets, parts = len(search.everyone.sums), _parts(search.change, search.returns, search.quantum)
    who = f"The best of {sets:,} sets" if sets > 1 else "The only set that ran to the end"
    text = (
        f"{who}, trial {search.row['trial']}, {_earned(parts['quoting'], search.currency)} by quoting in the search;"
        f" {_given(parts['market'], search.currency)}."
    )
    return {**parts, "sets": sets}, Reason(parts["quoting"] > 0, text)


def _parts(change: Iterable[float], quoting: Iterable[float], quantum: float) -> Json:
    """Return the net profit of some periods, what quoting earned of it, and what the market gave: quote."""
    net, earned = sum(map(int, change)), sum(map(int, quoting))
    return {"net": net * quantum, "quoting": earned * quantum, "market": (net - earned) * quantum}


def _deflated(search: Search, tried: int, sharpes_ever: ratios.Returns) -> tuple[Json, Reason]:
    """Check against the best that luck would have found in so many trials.

    The variance is that of the ratios of this search or of all ever known, the larger: a narrow search after a wide one
    was no smaller gamble. It is bounded by what luck can do (`sharpe.luck_variance`), or sets that are sure to lose
    would count against those that win. `dsr_unbounded` is the paper's own, without that bound.
    """
    found = _sharpe_figures(search, tried)
    here = search.everyone.sharpes
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
    found["bound_decides"] = ok and paper.dsr < DSR_MIN
    text = (
        f"The luckiest of {_sets(tried)} tried on this data would reach a Sharpe ratio of {_figure(told.sr0)} per"
        f" period without any edge; this one has {_figure(ratio)}, above luck with a confidence of {_sure(told.dsr)}"
        f" ({percent(DSR_MIN)} is wanted)."
    )
    if not found["bound_decides"]:
        return found, Reason(ok, text)
    bounded = (
        f" Only a bound decides this: sets differ by more than luck makes them, and their spread counts no further than"
        f" that. By the formula of the paper, which has no bound, the confidence is {_sure(paper.dsr)}."
    )
    proviso = f"that of the deflated ratio by a bound alone ({_sure(paper.dsr)} without it)"
    return found, Reason(ok, text + bounded, proviso)


def _sharpe_figures(search: Search, tried: int) -> Json:
    return {
        "sharpe": ratios.sharpe(search.returns),
        "psr": ratios.psr(search.returns),
        "min_track_record": ratios.min_track_record(search.returns),
        "periods": len(search.returns),
        "n_trials": tried,
        "effective_trials": search.everyone.effective,
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
    counts, edges = _histogram(told.logits)
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
        return {"net": None, "quoting": None, "market": None}, Reason(None, text)
    held = accounts(*([holdout[name]] for name in LISTS))
    returns, fills = held.quoting()[:, 0], int(holdout["fills"])
    moving, parts = int(np.count_nonzero(held.change)), _parts(held.change[:, 0], returns, search.quantum)
    sure = ratios.psr(returns)
    found = {
        **parts,
        "fills": fills,
        "periods": len(returns),
        "moving": moving,
        "fills_min": FILLS_MIN,
        "moving_min": PERIODS_MIN,
        "sharpe": ratios.sharpe(returns),
        "psr": sure,
        "psr_min": HOLDOUT_PSR_MIN,
    }
    start = (
        f"In the holdout, which the search never saw, it {_earned(parts['quoting'], search.currency)} by quoting, with"
        f" {fills:,} fills"
    )
    market = f"; {_given(parts['market'], search.currency)}."
    if parts["quoting"] <= 0:
        return found, Reason(False, start + market)
    if sure is None or fills < FILLS_MIN or moving < PERIODS_MIN:
        little = f" and equity that moved in {moving:,} of {len(returns):,} periods: too little to judge by"
        wanted = f" ({FILLS_MIN} fills and {PERIODS_MIN} periods are wanted)"
        return found, Reason(None, start + little + wanted + market)
    return found, Reason(sure >= HOLDOUT_PSR_MIN, f"{start}: above zero with a confidence of {_sure(sure)}{market}")


def _walk_forward(search: Search, options: Mapping[str, Any]) -> tuple[Json, Reason]:
    metric: Metric = "quoting" if search.objective in SUMS else "sharpe"
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
    found |= {"folds": [_told(search, *each) for each in steps], "net": None, "quoting": None, "market": None}
    if not steps or len(search.numbers) < 2:
        text = "There is no walk-forward: it takes two sets to choose from, and periods enough to choose and to look."
        return found, Reason(None, text)
    # Summed as whole quanta, so that a sum of 0 is 0.
    total = sum(made.test_quoting for _, made in steps)
    found |= _parts([made.test_change for _, made in steps], [made.test_quoting for _, made in steps], search.quantum)
    won = sum(made.test_quoting > 0 for _, made in steps)
    text = (
        f"Chosen anew before each of {len(steps)} stretches and traded through it unseen, the sets"
        f" {_earned(found['quoting'], search.currency)} by quoting in sum, and earned something in {won} of them;"
        f" {_given(found['market'], search.currency)}."
    )
    return found, Reason(total > 0, text)


def _histogram(logits: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return counts and edges of bins that end at 0: a logit of 0 is no better than the middle, and counts to the left.

    >>> [each.tolist() for each in _histogram(np.array([-1.0, 0.0, 0.0, 2.0]))][0][BINS // 2 - 1 : BINS // 2 + 1]
    [2, 0]
    """
    reach = float(np.abs(logits).max(initial=0.0)) or 1.0
    edges = np.linspace(-reach, reach, BINS + 1)
    return np.histogram(-logits, -edges[::-1])[0][::-1], edges


def _told(search: Search, fold: Fold, made: Step) -> Json:
    """Return one fold as JSON: periods are first and last, both included."""
    return {
        "train": [int(fold.train[0]), int(fold.train[-1])],
        "test": [int(fold.test[0]), int(fold.test[-1])],
        "trial": search.numbers[made.column],
        "train_figure": made.train,
        "test_figure": made.test,
        "train_quoting": made.train_quoting * search.quantum,
        "test_quoting": made.test_quoting * search.quantum,
        "test_net": made.test_change * search.quantum,
        "rank": made.rank,
    }


def _plateau(parameters: Sequence[Parameter], search: Search) -> tuple[Json, Reason]:
    found = plateau(search.trials, parameters, search.row["trial"], QUOTING)
    if found["kept"] is None:
        return found, Reason(None, "Too few sets near the best one were tried to tell a plateau from a spike.")
    what = "lead over the middle set in what quoting earned" if found["over"] == "median" else "profit by quoting"
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


def _given(market: float, currency: str) -> str:
    """Say what the market gave or took.

    >>> _given(12.5, "USDC")
    'the market gave 12.5000 USDC to the position that it held on average'
    """
    if not market:
        return "the market gave nothing to the position that it held on average"
    did, to = ("gave", "to") if market > 0 else ("took", "from")
    amount = plain(abs(market), money_decimals(abs(market)))
    return f"the market {did} {amount} {currency} {to} the position that it held on average"


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
