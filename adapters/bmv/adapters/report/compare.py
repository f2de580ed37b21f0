"""Two runs side by side: what came out differently, and what was different about them."""

from pathlib import Path

import orjson
from rich.console import Console, Group, RenderableType
from rich.text import Text

from bmv.adapters.report.sheet import Row, Unit, headline, in_words, no_ratios, sections
from bmv.adapters.report.streams import say_json
from bmv.adapters.report.tables import Column, Grid
from bmv.data.runs.contracts import units
from bmv.data.runs.folder import config_text, manifest_of, parsed, read_summary
from bmv.data.runs.numbers import Json
from bmv.data.runs.outcome import described
from bmv.data.runs.summary import Summary
from bmv.data.runs.wording import UNKNOWN


def compare(a: Path, b: Path, as_json: bool) -> None:
    """Print how run `b` differs from run `a`: a table, or with `as_json` nothing but JSON.

    Raises `UsageError` or `DataError` when either is not the folder of a run.
    """
    difference = differences(a, b)
    if as_json:
        say_json(orjson.dumps(difference, option=orjson.OPT_INDENT_2))
    else:
        Console().print(difference_table(difference, a, b))


def differences(a: Path, b: Path) -> Json:
    """Return both runs' figures and what sets them apart.

    Keys: `same_digest`, `same_data`, `strategies` (what the manifests say of them), `warnings`, `no_ratios` (why
    either has no ratios, None where it has), `figures` (`section`,
    `label`, `unit`, `a`, `b`, `difference` = b - a, None where either is not known) and `config` (dotted key:
    [in a, in b], None where it is not set).
    """
    summaries = read_summary(a), read_summary(b)
    configs = [flat(parsed(config_text(run_dir), run_dir)) for run_dir in (a, b)]
    prints = [data_print(run_dir, summary) for run_dir, summary in zip((a, b), summaries, strict=True)]
    same_data = prints[0] == prints[1]
    return {
        "units": units(summaries[0]),
        "symbols": [summary.get("symbol") for summary in summaries],
        "digests": [summary.get("digest") for summary in summaries],
        "same_digest": summaries[0].get("digest") == summaries[1].get("digest"),
        "same_data": same_data,
        "strategies": [manifest_of(run_dir).get("strategy", UNKNOWN) for run_dir in (a, b)],
        "warnings": [] if same_data else ["The runs did not read the same data: results of different markets."],
        "no_ratios": [no_ratios(summary.get("statistics", {})) for summary in summaries],
        "figures": _figures(*summaries),
        "config": {
            key: [configs[0].get(key), configs[1].get(key)]
            for key in sorted(configs[0].keys() | configs[1].keys())
            if configs[0].get(key) != configs[1].get(key)
        },
    }


def data_print(run_dir: Path, summary: Summary) -> Json:
    """Return what tells one run's data from another's: period and counts, and the files' hashes where kept."""
    files = manifest_of(run_dir).get("data", [])
    hashes = [file.get("sha256") for file in files if isinstance(file, dict)] if isinstance(files, list) else files
    names = ("symbol", "first_ns", "last_ns", "events", "trades", "quotes")
    return {"files": hashes} | {name: summary.get(name) for name in names}


def flat(tree: Json, above: str = "") -> Json:
    """Return nested tables as one, by dotted key.

    >>> flat({"grid": {"bid": {"levels": 3}}, "version": 1})
    {'grid.bid.levels': 3, 'version': 1}
    """
    found: Json = {}
    for name, value in tree.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
    return found


def _figures(a: Summary, b: Summary) -> list[Json]:
    return [
        {
            "section": section,
            "label": ours.label,
            "unit": ours.unit,
            "a": ours.value,
            "b": theirs.value,
            "difference": None if ours.value is None or theirs.value is None else theirs.value - ours.value,
        }
        for (section, ours), (_, theirs) in zip(_rows(a), _rows(b), strict=True)
    ]


def _rows(summary: Summary) -> list[tuple[str, Row]]:
    return [("Headline", row) for row in headline(summary)] + [
        (section.title, row) for section in sections(summary) for row in section.rows
    ]


def difference_table(difference: Json, a: Path, b: Path) -> RenderableType:
    """Return what a terminal shows of :func:`differences`."""
    parts: list[RenderableType] = [Text(f"! {warning}", style="yellow") for warning in difference["warnings"]]
    same = "the same, word for word" if difference["same_digest"] else "different"
    parts.append(Text(f"a = {a}\nb = {b}\ndecisions: {same} ({' | '.join(map(str, difference['digests']))})"))
    ours, theirs = difference["strategies"]
    if ours != theirs:
        parts.append(Text(f"strategies: {described(ours)} | {described(theirs)}"))
    parts.append(_figure_table(difference))
    parts += [Text(f"{name}: {reason}", style="dim") for name, reason in zip("ab", difference["no_ratios"], strict=True)
              if reason]  # fmt: skip
    if difference["config"]:
        parts.append(_config_table(difference["config"]))
    else:
        parts.append(Text("The configurations are equal.", style="dim"))
    return Group(*parts)


def _figure_table(difference: Json) -> Grid:
    table = Grid([Column("", "left"), *map(Column, ("a", "b", "b − a"))])
    title = ""
    for row in difference["figures"]:
        if row["section"] != title:
            title = row["section"]
            table.add(Text(title, style="bold cyan"))
        symbol = difference["units"]
        cells = [in_words(Row("", row[name], row["unit"]), symbol) for name in ("a", "b")]
        apart: Unit = "share" if row["unit"] == "part" else row["unit"]  # A difference of parts is no part.
        table.add(f"  {row['label']}", *cells, in_words(Row("", row["difference"], apart), symbol))
    return table


def _config_table(config: Json) -> Grid:
    table = Grid([Column(name, "left") for name in ("key", "a", "b")], "Configuration")
    for key, (ours, theirs) in config.items():
        table.add(key, _setting(ours), _setting(theirs))
    return table


def _setting(value: object) -> str:
    return UNKNOWN if value is None else str(value)
