"""What is wrong with a configuration, said so that its operator can mend it: one line a problem, all at once."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bmv.adapters.config.fields import Section, keys_of, limits_of, section_of, sections_within, unit_of
from bmv.adapters.config.masking import mask_text, mask_value
from bmv.adapters.config.schema import REPLACED, Choice, Span
from bmv.ports.errors import ConfigError

SHOWN_MAX = 60  # Letters of a wrong value that a message repeats.
FORMS: dict[str, list[type[Section]]] = {"the list": [], "the values": [Choice], "the range": [Span]}  # Of an axis.
AXES = "sweep.parameters."
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "Decimal": "a number",
    "str": "a string",
    "bool": "true or false",
}


def refuse(problems: Iterable[str], source: str) -> None:
    """Raise `ConfigError` with one line a problem, each naming `source`, unless there is none; none holds a secret."""
    lines = [mask_text(f"{source}: {each}") for each in problems]
    if lines:
        raise ConfigError("\n".join(lines))


def explain(error: ValidationError, root: type[Section], where: Callable[[str], str]) -> list[str]:
    """Return one line for each problem pydantic found; `where(key)` tells who gave the value."""
    return list(dict.fromkeys(_line(each, root, where) for each in error.errors(include_url=False)))


def at_fault(error: ValidationError, root: type[Section]) -> list[str]:
    """Return the dotted key of each problem pydantic found; that of the list where it lies in one."""
    found = (_walk(each["loc"], root)[0] for each in error.errors(include_url=False))
    return list(dict.fromkeys(path.partition("[")[0] for path in found))


def concerns(problem: str, key: str) -> bool:
    """Tell whether what :func:`~bmv.adapters.config.check.check` said is about a dotted key, or about its table.

    >>> concerns("grid: 6 levels in all, but at most 3", "grid.bid.levels"), concerns("pivot.window_s = 3: …", "grid")
    (True, False)
    """
    head = problem.partition(":")[0].partition(" = ")[0]
    return key in problem or key.startswith(f"{head}.")


def _line(detail: ErrorDetails, root: type[Section], where: Callable[[str], str]) -> str:
    path, field, section = _walk(detail["loc"], root)
    origin = where(path.partition("[")[0])
    if detail["type"] == "extra_forbidden":
        return f"{path}: unknown key{origin}{_hint(path, detail['loc'], root)}"
    if detail["type"] == "missing":
        return f"{path}: missing; {_about(field)}"
    if detail["type"] in ("union_tag_not_found", "union_tag_invalid"):
        return f"{path}.model{origin}: expected one of constant, random, recorded, landing"
    unknown = "a list of values, {low, high, …} or {values, …}" if path.startswith(AXES) else detail["msg"]
    wanted = f"a table [{path}]" if section else expected(field) if field else unknown
    reason = detail.get("ctx", {}).get("error")
    because = f" ({reason})" if reason else ""
    return f"{path} = {shown(detail['input'])}{origin}: expected {wanted}{because}"


def _hint(path: str, loc: tuple[int | str, ...], root: type[Section]) -> str:
    """Return what an unknown key may have meant."""
    if path.startswith(AXES):
        return f"; known here: {', '.join(Span.model_fields)}, or values"
    if "[" not in path:
        return nearest(path, root)
    _, holder, _ = _walk(loc[:-1], root)
    known = sections_within(holder.annotation) if holder else []
    return f"; known here: {', '.join(known[0].model_fields)}" if known else ""


def _walk(loc: tuple[int | str, ...], root: type[Section]) -> tuple[str, FieldInfo | None, bool]:
    """Return the dotted key of `loc` without pydantic's tags, its field if known, and whether that is a table."""
    choices, field, path = [root], None, list[str]()
    for part in loc:
        if isinstance(part, int) and path:  # Of a list, whose field says what lies in it.
            path[-1] += f"[{part}]"
            continue
        known = next((s.model_fields[str(part)] for s in choices if str(part) in s.model_fields), None)
        if str(part) in FORMS:
            choices = FORMS[str(part)]
            continue
        if known is None and field is not None and _is_tag(str(part), choices):
            continue
        path.append(str(part))
        field = known
        choices = sections_within(known.annotation) if known else []
    return ".".join(path), field, field is not None and section_of(field.annotation) is not None


