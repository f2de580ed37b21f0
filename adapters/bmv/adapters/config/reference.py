"""The reference page of the configuration, made from the schema: one row a key.

`python -m bmv.adapters.config.reference > docs/configuration.md` makes it anew.
"""

from collections.abc import Iterator

from pydantic.fields import FieldInfo

from bmv.adapters.config.dump import inline
from bmv.adapters.config.fields import Section, section_of, unit_of
from bmv.adapters.config.problems import kind_of, range_of
from bmv.adapters.config.schema import (
    Choice,
    Config,
    ConstantLatency,
    Contract,
    LandingLatency,
    PriceLeg,
    PriceSource,
    RandomLatency,
    RecordedLatency,
    Span,
    TapeOf,
)

HEAD = """\
# Configuration

One TOML file for every mode. A value comes from the first of these that gives it: `--set key=value`, the environment
(`BMV__SECTION__KEY`, as in `BMV__GRID__BID__LEVELS=8`), the file, the default. Unknown keys are refused. Amounts are
decimal strings or numbers, and exact: `0.1` means 0.1. Secrets never stand in the file.

A relative path in the file is looked for beside the file, then where the command runs. One given by `--set` or the
environment is looked for where the command runs, as a shell would, then beside the file.

`bmv init` writes a starter, `bmv config check FILE` finds every mistake at once, `bmv config show FILE` prints each key
with its value and its origin, `bmv config schema` prints a JSON schema for editors.

"bps" are 1/10,000 of the pivot unless the key says otherwise; "-" is no unit, no limit, or absent. This page is made
from the schema: edit that, then `make docs`.
"""
SPANS = "Instead of a list of values, `[sweep.parameters]` takes a table of these keys, or of those under it."
TAPES = "`[[sweep.tapes]]` has these keys, as often as there are tapes."
CONTRACTS = """\
`market.contract` is a table of these keys. Without it a unit of size is a unit of base.

Money of an inverse market is base: `start_quote` is the base held as margin, `max_loss` a loss in base, and
`max_order_notional` and `max_total_notional` are of what the contracts are worth in base, `size / price` each. See
[simulation.md](simulation.md#contracts).
"""
SOURCES = """\
`live.prices.sources` is a list of names, or of tables of these keys; a name is a table that says nothing else. A price
in another unit than the wanted one takes a `leg` or `par_bps`: SOL/USDT is not SOL/USDC. See [prices.md](prices.md).
"""
LEGS = "The keys of a `leg`:"
LATENCIES = "A latency is a number of milliseconds, or a table of one of these forms."


def page() -> str:
    """Return the page as Markdown."""
    forms: tuple[type[Section], ...] = (
        ConstantLatency,
        RandomLatency,
        RecordedLatency,
        LandingLatency,
    )
    parts = [HEAD, *_tables("", Config), "## Latencies\n", LATENCIES + "\n"]
    for section in forms:
        parts += [f"### {(section.__doc__ or '').strip().rstrip('.')}\n", *_rows(section)]
    parts += ["## Contracts\n", CONTRACTS, *_rows(Contract)]
    parts += ["## Sources of prices\n", SOURCES, *_rows(PriceSource), LEGS + "\n", *_rows(PriceLeg)]
    parts += ["## Ranges of a sweep\n", SPANS + "\n", *_rows(Span), *_rows(Choice)]
    parts += ["## Tapes of a sweep\n", TAPES + "\n", *_rows(TapeOf)]
    return "\n".join(parts)


def _tables(path: str, section: type[Section]) -> Iterator[str]:
    title = f"[{path}]" if path else "Top of the file"
    plain = any(section_of(field.annotation) is None for field in section.model_fields.values())
    if plain:
        yield f"## `{title}`\n" if path else f"## {title}\n"
        yield (section.__doc__ or "").strip() + "\n"
        yield from _rows(section)
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner:
            yield from _tables(f"{path}.{name}" if path else name, inner)


def _rows(section: type[Section]) -> Iterator[str]:
    yield "| key | what it is | kind | unit | range | default |\n|---|---|---|---|---|---|"
    for name, field in section.model_fields.items():
        if section_of(field.annotation) is None:
            unit, limits = unit_of(field) or "-", range_of(field)
            cells = (f"`{name}`", field.description or "", kind_of(field.annotation), unit, limits, _default(field))
            yield "| " + " | ".join(each.replace("|", "\\|") or "-" for each in cells) + " |"
    yield ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.default
    if value is None:
        return "absent"
    value = value.ms if isinstance(value, ConstantLatency) else value
    return f"`{value:g}`" if isinstance(value, float) else f"`{inline(value)}`"


if __name__ == "__main__":
    print(page(), end="")
