"""The mark on functions that must also compile."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:

    def kernel(function: F) -> F:
        """Mark a verb: still plain Python when called from Python, compiled when called from a compiled loop."""
        ...

else:
    from numba.extending import register_jitable

    def kernel(function: F) -> F:
        """Mark a verb: still plain Python when called from Python, compiled when called from a compiled loop."""
        function.__bmv_kernel__ = True
        return register_jitable(function)


def is_kernel(function: Callable[..., Any]) -> bool:
    """Return whether `function` carries the mark."""
    return bool(getattr(function, "__bmv_kernel__", False))


__all__ = ["is_kernel", "kernel"]
