"""The simulated venue, in the shape of the execution port."""

from collections.abc import Sequence

import numpy as np

from bmv.adapters.sim.matching import (
    REPORTS_PER_STEP,
    Sim,
    arrive,
    deliver,
    happen,
    next_arrival_ns,
    next_report_ns,
    report_room,
    send,
    widen_reports,
)
from bmv.adapters.sim.params import Latencies, VenueParams
from bmv.adapters.sim.venue import opened
from bmv.ports.clock import Clock
from bmv.ports.messages import Event, Intent

REPORTS = 1 << 13  # Reports on their way at first; the ring grows when they are more.


def open_venue(params: VenueParams, latencies: Latencies) -> Sim:
    """Return a simulated venue that nothing has happened at."""
    return Sim(params, latencies, opened(params.seed), np.zeros((REPORTS, 9), np.int64))


class SimExchange:
    """A venue in memory: rows of a tape happen to it, intents reach it late, and its reports come back late."""

    def __init__(self, params: VenueParams, latencies: Latencies, clock: Clock) -> None:
        self.sim = open_venue(params, latencies)
        self._clock = clock

    def submit(self, batch: Sequence[Intent]) -> None:
        """Put a batch on its way at the present time."""
        send(self.sim, np.array(batch, np.int64), len(batch), self._clock.now_ns())

    def row(self, ts_ns: int, kind: int, *fields: int) -> Event:
        """Let a row of the tape happen; return the event that the core hears of it."""
        self._make_room()
        return happen(self.sim, ts_ns, kind, *fields)

    def arrive(self) -> None:
        """Let the next intent reach the venue."""
        self._make_room()
        arrive(self.sim)

    def deliver(self) -> Event:
        """Return the next report, as the event it is."""
        return Event(*map(int, deliver(self.sim)))

    @property
    def next_arrival_ns(self) -> int:
        """When the next intent reaches the venue."""
        return int(next_arrival_ns(self.sim.venue))

    @property
    def next_report_ns(self) -> int:
        """When the next report reaches us."""
        return int(next_report_ns(self.sim.venue, self.sim.reports))

    def _make_room(self) -> None:
        if report_room(self.sim) < REPORTS_PER_STEP:
            self.sim = widen_reports(self.sim)

    def __repr__(self) -> str:
        v = self.sim.venue
        way = v.sends_head - v.sends_tail, v.reports_head - v.reports_tail
        return f"<SimExchange {v.n_book} resting, {way[0]} intents and {way[1]} reports on their way>"
