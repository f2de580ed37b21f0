"""What is wrong with bytes that a chain gave us."""

from bmv.ports.errors import BmvError


class Malformed(BmvError):
    """These bytes are not what they should be: cut off, of another kind, or made to deceive.

    Every decoder of this room raises it and nothing else, whatever the bytes; what it returns instead can be relied on.
    """


class CutOff(Malformed):
    """A node keeps only so much of what a transaction logged, and this one logged more: the rest is unknown."""
