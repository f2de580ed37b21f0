"""How much of the market stands before our order at its price, and how that shrinks.

Front: none, ever: an upper bound on fills. Back: what was shown when we joined; it falls by prints at the price and
never exceeds the shown size: nobody before us ever cancels, a lower bound. Power and log: a decrease of the shown size
that no print explains happened before or behind us with a probability that depends on how much stands on either side
(the models of hftbacktest, `hftbacktest/src/backtest/models/queue.rs`: `PowerProbQueueFunc`, `LogProbQueueFunc`).
"""

from bmv.adapters.sim.params import QUEUE_BACK, QUEUE_FRONT, QUEUE_POWER, VenueParams
from bmv.core.kernel import kernel

UNKNOWN = -1.0  # The queue at a price that was never shown: only prints through it fill us.
_LN2 = 0.6931471805599453


@kernel
def ln1p(x: float) -> float:
    """Return ln(1 + x) for x ≥ 0, by halving and a series: the same bits from every compiler and C library.

    >>> from math import log1p
    >>> abs(ln1p(1234.5) - log1p(1234.5)) < 1e-12
    True
    """
    y = 1.0 + x
    halvings = 0.0
    while y > 1.5:
        y = y * 0.5
        halvings += 1.0
    z = (y - 1.0) / (y + 1.0)
    square = z * z
    term = z
    total = 0.0
    for k in range(1, 24, 2):
        total += term / float(k)
        term = term * square
    return halvings * _LN2 + 2.0 * total


@kernel
def _weight(venue_params: VenueParams, lots: float) -> float:
    if venue_params.queue == QUEUE_POWER:
        weight = 1.0
        for _ in range(venue_params.queue_power):
            weight = weight * lots
        return weight
    return ln1p(lots * venue_params.lot)


@kernel
def join(venue_params: VenueParams, shown: int) -> float:
    """Return what stands before an order that joins a price with `shown` lots; negative `shown`: not known."""
    if venue_params.queue == QUEUE_FRONT:
        return 0.0
    return float(shown) if shown >= 0 else UNKNOWN


@kernel
def shrink(venue_params: VenueParams, ahead: float, before: int, shown: int, traded: int) -> float:
    """Return what stands before us after the shown size went from `before` to `shown` lots.

    Args:
        ahead: What stood before us, lots; known.
        traded: Lots printed at the price since the size was last shown; they have been taken off `ahead` already.
    """
    if venue_params.queue == QUEUE_FRONT:
        return 0.0
    gone = float(before - shown - traded)
    if venue_params.queue == QUEUE_BACK or gone < 0.0:
        return min(ahead, float(shown))
    behind = max(0.0, float(before) - ahead)
    weight_behind = _weight(venue_params, behind)
    weight = weight_behind + _weight(venue_params, ahead)
    likely_behind = weight_behind / weight if weight > 0.0 else 1.0
    estimate = ahead - (1.0 - likely_behind) * gone + min(0.0, behind - likely_behind * gone)
    return max(0.0, min(estimate, float(shown)))
