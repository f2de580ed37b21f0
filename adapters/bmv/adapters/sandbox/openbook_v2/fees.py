"""A market's fees, in native quote.

Source: `state/market.rs`.
"""

from bmv.adapters.openbook.v2.market import FEES_SCALE_FACTOR
from bmv.adapters.sandbox.openbook_v2.memory import View


def subtract_taker_fees(market: View, quote: int) -> int:
    """Return the most quote to trade so that the fee on it comes on top."""
    return quote * FEES_SCALE_FACTOR // (FEES_SCALE_FACTOR + int(market.taker_fee))


def maker_fees_floor(market: View, quote: int) -> int:
    """Return what a maker pays."""
    return quote * int(market.maker_fee) // FEES_SCALE_FACTOR if market.maker_fee > 0 else 0


def maker_rebate_floor(market: View, quote: int) -> int:
    """Return what a maker is paid."""
    return 0 if market.maker_fee > 0 else quote * -int(market.maker_fee) // FEES_SCALE_FACTOR


def maker_fees_ceil(market: View, quote: int) -> int:
    """Return what is locked for a maker's fee."""
    return _ceil(quote * int(market.maker_fee)) if market.maker_fee > 0 else 0


def taker_fees_ceil(market: View, quote: int) -> int:
    """Return what a taker pays."""
    return _ceil(quote * int(market.taker_fee))


def _ceil(product: int) -> int:
    numerator = product + FEES_SCALE_FACTOR - 1
    # Rust divides toward zero; a negative product is met where a v1.7 taker's fee overdrew what was left.
    return numerator // FEES_SCALE_FACTOR if numerator >= 0 else -(-numerator // FEES_SCALE_FACTOR)
