"""What is kept."""

from typing import Protocol

from bmv.ports.messages import Event, Intent


class Journal(Protocol):
    """Append-only: every event and every intent, in the order the engine heard and said them."""

    def event(self, event: Event) -> None:
        """Called before the engine hears `event`."""
        ...

    def intent(self, intent: Intent) -> None:
        """Called before `intent` is submitted: no order without a kept intent."""
        ...
