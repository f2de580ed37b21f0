"""Workers on the machines of a Ray cluster: the tapes go to each node once, the rows come back as they end.

Nothing may be lost here and nothing counted twice. A task is a set with its number, and whoever runs it, and however
often, its row is the same: so a task whose worker died is sent again, and nobody waits for a row that comes late. The
process that leads the sweep alone writes anything down; what a node holds is a copy.

A node is taken on in three steps: it shows that its code is ours and has the tapes (see `node`), it
starts a worker for each of its CPUs, and each that is ready is given tasks. Nodes may come and go at any time.
"""

import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from bmv.backtest.sweep.cluster.node import Worker, load_of, packed, preparation
from bmv.backtest.sweep.run.pool import AHEAD, MakePool
from bmv.backtest.sweep.run.work import Task, Work
from bmv.backtest.sweep.tapes.shared import Stretch
from bmv.backtest.sweep.trials.row import TrialRow
from bmv.data.runs.product import product_hash
from bmv.ports.errors import BmvError, UsageError

TRIES = 3  # Times that a set is run whose worker dies under it, and that a node may lose workers before one is ready.
LOOK_S = 0.5  # Between two looks at which nodes there are.
WAIT_S = 300.0  # Without any worker: longer than compiling the loop takes on a slow machine.
WORDS_MAX = 300  # Of what is told of an error of Ray's.
JOIN_ATTEMPTS = 3
SPARE_BYTES = 128 * 2**20  # Of a node's shared memory, for what is not a tape.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}

Reference = Any  # Any: Ray's own, to something that a node has or will have.


class ClusterError(BmvError):
    """The cluster can't do the work. What was done is kept: `bmv sweep resume` goes on with it."""


def pool(spelt: str) -> MakePool:
    """Return what makes the workers of a cluster.

    Args:
        spelt: `ray://HOST:PORT`; or `auto`: the cluster that this machine belongs to, where there is none a local one.

    Raises:
        UsageError: Ray is not installed.
    """
    os.environ.update(QUIET)
    try:
        import ray  # noqa: F401  # Asked for before anything is read.
    except ImportError:
        raise UsageError(f"--workers {spelt}: Ray is not installed: pip install 'bmv[ray]'") from None

    def make(work: Work) -> Cluster:
        own = _join(spelt, _bytes(work.stretches))
        try:
            return Cluster(spelt, work, own)
        except BaseException:
            _leave(own)
            raise

    return make


def _join(spelt: str, size: int) -> bool:
    """Join the cluster; return whether that was done here, and not before by whoever called us.

    Ray's own words are kept off the terminal, and what it does to the signals of this process is undone.

    Args:
        size: Of the tapes, in bytes.
    """
    import ray

    if ray.is_initialized():
        return False
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    with _signals_as_they_were():
        try:
            _join_patiently(spelt, quiet)
        except ConnectionError as error:
            if spelt != "auto":
                raise ClusterError(f"--workers {spelt}: no Ray cluster answers there ({_line(error)})") from None
            ray.init(
                address="local", num_cpus=len(os.sched_getaffinity(0)), include_dashboard=False,
                object_store_memory=size + SPARE_BYTES, **quiet,
            )  # fmt: skip
        except ImportError:
            raise UsageError(f"--workers {spelt}: Ray's client is not installed: pip install 'ray[client]'") from None
        except (RuntimeError, ValueError) as error:
            raise ClusterError(f"--workers {spelt}: {_line(error)}") from None
    return True


def _join_patiently(spelt: str, quiet: dict[str, Any]) -> None:
    """Join the cluster at `spelt`: a busy head may be late with its side of a client, and has it when asked again."""
    import ray

    for attempt in range(JOIN_ATTEMPTS):
        try:
            ray.init(address=spelt, **quiet)
            return
        except ConnectionError as error:
            if "Starting Ray client server failed" not in str(error) or attempt + 1 == JOIN_ATTEMPTS:
                raise


def _leave(own: bool) -> None:
    import ray

    if own:
        ray.shutdown()


@contextmanager
def _signals_as_they_were() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@dataclass(eq=False)
class _Hand:
    """A worker as the leader knows it.

    Args:
        tasks: What it was given, in the order in which it runs it.
    """

    node: "_Node"
    actor: Any  # Any: Ray makes it at run time.
    tasks: list[Task] = field(default_factory=list)


