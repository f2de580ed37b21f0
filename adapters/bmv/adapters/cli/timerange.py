"""The range of time that a user names."""

import re
from datetime import UTC, datetime

from bmv.ports.errors import UsageError

INSTANT = r"(\d{8})(?:T(\d{2})(\d{2})(\d{2})?)?"

TIMERANGE = re.compile(rf"(?P<start>{INSTANT})?-(?P<end>{INSTANT})?")

NS_PER_S = 1_000_000_000


def span_ns(timerange: str | None) -> tuple[int | None, int | None]:
    """Return first instant and end (exclusive) of a time range, ns UTC; `None` where it is open.

    >>> span_ns("20250903-20250903T1200")
    (1756857600000000000, 1756900800000000000)
    >>> span_ns("-20250903")
    (None, 1756857600000000000)
    """
    if timerange is None:
        return None, None
    found = TIMERANGE.fullmatch(timerange)
    if found is None or timerange == "-":
        raise UsageError(f"--timerange {timerange}: expected 20250903-20250905, 20250903T1200-, or -20250905 (UTC)")
    start, end = (_instant_ns(found[name], timerange) for name in ("start", "end"))
    if start is not None and end is not None and start >= end:
        raise UsageError(f"--timerange {timerange}: expected the start before the end")
    return start, end


def _instant_ns(text: str | None, timerange: str) -> int | None:
    if text is None:
        return None
    try:
        whole = datetime.strptime((text.replace("T", "") + "000000")[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"--timerange {timerange}: expected days and times of the calendar, found {text}") from None
    return int(whole.timestamp()) * NS_PER_S
