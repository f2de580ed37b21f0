"""Transactions that have ended, put together: share landed, slots and costs by route, window, tip and purpose."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from bmv.data.journal.landings import Landing, Landings
from bmv.data.landing.tips import per_unit

SAMPLES_MIN = 20  # Of fewer transactions no share is told as what a tip buys.
TIPS_MAX = 6  # Steps of the tip that are told apart.
SPANS_MAX = 120  # Of leader windows, as a picture shows them.
SLOTS_MAX = 12  # Beyond so many, slots to land are told together.
PACE = (1, 4)  # Slots: at once, and while the leader that it was sent to is at most just over.
SHOWN = ("landed", "failed", "expired", "forgotten")  # What became of transactions, as a picture shows it.
WINDOWS = ("same window", "1 window later", "2 windows later", "3 or more later")
NEVER = "in no block"
UNTOLD = "not known"

Json = dict[str, Any]  # Any: JSON.


def landings_json(landings: Landings, *, rows: bool = False) -> Json:
    """Return everything as one page of JSON; with `rows` each transaction too."""
    each = landings.rows
    whole = group_json(each)
    page: Json = {
        **whole,
        "fills": landings.fills,
        "lamports_per_fill": _share(whole["lamports"], landings.fills),
        "by_route": by(each, lambda row: row.routes),
        "by_window": _by_window(each),
        "by_tip": _by_tip(each),
        "by_purpose": by(each, lambda row: row.purpose),
        "next_step": next_step_json(each),
        "slots": _slots(each),
        "spans": _spans(each),
    }
    return {**page, "transactions": [asdict(row) for row in each]} if rows else page


def group_json(rows: Sequence[Landing]) -> Json:
    """Return the figures of some transactions: share landed, slots to land, what they cost."""
    slots = sorted(row.slots for row in rows if row.landed and row.slots is not None)
    landed = [row for row in rows if row.landed]
    lamports, fills = sum(row.lamports for row in rows), sum(row.fills for row in rows)
    return {
        "sent": len(rows),
        "landed": len(landed),
        "failed": sum(row.state == "failed" for row in rows),
        "expired": sum(row.state == "expired" for row in rows),
        "forgotten": sum(row.state == "forgotten" for row in rows),
        "share": round(len(landed) / len(rows), 4) if rows else None,
        "slots_median": median(slots) if slots else None,
        "slots_p90": slots[int(0.9 * (len(slots) - 1))] if slots else None,
        "lamports": lamports,
        "tips": sum(row.tip for row in landed),
        "fills": fills,
        "lamports_per_fill": _share(lamports, fills),
        "tip_per_unit_median": median(row.micro for row in landed) / 1e6 if landed else None,
        "priority_per_unit_median": median(per_unit(row.priority, max(row.units, 1)) for row in landed) / 1e6
        if landed
        else None,
    }


def _share(lamports: int, fills: int) -> float | None:
    return round(lamports / fills, 1) if fills else None


def by(rows: Iterable[Landing], key: Callable[[Landing], str]) -> Json:
    """Return the figures of each group, by its name."""
    groups = defaultdict[str, list[Landing]](list)
    for row in rows:
        groups[key(row)].append(row)
    return {name: group_json(group) for name, group in sorted(groups.items())}


def _by_window(rows: Sequence[Landing]) -> Json:
    """Return the figures by how many leaders later it came into a block than it was sent to."""
    found = by(rows, _window)
    return {name: found[name] for name in (*WINDOWS, UNTOLD, NEVER) if name in found}


def _window(row: Landing) -> str:
    if row.slot is None:
        return NEVER
    return UNTOLD if row.windows is None else WINDOWS[min(max(row.windows, 0), len(WINDOWS) - 1)]


def _by_tip(rows: Sequence[Landing]) -> list[Json]:
    """Return the figures by what was tipped a unit, the least first, in steps with as many transactions each.

    `from` and `to` are the least and the most that a transaction of the step tipped, lamports a requested unit; `pace`
    says how many landed in up to 1 slot, in up to 4, later (or nobody knows when), and never.
    """
    tipped = sorted((row for row in rows if row.tip), key=lambda row: row.micro)
    free = [row for row in rows if not row.tip]
    return [_step(group) for group in (free, *_even(tipped)) if group]


def _even(tipped: Sequence[Landing]) -> list[list[Landing]]:
    """Return rows in up to `TIPS_MAX` steps of about as many; those that tipped the same are never parted."""
    size = max(len(tipped) / TIPS_MAX, SAMPLES_MIN / 2)
    steps = list[list[Landing]]()
    for row in tipped:
        if steps and (len(steps[-1]) < size or steps[-1][-1].micro == row.micro):
            steps[-1].append(row)
        else:
            steps.append([row])
    if len(steps) > 1 and len(steps[-1]) < size / 2:
        steps[-2:] = [steps[-2] + steps[-1]]
    return steps


def _step(group: Sequence[Landing]) -> Json:
    tips = [row.micro / 1e6 for row in group]
    return {"from": min(tips), "to": max(tips), **group_json(group), "pace": _pace(group)}


def _pace(rows: Iterable[Landing]) -> list[int]:
    counts = [0] * (len(PACE) + 2)
    for row in rows:
        late = next((at for at, most in enumerate(PACE) if row.slots is not None and row.slots <= most), len(PACE))
        counts[late if row.landed else -1] += 1
    return counts


def next_step_json(rows: Sequence[Landing]) -> Json | None:
    """Return what the next higher tip would have cost, and how those landed that tipped so much a unit.

    None where nothing was tipped, or nobody said what others tip. Where fewer than `SAMPLES_MIN` tipped so much, what
    it would have bought is not known, and told as null.
    """
    tipped = [row for row in rows if row.tip and row.next_tip]
    if not tipped:
        return None
    micro = int(median(per_unit(row.next_tip, max(row.units, 1)) for row in tipped))
    below = [row for row in tipped if row.micro < micro]
    above = [row for row in tipped if row.micro >= micro]
    more = sum(max(row.next_tip - row.tip, 0) for row in below if row.landed)
    known = len(above) >= SAMPLES_MIN and len(below) >= SAMPLES_MIN
    return {
        "tip_per_unit": micro / 1e6,
        "more_lamports": more,
        "samples": len(above),
        "share_now": group_json(below)["share"],
        "share_then": group_json(above)["share"] if known else None,
        "slots_now": group_json(below)["slots_median"],
        "slots_then": group_json(above)["slots_median"] if known else None,
    }


def _slots(rows: Iterable[Landing]) -> dict[str, list[int]]:
    """Return by route how many landed in the slot that was known (at 0), one later, and so on; the last is the rest."""
    found = defaultdict[str, Counter[int]](Counter)
    for row in rows:
        if row.landed and row.slots is not None:
            found[row.routes][min(max(row.slots, 0), SLOTS_MAX)] += 1
    return {route: [counts[slots] for slots in range(SLOTS_MAX + 1)] for route, counts in sorted(found.items())}


def _spans(rows: Iterable[Landing]) -> list[Json]:
    """Return what became of those sent, in the order of time, over at most `SPANS_MAX` spans of whole leader windows.

    `window` is the first of a span, `windows` how many it is long. A transaction stands in the window in which it
    landed; one that is in no block has none, and is told in the last that is known when it was sent.
    """
    ordered = sorted(rows, key=lambda row: row.ts_ns)
    known = [row.window for row in ordered if row.window is not None]
    if not known:
        return []
    first, last = min(known), max(known)
    wide = -(-(last - first + 1) // SPANS_MAX)
    spans: list[Json] = [
        {"window": first + at * wide, "windows": wide, **dict.fromkeys(SHOWN, 0)}
        for at in range(-(-(last - first + 1) // wide))
    ]
    at = 0
    for row in ordered:
        at = at if row.window is None else (row.window - first) // wide
        spans[at]["landed" if row.landed else row.state] += 1
    return spans


def groups_of(groups: Json | Sequence[Json]) -> Sequence[tuple[str, Json]]:
    """Return groups with their names, in the order in which they are shown."""
    if isinstance(groups, dict):
        return list(groups.items())
    return [(tip_words(step), step) for step in groups]


def tip_words(step: Json) -> str:
    """Return in words what those of a step tipped, lamports a unit.

    >>> tip_words({"from": 0.0, "to": 0.0}), tip_words({"from": 0.04, "to": 0.04}), tip_words({"from": 0.0052, "to": 1})
    ('none', '0.04', '0.0052 – 1')
    """
    if not step["to"]:
        return "none"
    least, most = f"{step['from']:.2g}", f"{step['to']:.2g}"
    return least if least == most else f"{least} – {most}"
