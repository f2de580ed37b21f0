"""A running fingerprint of everything said, so that two runs can be compared word for word.

Every number is below 2^62 and every factor below 2^31, so that no product leaves int64: the interpreter, which does
not wrap, and machine code, which does, agree on every bit. It finds differences; it does not resist an adversary.
"""

from bmv.core.kernel import inlined, kernel
from bmv.ports.messages import Event, Kind

_TRADE = Kind.TRADE.value
_QUOTE = Kind.QUOTE.value
_LOW = 0xFFFF_FFFF
_MASK = 0x3FFF_FFFF_FFFF_FFFF


@kernel
def _spread(word: int, low: int, high: int) -> int:
    """Return `word` multiplied out over 63 bits, its halves by two factors below 2^31."""
    return ((word & _LOW) * low) ^ ((word >> 32) * high)


@kernel
def fold(digest: int, a: int, b: int, c: int, d: int, e: int, f: int, g: int) -> int:
    """Return `digest` with seven more numbers in it; the order of words and of numbers matters.

    >>> one, two = (1, 2, 3, 4, 5, 6, 7), (1, 2, 3, 4, 5, 6, 8)
    >>> fold(fold(0, *one), *two) == fold(fold(0, *two), *one)
    False
    """
    word = (
        _spread(a, 2_054_848_097, 1_597_334_677)
        ^ _spread(b, 1_103_515_245, 1_812_433_253)
        ^ _spread(c, 1_664_525_027, 1_013_904_223)
        ^ _spread(d, 1_566_083_941, 1_406_938_949)
        ^ _spread(e, 1_911_520_717, 1_284_865_837)
        ^ _spread(f, 1_181_783_497, 1_481_765_933)
        ^ _spread(g, 1_300_890_739, 2_147_001_325)
    )
    return (((digest & _LOW) * 1_779_033_703) ^ ((digest >> 31) * 2_027_808_485) ^ word ^ (digest >> 40)) & _MASK


@inlined
def hear(digest: int, event: Event) -> int:
    """Return `digest` with `event` in it."""
    if event.kind == _QUOTE:
        return fold(digest, event.kind, event.ts_ns, event.bid, event.bid_size, event.ask, event.ask_size, 0)
    if event.kind == _TRADE:
        return fold(digest, event.kind, event.ts_ns, event.side, event.price, event.size, 0, 0)
    digest = fold(digest, event.kind, event.ts_ns, event.venue_ns, event.order, event.side, event.price, event.size)
    return fold(digest, event.bid, event.bid_size, event.ask, event.ask_size, event.fee, event.code, 0)


@kernel
def say(digest: int, verb: int, ts_ns: int, order: int, side: int, price: int, size: int, level: int, tif: int) -> int:
    """Return `digest` with an intent in it; `level` and `tif` share a number."""
    return fold(digest, verb, ts_ns, order, side, price, size, level * 4 + tif)


def text(digest: int) -> str:
    """Return `digest` as it is printed: 16 hexadecimal digits.

    >>> text(255)
    '00000000000000ff'
    """
    return f"{digest:016x}"
