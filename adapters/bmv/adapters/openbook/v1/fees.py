"""What the program takes of a trade, for people: its rates in basis points.

Source: openbook-dex/program 3873f285, `dex/src/fees.rs`. The rates stand in the program, not in a market.
"""

from decimal import Decimal

from solders.pubkey import Pubkey

STABLE_MARKET = Pubkey.from_string("B2na8Awyd7cpC59iEU43FagJAPLigr3AP3s38KM982bu")  # USDT/USDC.
USUAL_BPS = (Decimal(-2), Decimal(4))  # Of maker and taker.
STABLE_BPS = (Decimal("-0.5"), Decimal(1))


def fees_bps(market: Pubkey) -> tuple[Decimal, Decimal]:
    """Return what maker and taker pay on a market, in bps of the quote traded; below 0 is a rebate."""
    return STABLE_BPS if market == STABLE_MARKET else USUAL_BPS
