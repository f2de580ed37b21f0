"""The mid: one rule, by which the engine and the venue know it.

The mid is that of the last quote with bid ≤ ask; before any, the last trade's price. A one-sided or crossed quote
leaves it.
"""

from typing import Protocol

from bmv.core.kernel import inlined


class Marked(Protocol):
    """A record that knows the mid."""

    mid2: int  # Twice the mid, in ticks; 0: none yet.
    quoted: int  # 1 once `mid2` comes from a quote.


@inlined
def mark_quote(market: Marked, bid: int, ask: int) -> None:
    """Let a new top of the book have its say; a side that is absent is 0."""
    if bid > 0 and ask >= bid:
        market.mid2 = bid + ask
        market.quoted = 1


@inlined
def mark_trade(market: Marked, price: int) -> None:
    """Let a trade have its say."""
    if market.quoted == 0:
        market.mid2 = 2 * price
