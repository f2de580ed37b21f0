"""Any value that a field of an OpenBook v2 record can have, for property tests."""

from typing import Any

from hypothesis import strategies as st
from solders.pubkey import Pubkey

from bmv.adapters.openbook.v2.layout import (
    Address,
    Choice,
    Fixed,
    Flag,
    Float,
    Many,
    Maybe,
    Number,
    Raw,
    Record,
    Text,
)

KEYS = st.binary(min_size=32, max_size=32).map(Pubkey.from_bytes)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of one kind of field."""
    if isinstance(kind, Number):
        bits = kind.size * 8
        return (
            st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if kind.signed else st.integers(0, (1 << bits) - 1)
        )
    if isinstance(kind, Choice):
        return st.sampled_from(list(kind.kind))
    if isinstance(kind, Maybe):
        return st.none() | values(kind.kind)
    if isinstance(kind, Many):
        return st.lists(values(kind.kind), max_size=5).map(tuple)
    if isinstance(kind, Fixed):
        return st.lists(values(kind.kind), min_size=kind.count, max_size=kind.count).map(tuple)
    if isinstance(kind, Record):
        return st.builds(kind.kind, *(values(part) for _, part in kind.parts))
    if isinstance(kind, Float):
        return st.floats(width=8 * kind.size, allow_nan=False)
    simple = {Flag: st.booleans(), Address: KEYS, Text: st.text(max_size=20)}
    return st.binary(min_size=kind.size, max_size=kind.size) if isinstance(kind, Raw) else simple[type(kind)]
