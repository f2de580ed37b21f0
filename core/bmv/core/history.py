"""The memory of the ring of trades behind a state, which grows; and what it holds before the first event."""

import numpy as np

from bmv.core.params import Params
from bmv.core.pivot import learn, roll, room
from bmv.core.record import Table
from bmv.core.state import HISTORY_COLUMNS, NEVER_NS, State

ROOM = 64  # Trades that the ring of trades can take at the least when it has just been looked at.


class History:
    """The ring of trades of one state. Whoever holds the state holds this too: the state has but the ring's address."""

    def __init__(self, state: State, trades: int = 1 << 16) -> None:
        self._state = state
        self._use(np.zeros((trades, HISTORY_COLUMNS), np.int64))

    def make_room(self) -> None:
        """Make the ring twice as long when it could not take `ROOM` more trades: drivers ask for several at a time."""
        state, ring = self._state, self._ring
        if room(state) > ROOM:
            return
        wider = np.zeros((2 * len(ring), HISTORY_COLUMNS), np.int64)
        kept = np.arange(state.long_tail, state.head)
        wider[kept & (len(wider) - 1)] = ring[kept & (len(ring) - 1)]
        self._use(wider)

    def _use(self, ring: Table) -> None:
        self._ring = ring
        self._state.history_at = ring.ctypes.data
        self._state.history_rows = len(ring)


def seed(params: Params, state: State, history: History, ts_ns: int, price: int, size: int) -> None:
    """Let a trade from before the start into the pivot's windows. It is not an event."""
    history.make_room()
    roll(params, state, ts_ns)
    learn(state, ts_ns, price, size)
    state.expiry_ns = NEVER_NS  # The first event evaluates the pivot, whatever it is.
