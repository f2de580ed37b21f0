"""Dice without a memory: the same question always has the same answer, whoever asks, in whatever order."""

from hashlib import blake2b

_RANGE = float(1 << 64)


def draw(seed: int, what: str, *numbers: int) -> float:
    """Return a number from 0 up to, not including, 1.

    >>> draw(1, "leader", 7) == draw(1, "leader", 7), draw(1, "leader", 7) == draw(2, "leader", 7)
    (True, False)
    """
    text = f"{seed} {what} {' '.join(map(str, numbers))}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") / _RANGE
