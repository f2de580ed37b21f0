"""Logs of the crank."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey
from tests.rigs.golden_v1 import read

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1 import logs
from bmv.adapters.openbook.v1.codes import DexErrorCode, describe

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
    owner_slot=BYTE,
    fee_tier=BYTE,
    client_order_id=st.none() | U64,
    referrer_rebate=st.none() | U64,
)


@given(FILLS)
def test_any_fill_comes_back_from_its_line(fill: logs.FillEventLog) -> None:
    assert logs.decode_lines([logs.to_line(fill)]) == [fill]


def test_lines_of_others_are_passed_over() -> None:
    step = next(step for step in read().steps if step.program_data)
    lines = ["Program log: hello", logs.PREFIX + "AAAAAAAAAAAA", *(logs.PREFIX + line for line in step.program_data)]

    assert len(logs.decode_lines(lines)) == len(step.program_data) == 8


def test_a_line_that_is_no_base64_is_refused() -> None:
    with pytest.raises(Malformed, match="no base64"):
        logs.decode_lines([logs.PREFIX + "%%%"])


def test_a_log_that_is_cut_off_too_long_or_of_wrong_flags_is_refused() -> None:
    step = next(step for step in read().steps if step.program_data)
    fill = next(
        log
        for log in logs.decode_lines(logs.PREFIX + line for line in step.program_data)
        if isinstance(log, logs.FillEventLog)
    )
    data = fill.encode()

    for damaged in (data[:-1], data + b"\0", data[:104] + b"\2" + data[105:]):
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
