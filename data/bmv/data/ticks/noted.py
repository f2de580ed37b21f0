"""Gaps that a recorder noted, as the files of settled days tell them: where, why, and how much is missing."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bmv.data.ticks.lake.segments import Gaps, gap_in, learn
from bmv.data.ticks.quality import utc
from bmv.ports.errors import DataError
from bmv.ports.market import Market
from bmv.ports.storage import Gap

TOLD = 3


def noted_in(path: Path, sources: Iterable[Mapping[str, Any]]) -> list[Gap]:  # Any: it is JSON.
    """Return the gaps that the sources of a day's file tell, oldest first; `DataError` where they are none."""
    found: Gaps = {}
    try:
        for source in sources:
            for told in source.get("gaps", []):
                learn(found, gap_in(told))
    except (TypeError, AttributeError) as error:
        raise DataError(f"{path}: the gaps in its metadata can't be read: {error}") from error
    return in_order(found.values())


def in_order(gaps: Iterable[Gap]) -> list[Gap]:
    """Return gaps oldest first, each once."""
    return sorted(dict.fromkeys(gaps), key=lambda gap: (gap.from_ns, gap.to_ns, gap.source, gap.why))


def in_words(gaps: Sequence[Gap], market: Market | None, most: int = TOLD) -> list[str]:
    """Return what a trader should know of gaps, a line each; of more than `most` the longest, and what all lack.

    Args:
        market: What its quanta are; None: they are not known, and told as quanta.
    """
    if not gaps:
        return []
    longest = sorted(gaps, key=lambda gap: (gap.from_ns - gap.to_ns, gap.from_ns))[:most]
    lines = [_one(gap, market) for gap in sorted(longest, key=lambda gap: gap.from_ns)]
    if len(gaps) > most:
        unknown = sum(gap.rows is None for gap in gaps)
        rows = sum(gap.rows or 0 for gap in gaps)
        beside = f", and nobody knows how many in {unknown:,} of them" if unknown else ""
        lines.append(f"in all {len(gaps):,} gaps were noted by who recorded: {rows:,} rows are missing{beside}")
    return lines


def _one(gap: Gap, market: Market | None) -> str:
    span = f"from {utc(gap.from_ns)} to {utc(gap.to_ns)}"
    return f"a gap {span}, noted by {gap.source}: {gap.why}; {size_in_words(gap, market)}"


def size_in_words(gap: Gap, market: Market | None) -> str:
    """Say how much a gap has swallowed.

    >>> from decimal import Decimal
    >>> market = Market("SOL/USDC", Decimal("0.01"), Decimal("0.1"))
    >>> size_in_words(Gap("sim/SOL", "one", 1, 9, "away", 3, 4_000), market)
    '3 rows and 0.004 of quote are missing'
    >>> size_in_words(Gap("sim/SOL", "one", 1, 9, "away"), market)
    'nobody knows how much is missing'
    """
    rows = [] if gap.rows is None else [f"{gap.rows:,} row{'' if gap.rows == 1 else 's'}"]
    money = [] if gap.quanta is None else [_money(gap.quanta, market)]
    if not rows + money:
        return "nobody knows how much is missing"
    return f"{' and '.join(rows + money)} {'is' if (gap.rows, gap.quanta) == (1, None) else 'are'} missing"


def _money(quanta: int, market: Market | None) -> str:
    if market is None:
        return f"{quanta:,} quanta"
    return f"{market.money(quanta).normalize():f} of {'the coin' if market.contract.inverse else 'quote'}"
