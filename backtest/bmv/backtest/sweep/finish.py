"""The end of a sweep: the table of its trials, the best of them tried on what was held out, and the verdict."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.adapters.bookkeeping.ledger import E_TS_NS
from bmv.adapters.config import Config, build, dump, masked
from bmv.adapters.config.compile import market
from bmv.adapters.config.dump import inline
from bmv.backtest.result import not_reproducible
from bmv.backtest.sweep.judge.registering import Tried
from bmv.backtest.sweep.judge.verdict import judge, matrix
from bmv.backtest.sweep.plan import Plan, format_timerange
from bmv.backtest.sweep.run.trial import RunFigures
from bmv.backtest.sweep.run.work import Task, Work
from bmv.backtest.sweep.tapes.tapes import Split, config_of
from bmv.backtest.sweep.trials.accounts import LISTS, Accounts, accounts
from bmv.backtest.sweep.trials.objectives import Objective
from bmv.backtest.sweep.trials.ranking import Ranking, columns_of, front, rank
from bmv.backtest.sweep.trials.reading import ACCOUNTS, BEST, BESTS, PAGE, RESULTS, TRIALS, VERSION, read
from bmv.backtest.sweep.trials.space import trading
from bmv.backtest.sweep.trials.study import STATES, Study
from bmv.backtest.sweep.trials.summary import Speed, SweepSummary, Tape, Units, Verdict
from bmv.data.files.writing import whole_part
from bmv.data.runs.contracts import units_of
from bmv.data.runs.folder import SUMMARY, put, writing
from bmv.data.runs.numbers import Json
from bmv.data.runs.wording import currencies
from bmv.ports.errors import DataError
from bmv.ports.market import SPOT

UNTRADED = ("sweep", "live", "storage")  # Tables that do not decide how a set trades.
MADE_UP = "made up"


def finish(
    folder: Path, plan: Plan, study: Study, works: tuple[Work, Work], tried: Tried, planned: int, speed: Speed,
    report: bool, threads: int = 1,
) -> SweepSummary:  # fmt: skip
    """Write what a sweep leaves, the table, the best sets and the summary with the verdict; return the summary.

    All of it is there or none: the summary comes last, and is away while an older one's files are replaced.

    Args:
        works: What ran the sets of the search, and what runs them on what was held out.
        tried: How often these ticks were tried, ever.
        planned: How many sets the sampler was to propose.
        speed: How fast they were run, as `summary.json` has it.
        report: Whether `sweep.html` is written too.
        threads: On how many the best sets are run once more.
    """
    work, held_out = works
    work.stop.clear()  # Closing the pool set it; the best sets are run once more.
    ranking = rank(study, plan.axes, plan.objectives, plan.names(), BESTS)
    with writing(folder, "result of a sweep"), whole_part(folder, RESULTS) as draft:
        put(draft / TRIALS, ranking.frame)
        held, doubts = _run_bests(draft, ranking, work, held_out, threads)
        columns = columns_of(plan.objectives, plan.axes, len(plan.names()))
        validation, verdict = _judged(plan, ranking, columns[0], held, tried)
        warnings = [*doubts, *_of_tapes(work, held_out), *plan.warnings, *_warnings(plan, work, ranking)]
        warnings += filter(None, [tried.warning])
        if any(MADE_UP in warning for warning in warnings):
            verdict["headline"] = f"On a made-up tape, which means nothing: {verdict['headline']}"
        summary: SweepSummary = {
            "version": VERSION,
            "kind": "sweep",
            "symbol": plan.config.market.symbol,
            **_units(plan.config),
            "name": folder.name,
            "sampler": plan.config.sweep.sampler,
            "seed": plan.config.sweep.seed,
            "trials": {"planned": planned} | {state: ranking.how_many(state) for state in STATES},
            "objectives": [
                {"name": name, "direction": each.direction} for name, each in zip(columns, plan.objectives, strict=True)
            ],
            "parameters": [axis.described() for axis in plan.axes],
            "best": None if ranking.best is None else _best(ranking, held),
            "front": _front(ranking, columns, plan.objectives) if len(columns) > 1 else [],
            "validation": validation | {"trials_ever": tried.ever},
            "verdict": verdict,
            "warnings": warnings,
            "tapes": [_tape(split, works) for split in plan.splits],
            "speed": speed,
            "quantum": _decimal(work.quantum),
        }
        put(draft / SUMMARY, summary)
        if report:
            from bmv.backtest.sweep.show import page

            put(draft / PAGE, page.render(read(folder, draft)))
    return summary


def _run_bests(
    folder: Path, ranking: Ranking, work: Work, held_out: Work, threads: int
) -> tuple[Json | None, list[str]]:
    """Run the best sets again, on what was searched and on what was held out.

    Returns how the first one did on the latter, and the warning that the strategy does not do the same twice, if so.
    """
    (folder / ACCOUNTS).mkdir()
    held: Json | None = None
    doubts = list[str]()
    tasks = [Task(row["trial"], row["set"]) for row in ranking.bests]
    with ThreadPoolExecutor(threads, "best") as crew:
        runs = list(
            crew.map(lambda ran: ran[0].runs(ran[1]), [(each, task) for task in tasks for each in (work, held_out)])
        )
    for place, row in enumerate(ranking.bests):
        trial = row["trial"]
        again, after = runs[2 * place], runs[2 * place + 1]
        if (digest := " ".join(made.digest for made in again)) != row["digest"]:
            if work.base.strategy is None:
                raise DataError(
                    f"trial {trial} came out otherwise when it was run again: the record is not of this program"
                )
            doubts.append(not_reproducible(f"trial {trial}", row["digest"], digest))
        equity = pl.concat([made.equity for made in _in_order([*again, *after])])
        put(folder / ACCOUNTS / f"equity-{trial}.parquet", equity.select("ts_ns", "equity", "drawdown", "position"))
        if place == 0:
            held = _held(held_out, after)
            own = build(**trading(work.config(row["set"], {})))
            put(folder / BEST, dump(masked(own), without=UNTRADED))
    return held, doubts[:1]


def _in_order(runs: Sequence[RunFigures]) -> list[RunFigures]:
    """Return the runs by the time at which they begin."""
    return sorted(runs, key=lambda made: int(made.samples[0, E_TS_NS]) if len(made.samples) else 0)


def _held(held_out: Work, after: Sequence[RunFigures]) -> Json | None:
    """Return what a set came to on what was held out, as the verdict wants it; None where nothing was."""
    if not after:
        return None
    return {
        "net": sum(each.figures["net"] for each in after),
        "fills": sum(each.figures["fills"] for each in after),
        "max_drawdown": max(each.figures["max_drawdown"] or 0.0 for each in after),
        "digest": " ".join(each.digest for each in after),
        "quoting": sum(each.figures["quoting"] for each in after),
        "market": sum(each.figures["market"] for each in after),
        **held_out.account(after),
    }


def _judged(plan: Plan, ranking: Ranking, column: str, held: Json | None, tried: Tried) -> tuple[Json, Verdict]:
    """Return the figures of the validation and the verdict."""
    first = plan.objectives[0]
    frame, sets = _taken_apart(ranking.frame)
    return judge(
        frame,
        [axis.described() for axis in plan.axes],
        column,
        held,
        tried.ever,
        tried.sharpes,
        plan.config.sweep.validation.model_dump(),
        direction=first.direction,
        currency=_currency(plan.config),
        best=ranking.best,
        sets=sets,
    )


def _taken_apart(frame: pl.DataFrame) -> tuple[pl.DataFrame, Accounts | None]:
    """Return the trials without their lists, of those that came out alike the first, and the accounts of the complete.

    The lists are taken out of `frame` for good, one after the other: together they take most of the memory there is.
    """
    lists = [frame.drop_in_place(name) for name in reversed(LISTS)]
    different = frame.select((pl.col("state") != "complete") | pl.col("digest").is_first_distinct()).to_series()
    there = different & (frame["state"] == "complete")
    rows = list[NDArray[np.int64]]()
    while lists and there.any():
        rows.insert(0, matrix(frame["trial"], lists.pop(0), there))
    return frame.filter(different), accounts(*rows) if rows else None


def _front(ranking: Ranking, columns: Sequence[str], objectives: Sequence[Objective]) -> list[int]:
    """Return the numbers of the sets than which none is better in every objective."""
    ranked = ranking.frame.filter(pl.col("trial").is_in(ranking.ranked))
    return front(ranked["trial"].to_list(), ranked.select(columns).to_numpy(), objectives)


def _best(ranking: Ranking, held: Json | None) -> Json:
    row = ranking.frame.row(by_predicate=pl.col("trial") == ranking.best, named=True)
    holdout = held and _without_lists(held)
    return {"set": ranking.bests[0]["set"], **_without_lists(row), "holdout": holdout}


def _without_lists(figures: Mapping[str, Any]) -> Json:  # Any: figures.
    return {name: value for name, value in figures.items() if name not in LISTS}


def _tape(split: Split, works: tuple[Work, Work]) -> Tape:
    searched, held_out = ({each.prepared.name: each.prepared for each in work.stretches} for work in works)
    prepared = searched.get(split.source.name) or held_out[split.source.name]
    return {
        "name": split.source.name,
        "symbol": prepared.market.symbol,
        "first_ns": split.first_ns,
        "split_ns": split.split_ns,
        "last_ns": split.last_ns,
        "events": searched[split.source.name].events if split.source.name in searched else 0,
        "events_held_out": held_out[split.source.name].events if split.source.name in held_out else 0,
        "data": list(split.source.data),
        "set": {key: inline(value) for key, value in split.source.overrides.items()},
        "searched": None if split.searched is None else format_timerange(*split.searched),
        "held_out": None if split.held_out is None else format_timerange(*split.held_out),
    }


def _of_tapes(work: Work, held_out: Work) -> list[str]:
    """Return what reading the tapes found, each sentence once, with the name of the tape where there are several."""
    stretches = [*work.stretches, *held_out.stretches]
    several = len({each.prepared.name for each in stretches}) > 1
    found = [
        f"{each.prepared.name}: {warning}" if several and MADE_UP not in warning else warning
        for each in stretches
        for warning in each.prepared.warnings
    ]
    return list(dict.fromkeys(found))


def _decimal(amount: Fraction) -> str:
    return format(Decimal(amount.numerator) / Decimal(amount.denominator), "f")


def _units(config: Config) -> Units:
    """Return what sizes and money are counted in, where that is not what the symbol says."""
    instrument = market(config)
    if instrument.contract == SPOT:
        return {}
    return {"units": units_of(instrument.symbol, instrument.contract)}


def _currency(config: Config) -> str:
    """Return the name of what money is counted in, as far as the symbol tells it."""
    return currencies(str(_units(config).get("units", config.market.symbol)))[1]


def _warnings(plan: Plan, work: Work, ranking: Ranking) -> list[str]:
    """Say what a reader of the result must know beside the verdict."""
    found = list(plan.left_out)
    if not ranking.ranked and ranking.how_many("complete") + ranking.how_many("pruned"):
        found.append("no set keeps all constraints: loosen them, or widen the ranges")
    if plan.config.sweep.pruning == "median" and ranking.how_many("pruned"):
        found.append(
            f"{ranking.how_many('pruned'):,} sets that began badly were given up (sweep.pruning), so that overfitting "
            "and walk forward see those only that did not"
        )
    if work.at_once:
        found.append("tapes overlap in time: their periods are added up, as of one portfolio")
    quotes = {currencies(config_of(plan.config, split.source).market.symbol)[1] for split in plan.splits}
    if len(quotes) > 1:
        found.append(f"the tapes are in {', '.join(sorted(quotes))}, and are added up as if these were worth the same")
    reasons = ranking.frame.filter(pl.col("state") == "invalid")["reason"]
    if len(reasons):
        found.append(f"{len(reasons):,} sets could not be run, such as: {min(reasons).splitlines()[0]}")
    if ranking.no_ratio:
        found.append(f"no set has a Sharpe ratio, or another of earnings to risk: {ranking.no_ratio}")
    if edges := _at_the_edge(plan, ranking):
        found.append(f"the best set lies at the end of a range: {', '.join(edges)}; beyond it may be a better one")
    if plan.config.sweep.validation.holdout == 0:
        found.append("nothing was held out: what the best set does on days it was not chosen on is not known")
    return found


def _at_the_edge(plan: Plan, ranking: Ranking) -> list[str]:
    """Return the axes at whose end the best set lies, with its values; two values alone are nothing but ends."""
    if ranking.best is None:
        return []
    chosen = ranking.bests[0]["set"]
    wide = (axis for axis in plan.axes if axis.ordered and len(axis.values) not in (1, 2))
    return [f"{axis.key} = {chosen[axis.key]:g}" for axis in wide if chosen[axis.key] in axis.ends]
