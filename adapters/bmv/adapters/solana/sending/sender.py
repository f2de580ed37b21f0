"""Hands the same bytes to every node that is sent to, again and again, each by its lane; no answer ends anything."""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bmv.adapters.solana.errors import EndpointError, NodeError, RateLimited
from bmv.adapters.solana.rpc import Rpc
from bmv.adapters.solana.sending.attempt import Attempt
from bmv.adapters.solana.sending.lane import Lane

ANSWER_S = 2.0  # What is not answered by then is sent again.
REFUSED_S = 2.0  # Between two sendings of the same bytes to a node that does not take them.
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


class Way:
    """One node that is sent to.

    Args:
        rpc: Of the node.
        lane: How often it is sent something.
        resend_s: Between two sendings of the same bytes.
    """

    def __init__(self, rpc: Rpc, lane: Lane, resend_s: float) -> None:
        self.rpc, self._lane, self._resend_s = rpc, lane, resend_s
        self._due_s: dict[str, float] = {}  # By signature: when it may be sent again.

    def __repr__(self) -> str:
        return f"<Way to {self.rpc.endpoint}>"

    def take(self, attempt: Attempt, now_s: float) -> bool:
        """Whether to send an attempt now; it is not due again until it was answered or given up."""
        if now_s < self._due_s.get(attempt.signature, 0.0) or not self._lane.take(now_s, attempt.urgent):
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
                await self.rpc.call("sendTransaction", b64encode(attempt.transaction).decode(), OPTIONS)
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
        return Handed(self.rpc.endpoint, refused)


def due(ways: Sequence[Way], attempts: Sequence[Attempt], now_s: float) -> list[tuple[Way, Attempt]]:
    """Return what is to be sent now: what is urgent first, and of the rest the oldest first."""
    ordered = sorted(attempts, key=lambda attempt: not attempt.urgent)
    return [(way, attempt) for attempt in ordered for way in ways if way.take(attempt, now_s)]
