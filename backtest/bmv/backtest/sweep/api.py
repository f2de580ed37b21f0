"""A sweep from its configuration to its folder: begun once, gone on with as often as it was broken off."""

import os
import platform
import time
from contextlib import ExitStack, closing, suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from threading import Thread

from bmv.adapters import config as configuration
from bmv.backtest.delays import recorded_delays
from bmv.backtest.fused import machine_code
from bmv.backtest.sweep.finish import finish
from bmv.backtest.sweep.judge.registering import Entries
from bmv.backtest.sweep.judge.verdict import PERIODS_MIN
from bmv.backtest.sweep.plan import PACKAGES, Plan, make_plan
from bmv.backtest.sweep.run.pool import MakePool, Threads
from bmv.backtest.sweep.run.search import search
from bmv.backtest.sweep.run.work import Work
from bmv.backtest.sweep.tapes import tapes
from bmv.backtest.sweep.trials.monitor import Monitor
from bmv.backtest.sweep.trials.reading import VERSION
from bmv.backtest.sweep.trials.row import TrialRow
from bmv.backtest.sweep.trials.study import JOURNAL, Study, leading
from bmv.backtest.sweep.trials.summary import Speed, SweepSummary
from bmv.data.files.hash import sha256 as sha256_of
from bmv.data.files.writing import whole_folder
from bmv.data.runs.folder import CONFIG, MANIFEST, json_at, put, writing
from bmv.data.runs.numbers import Json
from bmv.data.runs.product import product_hash
from bmv.ports.errors import DataError

__all__ = ["PACKAGES", "MakePool", "Monitor", "Plan", "begin", "load_plan", "make_plan", "run"]

IDENTITY = {
    "data": "the data",
    "code": "bmv",
    "config": "its configuration",
    "strategy": "the strategy",
    "files": "a file that it names",
    "packages": "a library",
}  # What two parts of one sweep must have in common: its place in the manifest, in words.
HOLDOUT_PERIODS_MIN = 2 * PERIODS_MIN  # Or a short holdout could not be evidence, however much it trades.


def begin(folder: str | Path, plan: Plan, origin: Json | None = None) -> None:
    """Make the folder of a sweep, in which nothing has been run yet: whole or not there.

    Args:
        origin: What the manifest says of the file that it is begun from; see `bmv.backtest.sweep.origin`.
    """
    folder, manifest = Path(folder), _manifest(plan) | ({"origin": origin} if origin else {})
    with writing(folder, "sweep"), whole_folder(folder, (CONFIG, MANIFEST)) as draft:
        put(draft / CONFIG, configuration.dump(configuration.masked(plan.config)))
        put(draft / MANIFEST, manifest)


def load_plan(folder: Path) -> Plan:
    """Return the plan of a sweep that was begun; `DataError` where its data or our code have changed since."""
    plan = make_plan(configuration.load(folder / CONFIG, (), {}))
    then, now = json_at(folder / MANIFEST), _manifest(plan)
    if then.get("kind") != "sweep":
        raise DataError(f"{folder}: is not the folder of a sweep")
    for name, told in IDENTITY.items():
        if then.get(name) != now[name]:
            raise DataError(f"{folder}: {told} changed since this sweep was begun: its trials would not be of one kind")
    return plan


def _manifest(plan: Plan) -> Json:
    from bmv.adapters.strategy.identity import of_file

    strategy = plan.config.strategy
    return {
        "version": VERSION,
        "kind": "sweep",
        "code": product_hash(),
        "config": configuration.digest(plan.config),
        "strategy": of_file(strategy) if strategy else None,
        "files": {file: sha256_of(Path(file)) for file in _named(plan)},
        "data": _files(plan),
        "seed": plan.config.sweep.seed,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _named(plan: Plan) -> list[str]:
    """Return the files, beside ticks and strategy, that decide what a set comes to."""
    functions = [each.spelling.rpartition(":")[0] for each in plan.objectives if ".py:" in each.spelling]
    configs = [tapes.config_of(plan.config, split.source) for split in plan.splits]
    return [*functions, *(str(file) for config in configs for file in recorded_delays(config).values())]


def _files(plan: Plan) -> list[Json]:
    """Return every file that is read, once, with its hash."""
    found: dict[str, Json] = {}
    for source in {split.source.data: split.source for split in plan.splits}.values():
        tape = tapes.opened(plan.config, source, None, None)
        assert tape.window
        found |= {str(file["path"]): file for file in tape.manifest()}
    return list(found.values())


def run(
    folder: str | Path, plan: Plan, workers: int | None = None, monitor: Monitor | None = None,
    make_pool: MakePool | None = None, storage: str | None = None, report: bool = True,
) -> SweepSummary:  # fmt: skip
    """Run what the sweep in `folder` lacks, and end it; return its summary.

    Args:
        workers: Threads; None: one a core.
        monitor: Hears how it goes on.
        make_pool: Makes other workers than threads.
        storage: Where the trials are kept in place of the folder's journal: `postgresql://…`.
    """
    folder, monitor = Path(folder), monitor or Monitor()
    kept = storage or str(folder / JOURNAL)
    with leading(folder), closing(Study(kept, _study_name(folder), plan.axes, plan.objectives)) as study:
        Thread(target=_load_ahead, daemon=True).start()
        proposer = plan.proposer()
        held_out = _on_held_out(plan)  # Read first: what is wrong with it is better known before the search.
        work = Work(plan.config, tapes.read(plan.config, plan.axes, plan.splits), plan.objectives, plan.periods)
        manifest = json_at(folder / MANIFEST)
        entries = Entries([str(file["sha256"]) for file in manifest["data"]], str(manifest["config"]))
        monitor.begun(proposer.planned, len(study), work.events)
        machine_code()
        started = time.perf_counter()

        def ended(row: TrialRow) -> None:
            monitor.trial(row)
            entries(row)

        with ExitStack() as stack:
            stack.callback(entries.flush)
            pool = stack.enter_context(closing(make_pool(work) if make_pool else Threads(work, workers)))
            before = len(study)
            search(proposer, study, pool, ended, medians=plan.config.sweep.pruning == "median")
            count, used = len(study) - before, pool.workers
        seconds = time.perf_counter() - started
        monitor.searched(seconds)
        speed: Speed = {
            "seconds": round(seconds, 3),
            "events_sets_per_second": round(work.events * count / seconds) if seconds > 0 else None,
            "workers": used,
        }
        threads = min(used, len(os.sched_getaffinity(0)))  # The workers of a cluster are elsewhere.
        summary = finish(
            folder, plan, study, (work, held_out), entries.tried(), proposer.planned, speed, report, threads
        )
    monitor.ended(summary)
    return summary


def _load_ahead() -> None:
    """Load the machine code while the tapes are read; what is wrong with it hears who asks for it afterwards."""
    with suppress(Exception):
        machine_code()


def _on_held_out(plan: Plan) -> Work:
    """Return what runs sets on the parts of the tapes that the search never sees."""
    share = plan.config.sweep.validation.holdout
    periods = max(HOLDOUT_PERIODS_MIN, round(plan.periods * share / (1 - share)))
    return Work(plan.config, tapes.read_held_out(plan.config, plan.axes, plan.splits), plan.objectives, periods)


def _study_name(folder: Path) -> str:
    """Return the name of a sweep's study: a database may hold those of many folders that are called the same."""
    return f"bmv-{sha256((folder / MANIFEST).read_bytes()).hexdigest()[:16]}"
