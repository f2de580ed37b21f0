"""A quoter that widens with volatility, in plain Python: the libraries you know, and no thought of a compiler.

Nothing marks the function, so every mode calls it where a decision is due, the fused loop too. It remembers the mids it
has seen and quotes as far from the mid as prices have lately wandered: a spread earned must outweigh a price run away.
"""

from collections import deque

import numpy as np

from bmv.core.params import Params
from bmv.core.record import FloatTable, Table
from bmv.core.state import State

REMEMBERED = 30
MIDS = deque[float](maxlen=REMEMBERED)  # In ticks. A run loads this file anew, so each run begins with none.
WIDTH = 1.0  # Standard deviations of the mid between the mid and a quote.


def volatility(params: Params, state: State, memory: FloatTable, wanted: Table) -> int:
    """Want a bid and an ask `WIDTH` deviations from the mid, no nearer than `first_bps`."""
    mid = state.mid2 / 2
    MIDS.append(mid)
    if len(MIDS) < REMEMBERED:
        return 0  # Too little seen to judge by: want nothing yet.
    distance = max(WIDTH * float(np.std(MIDS)), mid * params.rungs[0, 0, 0])
    size = int(params.rungs[0, 0, 1])
    wanted[:2, :5] = [
        # side, level, price in ticks, size in lots, 0: post-only
        (1, 0, int(mid * state.lean - distance), size, 0),
        (-1, 0, int(mid * state.lean + distance) + 1, size, 0),
    ]
    return 2
