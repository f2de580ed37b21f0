"""Identifies the strategy of a run: its name, where it stands, and the hash of its text."""

import inspect
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bmv.data.files.hash import sha256 as sha256_of_file
from bmv.data.runs.numbers import Json

if TYPE_CHECKING:
    from bmv.core.engine import Strategy


def of_file(spelling: str) -> Json:
    """Return what tells the strategy `path.py:name` from others; the hash is that of its file."""
    path, _, name = spelling.rpartition(":")
    return {"name": name, "module": None, "file": path, "sha256": sha256_of_file(Path(path))}


def of_function(strategy: "Strategy") -> Json:
    """Return what tells a Python function from others, as far as its text does.

    The hash is that of the file it stands in, its helpers and constants included; of a function typed into a notebook
    it is that of its own text, and where no text is kept there is none. Values that a function closes over, and what
    was changed since its module was imported, are in no text.
    """
    function = _innermost(strategy)
    file = _file_of(function)
    return {
        "name": function.__qualname__,
        "module": function.__module__,
        "file": file and str(file),
        "sha256": sha256_of_file(file) if file else _hash_of_text(function),
    }


def spelling(strategy: "Strategy") -> str:
    """Return what an error calls a Python function.

    >>> spelling(_hash_of_text)
    'bmv.adapters.strategy.identity:_hash_of_text'
    """
    function = _innermost(strategy)
    return f"{function.__module__ or 'Python'}:{function.__qualname__}"


def _innermost(strategy: Any) -> Any:  # Any: whatever can be called.
    """Return the function or class whose text says what `strategy` does."""
    function = inspect.unwrap(strategy)
    while isinstance(function, partial):
        function = inspect.unwrap(function.func)
    return function if hasattr(function, "__qualname__") else type(function)


def _file_of(function: Any) -> Path | None:  # Any: as above.
    try:
        name = inspect.getsourcefile(function)
    except TypeError:  # It is built in.
        return None
    return Path(name) if name and Path(name).is_file() else None


def _hash_of_text(function: Any) -> str | None:  # Any: as above.
    try:
        return sha256(inspect.getsource(function).encode()).hexdigest()
    except (OSError, TypeError):  # It was made by `exec`, or is built in.
        return None
