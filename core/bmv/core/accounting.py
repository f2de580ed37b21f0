"""Money: what a fill costs, what is owned afterwards, what it is worth. Exact, in quanta.

A market is linear, `divisor` 0, or inverse. Of a linear one `half` is the quanta in half a tick times one lot. A lot of
an inverse one is worth `half / (divisor · m)` quanta of the base coin at `m` half ticks, rounded once to a quantum, the
nearest. Who holds it gains as that falls, as if it were a debt of so much quote: its worth is negative, and cash takes
in what a purchase owes. So in both kinds of market a fill exchanges cash for the worth of its lots at its price, and
what is owned is cash and the worth of the position at the mid.
"""

from typing import TypeVar

from numpy import int64
from numpy.typing import NDArray

from bmv.core.kernel import kernel
from bmv.ports.market import NOTIONAL_MAX

Wholes = TypeVar("Wholes", int, NDArray[int64])  # A whole number, or a column of them.

_E8 = 100_000_000


@kernel
def notional(half: int, divisor: int, price: int, size: int) -> int:
    """Return what `size` lots are worth at `price` ticks, in quanta and without a sign: what fees and limits are of.

    >>> notional(5, 0, 20_000, 1_000), notional(2 * 10**11, 1, 600_000, 3)
    (200000000, 500000)
    """
    if divisor == 0:
        return 2 * half * price * size
    return _nearest(half * size, 2 * divisor * price)


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
def worth(half: int, divisor: int, position: Wholes, mid2: Wholes) -> Wholes:
    """Return the value of `position` lots at a mid of `mid2` half ticks, in quanta; an inverse market needs a mid.

    >>> worth(5, 0, 1_000, 40_000), worth(2 * 10**11, 1, 3, 1_200_000)
    (200000000, -500000)
    """
    if divisor == 0:
        return half * position * mid2
    return -_nearest(half * position, divisor * mid2)


@kernel
def worth_if_known(half: int, divisor: int, position: int, mid2: int) -> int:
    """Return the value of `position` lots, 0 while there is no mid (`mid2` is 0)."""
    return 0 if mid2 == 0 else worth(half, divisor, position, mid2)


@kernel
def gain(half: int, divisor: int, position: int, before2: int, after2: int) -> int:
    """Return what `position` lots gain as the mid goes from `before2` half ticks to `after2`."""
    if divisor == 0:
        return half * position * (after2 - before2)
    return worth(half, divisor, position, after2) - worth(half, divisor, position, before2)


@kernel
def entry(half: int, divisor: int, position: int, mid2: int) -> int:
    """Return what cash takes in once the first mid is known, for the position held at the start.

    Coins are owned. Contracts are entered, at the first mid, and cost nothing: what is owned then is the cash alone.
    """
    return 0 if divisor == 0 else -worth(half, divisor, position, mid2)


@kernel
def countable(half: int, divisor: int, price: int, size: int) -> bool:
    """Return whether `size` lots at `price` ticks can be counted in int64, and a lot there is worth a quantum."""
    if divisor == 0:
        return price < NOTIONAL_MAX // (2 * half) // max(1, size)
    return size < NOTIONAL_MAX // half and 2 * divisor * price <= half


@kernel
def _nearest(amount: Wholes, parts: Wholes) -> Wholes:
    """Return `amount / parts` rounded to the nearest whole number, a half up; `amount` is under 2^61."""
    return (2 * amount + parts) // (2 * parts)
