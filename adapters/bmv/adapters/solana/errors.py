"""What can be wrong with an endpoint."""

from typing import Any, TypeAlias

from bmv.ports.errors import BmvError

Json: TypeAlias = Any  # Any: whatever JSON can hold.

MIN_CONTEXT_SLOT = -32016


class EndpointError(BmvError):
    """The endpoint can't be reached, or its answer can't be used; trying again later may help."""


class NodeError(EndpointError):
    """The node refuses a call.

    Args:
        endpoint: Which one, as it may be shown.
        code: As JSON-RPC and Solana's nodes number it.
        message: In the node's words.
        data: What goes with it, if anything.
    """

    def __init__(self, endpoint: str, code: int, message: str, data: Json = None) -> None:
        super().__init__(f"{endpoint}: refuses the call: {message} ({code})")
        self.code, self.message, self.data = code, message, data


class Lagging(NodeError):
    """The node has not reached the slot that was asked for as the least."""


class RateLimited(EndpointError):
    """The endpoint refuses for too many requests; the call was not done.

    Args:
        endpoint: Which one, as it may be shown.
        retry_after_s: When it may be asked again, if it says so.
    """

    def __init__(self, endpoint: str, retry_after_s: float | None) -> None:
        again = "" if retry_after_s is None else f"; it may be asked again in {retry_after_s:g} s"
        super().__init__(f"{endpoint}: refuses for too many requests{again}")
        self.retry_after_s = retry_after_s
