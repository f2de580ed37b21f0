"""Many files checked: what was found in each, which are unusable, and the holes between the days of a market."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bmv.data.files.walk import day_named, files_below
from bmv.data.ticks.check.check import between
from bmv.data.ticks.check.inspection import Inspection, inspect
from bmv.data.ticks.importers import Options
from bmv.data.ticks.lake.intake import Progress
from bmv.data.ticks.quality import Hole
from bmv.data.ticks.steps import Pair
from bmv.ports.errors import DataError


class Check(NamedTuple):
    """One file: what was found in it, and why it can't be used, empty where it can."""

    path: Path
    inspection: Inspection | None
    error: str

    def as_dict(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return all of it as JSON-able values."""
        told = {"file": str(self.path), "usable": not self.error} | ({"error": self.error} if self.error else {})
        return told | (self.inspection.as_dict() if self.inspection else {})


def files_of(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files that paths mean: as given, or below a folder."""
    for path in paths:
        yield from files_below(path)


def inspect_file(
    path: Path, given: Pair, form: str | None, options: Options, max_bad_share: float, progress: Progress | None = None
) -> Check:
    """Look at one file; that it can't be read is a finding as well."""
    try:
        found = inspect(path, *given, form, options, max_bad_share, progress)
    except DataError as error:
        return Check(path, None, str(error))
    return Check(path, found, found.refusal)


class Checks:
    """What was found in some files."""

    def __init__(self) -> None:
        self.files = list[Check]()

    def add(self, check: Check) -> None:
        """Keep what was found in one more."""
        self.files.append(check)

    def unusable(self) -> list[str]:
        """Return why files can't be used, a line each."""
        return [check.error for check in self.files if check.error]

    def between_days(self) -> dict[Path, list[Hole]]:
        """Return the holes between the days of each folder."""
        spans = dict[Path, list[tuple[int, int]]]()
        for path, inspection, _ in self.files:
            if inspection and day_named(path):
                spans.setdefault(path.parent, []).append((inspection.findings.first_ns, inspection.findings.last_ns))
        return {folder: between(sorted(days)) for folder, days in spans.items()}

    def as_dict(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return all of it as JSON-able values."""
        holes = [
            {"folder": str(folder), **gap._asdict()} for folder, gaps in self.between_days().items() for gap in gaps
        ]
        return {"files": [check.as_dict() for check in self.files], "between_days": holes}
