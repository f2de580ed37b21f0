"""Each guard has a code, a note in the journal, a metric and a line in the log."""

from collections.abc import Callable

import pytest
from tests.live.test_session import CONDITIONS, GUARDED, Desk, Gate, World, quoted

from bmv.live.beside import Gauges
from bmv.live.guard import Stopped
from bmv.live.notes import GUARD, read_said
from bmv.live.trading import gauged
from bmv.live.watch import Act, Orders, Watch
from bmv.live.wiring import FEE_BUDGET
from bmv.ports.storage import Note


class Told:
    """A session of which guards tell, with its numbers."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.gauges: Gauges = gauged(self.desk.c)
        self.minutes = self.desk.c.minutes()
        self.notes = list[Note]()
        self.minutes.readers.append(self.notes.append)

    def trips(self, code: str) -> int:
        """Return how often the metric says that a guard acted."""
        lines = self.gauges.meters.text().decode().splitlines()
        counts = [line for line in lines if line.startswith("bmv_guard_trips_total{") and f'code="{code}"' in line]
        return sum(int(float(line.split()[-1])) for line in counts)


def orders() -> Orders:
    return Orders(*(lambda why: None for _ in Orders._fields))


@pytest.mark.parametrize("why", list(Stopped))
def test_an_order_that_is_kept_in_is_noted_counted_and_logged(why: Stopped, caplog: pytest.LogCaptureFixture) -> None:
    told, gate = Told(), Gate()
    note = gate.guard.note

    def both(reason: Stopped, order: int) -> None:
        note(reason, order)
        told.minutes.note_guard(reason, order)

    gate.guard.note = both

    assert GUARDED[why](gate) is why

    assert [read_said(note)["why"] for note in told.notes if note.topic == GUARD] == [why]
    assert told.trips(why) == 1
    assert f"guard {why}: order {gate.notes[-1][1]} stays in" in caplog.messages


@pytest.mark.parametrize(("code", "act", "change"), CONDITIONS)
def test_what_is_wrong_with_the_world_is_noted_counted_and_logged_as_it_begins_and_ends(
    code: str, act: Act, change: Callable[[World, bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    told, world, gate = Told(), World(), Gate()
    quoted(gate)
    watch = Watch(world.conditions.all(), gate.guard, orders(), told.minutes.note_condition)
    watch.look()

    change(world, True)
    watch.look()
    kept_in = gate.place()
    change(world, False)
    watch.look()

    said = [read_said(note) for note in told.notes if note.topic == GUARD]
    assert [(one["code"], one["act"], one["begins"]) for one in said] == [(code, act, True), (code, act, False)]
    assert kept_in is Stopped.BLOCKED
    assert gate.place(2) is None
    assert told.trips(code) == 1
    assert f"guard {code}: {said[0]['why']}" in caplog.messages
    assert f"guard {code}: is well again" in caplog.messages


def test_what_may_not_be_paid_for_is_noted_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()

    told.minutes.say(GUARD, why=FEE_BUDGET, order=7)

    assert told.trips(FEE_BUDGET) == 1
    assert "guard fee_budget: order 7 stays in" in caplog.messages


def test_every_condition_of_the_watch_is_in_the_table_but_the_one_that_needs_a_chain() -> None:
    assert {each.code for each in World().conditions.all()} == {code for code, _, _ in CONDITIONS} | {"reconcile"}
