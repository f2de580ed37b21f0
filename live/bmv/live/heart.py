"""The signs of life of a session: given by its own loop, so that they end when the loop hangs."""

import asyncio
from typing import NoReturn

from bmv.adapters.telemetry.notify import Notify
from bmv.adapters.telemetry.pulse import Pulse

BEAT_S = 5.0  # At most between two signs of life.


async def beat_on(pulse: Pulse, notify: Notify) -> NoReturn:
    """Say again and again that the loop turns, and to systemd how the session is, whenever that changes.

    A task of the loop that trades; it ends by being cancelled.

    Args:
        pulse: Takes the beats, and knows why the session does not quote.
        notify: Takes them for systemd, three times in the time that its watchdog gives.
    """
    every_s = BEAT_S if notify.watchdog_s is None else min(BEAT_S, notify.watchdog_s / 3)
    told: str | None = None
    while True:
        pulse.beat()
        notify.watchdog()
        if pulse.why != told:
            told = pulse.why
            notify.status(f"not quoting: {told}" if told else "quoting")
        await asyncio.sleep(every_s)
