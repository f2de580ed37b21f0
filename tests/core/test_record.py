"""A record is strict where plain Python writes it, and one block of memory with what compiled code sees."""

from typing import Annotated, Any

import numpy as np
import pytest

from bmv.core.record import FloatTable, Table, blank, compiled, fields, layout
from bmv.core.state import State


class Thing:
    """A description."""

    whole: int
    part: float
    grid: Annotated[Table, (2, 3)]
    shares: Annotated[FloatTable, (4,)]


def test_a_blank_row_is_all_zeros() -> None:
    thing = blank(Thing)

    assert fields(thing) == {"whole": 0, "part": 0.0}
    assert not thing.grid.any()
    assert not thing.shares.any()


def test_two_rows_share_nothing() -> None:
    one, other = blank(Thing), blank(Thing)

    one.whole = 5
    one.grid[1, 2] = 7

    assert (other.whole, other.grid[1, 2]) == (0, 0)


@pytest.mark.parametrize("value", [1.0, 1.5, "1", None, 2**63, -(2**63) - 1])
def test_a_whole_field_takes_only_whole_numbers_of_64_bits(value: Any) -> None:
    thing = blank(Thing)

    with pytest.raises((TypeError, ValueError)):
        thing.whole = value


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), True])
def test_a_whole_field_gives_back_what_it_took(value: int) -> None:
    thing = blank(Thing)

    thing.whole = value

    assert thing.whole == value
    assert type(thing.whole) is int


def test_a_row_has_no_field_that_its_description_lacks() -> None:
    thing: Any = blank(Thing)

    with pytest.raises(AttributeError):
        thing.hole = 1


def test_a_table_is_never_replaced() -> None:
    thing: Any = blank(Thing)

    with pytest.raises(AttributeError):
        thing.grid = np.zeros((2, 3), np.int64)


def test_compiled_code_sees_the_same_memory() -> None:
    thing = blank(Thing)

    thing.whole = -3
    thing.part = 0.25
    thing.grid[0, 1] = 9
    row = compiled(thing)
    row.whole += 1

    assert (row.whole, row.part, row.grid[0, 1]) == (-2, 0.25, 9)
    assert thing.whole == -2


def test_a_description_of_anything_else_is_refused() -> None:
    class Wrong:
        text: str

    with pytest.raises(KeyError):
        layout(Wrong)


def test_every_field_is_eight_bytes_wide() -> None:
    kinds = {kind.base for kind, *_ in (layout(State).fields or {}).values()}

    assert kinds == {np.dtype(np.int64), np.dtype(np.float64)}


def test_a_row_tells_its_numbers() -> None:
    thing = blank(Thing)

    thing.whole = 4

    assert repr(thing) == "<Thing {'whole': 4, 'part': 0.0}>"
