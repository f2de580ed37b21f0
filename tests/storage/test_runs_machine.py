"""Sequences of operations on a store of runs, with restarts, rivals and batches sent again, against dicts and lists."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from itertools import count
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from kept_runs import ENDS, U64, U128, Found, begun, fill, found, order

from bmv.ports.errors import Refused
from bmv.ports.storage import (
    Balance,
    BreakerChange,
    Changes,
    Fill,
    OperatorCommand,
    Order,
    OrderState,
    Run,
)

Result = TypeVar("Result")
EXAMPLES = count()
INT64 = st.integers(-(2**63), 2**63 - 1)
NAMES = st.sampled_from(["a", "b"])
WAYS = {  # By hand once more: where an order may go.
    "intended": "sent cancelled rejected",
    "sent": "resting unknown filled cancelled rejected expired",
    "unknown": "sent resting filled cancelled rejected expired",
    "resting": "unknown filled cancelled expired",
}
CHAIN = st.fixed_dictionaries(
    {}, optional={"client_id": st.integers(0, U64), "venue_id": st.integers(0, U128), "slot": st.integers(0, U64)}
)

BALANCES = st.builds(
    Balance, st.just(1), st.sampled_from(["x", "y"]), st.integers(0, U64), st.none() | st.integers(0, U64)
)
TEXTS = st.text(max_size=3).filter(lambda text: "\0" not in text)
CHANGES = st.builds(BreakerChange, st.just(0), st.sampled_from(["warn", "armed"]), INT64, INT64, TEXTS)


class Kept:
    """What should be kept of one market."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.last: Changes | None = None  # Of the newest run.
        self.orders: dict[tuple[int, int], Order] = {}
        self.fills: list[Fill] = []
        self.balances: dict[tuple[int, str], Balance] = {}
        self.breaker: BreakerChange | None = None
        self.commands: dict[int, list[OperatorCommand]] = {}

    def take(self, changes: Changes) -> None:
        run = self.runs[-1].id
        self.last = changes
        self.orders |= {(each.run, each.id): each for each in changes.orders}
        self.fills += changes.fills
        self.balances |= {(run, each.asset): each for each in changes.balances}
        self.breaker = [self.breaker, *changes.breaker][-1]
        self.commands.setdefault(run, []).extend(changes.commands)

    def still_open(self) -> list[Order]:
        return [self.orders[key] for key in sorted(self.orders) if self.orders[key].state not in ENDS]


