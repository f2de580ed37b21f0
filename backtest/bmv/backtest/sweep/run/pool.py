"""Who runs the sets: threads of this process, which share the tapes and leave Python's lock while they run."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from bmv.backtest.sweep.run.work import Task, Work
from bmv.backtest.sweep.trials.row import TrialRow

AHEAD = 2  # Tasks a worker has before it: enough that none waits, few enough that stopping is soon done.


class Pool(Protocol):
    """Runs tasks, in whatever order."""

    workers: int

    def rows(self, tasks: Iterable[Task]) -> Iterator[TrialRow]:
        """Yield the row of each task, as they end."""
        ...

    def close(self) -> None:
        """Let go of everything; runs that are on their way are given up."""
        ...


class Threads:
    """Workers of this process.

    Args:
        work: What they do.
        workers: How many; None: one a core.
    """

    def __init__(self, work: Work, workers: int | None = None) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self._work = work
        self._threads = ThreadPoolExecutor(self.workers, "sweep")

    def __repr__(self) -> str:
        return f"<Threads {self.workers}>"

    def rows(self, tasks: Iterable[Task]) -> Iterator[TrialRow]:
        """Yield the row of each task, as they end; no more tasks are taken than are soon run."""
        ahead, queue = set[Future[TrialRow | None]](), iter(tasks)
        while True:
            while len(ahead) < self.workers * AHEAD and (task := next(queue, None)) is not None:
                ahead.add(self._threads.submit(self._work.row, task))
            if not ahead:
                return
            done, ahead = wait(ahead, return_when=FIRST_COMPLETED)
            for future in done:
                row = future.result()
                if row is not None:
                    yield row

    def close(self) -> None:
        """End the threads; a run that is on its way stops at its next check."""
        self._work.stop.set()
        self._threads.shutdown(wait=True, cancel_futures=True)


MakePool = Callable[[Work], Pool]
