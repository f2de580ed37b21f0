"""How often one node is sent something: a bucket of tokens, some of which are kept for what is urgent.

A node that says "too many" is left alone for as long as it asks. What is urgent, cancels, does not wait for an answer
that placements have earned: it has tokens of its own and tries, and only a refusal of its own holds it back, shortly.
"""

from dataclasses import dataclass

URGENT_WAIT_S = 1.0  # An urgent one waits no longer after a refusal, whatever the node asks.


@dataclass(slots=True)
class Lane:
    """The way to one node. Times are seconds of a clock that never goes back.

    Args:
        rate: Tokens a second.
        burst: Tokens that can be saved up.
        kept: Of those, how many only urgent ones may take.
        cool_s: For how long a node is left alone that refuses and names no time.
    """

    rate: float
    burst: int
    kept: int
    cool_s: float = 2.0
    _tokens: float = -1.0
    _at_s: float = 0.0
    _open_s: float = 0.0
    _urgent_s: float = 0.0

    def __post_init__(self) -> None:
        assert 0 <= self.kept < self.burst, f"{self.kept} of {self.burst} tokens can't be kept"
        self._tokens = float(self.burst)

    def take(self, now_s: float, urgent: bool) -> bool:
        """Take a token; False: not now."""
        self._tokens = min(float(self.burst), self._tokens + max(now_s - self._at_s, 0.0) * self.rate)
        self._at_s = max(now_s, self._at_s)
        if now_s < (self._urgent_s if urgent else self._open_s):
            return False
        if self._tokens - 1 < (0 if urgent else self.kept):
            return False
        self._tokens -= 1
        return True

    def is_free(self, now_s: float) -> bool:
        """Whether something that is not urgent could be sent now."""
        tokens = min(float(self.burst), self._tokens + max(now_s - self._at_s, 0.0) * self.rate)
        return now_s >= self._open_s and tokens - 1 >= self.kept

    def refuse(self, now_s: float, urgent: bool, retry_after_s: float | None) -> None:
        """Note that the node wants to be left alone."""
        wait_s = self.cool_s if retry_after_s is None else retry_after_s
        self._open_s = max(self._open_s, now_s + wait_s)
        if urgent:
            self._urgent_s = max(self._urgent_s, now_s + min(wait_s, URGENT_WAIT_S))
