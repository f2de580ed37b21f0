"""The search itself: sets are proposed, run, written down and heard, until there are no more."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median

import orjson

from bmv.backtest.sweep.run.pool import Pool
from bmv.backtest.sweep.run.trial import CHECKS
from bmv.backtest.sweep.run.work import Medians, Task
from bmv.backtest.sweep.trials.proposer import Heard, Proposer
from bmv.backtest.sweep.trials.row import TrialRow, aims
from bmv.backtest.sweep.trials.space import Set
from bmv.backtest.sweep.trials.study import Study
from bmv.ports.errors import DataError

Told = Callable[[TrialRow], None]  # Called with each trial that has ended, known ones first.
NOT_HEARD = Heard()
NOTHING_YET = -(2.0**62)  # No net is below it.


def search(proposer: Proposer, study: Study, pool: Pool, told: Told, medians: bool = False) -> None:
    """Run what `proposer` proposes and `study` does not know yet, and write it down.

    Args:
        medians: Whether a run is measured by the sets of earlier batches on its way.
    """
    if proposer.learns or medians:
        _by_batches(proposer, study, pool, told, medians)
    else:
        _straight_on(proposer, study, pool, told)


def _straight_on(proposer: Proposer, study: Study, pool: Pool, told: Told) -> None:
    """Run everything as one long row: nobody waits for anybody."""

    def missing() -> Iterator[Task]:
        trial = 0
        while sets := proposer.propose():
            proposer.hear([NOT_HEARD] * len(sets))
            for each in sets:
                if trial in study:
                    told(_known(study, trial, each))
                else:
                    yield Task(trial, each)
                trial += 1

    for row in pool.rows(missing()):
        study.add(row)
        told(row)


def _by_batches(proposer: Proposer, study: Study, pool: Pool, told: Told, medians: bool) -> None:
    """Run batch by batch: what comes next depends on all of what came before, and on nothing else."""
    first, halfway, ran = 0, list[Sequence[Sequence[int]]](), dict[bytes, int]()
    while sets := proposer.propose():
        at_checks = _medians(halfway) if medians else ()
        rows, tasks = dict[int, TrialRow](), list[Task]()
        for trial, each in enumerate(sets, first):
            if trial in study:
                rows[trial] = _known(study, trial, each)
                told(rows[trial])
            elif _name(each) not in ran and all(task.set != each for task in tasks):
                tasks.append(Task(trial, each, at_checks))
        for row in pool.rows(tasks):
            _keep(row, study, told, rows)
        ran |= {_name(row["set"]): trial for trial, row in rows.items()}
        for trial, each in enumerate(sets, first):
            if trial not in rows:  # A sampler that learns comes back to what was good; it came to the same.
                _keep({**study[ran[_name(each)]], "trial": trial}, study, told, rows)
        in_order = [rows[trial] for trial in sorted(rows)]
        halfway += [row["halfway"] for row in in_order if row["halfway"]]
        proposer.hear([_heard(row) for row in in_order])
        first += len(sets)


def _keep(row: TrialRow, study: Study, told: Told, rows: dict[int, TrialRow]) -> None:
    study.add(row)
    told(row)
    rows[row["trial"]] = row


def _heard(row: TrialRow) -> Heard:
    """Return what the sampler is told of a trial."""
    if row["state"] == "complete":
        return Heard(tuple(aims(row)), tuple(row["violations"]))
    ends = [each[-1] for each in row["halfway"] if each]
    halfway = float(sum(ends)) if row["state"] == "pruned" and ends else None
    return Heard(violations=tuple(row["violations"]), halfway=halfway)


def _name(values: Set) -> bytes:
    """Return what tells a set from others; a sweep remembers it of each set that was run."""
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS)


def _known(study: Study, trial: int, proposed: Set) -> TrialRow:
    row = study[trial]
    if row["set"] != proposed:
        raise DataError(
            f"trial {trial} of the record is another set than the one that seed and ranges give: "
            "the sweep was begun with another version of Optuna or of this program; begin it anew"
        )
    return row


def _medians(halfway: Sequence[Sequence[Sequence[int]]]) -> Medians:
    """Return the median net at each check of each tape, over the sets that came so far."""
    tapes = max((len(each) for each in halfway), default=0)
    return tuple(tuple(_median(halfway, tape, check) for check in range(CHECKS)) for tape in range(tapes))


def _median(halfway: Sequence[Sequence[Sequence[int]]], tape: int, check: int) -> float:
    values = [each[tape][check] for each in halfway if len(each) > tape and len(each[tape]) > check]
    return median(values) if values else NOTHING_YET
