"""How an endpoint does: what it last answered, how often it failed, and until when it should be left alone."""

from dataclasses import dataclass

FAILURE_WEIGHT = 0.2  # Of the newest answer in the share that failed.
COOL_S = 5.0  # After "too many requests", where the node does not say how long.
COOL_MAX_S = 300.0


@dataclass(slots=True)
class Health:
    """What is known of one endpoint. Times are seconds of a clock that never goes back.

    Args:
        slot: The newest that it told of.
        failing: Share of its answers that were none, the newest counting most; 0 to 1.
        cool_until_s: It asked to be left alone until then.
        limited: How often it refused for too many requests.
    """

    slot: int = 0
    failing: float = 0.0
    cool_until_s: float = 0.0
    limited: int = 0

    def note_slot(self, slot: int) -> None:
        """Keep a slot that it told of."""
        self.slot = max(self.slot, slot)

    def note_answer(self, good: bool) -> None:
        """Keep whether it answered."""
        self.failing += FAILURE_WEIGHT * ((not good) - self.failing)

    def note_limit(self, now_s: float, retry_after_s: float | None) -> None:
        """Keep that it refused for too many requests, and for how long it wants none."""
        self.limited += 1
        wait_s = COOL_S if retry_after_s is None else min(max(retry_after_s, 0.0), COOL_MAX_S)
        self.cool_until_s = max(self.cool_until_s, now_s + wait_s)

    def note_broken(self, now_s: float) -> None:
        """Keep that it can't be relied on; another is asked for a while, if there is one."""
        self.note_answer(good=False)
        self.cool_until_s = max(self.cool_until_s, now_s + COOL_S)
