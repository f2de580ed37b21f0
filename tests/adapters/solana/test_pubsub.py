"""Messages of a websocket: read whole, or refused by a sentence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmv.adapters.solana.pubsub import (
    Confirmed,
    Notified,
    RequestRefused,
    SlotSeen,
    read_logs,
    read_message,
)

SLOT = {
    "jsonrpc": "2.0",
    "method": "slotNotification",
    "params": {"result": {"slot": 7, "parent": 6, "root": 5}, "subscription": 1},
}
ACCOUNT = {
    "method": "accountNotification",
    "params": {"result": {"context": {"slot": 9}, "value": {"lamports": 1}}, "subscription": 4},
}


def test_each_kind_of_message_is_read() -> None:
    assert read_message(json.dumps(SLOT)) == SlotSeen(7, 6, 5)
    assert read_message(json.dumps(ACCOUNT)) == Notified(4, 9, {"lamports": 1})
    assert read_message('{"id": 3, "result": 12}') == Confirmed(3, 12)
    assert read_message('{"id": 3, "error": {"code": -32602, "message": "no"}}') == RequestRefused(3, "no")
    assert read_message('{"id": 3, "result": true}') is None
    assert read_message('{"method": "rootNotification", "params": {"result": 5, "subscription": 1}}') is None


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "[]", "7", "null", '{"id": 1}', '{"method": "slotNotification"}', '{"method": "slotNotification", "params": {}}',
        '{"method": "slotNotification", "params": {"result": {"slot": 7, "parent": 7, "root": 5}}}',
        '{"method": "slotNotification", "params": {"result": {"slot": 7, "parent": 6, "root": 8}}}',
        '{"method": "slotNotification", "params": {"result": {"slot": "7", "parent": 6, "root": 5}}}',
        '{"method": "accountNotification", "params": {"result": {"context": {"slot": -1}, "value": 1}, "subscription": 4}}',
        '{"method": "accountNotification", "params": {"result": {"context": {"slot": 1e3}, "value": 1}, "subscription": 4}}',
        '{"method": "accountNotification", "params": {"result": {"context": {"slot": 3}, "value": 1}, "subscription": true}}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_message(text)


@given(
    st.text() | st.binary() | st.sampled_from([SLOT, ACCOUNT]).map(json.dumps), st.integers(0, 200), st.text(max_size=3)
)
def test_whatever_comes_is_read_or_refused(text: str | bytes, at: int, piece: str) -> None:
    if isinstance(text, str):
        text = text[:at] + piece + text[at + 1 :]
    try:
        read_message(text)
    except ValueError:
        return


@pytest.mark.parametrize("value", [None, {}, {"signature": "x", "logs": None, "err": None}, {"signature": 1, "logs": [], "err": None}, {"signature": "x", "logs": [1], "err": None}])  # fmt: skip
def test_logs_that_are_none_are_refused(value: object) -> None:
    with pytest.raises(ValueError):
        read_logs(value)
