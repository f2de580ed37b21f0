"""What a running session can tell and can be told to do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from bmv.data.runs.numbers import Json


class StopMode(StrEnum):
    """What becomes of a session's orders and inventory when it stops."""

    CANCEL = "cancel"
    """Cancel every order of ours."""
    KEEP = "keep"
    """Leave the orders where they are."""
    FLATTEN = "flatten"
    """Cancel every order of ours, and trade back to the target."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command.

    Args:
        done: Whether all of it is done; if not, `message` says what is pending.
        message: One sentence for a person.
        facts: The same for a program: plain values that JSON can hold, numbers that must stay exact as text.
    """

    done: bool
    message: str
    facts: Json = field(default_factory=dict)


class Watched(Protocol):
    """What a session tells. The server of the control socket calls it, whenever somebody asks.

    Each answer is made of plain values that JSON can hold; numbers that must stay exact are text. The commands print
    the keys as they are, in their order.
    """

    async def status(self) -> Json:
        """Return how the session is: `session`, `mode`, `market`, `state`, `why` not quoting, what else helps."""
        ...

    async def orders(self) -> Sequence[Json]:
        """Return our open orders, those whose end is not known yet included; every row has the same keys."""
        ...

    async def fills(self, limit: int) -> Sequence[Json]:
        """Return our last fills, at most `limit`, the newest last; every row has the same keys."""
        ...

    async def health(self) -> Json:
        """Return `alive`, `ready` and `why` it is not ready."""
        ...


class Steered(Watched, Protocol):
    """What a session can be told to do. The server calls it; several calls may be under way at once.

    Each returns when it is done, or says what is pending. What is refused is raised as a `BmvError`: whoever asked gets
    its sentence and its exit code. A call goes on though whoever asked has gone.
    """

    async def pause(self) -> Outcome:
        """Cancel our orders and place none until :meth:`resume`."""
        ...

    async def resume(self) -> Outcome:
        """Quote again; `Refused` where a breaker or a guard forbids it."""
        ...

    async def rearm(self) -> Outcome:
        """Take back what the breaker latched; its peak starts again from the present equity. It quotes again."""
        ...

    async def stop(self, mode: StopMode) -> Outcome:
        """Stop for good. Return before the socket is closed, or whoever asked learns nothing of it."""
        ...

    async def flatten(self) -> Outcome:
        """Cancel our orders, trade back to the target, and place no more."""
        ...

    async def set(self, key: str, value: str) -> Outcome:
        """Change a key of the configuration, the value as `--set` takes it; `Refused` where it can't change now."""
        ...
