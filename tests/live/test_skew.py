"""Whether the machine's clock was set while a session ran, and whether it is right since."""

from dataclasses import dataclass

import pytest

from bmv.live.skew import CLOCK_MAX_S, SETTLED_S, Skew

NOW_S = 1_800_000_000.0
HOUR_S = 3_600.0


@dataclass
class Clocks:
    """Three clocks, and a skew between them. Seconds; the chain is heard with every look."""

    now_s: float = NOW_S
    ahead_s: float = 0.0  # The machine's clock, of the session's.
    chain_ahead_s: float | None = 0.0  # The chain's clock, of the session's; None: it is not heard.

    def __post_init__(self) -> None:
        self.skew = Skew(self.wall_ns, lambda: int(self.now_s * 1e9), self.heard)

    def wall_ns(self) -> int:
        return int((self.now_s + self.ahead_s) * 1e9)

    def heard(self) -> tuple[int, int] | None:
        if self.chain_ahead_s is None:
            return None
        return int(self.now_s + self.chain_ahead_s), int(self.now_s * 1e9)

    def look(self, seconds: float = 1.0) -> bool:
        """Let time go by, and say whether the clock is wrong."""
        self.now_s += seconds
        return bool(self.skew.why())


def test_a_clock_that_is_set_is_wrong_until_it_is_set_back() -> None:
    clocks = Clocks()
    assert not clocks.look()

    clocks.ahead_s = CLOCK_MAX_S + 1

    assert [clocks.look(), clocks.look(), clocks.look(10 * SETTLED_S)] == [True, True, True]
    clocks.ahead_s = 0.0
    assert not clocks.look()


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S])
def test_a_clock_that_was_wrong_at_the_start_and_is_set_right_is_wrong_until_the_chain_was_heard_again(
    step_s: float,
) -> None:
    clocks = Clocks(chain_ahead_s=step_s)
    assert not clocks.look()

    clocks.ahead_s = step_s

    assert clocks.look()
    assert not clocks.look()
    assert not clocks.look(HOUR_S)
    clocks.ahead_s = 0.0  # And wrong once more.
    assert [clocks.look(), clocks.look()] == [True, True]


def test_a_chain_that_is_not_heard_says_of_no_clock_that_it_is_right() -> None:
    clocks = Clocks(chain_ahead_s=None)
    clocks.ahead_s = HOUR_S

    assert [clocks.look(), clocks.look(HOUR_S)] == [True, True]


def test_beside_a_chain_with_a_time_of_its_own_a_clock_that_was_set_has_to_stand_for_a_while() -> None:
    clocks = Clocks(chain_ahead_s=-30 * 24 * HOUR_S)
    clocks.ahead_s = HOUR_S

    assert [clocks.look(), clocks.look(SETTLED_S - 2)] == [True, True]
    clocks.ahead_s = 2 * HOUR_S
    assert [clocks.look(), clocks.look(SETTLED_S - 2)] == [True, True]
    assert not clocks.look(5)


def test_what_is_wrong_with_a_clock_is_said_with_how_far_it_is_from_the_chains() -> None:
    clocks = Clocks()
    clocks.ahead_s = HOUR_S

    clocks.look()

    assert clocks.skew.why() == (
        "the machine's clock was set by +3600 s while we ran, and is +3600 s ahead of the chain's"
    )
