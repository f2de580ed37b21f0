"""What transactions cost by the minute, and as a journal passes it on."""

import pytest

from bmv.data.journal.spending import DAY_NS, KEPT_NS, MINUTE_NS, SPENT, Spending, read_spent
from bmv.ports.errors import DataError
from bmv.ports.storage import Note

NOW = 20_000 * DAY_NS


def test_all_but_what_may_still_land_is_passed_on_by_the_minute() -> None:
    spending = Spending()
    for at, name in enumerate(("a", "b", "c", "d")):
        spending.keep(name, NOW + at * MINUTE_NS // 2, 1_000 + at)
    spending.end("a", landed=True)
    spending.end("c", landed=True)
    spending.end("d", landed=False)

    note = spending.note(NOW + MINUTE_NS)

    assert read_spent(note) == {NOW // MINUTE_NS: 1_000, NOW // MINUTE_NS + 1: 1_002}
    assert spending.since(NOW) == 3_003


def test_a_day_of_a_transaction_each_second_is_no_more_than_1440_rows() -> None:
    spending = Spending()
    for second in range(86_400):
        spending.keep(str(second), NOW + second * 10**9, 5_000)
        spending.end(str(second), landed=True)

    rows = read_spent(spending.note(NOW + DAY_NS))

    assert len(rows) == 1_440
    assert sum(rows.values()) == 432_000_000


def test_a_start_by_a_clock_that_is_a_day_ahead_forgets_nothing_and_one_of_much_later_does() -> None:
    spending = Spending()
    spending.keep("a", NOW, 5_000)
    spending.end("a", landed=True)

    assert sum(read_spent(spending.note(NOW + DAY_NS + MINUTE_NS)).values()) == 5_000
    assert read_spent(spending.note(NOW + KEPT_NS + MINUTE_NS)) == {}


def test_what_is_forgotten_can_end_all_the_same() -> None:
    spending = Spending()
    spending.keep("a", NOW, 5_000)

    spending.forget(NOW + MINUTE_NS)
    spending.end("a", landed=False)

    assert spending.since(0) == 0


@pytest.mark.parametrize("text", ["", "x", "7", "[[1]]", "[[1,-5]]", "[[-1,5]]", '[["a",1]]', "[null]"])
def test_a_note_that_is_no_spending_is_refused_by_name(text: str) -> None:
    with pytest.raises(DataError, match="no spending of a journal"):
        read_spent(Note(0, SPENT, text))
