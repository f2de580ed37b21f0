"""Where machine code is kept between runs, so that nothing is compiled twice and nothing stale is ever run.

Numba's cache is keyed by the file of the outermost function alone. Ours lies in a folder named by a hash of every
source that may be compiled into the loop, of Numba's version, of the processor and of the switches that change code.
Import this module before any cached function is made.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numba
from platformdirs import user_cache_path

import bmv.adapters.sim
import bmv.core
import bmv.ports

KEPT = 4  # Folders of other versions that are left alone, the newest first.


def sources() -> list[Path]:
    """Return every file whose text may be compiled into the loop; a test holds every `@kernel` against this list."""
    packages = (bmv.core, bmv.ports, bmv.adapters.sim)
    here = Path(__file__).parent
    ours = [here / name for name in ("codecache.py", "fused.py", "ledger.py", "plugin.py", "recorder.py")]
    return sorted(path for package in packages for path in Path(package.__path__[0]).glob("*.py")) + ours


def code_hash() -> str:
    """Return the hash of those sources: the identity of what decided a run."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def product_hash() -> str:
    """Return the hash of all our code: whatever may have had a part in a run."""
    rooms = sorted(Path(room) for room in bmv.__path__)
    digest = hashlib.sha256()
    files = sorted((path.relative_to(room).as_posix(), path) for room in rooms for path in room.rglob("*.py"))
    for name, path in files:
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def fingerprint() -> str:
    """Return the name of the folder: 16 hexadecimal digits."""
    # Machine code remembers the names of its modules: imported under another name, it is other code.
    words = [__name__, numba.__version__, sys.version, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    words += [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("NUMBA_")]
    return hashlib.sha256("\0".join([code_hash(), *words]).encode()).hexdigest()[:16]


def folder() -> Path:
    """Return the folder of this code on this machine; `BMV_CACHE_DIR` moves its parent."""
    parent = os.environ.get("BMV_CACHE_DIR")
    return (Path(parent) if parent else user_cache_path("bmv")) / "machine-code" / fingerprint()


def use() -> Path:
    """Have Numba keep its machine code in :func:`folder`, and forget the oldest other folders."""
    here = folder()
    here.mkdir(parents=True, exist_ok=True)
    numba.config.CACHE_DIR = str(here)  # type: ignore[attr-defined]  # Numba makes its settings as it goes.
    others = sorted((p for p in here.parent.iterdir() if p != here), key=lambda p: p.stat().st_mtime, reverse=True)
    for stale in others[KEPT:]:
        shutil.rmtree(stale, ignore_errors=True)
    return here
