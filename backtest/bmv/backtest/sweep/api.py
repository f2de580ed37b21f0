"""A sweep from its configuration to its folder: begun once, gone on with as often as it was broken off."""

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from bmv.adapters import config as configuration
from bmv.adapters.config import Config, build
from bmv.adapters.config.compile import market as market_of
from bmv.adapters.config.compile import refuse_without_reference
from bmv.backtest.codecache import product_hash
from bmv.backtest.folder import CONFIG, MANIFEST, SUMMARY, json_at, writing
from bmv.backtest.numbers import Json
from bmv.backtest.sweep import page, tapes
from bmv.backtest.sweep.finish import BESTS, Ended, Holdout, ended, front, registered
from bmv.backtest.sweep.objectives import Objective, objectives_of
from bmv.backtest.sweep.pool import Pool, Threads
from bmv.backtest.sweep.proposer import Proposer
from bmv.backtest.sweep.reading import TRIALS, VERSION
from bmv.backtest.sweep.search import search
from bmv.backtest.sweep.space import Axis, axes_of
from bmv.backtest.sweep.study import JOURNAL, Row, Study, leading
from bmv.backtest.sweep.tapes import Source, Split
from bmv.backtest.sweep.trial import Made
from bmv.backtest.sweep.validation.verdict import judge
from bmv.backtest.sweep.work import Task, Work, trading
from bmv.data.place import is_url
from bmv.ports.errors import ConfigError, DataError

PACKAGES = ("bmv", "numba", "numpy", "optuna", "polars")
BEST = "best.toml"
Told = Callable[[str, Json], None]  # Called with what happened: `begun`, `trial`, `searched`, `ended`.
MakePool = Callable[[Work], Pool]


@dataclass(frozen=True)
class Plan:
    """What a sweep is made of, checked, with nothing read but the ends of its tapes."""

    config: Config
    axes: list[Axis]
    objectives: list[Objective]
    splits: list[Split]

    @property
    def periods(self) -> int:
        """Stretches of each tape for the statistics."""
        return self.config.sweep.validation.periods

    def proposer(self) -> Proposer:
        """Return what proposes the sets, from the first one on."""
        s = self.config.sweep
        large = [objective.large for objective in self.objectives]
        return Proposer(self.axes, s.sampler, s.seed, s.trials, large, s.batch)

    def names(self) -> list[str]:
        """Return the names of the tapes."""
        return [split.source.name for split in self.splits]


def planned(config: Config, params: Sequence[str] = (), data: Sequence[str] = (), timerange: str | None = None) -> Plan:
    """Return the plan of a sweep; what is wrong with it is said before anything is run.

    Args:
        params: Axes as `--param` spells them, beside or in place of those of the configuration.
        data: Files or folders, in place of the tapes of the configuration.
        timerange: The part of them that is swept.
    """
    refuse_without_reference(config)
    axes = axes_of(config, params)
    objectives = objectives_of(config.sweep.objective)
    sources = tapes.sources_of(config, data, timerange)
    whole = _written_out(config, axes, sources)
    plan = Plan(whole, axes, objectives, [])
    plan.proposer()
    return Plan(whole, axes, objectives, tapes.split_up(whole, sources))


def _written_out(config: Config, axes: Sequence[Axis], sources: Sequence[Source]) -> Config:
    """Return the configuration with axes and tapes in it, so that its folder alone tells what was swept."""
    table = config.model_dump(exclude_none=True)
    table["sweep"]["parameters"] = {axis.key: _spelt(axis) for axis in axes}
    table["sweep"]["tapes"] = [_tape(source) for source in sources]
    return build(**table)


def _spelt(axis: Axis) -> dict[str, Any]:  # Any: as a configuration spells it.
    also = {"also": list(axis.also)} if axis.also else {}
    if axis.values:
        return {"values": list(axis.values), **also}
    return {"low": axis.low, "high": axis.high, "log": axis.log, **also}


def _tape(source: Source) -> dict[str, Any]:  # Any: as above.
    data = [each if is_url(each) else str(Path(each).resolve()) for each in source.data]
    told: dict[str, Any] = {"name": source.name, "data": data, "set": dict(source.overrides)}
    return told | ({"timerange": _range(source)} if source.start_ns is not None or source.end_ns is not None else {})


def _range(source: Source) -> str:
    return f"{_instant(source.start_ns)}-{_instant(source.end_ns)}"


