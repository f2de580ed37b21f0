"""Sequences of operations on a store of sessions, with restarts and rivals in between, against lists."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from itertools import count
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from kept_words import WORDS, told

from bmv.ports.errors import Refused
from bmv.ports.storage import Note, Word

Result = TypeVar("Result")
EXAMPLES = count()
NAMES = st.sampled_from(["a", "b"])
RIVAL = Note(-1, "rival", "a word that nobody else says")


class SessionsMachine(RuleBasedStateMachine):
    """Two sessions, two writers that may each be closed and opened at will, and a reader."""

    open_sessions: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.prefix = f"{next(EXAMPLES)}-"
        self.runner = asyncio.Runner()
        self.kept: dict[str, list[Word]] = {"a": [], "b": []}
        self.open()

    def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(work)

    def open(self) -> None:
        self.exits = AsyncExitStack()
        enter = self.exits.enter_async_context
        self.stores = [self.do(enter(type(self).open_sessions())) for _ in range(2)]

    @rule(name=NAMES, words=st.lists(WORDS, max_size=8), again=st.integers(0, 5), writer=st.integers(0, 1))
    def append(self, name: str, words: list[Word], again: int, writer: int) -> None:
        """Keep words, some of those before once more in front of them."""
        kept = self.kept[name]
        first = max(len(kept) - again, 0)
        head = self.do(self.stores[writer].append(self.prefix + name, first, kept[first:] + words))
        kept += words
        assert head.words == len(kept)

    @rule(name=NAMES, back=st.integers(1, 4), writer=st.integers(0, 1))
    def differ(self, name: str, back: int, writer: int) -> None:
        """Say another word than was kept, or one after the end."""
        end = len(self.kept[name])
        for first in (end - back, end + back):
            if first >= 0:
                with pytest.raises(Refused):
                    self.do(self.stores[writer].append(self.prefix + name, first, [RIVAL]))

    @rule()
    def restart(self) -> None:
        """Close the stores and open them in the same place."""
        self.do(self.exits.aclose())
        self.open()

    @rule(name=NAMES, first=st.integers(0, 20), reader=st.integers(0, 1))
    def look(self, name: str, first: int, reader: int) -> None:
        """Read from some word on."""
        assert self.do(told(self.stores[reader], self.prefix + name, first)) == self.kept[name][first:]

    @invariant()
    def the_chain_holds(self) -> None:
        for name, kept in self.kept.items():
            head = self.do(self.stores[0].verify(self.prefix + name))
            assert head == self.do(self.stores[1].head(self.prefix + name))
            assert head.words == len(kept)

    def teardown(self) -> None:
        try:
            for name, kept in self.kept.items():
                assert self.do(told(self.stores[1], self.prefix + name)) == kept
        finally:
            self.do(self.exits.aclose())
            self.runner.close()


def test_whatever_is_done_the_journal_tells_what_lists_would(open_sessions: Any) -> None:
    machine = type("Machine", (SessionsMachine,), {"open_sessions": staticmethod(open_sessions)})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
