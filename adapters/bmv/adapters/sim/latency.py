"""How long a batch of intents takes to arrive, and a report to come back.

Constant, drawn by chance from a table of quantiles, or interpolated in a record of latencies. Chance is the minimal
standard generator of Park and Miller (1988), `x' = 48271 · x mod (2^31 − 1)`: whole numbers, the same on every machine.
"""

from bmv.adapters.sim.params import L_NS, L_TS_NS, LATENCY_CONSTANT, LATENCY_RANDOM, QUANTILES, VenueParams
from bmv.core.kernel import kernel
from bmv.core.record import Table

_MODULUS = 2_147_483_647


@kernel
def draw(chance: int) -> int:
    """Return the generator's next number, 1 to 2^31 − 2.

    >>> draw(1)
    48271
    """
    return chance * 48_271 % _MODULUS


@kernel
def interpolate(recorded: Table, rows: int, now_ns: int) -> int:
    """Return the latency at `now_ns` between the rows `(time, latency)` around it; outside, that of the nearest row."""
    low = 0
    high = rows - 1
    if now_ns <= recorded[low, L_TS_NS]:
        return int(recorded[low, L_NS])
    if now_ns >= recorded[high, L_TS_NS]:
        return int(recorded[high, L_NS])
    while high - low > 1:
        middle = (low + high) // 2
        if recorded[middle, L_TS_NS] <= now_ns:
            low = middle
        else:
            high = middle
    share = float(now_ns - recorded[low, L_TS_NS]) / float(recorded[high, L_TS_NS] - recorded[low, L_TS_NS])
    return int(recorded[low, L_NS]) + int(share * float(recorded[high, L_NS] - recorded[low, L_NS]))


@kernel
def entry_ns(params: VenueParams, chance: int, now_ns: int) -> int:
    """Return how long a batch sent at `now_ns` takes to the venue; `chance` is the number just drawn."""
    if params.entry_model == LATENCY_CONSTANT:
        return params.entry_ns
    if params.entry_model == LATENCY_RANDOM:
        return int(params.entry_quantiles[chance * QUANTILES // _MODULUS])
    return interpolate(params.entry_recorded, params.n_entry_recorded, now_ns)


@kernel
def response_ns(params: VenueParams, chance: int, now_ns: int) -> int:
    """Return how long a report made at `now_ns` takes to us; `chance` is the number just drawn."""
    if params.response_model == LATENCY_CONSTANT:
        return params.response_ns
    if params.response_model == LATENCY_RANDOM:
        return int(params.response_quantiles[chance * QUANTILES // _MODULUS])
    return interpolate(params.response_recorded, params.n_response_recorded, now_ns)
