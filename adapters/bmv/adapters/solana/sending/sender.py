"""Hands the same bytes to every node that is sent to, again and again, each by its lane; no answer ends anything."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bmv.adapters.solana.errors import EndpointError, NodeError, RateLimited
from bmv.adapters.solana.rpc import Rpc
from bmv.adapters.solana.sending.attempt import Attempt
from bmv.adapters.solana.sending.lane import Lane

ANSWER_S = 2.0  # What is not answered by then is sent again.
REFUSED_S = 2.0  # Between two sendings of the same bytes to a node that does not take them.
LARGE_BYTES = 4_096  # Of version 1.
ALL_VERSIONS = frozenset({0, 1})
OPTIONS = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}


@dataclass(frozen=True, slots=True)
class Handed:
    """What became of one sending.

    Args:
        node: As it may be shown.
        refused: What the node said instead of taking it; "": it took it, or nobody knows.
    """

    node: str
    refused: str


Post = Callable[[bytes], Awaitable[object]]
"""Hands bytes over once. Raises `RateLimited`, `NodeError` where they were not taken, and `EndpointError` where nobody
knows."""


def posting(rpc: Rpc) -> Post:
    """Return what hands bytes to a node, by the method that all nodes have."""

    async def post(transaction: bytes) -> None:
        await rpc.call("sendTransaction", b64encode(transaction).decode(), OPTIONS)

    return post


class Age(NamedTuple):
    """For how long an attempt has been on its way."""

    seconds: float
    slots: int


JUST_BEGUN = Age(0.0, 0)


class Way:
    """One place that transactions are sent to.

    Args:
        name: As it may be shown; attempts name the ways they go by it.
        post: Hands bytes over.
        lane: How often it is sent something.
        resend_s: Between two sendings of the same bytes.
        bytes_max: Of the largest transaction that it takes; a larger one is never given to it.
        versions: Of the transactions that it takes.
    """

    def __init__(
        self,
        name: str,
        post: Post,
        lane: Lane,
        resend_s: float,
        bytes_max: int = LARGE_BYTES,
        versions: frozenset[int] = ALL_VERSIONS,
    ) -> None:
        self.name, self._post, self._lane, self._resend_s = name, post, lane, resend_s
        self._bytes_max, self._versions = bytes_max, versions
        self._due_s: dict[str, float] = {}  # By signature: when it may be sent again.

    def __repr__(self) -> str:
        return f"<Way to {self.name}>"

    def carries(self, attempt: Attempt, age: Age) -> bool:
        """Whether an attempt goes by this way by now; what is urgent waits for no other way."""
        if len(attempt.transaction) > self._bytes_max or attempt.version not in self._versions:
            return False
        legs = [leg for leg in attempt.legs if leg.way == self.name]
        if not legs:
            return not attempt.legs
        return attempt.urgent or age.slots >= legs[0].slots or age.seconds >= legs[0].seconds

    def is_free(self, now_s: float) -> bool:
        """Whether something could be sent now."""
        return self._lane.is_free(now_s)

    def take(self, attempt: Attempt, now_s: float, age: Age = JUST_BEGUN) -> bool:
        """Whether to send an attempt now; it is not due again until it was answered or given up."""
        if now_s < self._due_s.get(attempt.signature, 0.0) or not self.carries(attempt, age):
            return False
        if not self._lane.take(now_s, attempt.urgent):
            return False
        self._due_s[attempt.signature] = now_s + ANSWER_S
        return True

    def forget(self, signature: str) -> None:
        """Forget an attempt that has ended."""
        self._due_s.pop(signature, None)

    async def send(self, attempt: Attempt, clock: Callable[[], float]) -> Handed:
        """Send an attempt once."""
        wait_s, refused = self._resend_s, ""
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._post(attempt.transaction)
        except TimeoutError:
            pass  # It may have been taken.
        except RateLimited as error:
            self._lane.refuse(clock(), attempt.urgent, error.retry_after_s)
            refused = "too many requests"
        except NodeError as error:
            wait_s, refused = REFUSED_S, f"{error.message} ({error.code})"
        except EndpointError:
            pass  # As above: an answer that was lost looks like a call that was.
        if attempt.signature in self._due_s:
            self._due_s[attempt.signature] = clock() + wait_s
        return Handed(self.name, refused)


def due(
    ways: Sequence[Way], attempts: Sequence[Attempt], now_s: float, ages: Mapping[str, Age] | None = None
) -> list[tuple[Way, Attempt]]:
    """Return what is to be sent now: what is urgent first, and of the rest the oldest first.

    Args:
        ages: Of the attempts, by signature; one that is not there has just begun.
    """
    ordered = sorted(attempts, key=lambda attempt: not attempt.urgent)
    known = ages or {}
    return [
        (way, attempt)
        for attempt in ordered
        for way in ways
        if way.take(attempt, now_s, known.get(attempt.signature, JUST_BEGUN))
    ]
