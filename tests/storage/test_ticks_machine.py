"""Sequences of operations on a store of ticks, with restarts in between, against a list."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from itertools import count
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from kept_ticks import DAY_NS, NOON, Row, columns, read, read_stamped, row, stamps, with_stamps

from bmv.ports.storage import Gap, Ticks

Result = TypeVar("Result")
EXAMPLES = count()
SOURCES = st.sampled_from(["one", "two"])
STEPS = st.lists(st.sampled_from([0, 0, 1, 10**9, DAY_NS // 3]), min_size=1, max_size=25)


class Recorder:
    """What one recorder sent in its present epoch: the rows by number, their times never falling."""

    def __init__(self, epoch: int, now_ns: int) -> None:
        self.epoch = epoch
        self.now_ns = now_ns
        self.sent: list[Row] = []


class TicksMachine(RuleBasedStateMachine):
    """Two recorders of one market, one reader, and a store that is closed and opened at will."""

    open_ticks: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.market = f"sim/{next(EXAMPLES)}"
        self.runner = asyncio.Runner()
        self.recorders = {"one": Recorder(1, NOON), "two": Recorder(1, NOON)}
        self.arrived: list[Row] = []
        self.gaps: set[Gap] = set()
        self.marks = count()
        self.open()

    def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(work)

    def open(self) -> None:
        self.exits = AsyncExitStack()
        self.store = self.do(self.exits.enter_async_context(type(self).open_ticks()))

    def send(self, source: str, first: int, rows: list[Row]) -> None:
        epoch = self.recorders[source].epoch
        self.do(self.store.append(Ticks(self.market, source, epoch, first, columns(rows), stamps(rows))))

    @rule(source=SOURCES, steps=STEPS, again=st.integers(0, 10))
    def record(self, source: str, steps: list[int], again: int) -> None:
        """Send rows, some of those before once more in front of them."""
        recorder = self.recorders[source]
        fresh = []
        for step in steps:
            recorder.now_ns += step
            fresh.append(row(recorder.now_ns, next(self.marks)))
        first = max(len(recorder.sent) - again, 0)
        recorder.sent += fresh
        self.send(source, first, recorder.sent[first:])
        self.arrived += fresh

    @rule(source=SOURCES, first=st.integers(0, 30), last=st.integers(0, 60))
    def resend(self, source: str, first: int, last: int) -> None:
        """Send what was sent before; it changes nothing."""
        self.send(source, first, self.recorders[source].sent[first:last])

    @rule(source=SOURCES)
    def begin_anew(self, source: str) -> None:
        """Let a recorder start again; its numbers begin at 0."""
        recorder = self.recorders[source]
        self.recorders[source] = Recorder(recorder.epoch + 1, recorder.now_ns)

    @rule(source=SOURCES, from_s=st.integers(0, 10), long_s=st.integers(1, 10))
    def miss(self, source: str, from_s: int, long_s: int) -> None:
        """Note a hole."""
        gap = Gap(self.market, source, NOON + from_s * 10**9, NOON + (from_s + long_s) * 10**9, "away")
        self.do(self.store.note_gap(gap))
        self.gaps.add(gap)

    @rule()
    def restart(self) -> None:
        """Close the store and open it in the same place."""
        self.do(self.exits.aclose())
        self.open()

    @rule()
    def settle(self) -> None:
        """Let a store that moves rows to another place do it now; nobody who reads may notice."""
        if settle := getattr(self.store, "settle", None):
            self.do(settle())

    @precondition(lambda self: self.arrived)
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        """Read a window that begins and ends at rows."""
        times = sorted(each[0] for each in self.arrived)
        from_ns, to_ns = data.draw(st.sampled_from(times)), data.draw(st.sampled_from(times)) + 1
        found = self.do(read(self.store, self.market, from_ns, to_ns))
        assert found == [each for each in self.told() if from_ns <= each[0] < to_ns]

    @precondition(lambda self: self.arrived)
    @rule()
    def look_at_stamps(self) -> None:
        """Read all rows with their stamps."""
        assert self.do(read_stamped(self.store, self.market)) == with_stamps(self.told())

    @invariant()
    def gaps_are_those_noted(self) -> None:
        found = self.do(self.store.gaps(self.market, 0, 2**62))
        assert list(found) == sorted(self.gaps, key=lambda gap: (gap.from_ns, gap.to_ns, gap.source))

    def told(self) -> list[Row]:
        """Return the rows as they must be told: by time, then as they arrived; sorting is stable."""
        return sorted(self.arrived, key=lambda each: each[0])

    def teardown(self) -> None:
        try:
            assert self.do(read(self.store, self.market)) == self.told()
        finally:
            self.do(self.exits.aclose())
            self.runner.close()


def test_whatever_is_done_the_store_tells_what_a_list_would(open_ticks: Any) -> None:
    machine = type("Machine", (TicksMachine,), {"open_ticks": staticmethod(open_ticks)})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
