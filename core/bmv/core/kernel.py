"""The mark on functions that must also compile, and the one thing that compiled code can't do in plain Python."""

import ctypes
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy import int64
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])


@lru_cache(maxsize=64)
def table_at(address: int, rows: int) -> NDArray[int64]:
    """Return the table `(rows, 3)` of int64 that lies at `address`; whoever gave the address keeps the memory alive.

    A table that grows can't lie inside a record. Compiled code that is handed an array from function to function
    counts its references each time, which costs more than the work; an address costs nothing.
    """
    return np.ctypeslib.as_array((ctypes.c_int64 * (rows * 3)).from_address(address)).reshape(rows, 3)


if TYPE_CHECKING:

    def kernel(function: F) -> F:
        """Mark a verb: still plain Python when called from Python, compiled when called from a compiled loop."""
        ...

    def inlined(function: F) -> F:
        """Mark a verb that stands in the way of every event: its code is put where it is called."""
        ...

else:
    from numba import carray, types
    from numba.extending import intrinsic, overload, register_jitable

    def kernel(function: F) -> F:
        """Mark a verb: still plain Python when called from Python, compiled when called from a compiled loop."""
        function.__bmv_kernel__ = True
        return register_jitable(function)

    def inlined(function: F) -> F:
        """Mark a verb that stands in the way of every event: its code is put where it is called.

        An event has thirteen fields; handed from function to function they cost more than what is done with them.
        """
        function.__bmv_kernel__ = True
        return register_jitable(forceinline=True)(function)

    @intrinsic
    def _pointer(typing_context, address):
        def lower(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(types.int64)(types.int64), lower

    @overload(table_at)
    def _table_at(address, rows):
        return lambda address, rows: carray(_pointer(address), (rows, 3))


def is_kernel(function: Callable[..., Any]) -> bool:
    """Return whether `function` carries the mark."""
    return bool(getattr(function, "__bmv_kernel__", False))


__all__ = ["inlined", "is_kernel", "kernel", "table_at"]