@dataclass(eq=False)
class _Node:
    """A machine of the cluster.

    Args:
        tapes: Where its workers find them.
        ready: Whether it may have workers.
        failures: Workers that it lost since one was ready.
    """

    name: str
    address: str
    cpus: int
    tapes: Sequence[Reference] = ()
    ready: bool = False
    hands: list[_Hand] = field(default_factory=list)
    failures: int = 0


class Cluster:
    """Workers of a cluster, one for each of its CPUs.

    Args:
        spelt: Where it is, in words.
        work: What they do.
        own: Whether to leave the cluster at the end.
    """

    def __init__(self, spelt: str, work: Work, own: bool) -> None:
        import ray

        self.workers = 0  # The most that were ready at once.
        self._ray: Any = ray  # Any: it is not installed everywhere.
        self._spelt, self._own = spelt, own
        self._load = load_of(work)
        self._size = _bytes(work.stretches)
        self.sent = [ray.put(packed([each])) for each in work.stretches] if self._load.content is None else []
        self._nodes = dict[str, _Node]()
        self._ready = list[_Hand]()
        self._preparing = dict[Reference, _Node]()
        self._starting = dict[Reference, _Hand]()
        self._running = dict[Reference, tuple[_Hand, Task]]()
        self._waiting = deque[Task]()
        self._tries = Counter[int]()
        self._look_at = self._had_worker_at = time.monotonic()

    def __repr__(self) -> str:
        return f"<Cluster {self._spelt}: {len(self._ready)} workers on {len(self._nodes)} nodes>"

    def rows(self, tasks: Iterable[Task]) -> Iterator[TrialRow]:
        """Yield the row of each task, as they end; no more tasks are taken than are soon run."""
        queue = iter(tasks)
        while True:
            room = max(1, AHEAD * len(self._ready)) - len(self._waiting) - len(self._running)
            self._waiting.extend(islice(queue, max(0, room)))
            if not self._waiting and not self._running:
                return
            if time.monotonic() >= self._look_at:
                self._look()
            self._hand_out()
            for reference in self._ended():
                yield from self._hear(reference)

    def close(self) -> None:
        """End the workers at once, and leave the cluster."""
        for node in self._nodes.values():
            for hand in node.hands:
                self._ray.kill(hand.actor)
        self._nodes.clear()
        _leave(self._own)

    def _look(self) -> None:
        """Take on nodes that came, let go of those that left, and bring each to one worker a CPU."""
        now = time.monotonic()
        self._look_at = now + LOOK_S
        self._had_worker_at = now if self._ready else self._had_worker_at
        if now - self._had_worker_at > WAIT_S:
            raise ClusterError(
                f"--workers {self._spelt}: no worker for {WAIT_S:.0f} s; the CPUs of the cluster are taken, or gone"
            )
        there = {told["NodeID"]: told for told in self._ray.nodes() if told["Alive"]}
        for name in self._nodes.keys() - there.keys():
            for hand in list(self._nodes[name].hands):
                self._let_go(hand)
            del self._nodes[name]
        for name in sorted(there.keys() - self._nodes.keys()):
            self._take_on(_Node(name, there[name]["NodeManagerAddress"], int(there[name]["Resources"].get("CPU", 0))),
                          int(there[name]["Resources"].get("object_store_memory", 0)))  # fmt: skip
        for node in self._nodes.values():
            while node.ready and len(node.hands) < node.cpus:
                self._start(node)

    def _take_on(self, node: _Node, store: int) -> None:
        """Send a node what it needs; `store` is its shared memory, in bytes."""
        self._nodes[node.name] = node
        if not node.cpus:
            return
        if store < self._size:
            self._refuse(
                node,
                f"its shared memory holds {store / 1e9:.2f} GB and the tapes need {self._size / 1e9:.2f} GB; "
                f"start it with ray start --object-store-memory={self._size + SPARE_BYTES}",
            )
            return
        remote = self._ray.remote(preparation()).options(num_cpus=0, num_returns=2, **_on(node))
        read, told = remote.remote(product_hash(), tuple(self._load))
        node.tapes = self.sent or [read]
        self._preparing[told] = node

    def _refuse(self, node: _Node, why: str) -> None:
        """Do without a node that is of no use; where no work was done yet, say so instead."""
        if not self.workers:
            raise ClusterError(f"node {node.address} of the cluster: {why}")
        node.ready = False

    def _start(self, node: _Node) -> None:
        actor = self._ray.remote(Worker).options(num_cpus=1, **_on(node)).remote(self._load, *node.tapes)
        hand = _Hand(node, actor)
        node.hands.append(hand)
        self._starting[actor.ready.remote()] = hand

    def _hand_out(self) -> None:
        """Give the tasks that wait to whoever has least to do."""
        while self._waiting and self._ready:
            hand = min(self._ready, key=lambda each: len(each.tasks))
            if len(hand.tasks) >= AHEAD:
                return
            task = self._waiting.popleft()
            hand.tasks.append(task)
            self._running[hand.actor.row.remote(task)] = hand, task

    def _ended(self) -> list[Reference]:
        """Wait until something has come to an end, or it is time to look around."""
        awaited = [*self._preparing, *self._starting, *self._running]
        if not awaited:
            time.sleep(LOOK_S)
            return []
        ended, others = self._ray.wait(awaited, timeout=LOOK_S, fetch_local=False)
        if ended and others:
            ended += self._ray.wait(others, num_returns=len(others), timeout=0, fetch_local=False)[0]
        return list(ended)

    def _hear(self, reference: Reference) -> Iterator[TrialRow]:
        """Take in what has come to an end: a node or a worker that is ready, a row, or the death of one of them."""
        try:
            if reference in self._preparing:
                self._prepared(self._preparing.pop(reference), reference)
            elif reference in self._starting:
                self._started(self._starting[reference], reference)
            elif reference in self._running:  # It is not if its worker was let go a moment ago.
                hand, task = self._running[reference]
                row: TrialRow = self._got(reference, hand)
                del self._running[reference]
                hand.tasks.remove(task)
                yield row
        except _Dead as dead:
            if dead.hand is not None:
                self._bury(dead.hand, dead)

    def _prepared(self, node: _Node, told: Reference) -> None:
        try:
            why = self._got(told)
        except _Dead as dead:
            why = f"it died while it was made ready ({dead})"
        if why:
            self._refuse(node, why)
        node.ready = not why

    def _started(self, hand: _Hand, reference: Reference) -> None:
        self._got(reference, hand)
        del self._starting[reference]
        hand.node.failures = 0
        self._ready.append(hand)
        self.workers = max(self.workers, len(self._ready))

    def _got(self, reference: Reference, hand: _Hand | None = None) -> Any:  # Any: whatever was asked for.
        """Return what came; raise what went wrong for the user's own reasons, and `_Dead` where a process died."""
        from ray.exceptions import RayError, RayTaskError

        try:
            return self._ray.get(reference)
        except RayTaskError as error:
            if isinstance(error.cause, BmvError):
                raise error.cause from None
            raise
        except RayError as error:
            raise _Dead(_line(error), hand) from None

    def _bury(self, hand: _Hand, dead: "_Dead") -> None:
        """Go on without a worker; the set that it was at is counted, and given up when it has killed too many."""
        began = hand in self._ready
        if began and hand.tasks:
            trial = hand.tasks[0].trial
            self._tries[trial] += 1
            if self._tries[trial] >= TRIES:
                raise ClusterError(
                    f"trial {trial}: {TRIES} workers died while they ran it, the last one so: {dead}; "
                    "too little memory on the nodes is the usual cause"
                )
        self._let_go(hand)
        if not began:
            hand.node.failures += 1
            if hand.node.failures >= TRIES:
                self._refuse(hand.node, f"no worker stays alive on it, the last one died so: {dead}")

    def _let_go(self, hand: _Hand) -> None:
        """Forget a worker; its tasks wait again, before all others."""
        hand.node.hands.remove(hand)
        self._ready = [each for each in self._ready if each is not hand]
        self._starting = {each: of for each, of in self._starting.items() if of is not hand}
        self._running = {each: of for each, of in self._running.items() if of[0] is not hand}
        self._waiting.extendleft(reversed(hand.tasks))
        self._ray.kill(hand.actor)


class _Dead(Exception):
    """A process of the cluster died, or its node did."""

    def __init__(self, words: str, hand: _Hand | None) -> None:
        super().__init__(words)
        self.hand = hand


def _on(node: _Node) -> dict[str, Any]:  # Any: options of Ray's.
    """Return the options that bind something to a node."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node.name, soft=False)}


def _bytes(stretches: Sequence[Stretch]) -> int:
    """Return how much memory the tapes take."""
    parts = (part for each in stretches for part in (each.prepared.rows, *each.prepared.seeds))
    return sum(int(part.nbytes) for part in parts)


def _line(error: BaseException) -> str:
    """Return what Ray says in one line, without its tables of names."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith(("\t", " "))]
    return " ".join(lines)[:WORDS_MAX].rstrip(".: ") or type(error).__name__
