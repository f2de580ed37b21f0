"""What the columns of a run's tables are called and hold, whichever world wrote them."""

from fractions import Fraction

import numpy as np
from numpy import float64, int64
from numpy.typing import NDArray

from bmv.ports.messages import Liquidity, Reason

HORIZONS_NS = (100_000_000, 1_000_000_000, 5_000_000_000, 30_000_000_000, 60_000_000_000, 300_000_000_000)

N_HORIZONS = len(HORIZONS_NS)

DONE_END, DONE_FILLED, DONE_CANCELLED, DONE_REJECTED, DONE_EXPIRED = range(5)


DONE = {
    DONE_END: "end",
    DONE_FILLED: "filled",
    DONE_CANCELLED: "cancelled",
    DONE_REJECTED: "rejected",
    DONE_EXPIRED: "expired",
}

REASON = {
    Reason.NONE.value: "",
    Reason.WOULD_CROSS.value: "would_cross",
    Reason.FEE_CAP.value: "fee_cap",
    Reason.GUARDED.value: "guarded",
}

LIQUIDITY = {
    Liquidity.MAKER.value: "maker",
    Liquidity.MAKER_BY_QUOTE.value: "maker",
    Liquidity.TAKER.value: "taker",
}

CAUSE = {Liquidity.MAKER.value: "print", Liquidity.MAKER_BY_QUOTE.value: "quote", Liquidity.TAKER.value: "take"}

MARKOUTS = ("mid_0_1s", "mid_1s", "mid_5s", "mid_30s", "mid_60s", "mid_300s")


def scaled(column: NDArray[int64], unit: Fraction) -> NDArray[float64]:
    """Return whole numbers of `unit` in units, each the float64 nearest to the exact product while that is small."""
    return np.asarray(column * float(unit.numerator) / float(unit.denominator), float64)
