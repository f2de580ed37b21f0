"""Where machine code is kept between runs, so that nothing is compiled twice and nothing stale is ever run.

Numba's cache is keyed by the file of the outermost function alone. Ours lies in a folder named by a hash of every
source that may be compiled into the loop, of Numba's version, of the processor and of the switches that change code.
A folder is written whole, with a checksum of each file in it, and never changed: what Numba reads are pickles and
machine code, so that files of others, and files that are damaged, are not read (:mod:`bmv.data.files.user_folders`).
"""

import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numba
from numba import njit
from numba.core.caching import FunctionCache

import bmv.adapters.sim
import bmv.core
import bmv.ports
from bmv.adapters.bookkeeping import ledger, recorder
from bmv.adapters.strategy import plugin
from bmv.data.files.hash import sha256
from bmv.data.files.user_folders import (
    CACHE_DIR,
    cache_path,
    danger_below,
    folder_for_code,
    moved,
    notice,
    private_folder,
)
from bmv.data.files.writing import is_draft, whole_folder
from bmv.data.runs import columns

KEPT = 4  # Folders of other versions that are left alone, those used last.
MACHINE_CODE, CODE, SEAL = "machine-code", "code", "sums.json"


def sources() -> list[Path]:
    """Return every file whose text may be compiled into the loop; a test holds every `@kernel` against this list."""
    packages = (bmv.core, bmv.ports, bmv.adapters.sim)
    here = Path(__file__).parent
    ours = [here / name for name in ("codecache.py", "fused.py")]
    ours += [Path(str(module.__file__)) for module in (ledger, recorder, columns, plugin)]
    return sorted(path for package in packages for path in Path(package.__path__[0]).glob("*.py")) + ours


def code_hash() -> str:
    """Return the hash of those sources: the identity of what decided a run."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def fingerprint() -> str:
    """Return the name of the folder: 16 hexadecimal digits."""
    # Machine code remembers the names of its modules: imported under another name, it is other code.
    # Numba also tells functions apart by the folder of their file.
    words = [
        __name__,
        str(Path(__file__).parent),
        numba.__version__,
        sys.version,
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
    ]
    words += [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("NUMBA_")]
    return hashlib.sha256("\0".join([code_hash(), *words]).encode()).hexdigest()[:16]


class Part(NamedTuple):
    """A function to be compiled.

    Args:
        function: Plain Python.
        signature: Numba's, with types in full.
        options: More words for `njit`.
    """

    function: Callable[..., Any]  # Any: its values are Numba's.
    signature: Any  # Any: Numba is hardly typed.
    options: Mapping[str, Any]  # Any: as above.


def folder() -> Path:
    """Return the folder of this code on this machine; `BMV_CACHE_DIR` moves its parent."""
    return cache_path() / MACHINE_CODE / fingerprint()


def machine_code(parts: Sequence[Part]) -> list[Any]:  # Any: as above.
    """Return the functions as machine code: that which is kept, else compiled now, and kept where that can be."""
    name, place = fingerprint(), folder_for_code(MACHINE_CODE)
    for each in dict.fromkeys(filter(None, (place, private_folder(MACHINE_CODE, make=False)))):
        if kept := _load(each / name, parts):
            return kept
    fresh = [_compiled(part) for part in parts]
    if place:
        _keep(place / name, parts, fresh)
    return fresh


def _load(entry: Path, parts: Sequence[Part]) -> list[Any] | None:  # Any: as above.
    """Return what a folder holds; None where it holds nothing. A damaged one is thrown away."""
    if not entry.is_dir():
        return None
    fault = danger_below(entry) or _damage(entry)
    if not fault:
        try:
            loaded = [_compiled(part, entry / CODE) for part in parts]
        except Exception as error:  # Whatever Numba and its pickles make of files that it can't use.
            fault = f"{type(error).__name__}: {' '.join(str(error).split())}"
        else:
            with suppress(OSError):  # It is root's.
                os.utime(entry)  # Used just now: others are forgotten first.
            return loaded
    notice(f"note: the machine code in {entry} is thrown away and made anew ({fault})")
    shutil.rmtree(entry, ignore_errors=True)
    return None


def _damage(entry: Path) -> str:
    """Return which file is not as it was written; empty where all are. Damaged machine code may do anything."""
    try:
        sums = json.loads((entry / SEAL).read_bytes())
        return "" if sums == _sums(entry / CODE) else "its files are not those that were written"
    except (OSError, ValueError) as error:
        return f"{SEAL}: {error}"


def _sums(code: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by its name."""
    return {path.relative_to(code).as_posix(): sha256(path) for path in sorted(code.rglob("*")) if path.is_file()}


def _compiled(part: Part, kept: Path | None = None) -> Any:  # Any: as above.
    """Return a function as machine code.

    Args:
        kept: Where Numba finds it compiled; `LookupError` if it does not.
    """
    function: Any = njit(**part.options)(part.function)  # Any: as above.
    if kept:
        with _cache_at(kept):
            function.enable_caching()
    function.compile(part.signature)
    if kept and not function.stats.cache_hits:
        raise LookupError(f"no code of {part.function.__name__}")
    function.disable_compile()
    return function


def _keep(entry: Path, parts: Sequence[Part], functions: Sequence[Any]) -> None:  # Any: as above.
    """Keep compiled functions: in `entry`, in a private folder if its disk takes nothing more, or nowhere."""
    try:
        _write(entry, parts, functions)
    except OSError as error:
        private = private_folder(MACHINE_CODE)
        if private is not None:
            try:
                _write(private / entry.name, parts, functions)
            except OSError:
                private = None
        notice(moved(entry.parent, str(error.strerror), private, CACHE_DIR))


def _write(entry: Path, parts: Sequence[Part], functions: Sequence[Any]) -> None:  # Any: as above.
    """Write a folder of machine code, whole or not at all, which nobody else may change; forget the oldest others."""
    with whole_folder(entry, (CODE, SEAL)) as draft:
        code = draft / CODE
        code.mkdir()
        with _cache_at(code):
            for part, function in zip(parts, functions, strict=True):
                cache: Any = FunctionCache(part.function)  # type: ignore[no-untyped-call]  # Any: as above.
                if not Path(cache.cache_path).is_relative_to(code):  # Numba went elsewhere: it can't write here.
                    raise OSError(errno.EACCES, os.strerror(errno.EACCES))
                cache.save_overload(part.signature, function.overloads[tuple(part.signature.args)])
        (draft / SEAL).write_text(json.dumps(_sums(code), indent=1) + "\n")
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
    others = [each for each in entry.parent.iterdir() if each != entry and not is_draft(each)]
    for stale in sorted(others, key=_used_ns, reverse=True)[KEPT:]:
        shutil.rmtree(stale, ignore_errors=True)


def _used_ns(entry: Path) -> int:
    try:
        return entry.stat().st_mtime_ns
    except OSError:  # Another process has just forgotten it.
        return 0


@contextmanager
def _cache_at(code: Path) -> Iterator[None]:
    """Have Numba keep in `code` what is cached meanwhile."""
    config: Any = numba.config  # Any: Numba makes its settings as it goes.
    before, config.CACHE_DIR = config.CACHE_DIR, str(code)
    try:
        yield
    finally:
        config.CACHE_DIR = before
