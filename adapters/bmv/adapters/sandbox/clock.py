"""The chain's time: what a leader may say it is at the end of a block, and what the next block's programs read.

A leader states the time in nanoseconds, within bounds that the parent's time and the slots since then set. Programs of
the next block read it in whole seconds, rounded down (solana.md section 0; agave issue 15441).
"""

from solders.clock import Clock
from solders.pubkey import Pubkey

CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
SECOND_NS = 1_000_000_000
EPOCH_SLOTS = 432_000
SLOT_NS = 200_000_000
START_NS = 1_793_491_200 * SECOND_NS  # 2026-11-01 00:00 UTC: fixed, so that the same seed gives the same bytes.


def bounded_ns(parent_ns: int, leader_ns: int, slots: int, slot_ns: int) -> int:
    """Return the time at the end of a block, ns: the leader's, not before the parent's nor too far beyond it.

    Args:
        parent_ns: Time at the end of the parent block.
        leader_ns: What the leader's own clock says.
        slots: Slots from the parent's to this one, at least 1.
        slot_ns: Length of a slot.

    >>> bounded_ns(1000, leader_ns=9000, slots=2, slot_ns=100)
    1400
    """
    return min(max(leader_ns, parent_ns), parent_ns + 2 * slots * slot_ns)


def sysvar(slot: int, parent_ns: int, start_ns: int) -> Clock:
    """Return the Clock that programs of `slot` read, its parent block having ended at `parent_ns`."""
    epoch = slot // EPOCH_SLOTS
    return Clock(
        slot=slot,
        epoch_start_timestamp=start_ns // SECOND_NS,
        epoch=epoch,
        leader_schedule_epoch=epoch + 1,
        unix_timestamp=parent_ns // SECOND_NS,
    )
