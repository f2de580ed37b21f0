"""What a key of the configuration is made of: exact amounts, plain numbers, and a unit beside every range."""

from collections.abc import Iterator
from decimal import Context, Decimal, InvalidOperation
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

DECIMALS_MAX = 18
AMOUNT_MAX = Decimal(10**18)
EXACT = Context(prec=64)  # More digits than an amount within these bounds can have.


class Section(BaseModel):
    """One table of the configuration file; immutable, and it knows every key it may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _amount(value: object) -> object:
    """Turn a decimal string or a number into an exact `Decimal`; a float means what it prints, so 0.1 is 0.1."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError("not a number")
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("not a number") from None
    if not amount.is_finite() or not -AMOUNT_MAX <= amount <= AMOUNT_MAX:
        raise ValueError(f"beyond {AMOUNT_MAX:f}")
    exact = amount.normalize(EXACT)
    if exact != amount or (exact and int(exact.as_tuple().exponent) < -DECIMALS_MAX):
        raise ValueError(f"finer than {DECIMALS_MAX} decimals")
    return exact if exact else Decimal(0)


def _number(value: object) -> object:
    """Let an integer or a decimal stand where a float is meant; a `true` or a string may not."""
    return float(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


Amount = Annotated[Decimal, BeforeValidator(_amount)]
"""A size, a price or money: exact."""

Number = Annotated[float, BeforeValidator(_number)]
"""A distance, a ratio or a duration: a float."""


def key(text: str, default: Any = ..., *, unit: str = "", form: str = "", **limits: Any) -> Any:
    """Describe a key: what it is, its default (none: it must be given), its unit, its form and its limits (`ge`, …).

    Returns `Any`, as pydantic's own `Field` does, because the annotation says the type.
    """
    extra: JsonDict = {name: word for name, word in (("unit", unit), ("form", form)) if word}
    return Field(default, description=text, json_schema_extra=extra or None, **limits)


def section_of(annotation: object) -> type[Section] | None:
    """Return the section class that `annotation` names, if it names one and nothing else."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None


def sections_within(annotation: object) -> list[type[Section]]:
    """Return every section class among the alternatives of `annotation`, or of what it is a list of."""
    found = section_of(annotation)
    if found:
        return [found]
    if get_origin(annotation) in (Union, UnionType, Annotated, list):
        return [each for part in get_args(annotation) for each in sections_within(part)]
    return []


def keys_of(section: type[Section], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield `(dotted key, field)` for every key of `section` and the tables in it, in the order of the schema."""
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner:
            yield from keys_of(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def unit_of(field: FieldInfo) -> str:
    """Return the unit of a key, or an empty string."""
    return _extra(field).get("unit", "")


def limits_of(field: FieldInfo) -> dict[str, Any]:  # Any: a limit is of the key's own type.
    """Return the limits of a key: `ge`, `gt`, `le`, `lt` as pydantic names them, and `form` in words."""
    names = ("ge", "gt", "le", "lt")
    found = {n: getattr(m, n) for m in field.metadata for n in names if getattr(m, n, None) is not None}
    form = _extra(field).get("form")
    return {**found, "form": form} if form else found


def _extra(field: FieldInfo) -> dict[str, str]:
    extra = field.json_schema_extra
    return {name: str(word) for name, word in extra.items()} if isinstance(extra, dict) else {}
