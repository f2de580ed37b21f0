"""Logs of the crank."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey
from tests.rigs.golden_v1 import read

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.logs import PREFIX
from bmv.adapters.openbook.v1 import logs
from bmv.adapters.openbook.v1.codes import DexErrorCode, describe
from bmv.adapters.openbook.v1.instructions import PROGRAM_ID

U64 = st.integers(0, 2**64 - 1)
BYTE = st.integers(0, 255)
KEY = st.binary(min_size=32, max_size=32).map(Pubkey.from_bytes)
FILLS = st.builds(
    logs.FillEventLog,
    market=KEY,
    open_orders=KEY,
    open_orders_owner=KEY,
    bid=st.booleans(),
    maker=st.booleans(),
    native_qty_paid=U64,
    native_qty_received=U64,
    native_fee_or_rebate=U64,
    order_id=st.integers(0, 2**128 - 1),
    owner_slot=st.integers(0, 127),
    fee_tier=BYTE,
    client_order_id=st.none() | U64,
    referrer_rebate=st.none() | U64,
)


def called(*lines: str) -> list[str]:
    """The lines as the program writes them: inside a call of its own."""
    return [f"Program {PROGRAM_ID} invoke [1]", *lines, f"Program {PROGRAM_ID} success"]


@pytest.fixture
def lines() -> list[str]:
    """What a crank logged."""
    return [PREFIX + line for line in next(step for step in read().steps if step.program_data).program_data]


@given(FILLS)
def test_any_fill_comes_back_from_its_line(fill: logs.FillEventLog) -> None:
    assert logs.decode_lines(called(logs.to_line(fill))) == [fill]


def test_what_is_none_of_its_events_is_passed_over(lines: list[str]) -> None:
    assert len(logs.decode_lines(called("Program log: hello", PREFIX + "AAAAAAAAAAAA", *lines))) == len(lines) == 8


def test_a_fill_that_another_program_says_is_no_fill(lines: list[str]) -> None:
    other = f"Program {Pubkey.default()}"

    forged = [f"{other} invoke [2]", *lines, f"{other} success"]

    assert logs.decode_lines([*lines, *called(*forged, lines[0]), *lines]) == logs.decode_lines(called(lines[0]))


@pytest.mark.parametrize("bad", ["Log truncated", PREFIX + "%%%"])
def test_lines_that_say_less_than_everything_are_refused(lines: list[str], bad: str) -> None:
    with pytest.raises(Malformed):
        logs.decode_lines(called(*lines, bad))


def test_a_log_that_is_cut_off_too_long_or_of_wrong_flags_is_refused(lines: list[str]) -> None:
    fill = next(log for log in logs.decode_lines(called(*lines)) if isinstance(log, logs.FillEventLog))
    data = fill.encode()

    for damaged in (data[:-1], data + b"\0", data[:104] + b"\2" + data[105:], data[:146] + b"\x80" + data[147:]):
        with pytest.raises(Malformed, match="log"):
            logs.decode(damaged)


@pytest.mark.parametrize(
    ("code", "means"),
    [
        (34, "INSUFFICIENT_FUNDS"),
        (63, "ORDER_MAX_TIMESTAMP_EXCEEDED"),
        (16779136, "assertion at state.rs:1920"),
        (64, "unknown error 64"),
    ],
)
def test_an_error_number_is_told_in_words(code: int, means: str) -> None:
    assert describe(code) == means


def test_the_list_of_errors_has_no_hole() -> None:
    assert [int(code) for code in DexErrorCode] == [*range(64), 1000]