def _instant(ts_ns: int | None) -> str:
    return "" if ts_ns is None else time.strftime("%Y%m%dT%H%M%S", time.gmtime(ts_ns // tapes.NS))


def begin(folder: Path, plan: Plan) -> None:
    """Make the folder of a sweep, in which nothing has been run yet."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).write_text(configuration.dump(configuration.masked(plan.config)), "utf-8")
        _write(folder / MANIFEST, _manifest(plan))


def resumed(folder: Path) -> Plan:
    """Return the plan of a sweep that was begun; `DataError` where its data or our code have changed since."""
    plan = planned(configuration.load(folder / CONFIG, (), {}))
    then, now = json_at(folder / MANIFEST), _manifest(plan)
    if then.get("kind") != "sweep":
        raise DataError(f"{folder}: is not the folder of a sweep")
    for name, told in (("data", "the data"), ("code", "bmv"), ("strategy", "the strategy"), ("packages", "a library")):
        if then.get(name) != now[name]:
            raise DataError(f"{folder}: {told} changed since this sweep was begun: its trials would not be of one kind")
    return plan


def _manifest(plan: Plan) -> Json:
    from bmv.backtest.identity import of_file

    strategy = plan.config.strategy
    return {
        "version": VERSION,
        "kind": "sweep",
        "code": product_hash(),
        "config": configuration.digest(plan.config),
        "strategy": of_file(strategy) if strategy else None,
        "data": _files(plan),
        "seed": plan.config.sweep.seed,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _files(plan: Plan) -> list[Json]:
    """Return every file that is read, once, with its hash."""
    found: dict[str, Json] = {}
    for source in {split.source.data: split.source for split in plan.splits}.values():
        tape = tapes.opened(plan.config, source, None, None)
        assert tape.window
        found |= {str(file["path"]): file for file in tape.manifest()}
    return list(found.values())


def go_on(
    folder: Path, plan: Plan, workers: int | None = None, told: Told | None = None, make_pool: MakePool | None = None,
    storage: str | None = None, report: bool = True,
) -> Json:  # fmt: skip
    """Run what the sweep in `folder` lacks, and end it; return its summary.

    Args:
        workers: Threads; None: one a core.
        told: Hears of each trial.
        make_pool: Makes other workers than threads.
        storage: Where the trials are kept in place of the folder's journal: `postgresql://…`.
    """
    told = told or _nobody
    with leading(folder):
        study = Study(storage or str(folder / JOURNAL), _study_name(folder), plan.axes, plan.objectives)
        proposer = plan.proposer()
        work = Work(plan.config, tapes.read(plan.config, plan.axes, plan.splits), plan.objectives, plan.periods)
        told("begun", {"planned": proposer.planned, "known": len(study), "events": _events(work)})
        started = time.perf_counter()
        ran = _Counter(told)
        with _pool(make_pool or (lambda work: Threads(work, workers)), work) as pool:
            before = len(study)
            search(proposer, study, pool, ran, medians=plan.config.sweep.pruning == "median")
            count, used = len(study) - before, pool.workers
        seconds = time.perf_counter() - started
        told("searched", {"seconds": seconds})
        speed = {
            "seconds": round(seconds, 3),
            "events_sets_per_second": round(_events(work) * count / seconds) if seconds > 0 else None,
            "workers": used,
        }
        summary = _end(folder, plan, study, work, proposer.planned, speed)
        if report:
            page.write(folder)
    told("ended", summary)
    return summary


def _study_name(folder: Path) -> str:
    """Return the name of a sweep's study: a database may hold those of many folders that are called the same."""
    return f"bmv-{sha256((folder / MANIFEST).read_bytes()).hexdigest()[:16]}"


class _Counter:
    """Hears of trials, and passes on what a viewer wants of them."""

    def __init__(self, told: Told) -> None:
        self._told = told

    def __call__(self, row: Row) -> None:
        self._told("trial", row)


def _nobody(what: str, content: Json) -> None:
    """Hear of nothing."""


@contextmanager
def _pool(make: MakePool, work: Work) -> Iterator[Pool]:
    pool = make(work)
    try:
        yield pool
    finally:
        pool.close()


def _events(work: Work) -> int:
    return sum(stretch.prepared.events for stretch in work.stretches)


def _end(folder: Path, plan: Plan, study: Study, work: Work, planned: int, speed: Json) -> Json:
    """Write what a sweep leaves: the table, the best sets, the verdict."""
    work.stop.clear()
    left = ended(study, plan.axes, plan.objectives, plan.names())
    settings = plan.config.sweep.validation.model_dump()
    with writing(folder):
        left.frame.write_parquet(folder / TRIALS)
        holdout = Holdout(plan.config, plan.axes, plan.splits, plan.periods)
        held = _bests(folder, plan, left, work, holdout)
        data = [str(file["sha256"]) for file in json_at(folder / MANIFEST)["data"]]
        tried = registered(data, left.rows.values())
        parameters = [axis.described() for axis in plan.axes]
        first = plan.objectives[0]
        direction = "maximize" if first.large else "minimize"
        best = left.ranked[0] if left.ranked else None
        figures, verdict = judge(
            left.frame, parameters, first.name, held, tried.ever, tried.sharpes, settings,
            direction=direction, currency=_currency(plan.config), best=best,
        )  # fmt: skip
        states = [row["state"] for row in left.rows.values()]
        summary = {
            "version": VERSION,
            "kind": "sweep",
            "symbol": plan.config.market.symbol,
            "name": folder.name,
            "sampler": plan.config.sweep.sampler,
            "seed": plan.config.sweep.seed,
            "trials": {"planned": planned} | {name: states.count(name) for name in ("complete", "pruned", "invalid")},
            "objectives": [
                {"name": each.name, "direction": "maximize" if each.large else "minimize"} for each in plan.objectives
            ],
            "parameters": parameters,
            "best": None if best is None else _best(left, best) | {"holdout": held and _without_returns(held)},
            "front": front(left.rows, left.ranked, plan.objectives) if len(plan.objectives) > 1 else [],
            "validation": figures | {"trials_ever": tried.ever},
            "verdict": verdict,
            "warnings": [*warnings_of(plan, left), *filter(None, [tried.warning])],
            "tapes": [_told_tape(split, stretch) for split, stretch in zip(plan.splits, work.stretches, strict=True)],
            "speed": speed,
            "quantum": format(market_of(plan.config).money(1), "f"),
        }
        _write(folder / SUMMARY, summary)
    return summary


def _bests(folder: Path, plan: Plan, left: Ended, work: Work, holdout: Holdout) -> Json | None:
    """Run the best sets again, on what was searched and on what was held out; return how the first one did there."""
    (folder / "best").mkdir(exist_ok=True)
    held: Json | None = None
    behind = Work(plan.config, holdout.stretches, plan.objectives, holdout.periods)
    for place, trial in enumerate(left.ranked[:BESTS]):
        row = left.rows[trial]
        again, after = work.runs(Task(trial, row["set"])), behind.runs(Task(trial, row["set"]))
        if " ".join(made.digest for made in again) != row["digest"]:
            raise DataError(
                f"trial {trial} came out otherwise when it was run again: the record is not of this program"
            )
        pl.concat([made.equity for made in _in_order(again, after)]).select(
            "ts_ns", "equity", "drawdown", "position"
        ).write_parquet(folder / "best" / f"equity-{trial}.parquet")
        if place == 0:
            held = holdout.of(after)
            own = build(**trading(work.config(row["set"], {})))
            (folder / BEST).write_text(configuration.dump(configuration.masked(own)), "utf-8")
    return held


def _in_order(again: Sequence[Made], after: Sequence[Made]) -> list[Made]:
    """Return the runs tape by tape, what was held out behind what was searched."""
    if not after:
        return list(again)
    return [made for pair in zip(again, after, strict=True) for made in pair]


def _best(left: Ended, trial: int) -> Json:
    row = left.frame.row(by_predicate=pl.col("trial") == trial, named=True)
    return {"set": left.rows[trial]["set"], **{name: value for name, value in row.items() if name != "returns"}}


def _without_returns(held: Mapping[str, Any]) -> Json:  # Any: figures.
    return {name: value for name, value in held.items() if name != "returns"}


def _told_tape(split: Split, stretch: Any) -> Json:
    return {
        "name": split.source.name,
        "symbol": stretch.prepared.market.symbol,
        "first_ns": split.first_ns,
        "split_ns": split.split_ns,
        "last_ns": split.last_ns,
        "events": stretch.prepared.events,
        "data": list(split.source.data),
    }


def _currency(config: Config) -> str:
    """Return the name of the quote, as far as the symbol tells it."""
    name = config.market.symbol.replace("-", "/").rpartition("/")[2]
    return name if name and name != config.market.symbol else "quote"


def warnings_of(plan: Plan, left: Ended) -> list[str]:
    """Say what a reader of the result must know beside the verdict."""
    found = list[str]()
    states = [row["state"] for row in left.rows.values()]
    if not left.ranked and "complete" in states:
        found.append("no set keeps all constraints: loosen them, or widen the ranges")
    reasons = {row["reason"] for row in left.rows.values() if row["state"] == "invalid"}
    if reasons:
        found.append(
            f"{states.count('invalid'):,} sets could not be run, such as: {sorted(reasons)[0].splitlines()[0]}"
        )
    found += _at_the_edge(plan, left)
    if plan.config.sweep.validation.holdout == 0:
        found.append("nothing was held out: what the best set does on days it was not chosen on is not known")
    return found


def _at_the_edge(plan: Plan, left: Ended) -> list[str]:
    """Name the axes at whose end the best set lies: beyond it may lie a better one."""
    if not left.ranked:
        return []
    best = left.rows[left.ranked[0]]["set"]
    edges = []
    for axis in plan.axes:
        if axis.ordered and (len(axis.values) > 2 or not axis.values):
            ends = (axis.values[0], axis.values[-1]) if axis.values else (axis.low, axis.high)
            if best[axis.key] in ends:
                edges.append(f"{axis.key} = {best[axis.key]:g}")
    return (
        [f"the best set lies at the end of a range: {', '.join(edges)}; beyond it may be a better one"] if edges else []
    )


def _write(path: Path, content: Json) -> None:
    half_done = path.with_name(f".{path.name}.tmp")
    half_done.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY))
    half_done.replace(path)


__all__ = ["ConfigError", "Plan", "begin", "go_on", "planned", "resumed"]
