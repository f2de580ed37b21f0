"""Money: what a fill costs, what is owned afterwards, what it is worth. Exact, in quanta."""

from typing import TypeVar

from numpy import int64
from numpy.typing import NDArray

from bmv.core.kernel import kernel

Wholes = TypeVar("Wholes", int, NDArray[int64])  # A whole number, or a column of them.

_E8 = 100_000_000


@kernel
def notional(half: int, price: int, size: int) -> int:
    """Return `price` ticks times `size` lots in quanta; `half` is the quanta in half a tick times one lot."""
    return 2 * half * price * size


@kernel
def fee(amount: int, fee_e8: int) -> int:
    """Return the fee on `amount` quanta, rounded up, against us, to a quantum; negative for a rebate.

    Computed in two parts so that no product leaves int64 for any amount below 2^61.

    Args:
        fee_e8: Fraction times 10^8, at most 10^8 either way.

    >>> fee(1_000_001, 10_000), fee(1_000_001, -10_000)
    (101, -100)
    """
    return amount // _E8 * fee_e8 - (-(amount % _E8) * fee_e8) // _E8


@kernel
def worth(half: int, position: Wholes, mid2: Wholes) -> Wholes:
    """Return the value of `position` lots at a mid of `mid2` half ticks, in quanta."""
    return half * position * mid2
