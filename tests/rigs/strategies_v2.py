"""Any value that a field of an OpenBook v2 record can have, for property tests."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from solders.pubkey import Pubkey

from bmv.adapters.openbook.v2.layout import Record
from bmv.adapters.openbook.v2.open_orders import OpenOrder, OpenOrdersAccount
from bmv.adapters.openbook.v2.primitives import Address, Choice, Fixed, Flag, Float, Many, Maybe, Number, Raw, Text

KEYS = st.binary(min_size=32, max_size=32).map(Pubkey.from_bytes)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of one kind of field."""
    if isinstance(kind, Number):
        bits = kind.size * 8
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if kind.signed else (0, (1 << bits) - 1)
        return st.integers(low if kind.least is None else kind.least, high if kind.most is None else kind.most)
    if isinstance(kind, Choice):
        return st.sampled_from(list(kind.kind))
    if isinstance(kind, Maybe):
        return st.none() | values(kind.kind)
    if isinstance(kind, Many):
        return st.lists(values(kind.kind), max_size=5).map(tuple)
    if isinstance(kind, Fixed):
        return st.lists(values(kind.kind), min_size=kind.count, max_size=kind.count).map(tuple)
    if isinstance(kind, Record):
        made = st.builds(kind.kind, *(values(part) for _, part in kind.parts))
        return made.map(_possible) if kind.kind in (OpenOrder, OpenOrdersAccount) else made
    if isinstance(kind, Float):
        return st.floats(width=8 * kind.size, allow_nan=False)  # NaN is not even equal to itself.
    simple = {Flag: st.booleans(), Address: KEYS, Text: st.text(max_size=20)}
    return st.binary(min_size=kind.size, max_size=kind.size) if isinstance(kind, Raw) else simple[type(kind)]


def _possible(value: Any) -> Any:
    """The value as the program can have written it: each order has a price, and its bids are counted in quote."""
    if isinstance(value, OpenOrder):
        price = 1 + (value.id >> 64) % ((1 << 63) - 1)
        return replace(value, id=price << 64 | value.id % (1 << 64), locked_price=1 + abs(value.locked_price) // 2)
    return replace(value, version=0)
