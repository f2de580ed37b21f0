"""Whatever a venue says: a quote that stands in the message as it is, nothing, or a declared error; and nothing else."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from price_messages import CASES, Case

from bmv.adapters.prices.quote import Farewell, MessageError, Quote

Says = Callable[[Any], tuple[Any, Any, Any]]  # From a message's JSON to the symbol, the bid and the ask in it.
SAYS: dict[str, Says] = {
    "binance": lambda m: (m.get("data", m)["s"], m.get("data", m)["b"], m.get("data", m)["a"]),
    "coinbase": lambda m: (m["product_id"], m["best_bid"], m["best_ask"]),
    "kraken": lambda m: (m["data"][0]["symbol"], m["data"][0]["bid"], m["data"][0]["ask"]),
    "coingecko": lambda m: (next(name for name in m if name == "solana"), m["solana"]["usd"], m["solana"]["usd"]),
    "pyth": lambda m: (m["parsed"][0]["id"].removeprefix("0x"), *band(m["parsed"][0]["price"])),
}


def band(price: Any) -> tuple[Decimal, Decimal]:
    mid, conf = (Decimal(price[name]).scaleb(price["expo"]) for name in ("price", "conf"))
    return mid - conf, mid + conf


def refuse_unless_declared(case: Case, message: str | bytes) -> None:
    """Let a decoder read a message, and hold what it says against the message itself."""
    try:
        heard = case.decode(message)
    except MessageError:
        return
    if heard is None or isinstance(heard, Farewell):
        return
    assert isinstance(heard, Quote)
    symbol, bid, ask = SAYS[case.venue](json.loads(message, parse_float=Decimal))
    assert symbol == case.symbol
    assert (heard.bid, heard.ask) == (Decimal(bid), Decimal(ask))
    assert heard.bid >= 0
    assert heard.ask >= 0
    assert (heard.venue, heard.pair) == (case.venue, case.quote.pair)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.venue)
@given(data=st.data())
@settings(max_examples=400)
def test_a_message_with_other_bytes_in_it_says_what_it_says_or_is_refused(case: Case, data: st.DataObject) -> None:
    message = bytearray(case.message.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(message) - 1))
        long = data.draw(st.integers(0, 6))
        message[at : at + long] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b"null", b"1e9", b"-", b'"', b"{", b"NaN", b"\xd9\xa1"])
        )

    refuse_unless_declared(case, bytes(message))


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["150.1", "1e5", "0", "-1"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.venue)
@given(data=st.data())
@settings(max_examples=400)
def test_a_message_with_another_value_in_it_says_what_it_says_or_is_refused(case: Case, data: st.DataObject) -> None:
    message = json.loads(case.message)
    holder: Any = message
    while True:
        name = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        deeper = isinstance(holder[name], dict | list) and holder[name]
        if not deeper or data.draw(st.booleans()):
            break
        holder = holder[name]
    if data.draw(st.booleans()):
        holder[name] = data.draw(VALUES)
    else:
        del holder[name]

    refuse_unless_declared(case, json.dumps(message))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.venue)
@given(value=VALUES)
def test_any_json_is_read_or_refused(case: Case, value: object) -> None:
    refuse_unless_declared(case, json.dumps(value))