def _is_tag(part: str, choices: list[type[Section]]) -> bool:
    """Tell whether pydantic put `part` into the path to say which form of a value it tried."""
    tags = [get_args(s.model_fields["model"].annotation) for s in choices if "model" in s.model_fields]
    return any(part in each for each in tags) or part in {s.__name__ for s in choices} or part.startswith("list[")


def _about(field: FieldInfo | None) -> str:
    if field is None:
        return "it must be given"
    text = (field.description or "").rstrip(".")
    inner = section_of(field.annotation)
    return f"a table: {text}" if inner else f"expected {expected(field)}: {text}"


def expected(field: FieldInfo) -> str:
    """Say what a key may hold, with unit and range, as in `a number (bps), from 0, under 10000`."""
    unit = unit_of(field)
    limits = range_of(field)
    return kind_of(field.annotation) + (f" ({unit})" if unit else "") + (f", {limits}" if limits else "")


def kind_of(annotation: Any) -> str:  # Any: an annotation may be anything.
    """Say what values an annotation takes, in words."""
    if get_origin(annotation) is Literal:
        choices = [str(each) for each in get_args(annotation)]
        return f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]
    if get_origin(annotation) in (list, dict):
        return "a list" if get_origin(annotation) is list else "a table"
    alternatives = [each for each in get_args(annotation) if each is not type(None)]
    if found := sections_within(annotation):
        return "a number or a table with a model" if "model" in found[0].model_fields else "a table"
    if alternatives:
        return " or ".join(kind_of(each) for each in alternatives if not callable(getattr(each, "func", None)))
    return KINDS.get(getattr(annotation, "__name__", ""), "a value")


def range_of(field: FieldInfo) -> str:
    """Say the limits of a key, as in `from 0, under 10000`; empty if it has none."""
    words = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "under {}", "form": "in the form {}"}
    limits = limits_of(field)
    parts = [words[name].format(_plain(limits[name])) for name in words if name in limits]
    between = " " if "ge" in limits and "le" in limits else ", "
    return between.join(parts)


def _plain(limit: object) -> str:
    return f"{limit:g}" if isinstance(limit, float) else str(limit)


def shown(value: object) -> str:
    """Return `value` as the file would write it, shortened and without secrets."""
    words = {True: "true", False: "false", None: "nothing"}
    text = words[value] if isinstance(value, bool | None) else str(value)
    text = f'"{mask_value(text)}"' if isinstance(value, str) else mask_value(text)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 1]}…"


def nearest(path: str, root: type[Section]) -> str:
    """Suggest the known key that is spelt most like `path`: first in its own table, then by its last word anywhere.

    The table that it stands in is none: who wrote `grid.bid.typo` meant a key of it. Of a key of before it says what
    took its place.
    """
    if path in REPLACED:
        return f"; {REPLACED[path]}"
    names = [name for name, _ in keys_of(root)]
    tables = sorted({name[:i] for name in names for i, letter in enumerate(name) if letter == "."})
    above, _, last = path.rpartition(".")
    beside = {name.rpartition(".")[2]: name for name in names + tables if name.rpartition(".")[0] == above}
    if above and beside:
        close = [beside[name] for name in get_close_matches(last, beside, n=1)]
    else:
        close = get_close_matches(path, names + tables, n=1, cutoff=0.75)
    elsewhere = [name for name in names if name.rpartition(".")[2] == last]
    hint = elsewhere if len(elsewhere) == 1 else close or elsewhere
    if hint:
        return f"; did you mean {' or '.join(hint[:2])}?"
    return f"; known here: {', '.join(beside)}" if above and beside else ""
