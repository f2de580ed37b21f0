"""Machine code is kept and never stale: found by runs of copied rooms, each run in a process and a cache of its own."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bmv.backtest import codecache
from bmv.data.ticks.synth.synth import synth

ROOT = Path(__file__).parents[2]
ROOMS = ["ports", "core", "data", "adapters", "backtest", "live"]
ROWS = 3_000

# What a process prints of itself: what a tiny run came to, and which files may be compiled.
RUN = """
import importlib, json, pkgutil, sys
from numba.core.dispatcher import Dispatcher
import bmv
from bmv.backtest import Backtest, codecache

config, tape = sys.argv[1:]
runs = [Backtest(config, tape, engine=engine).run() for engine in ("fused", "reference")]
names = [m.name for m in pkgutil.walk_packages(bmv.__path__, "bmv.") if not m.name.endswith("__main__")]
things = [thing for name in names for thing in vars(importlib.import_module(name)).values()]
kernels = {
    f"{thing.__module__}.{thing.__qualname__}": thing.__code__.co_filename
    for thing in (t.py_func if isinstance(t, Dispatcher) else t for t in things
                  if isinstance(t, Dispatcher) or getattr(t, "__bmv_kernel__", False) is True)
}
print(json.dumps({
    "fused": runs[0].summary["digest"],
    "reference": runs[1].summary["digest"],
    "orders": runs[0].summary["orders"],
    "rooms": [file for name in names if (file := sys.modules[name].__file__)],
    "kernels": kernels,
    "sources": [str(path) for path in codecache.sources()],
    "folder": str(codecache.folder()),
}))
"""


class Told(NamedTuple):
    """What a process told of itself; see `RUN`."""

    fused: str
    reference: str
    orders: Any
    rooms: list[str]
    kernels: dict[str, str]
    sources: list[str]
    folder: Path


class House(NamedTuple):
    """A copy of the rooms, with a tape, a cache and a home of its own."""

    root: Path
    tape: Path

    @property
    def grid(self) -> Path:
        """The file of a verb that decides."""
        return self.root / "core" / "bmv" / "core" / "grid.py"

    def run(self) -> Told:
        """Run the tape in a new process, which sees these rooms alone."""
        home = str(self.root / "home")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")} | {
            "PYTHONPATH": os.pathsep.join(str(self.root / room) for room in ROOMS),
            "PYTHONDONTWRITEBYTECODE": "1",  # Or an edit within a second of another might not be seen by Python itself.
            "BMV_CACHE_DIR": str(self.root / "cache"),
            "HOME": home,
            "XDG_CACHE_HOME": home,
        }
        command = [sys.executable, "-c", RUN, str(ROOT / "docs" / "examples" / "demo.toml"), str(self.tape)]
        done = subprocess.run(command, env=environment, cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        return Told(**told | {"folder": Path(told["folder"])})

    def written(self) -> dict[str, int]:
        """Return when each file of the cache was written last, ns."""
        files = (path for path in (self.root / "cache").rglob("*") if path.is_file())
        return {str(path): path.stat().st_mtime_ns for path in files}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The rooms, copied."""
    root = tmp_path_factory.mktemp("house")
    for room in ROOMS:
        shutil.copytree(ROOT / room, root / room, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "home").mkdir()
    return House(root, synth(root / "lake", seed=3, rows=ROWS)[0])


@pytest.fixture(scope="module")
def first(house: House) -> Told:
    """What the unchanged rooms tell; their loop is compiled for it."""
    return house.run()


def imports(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the (module, name) of every import of ours in `file`."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bmv."):
            yield from ((str(node.module), alias.name) for alias in node.names)


def test_every_verb_that_may_be_compiled_lies_in_a_source_of_the_fingerprint(house: House, first: Told) -> None:
    strangers = {name: file for name, file in first.kernels.items() if file not in first.sources}

    assert strangers == {}
    assert len(first.kernels) > 50
    assert not [file for file in first.rooms + first.sources if not Path(file).is_relative_to(house.root)]


def test_no_number_that_is_compiled_comes_from_a_file_that_the_fingerprint_does_not_know() -> None:
    """A global number is a part of the machine code, so that the file that defines it is a source as well."""
    sources = {str(path) for path in codecache.sources()}
    numbers = {
        f"{module}.{name}": import_module(module).__file__
        for path in codecache.sources()
        for module, name in imports(path)
        if isinstance(getattr(import_module(module), name, None), int | float | tuple)
    }

    strangers = {name for name, file in numbers.items() if file not in sources}

    assert strangers == set()
    assert len(numbers) > 30


def test_an_edited_verb_is_compiled_anew_and_the_edit_undone_compiles_nothing(house: House, first: Told) -> None:
    text = house.grid.read_text("utf-8")
    other = text.replace("NUDGE = 1e-9 ", "NUDGE = 0.5 ")
    kept = house.written()

    house.grid.write_text(other, "utf-8")
    edited = house.run()
    both = house.written()
    house.grid.write_text(text, "utf-8")
    again = house.run()

    assert other != text
    assert first.orders
    assert first.fused == first.reference
    assert edited.fused == edited.reference != first.fused
    assert edited.folder != first.folder
    assert again == first
    assert kept
    assert both.items() > kept.items()
    assert house.written() == both


def test_with_a_cache_of_its_own_a_run_leaves_the_home_of_the_user_alone(house: House, first: Told) -> None:
    assert first.folder.is_relative_to(house.root / "cache")
    assert list(first.folder.rglob("*.nbi"))
    assert list((house.root / "home").iterdir()) == []
