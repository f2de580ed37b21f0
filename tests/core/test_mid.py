"""The mid after one thing that happened: quotes and trades, one row each."""

from typing import NamedTuple

import pytest

from bmv.core.mid import mark_quote, mark_trade
from bmv.core.state import fresh


class Quote(NamedTuple):
    bid: int
    ask: int


Trade = int  # Its price.


@pytest.mark.parametrize(
    ("happened", "mid2", "quoted"),
    [
        ([], 0, 0),
        ([Trade(7)], 14, 0),
        ([Trade(7), Trade(9)], 18, 0),
        ([Quote(10, 13)], 23, 1),
        ([Quote(10, 13), Trade(7)], 23, 1),  # Trades count before any quote only.
        ([Trade(7), Quote(10, 10)], 20, 1),  # A locked quote has a mid,
        ([Quote(10, 13), Quote(12, 11)], 23, 1),  # a crossed one leaves it,
        ([Quote(10, 13), Quote(0, 11), Quote(12, 0), Quote(0, 0)], 23, 1),  # and so does an absent side.
        ([Quote(0, 11), Trade(7)], 14, 0),
    ],
)
def test_the_mid_is_that_of_the_last_quote_that_has_one_and_before_any_the_last_trade(
    happened: list[Quote | Trade], mid2: int, quoted: int
) -> None:
    state = fresh()

    for thing in happened:
        if isinstance(thing, Quote):
            mark_quote(state, thing.bid, thing.ask)
        else:
            mark_trade(state, thing)

    assert (state.mid2, state.quoted) == (mid2, quoted)
