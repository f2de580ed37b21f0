"""The simulated venue, in the shape of the execution port."""

from collections.abc import Sequence

import numpy as np

from bmv.adapters.sim.arrival import arrive
from bmv.adapters.sim.in_flight import deliver, report_room, send
from bmv.adapters.sim.matching import happen_depth, happen_quote, happen_trade
from bmv.adapters.sim.params import VenueParams
from bmv.adapters.sim.venue import REPORTS_MAX, REPORTS_PER_ARRIVAL, Sim, opened
from bmv.ports.clock import Clock
from bmv.ports.errors import BmvError
from bmv.ports.messages import Event, Intent, Kind


class TooManyReports(BmvError):
    """More reports are on their way to us than the venue keeps."""

    def __init__(self) -> None:
        super().__init__(
            f"more than {REPORTS_MAX:,} reports were on their way to us at once: "
            "expected a shorter simulation.response_latency_ms"
        )


def open_venue(params: VenueParams) -> Sim:
    """Return a simulated venue that nothing has happened at."""
    return Sim(params, opened(params.seed))


class SimExchange:
    """A venue in memory: rows of a tape happen to it, intents reach it late, and its reports come back late."""

    def __init__(self, sim: Sim, clock: Clock) -> None:
        self.sim = sim
        self._clock = clock

    def submit(self, batch: Sequence[Intent]) -> None:
        """Put a batch on its way at the present time."""
        send(self.sim, np.array(batch, np.int64), len(batch), self._clock.now_ns())

    def row(
        self,
        ts_ns: int,
        kind: int,
        side: int,
        price: int,
        size: int,
        bid: int,
        bid_size: int,
        ask: int,
        ask_size: int,
    ) -> Event:
        """Let a row of the tape happen; return the event that the core hears of it."""
        self._check_room()
        if kind == Kind.QUOTE:
            return happen_quote(self.sim, ts_ns, bid, bid_size, ask, ask_size)
        if kind == Kind.TRADE:
            return happen_trade(self.sim, ts_ns, side, price, size)
        return happen_depth(self.sim, ts_ns, side, price, size)

    def arrive(self) -> None:
        """Let the next intent reach the venue."""
        self._check_room()
        arrive(self.sim)

    def deliver(self) -> Event:
        """Return the next report, as the event it is."""
        return Event(*map(int, deliver(self.sim.venue)))

    @property
    def reports_made(self) -> int:
        """Index after the newest report on its way."""
        return self.sim.venue.reports_head

    @property
    def next_arrival_ns(self) -> int:
        """When the next intent reaches the venue."""
        return self.sim.venue.next_arrival_ns

    @property
    def next_report_ns(self) -> int:
        """When the next report reaches us."""
        return self.sim.venue.next_report_ns

    def _check_room(self) -> None:
        if report_room(self.sim.venue) < REPORTS_PER_ARRIVAL:
            raise TooManyReports

    def __repr__(self) -> str:
        v = self.sim.venue
        way = v.sends_head - v.sends_tail, v.reports_head - v.reports_tail
        return f"<SimExchange {v.n_book} resting, {way[0]} intents and {way[1]} reports on their way>"