class RunsMachine(RuleBasedStateMachine):
    """Two markets, two processes that may each be closed and opened at will."""

    open_runs: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.prefix = f"{next(EXAMPLES)}-"
        self.runner = asyncio.Runner()
        self.kept = {"a": Kept(), "b": Kept()}
        self.marks = count(1)
        self.open()

    def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(work)

    def open(self) -> None:
        self.exits = AsyncExitStack()
        enter = self.exits.enter_async_context
        self.stores = [self.do(enter(type(self).open_runs())) for _ in range(2)]

    def send(self, name: str, changes: Changes, writer: int = 0) -> None:
        self.do(self.stores[writer].keep(self.kept[name].runs[-1], changes))

    def begun(self) -> list[str]:
        return [name for name, kept in self.kept.items() if kept.runs]

    def next(self, name: str) -> int:
        last = self.kept[name].last
        return last.number + 1 if last else 0

    @rule(name=NAMES, writer=st.integers(0, 1), again=st.booleans())
    def begin(self, name: str, writer: int, again: bool) -> None:
        """Begin a run, perhaps twice because nobody knows what became of the first call."""
        kept, session = self.kept[name], f"{self.prefix}{next(self.marks)}"
        for _ in range(1 + again):
            run = self.do(begun(self.stores[writer], session, market=self.prefix + name))
            assert run.epoch == len(kept.runs) + 1
        kept.runs.append(run)
        kept.last = None

    @precondition(begun)
    @rule(data=st.data(), writer=st.integers(0, 1), times=st.integers(1, 3))
    def keep(self, data: st.DataObject, writer: int, times: int) -> None:
        """Keep a batch, perhaps several times: orders of this run and of those before it, and all the rest."""
        name = data.draw(st.sampled_from(self.begun()))
        kept = self.kept[name]
        run = kept.runs[-1]
        orders = [order(run, next(self.marks)) for _ in range(data.draw(st.integers(0, 2)))]
        fills = []
        for before in data.draw(st.lists(st.sampled_from(kept.still_open()), unique=True)) if kept.still_open() else []:
            after = before
            for _ in range(data.draw(st.integers(1, 3))):
                after = self.went_on(data, after)
                orders.append(after)
            if after.filled > before.filled:
                n_fills = sum((each.run, each.order) == (before.run, before.id) for each in kept.fills)
                fills.append(fill(run, before.id, n_fills)._replace(run=before.run))
        mark = next(self.marks)
        changes = Changes(
            self.next(name),
            orders,
            fills,
            data.draw(st.lists(BALANCES)),
            [change._replace(ts_ns=mark) for change in data.draw(st.lists(CHANGES, max_size=2))],
            [OperatorCommand(mark, "ann", 1)] * data.draw(st.integers(0, 2)),
        )
        for _ in range(times):
            self.send(name, changes, writer)
        kept.take(changes)

    def went_on(self, data: st.DataObject, before: Order) -> Order:
        """Draw a next step of an order, or the same once more."""
        if before.state not in WAYS:
            return before
        state = data.draw(st.sampled_from([before.state, *WAYS[before.state].split()]))
        filled = before.filled if state in ("intended", "rejected") else data.draw(st.integers(before.filled, 10))
        if state == "rejected" and filled:
            return before
        known = {key: value for key, value in data.draw(CHAIN).items() if key == "slot" or getattr(before, key) is None}
        if "venue_id" in known:  # Two orders have not the same.
            known["venue_id"] = known["venue_id"] >> 32 << 32 | next(self.marks)
        after = before._replace(state=OrderState(state), filled=10 if state == "filled" else filled, **known)
        return after._replace(done_ns=next(self.marks) if state in ENDS else None)

    @precondition(begun)
    @rule(data=st.data(), writer=st.integers(0, 1))
    def forget(self, data: st.DataObject, writer: int) -> None:
        """Tell of an order without what the chain said of it, which stays."""
        name = data.draw(st.sampled_from(self.begun()))
        for before in self.kept[name].still_open()[:1]:
            bare = before._replace(client_id=None, venue_id=None, slot=None, accepted_ns=None)
            changes = Changes(self.next(name), [bare])
            self.send(name, changes, writer)
            self.kept[name].last = changes

    @precondition(begun)
    @rule(data=st.data(), writer=st.integers(0, 1), wrong=st.sampled_from(["other", "leap", "late", "back", "stray"]))
    def differ(self, data: st.DataObject, writer: int, wrong: str) -> None:
        """Send what is not the next batch, or leaves an order's way; nothing of it is kept."""
        name = data.draw(st.sampled_from(self.begun()))
        kept, number = self.kept[name], self.next(name)
        run, orders = kept.runs[-1], [order(kept.runs[-1], next(self.marks))]
        if wrong == "other":
            number -= 1
        elif wrong == "leap":
            number += 1
        elif wrong == "late":
            number -= 2
        elif wrong == "back":
            ended = [each for each in kept.orders.values() if each.state in ENDS]
            if not ended:
                return
            orders.append(ended[-1]._replace(state=OrderState.RESTING, done_ns=None))
        else:
            orders.append(order(run._replace(id=10**9)))
        if number >= 0:
            with pytest.raises(Refused):
                self.send(name, Changes(number, orders), writer)

    @precondition(lambda self: any(len(kept.runs) > 1 for kept in self.kept.values()))
    @rule(data=st.data(), writer=st.integers(0, 1), number=st.integers(0, 3))
    def haunt(self, data: st.DataObject, writer: int, number: int) -> None:
        """Let a run write whose successor has begun."""
        kept = data.draw(st.sampled_from([kept for kept in self.kept.values() if len(kept.runs) > 1]))
        run = data.draw(st.sampled_from(kept.runs[:-1]))
        with pytest.raises(Refused, match="stale"):
            self.do(self.stores[writer].keep(run, Changes(number, [order(run, next(self.marks))])))

    @rule()
    def restart(self) -> None:
        """Close the stores and open them in the same place."""
        self.do(self.exits.aclose())
        self.open()

    @invariant()
    def the_last_things_are_told(self) -> None:
        for name, kept in self.kept.items():
            market = self.prefix + name
            assert self.do(self.stores[0].open_orders(market, "paper")) == kept.still_open()
            assert self.do(self.stores[1].breaker(market, "paper")) == kept.breaker

    def teardown(self) -> None:
        try:
            for kept in self.kept.values():
                for run in kept.runs:
                    assert self.do(found(self.stores[1], run)) == Found(
                        [kept.orders[key] for key in sorted(kept.orders) if key[0] == run.id],
                        sorted(each for each in kept.fills if each.run == run.id),
                        [kept.balances[key] for key in sorted(kept.balances) if key[0] == run.id],
                        kept.commands.get(run.id, []),
                    )
        finally:
            self.do(self.exits.aclose())
            self.runner.close()


def test_whatever_is_done_the_runs_tell_what_dicts_would(open_runs: Any) -> None:
    machine = type("Machine", (RunsMachine,), {"open_runs": staticmethod(open_runs)})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
