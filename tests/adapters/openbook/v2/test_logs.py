"""Logs among the lines of a transaction."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey
from tests.rigs.strategies_v2 import values

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2.layout import Record
from bmv.adapters.openbook.v2.logs import (
    EVENT_CPI,
    KINDS,
    FillLog,
    Log,
    SweepFeesLog,
    read_event_cpi,
    read_lines,
    read_log,
    write_line,
    write_log,
)
from bmv.adapters.openbook.v2.market import PROGRAM_ID

LOG = SweepFeesLog(PROGRAM_ID, 7, PROGRAM_ID)
TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
BEGIN, END = f"Program {PROGRAM_ID} invoke [1]", f"Program {PROGRAM_ID} success"


@given(st.sampled_from(list(KINDS.values())).flatmap(lambda kind: values(Record(kind))))
def test_any_log_is_read_as_it_was_written(log: Log) -> None:
    assert read_log(write_log(log)) == log
    assert read_event_cpi(EVENT_CPI + write_log(log)) == log


def test_a_line_counts_only_inside_a_call_of_the_program_itself() -> None:
    line = write_line(LOG)
    lines = [line, BEGIN, line, f"Program {TOKEN} invoke [2]", line, f"Program {TOKEN} success", line, END, line]

    assert list(read_lines(lines)) == [LOG, LOG]


def test_lines_of_a_call_that_failed_belong_to_it() -> None:
    lines = [f"Program {TOKEN} invoke [1]", f"Program {TOKEN} failed: custom program error: 0x1", BEGIN, END]

    assert list(read_lines(lines)) == []


@pytest.mark.parametrize(
    "lines",
    [
        [BEGIN, write_line(LOG), "Log truncated"],
        [END],
        [BEGIN, f"Program {TOKEN} success"],
        [BEGIN, "Program data: AAAA"],
        [BEGIN, "Program data: ?"],
        [BEGIN, "Program data: AAAAA"],
        [BEGIN, write_line(LOG) + " " + write_line(LOG)[14:]],
    ],
)
def test_lines_that_say_less_than_everything_are_refused(lines: list[str]) -> None:
    with pytest.raises(Malformed):
        list(read_lines(lines))


def test_a_log_with_bytes_after_it_is_refused() -> None:
    with pytest.raises(Malformed, match="SweepFeesLog ends at 80"):
        read_log(write_log(LOG) + b"\0")


FILL = FillLog(PROGRAM_ID, Side.BID, 3, True, 1, 2, PROGRAM_ID, 4, 0, 1, PROGRAM_ID, 5, 0, 150, 7)


@pytest.mark.parametrize(
    "change", [{"price": 0}, {"price": -150}, {"quantity": 0}, {"quantity": -7}, {"maker_slot": 24}], ids=str
)
def test_a_fill_that_can_not_have_been_is_refused(change: dict[str, int]) -> None:
    assert read_log(write_log(FILL)) == FILL

    with pytest.raises(Malformed):
        read_log(write_log(replace(FILL, **change)))


def test_logs_of_a_program_deployed_elsewhere_are_read_under_its_address() -> None:
    other = Pubkey.from_bytes(bytes([9]) * 32)

    assert list(read_lines([f"Program {other} invoke [1]", write_line(LOG)], other)) == [LOG]
    assert list(read_lines([f"Program {other} invoke [1]", write_line(LOG)])) == []
