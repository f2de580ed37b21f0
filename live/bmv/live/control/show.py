"""What a session answers, on a terminal and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from bmv.adapters.report.streams import say_json
from bmv.adapters.report.tables import Column, printable, say, say_table
from bmv.data.runs.numbers import Json
from bmv.data.runs.wording import instant

INSTANT = "time_ns"
NUMERIC = frozenset("+-−0123456789.,")


def say_answer(answer: object) -> None:
    """Print an answer as JSON."""
    say_json(orjson.dumps(answer))


def say_facts(facts: Json) -> None:
    """Print facts, a line each, in their order; what ends in `time_ns` as an instant of UTC."""
    lines = list(_lines(facts))
    width = max((len(name) for name, _ in lines), default=0) + 2
    for name, text in lines:
        say(f"{name.ljust(width)}{text}", " " * width)


def say_outcome(outcome: Json) -> None:
    """Print what came of a command, and below it its facts."""
    say(f"{'done' if outcome['done'] else 'pending'}: {printable(str(outcome['message']))}", "  ")
    say_facts({name: value for name, value in outcome.items() if name not in ("done", "message")})


def say_rows(rows: Sequence[Json], none: str) -> None:
    """Print rows as a table, or that there are none."""
    if not rows:
        say(none)
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_shown(name, row.get(name)) for name in names] for row in rows]
    columns = [
        Column(printable(_titled(name)), "right" if all(set(row[at]) <= NUMERIC for row in cells) else "left")
        for at, name in enumerate(names)
    ]
    say_table(columns, cells)


def _lines(facts: Json, prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _lines(value, f"{prefix}{name}.")
        else:
            yield printable(f"{prefix}{_titled(name)}"), _shown(name, value)


def _titled(name: str) -> str:
    return name.removesuffix("_ns") if name.endswith(INSTANT) else name


def _shown(name: str, value: object) -> str:
    return instant(value) if name.endswith(INSTANT) and isinstance(value, int) else _text(value)


def _text(value: Any) -> str:  # Any: whatever JSON holds.
    if value is None or value == "":
        return "-"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "-"
    return printable(str(value))
