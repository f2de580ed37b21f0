"""What was seen of stores and wallet, judged."""

from collections.abc import Sequence

from bmv.live.doctor.check import Check, State
from bmv.live.doctor.seen import DatabaseSeen, DiskSeen
from bmv.ports.errors import ConfigError, Refused

GIB = 1 << 30
FREE_NOTED, FREE_MIN = 10 * GIB, GIB


def check_disks(seen: Sequence[DiskSeen]) -> list[Check]:
    """Judge how much room there is."""
    return [_disk(one) for one in seen] or [
        Check("disk", State.NOTE, "nothing is kept on this machine: neither ticks nor a journal of SQLite")
    ]


def _disk(one: DiskSeen) -> Check:
    if one.free_bytes is None:
        return Check("disk", State.UNKNOWN, f"{one.key}: {one.place}: how much is free there nobody says")
    found = f"{one.key}: {one.free_bytes / GIB:,.1f} GiB are free at {one.place}"
    if one.free_bytes < FREE_MIN:
        return Check("disk", State.WRONG, found, "make room, or name another place")
    if one.free_bytes < FREE_NOTED:
        return Check("disk", State.NOTE, found, "make room before it is full")
    return Check("disk", State.OK, found)


def check_databases(seen: Sequence[DatabaseSeen]) -> list[Check]:
    """Judge the databases that are configured."""
    return [_database(one) for one in seen]


def _database(one: DatabaseSeen) -> Check:
    if one.failure:
        error = ConfigError if one.error is ConfigError else Refused
        advice = "look whether it runs, and whether user and password are right: bmv db status"
        return Check("database", State.WRONG, f"{one.place}: {one.failure}", advice, error)
    if not one.made:
        return Check("database", State.NOTE, f"{one.place} is not there yet", "bmv db init makes it")
    if one.pending:
        return Check("database", State.WRONG, f"{one.place} lacks {', '.join(one.pending)}", "bmv db migrate")
    return Check("database", State.OK, f"{one.place} answers, and its schema is up to date")


def check_wallet(address: str | None, failure: str) -> list[Check]:
    """Judge the wallet: its address, or why that could not be read; neither: none is configured."""
    if failure:
        return [Check("wallet", State.WRONG, failure, "name a key file that this user may read", ConfigError)]
    if address is None:
        return [Check("wallet", State.NOTE, "none is configured: nothing can be sent", "set live.wallet to trade")]
    return [Check("wallet", State.OK, f"address {address}")]
