"""Fees and rebates, in the program's own fixed point. Source: openbook-dex/program 3873f285, `dex/src/fees.rs`."""

from bmv.adapters.openbook.v1.fees import STABLE_MARKET

BASE, STABLE = 0, 7

_ONE = 2**64
_MAKER_RATES = {STABLE: (5 * _ONE) // 100_000}  # Tenths of a basis point, in units of 2**-64.
_MAKER_RATE = (20 * _ONE) // 100_000


def fee_tier(market: bytes) -> int:
    """Return the tier of every order on `market`."""
    return STABLE if market == bytes(STABLE_MARKET) else BASE


def maker_rebate(tier: int, pc_qty: int) -> int:
    """Return what the maker of a trade of `pc_qty` native quote gets, rounded down."""
    return _MAKER_RATES.get(tier, _MAKER_RATE) * pc_qty >> 64


def taker_fee(tier: int, pc_qty: int) -> int:
    """Return what the taker of a trade of `pc_qty` native quote pays, rounded up."""
    return -(-2 * _MAKER_RATES.get(tier, _MAKER_RATE) * pc_qty >> 64)


def remove_taker_fee(tier: int, pc_qty_incl_fee: int) -> int:
    """Return the trade, in native quote, that `pc_qty_incl_fee` pays for with its fee."""
    return (pc_qty_incl_fee << 64) // (_ONE + 2 * _MAKER_RATES.get(tier, _MAKER_RATE))


def referrer_rebate(taker_fee: int) -> int:
    """Return the referrer's part of a taker's fee."""
    return taker_fee // 2
