"""Intents out. What becomes of them comes back as events, on the one inbound stream."""

from collections.abc import Sequence
from typing import Protocol

from bmv.ports.messages import Intent


class Execution(Protocol):
    """The way to a venue, simulated or real."""

    def submit(self, batch: Sequence[Intent]) -> None:
        """Ask for the intents of one step, cancels first; return at once. Every answer is an event, later."""
        ...
