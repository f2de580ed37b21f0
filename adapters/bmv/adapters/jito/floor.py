"""The tip floor as the engine tells it: SOL as floats, into lamports."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from bmv.adapters.jito.codec import Json
from bmv.data.landing.accounts import JITO_LEAST_TIP
from bmv.data.landing.tips import PERCENTILES, TipFloor

SOL = 10**9
TIP_MAX = 1_000 * SOL


class ToldFloor(NamedTuple):
    """A tip floor, and when it was.

    Args:
        floor: By percentiles.
        time: As told, UTC.
    """

    floor: TipFloor
    time: datetime


def read_floor(row: Json) -> ToldFloor | None:
    """Return the floor of an answer or of a message of the stream, None where it can't be used.

    >>> names = {f"landed_tips_{each}th_percentile": 1e-6 * each for each in (25, 50, 75, 95, 99)}
    >>> read_floor([{"time": "2024-09-01T12:58:00Z", **names}]).floor.lamports
    (25000, 50000, 75000, 95000, 99000)
    """
    if isinstance(row, list):
        row = row[0] if len(row) == 1 else None
    if not isinstance(row, dict):
        return None
    tips = [_lamports(row.get(f"landed_tips_{each}th_percentile")) for each in PERCENTILES]
    time = _time(row.get("time"))
    known = [tip for tip in tips if tip is not None]
    if time is None or len(known) != len(PERCENTILES) or any(low > high for low, high in pairwise(known)):
        return None
    one, two, three, four, five = (max(tip, JITO_LEAST_TIP) for tip in known)
    return ToldFloor(TipFloor((one, two, three, four, five), JITO_LEAST_TIP), time)


def _lamports(value: Json) -> int | None:
    """Return lamports of SOL as a float: rounded, for 0.000006 SOL would be 5,999 otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value * SOL <= TIP_MAX:
        return None
    return round(value * SOL)


def _time(value: Json) -> datetime | None:
    """Read both ways in which times came: with Z, and with an offset."""
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
