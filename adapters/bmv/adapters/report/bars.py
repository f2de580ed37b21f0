"""How far a command is, on a terminal: bars that are gone when it ends, and nothing in a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn


@contextmanager
def rows_bar(quiet: bool, count: Callable[[], int] | None = None) -> Iterator[Callable[[int], None] | None]:
    """Give what takes how many rows more were read, and shows how many there are by now.

    Args:
        quiet: Nothing is shown, as in a pipe.
        count: Says of how many; asked only where they are shown. None: nobody knows.
    """
    if not _watched(quiet):
        yield None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns: tuple[ProgressColumn, ...] = (SpinnerColumn(), TextColumn("{task.completed:,} rows"), TimeElapsedColumn())
    with _bar(*(Progress.get_default_columns() if count else columns)) as bar:
        task = bar.add_task("rows", total=count() or None if count else None)
        yield lambda rows: bar.advance(task, rows)


@contextmanager
def bytes_bar(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Give what takes the name of a file, how many bytes of it are there and of how many, and shows a bar each."""
    if not _watched(quiet):
        yield lambda name, there, whole: None
        return
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn

    with _bar(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()) as bar:
        tasks = dict[str, Any]()  # Any: an id of rich's own.

        def show(name: str, there: int, whole: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name)
            bar.update(tasks[name], completed=there, total=whole or None)

        yield show


@contextmanager
def share_bar(quiet: bool, name: str) -> Iterator[Callable[[float], None] | None]:
    """Give what takes the share that is done, 0 to 1, and shows it."""
    if not _watched(quiet):
        yield None
        return
    with _bar() as bar:
        task = bar.add_task(name, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _watched(quiet: bool) -> bool:
    return not quiet and sys.stderr.isatty()


def _bar(*columns: "ProgressColumn") -> "Progress":
    from rich.console import Console
    from rich.progress import Progress

    return Progress(*columns, console=Console(stderr=True), transient=True)
