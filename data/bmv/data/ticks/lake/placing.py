"""Days of a lake that take their places together, so that the disk is waited for once a folder and not once a day.

Each day's file is written beside its place and synced. Then, for all of them at once: the manifests of files that are
about to be replaced go, the files take their places, and their manifests are written, each of these steps durable
before the next. So whoever is cut off anywhere leaves days that are whole or not there, and no file of ours beside the
manifest of another. A manifest itself is not synced: one that a loss of power cut off can't be read, and is made again.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bmv.data.files.writing import sync, sync_folder
from bmv.data.ticks.schema import beside_of, manifest_path, writable


class Draft(NamedTuple):
    """A day's file, whole beside its place, and the text of its manifest."""

    path: Path
    half_done: Path
    manifest: str


class Placing:
    """Drafts that wait for their places; they may be added by several threads at once."""

    def __init__(self) -> None:
        self._drafts: list[Draft] = []

    def __len__(self) -> int:
        return len(self._drafts)

    def add(self, draft: Draft) -> None:
        """Put the bytes of a day on the disk and let it wait."""
        self._drafts.append(draft)
        with writable(draft.path):
            sync(draft.half_done)

    def place(self) -> None:
        """Let all that wait take their places; `StorageError` names the one that can't."""
        forgotten = [manifest for draft in self._drafts if (manifest := manifest_path(draft.path)).exists()]
        for manifest in forgotten:
            with writable(manifest):
                manifest.unlink()
        _sync_folders(forgotten)
        for draft in self._drafts:
            with writable(draft.path):
                draft.half_done.replace(draft.path)
        _sync_folders(draft.path for draft in self._drafts)
        for draft in self._drafts:
            manifest = manifest_path(draft.path)
            beside = beside_of(manifest)
            with writable(manifest):
                beside.write_text(draft.manifest)
                beside.replace(manifest)
        self._drafts = []

    def drop(self) -> None:
        """Remove the drafts that found no place."""
        for draft in self._drafts:
            with suppress(OSError):
                draft.half_done.unlink(missing_ok=True)
        self._drafts = []


@contextmanager
def placing() -> Iterator[Placing]:
    """Give drafts a place to wait; those that were added take theirs at the end, or are gone where something failed."""
    waiting = Placing()
    try:
        yield waiting
        waiting.place()
    finally:
        waiting.drop()


def _sync_folders(paths: Iterable[Path]) -> None:
    for folder in sorted({path.parent for path in paths}):
        with writable(folder):
            sync_folder(folder)
