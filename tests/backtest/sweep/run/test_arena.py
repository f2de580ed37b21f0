"""Memory that one run uses after the other: what the last one left is not there for the next."""

import sys

import numpy as np
import pytest
from searches import configured

from bmv.adapters.bookkeeping.ledger import Record
from bmv.adapters.bookkeeping.ledger import opened as opened_record
from bmv.adapters.config import compile
from bmv.adapters.sim.venue import Venue, opened
from bmv.backtest.sweep.run.arena import Arena
from bmv.core.record import fields


def bytes_of(row: Record | Venue) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    block: np.ndarray[tuple[int], np.dtype[np.void]] = row.memory_block  # type: ignore[union-attr]  # Made at run time.
    return block.view(np.uint8)


@pytest.fixture
def fresh() -> Record:
    config = configured()
    return opened_record(compile.params(config, compile.market(config)), 1_000)


def test_a_row_in_the_arena_is_byte_for_byte_the_one_that_it_is_like(fresh: Record) -> None:
    arena = Arena()

    for _ in range(2):
        row = arena.like(fresh)
        assert np.array_equal(bytes_of(row), bytes_of(fresh))
        bytes_of(row)[:] = 255


def test_rows_of_two_kinds_do_not_share_memory(fresh: Record) -> None:
    arena = Arena()
    record, venue = arena.like(fresh), arena.like(opened(7))

    bytes_of(venue)[:] = 255

    assert fields(record) == fields(fresh)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere pages that are given back may keep what was in them")
def test_the_memory_of_a_row_is_used_again(fresh: Record) -> None:
    arena = Arena()

    assert arena.like(fresh) is arena.like(fresh)
