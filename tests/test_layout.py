"""The house stays the house."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ["core", "ports", "adapters", "backtest", "live", "data"]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_holds_one_package_of_the_shared_namespace(room: str) -> None:
    """An ``__init__.py`` beside the room's package would hide every other room from the import system."""
    assert [p.name for p in (ROOT / room / "bmv").iterdir() if p.name != "__pycache__"] == [room]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_tells_type_checkers_that_it_is_typed(room: str) -> None:
    assert (ROOT / room / "bmv" / room / "py.typed").exists()


def test_the_lock_names_no_place_but_hashes() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()

    assert sum("--hash=sha256:" in line for line in lines) > len([line for line in lines if "==" in line]) > 30
    assert not [line for line in lines if "://" in line or "index-url" in line or "find-links" in line]


PLAIN = {
    "collections", "dataclasses", "decimal", "enum", "fractions", "functools", "math", "numpy", "operator", "typing",
}  # fmt: skip
MORE = {"core/bmv/core/kernel.py": {"ctypes", "numba"}}  # The mark on verbs that also compile.


@pytest.mark.parametrize("room", ["ports", "core"])
def test_ports_and_core_import_nothing_but_plain_reckoning(room: str) -> None:
    """Whoever needs a clock, a file or a log there takes it as an argument: a list of what is forbidden would let it in."""
    files = sorted((ROOT / room).rglob("*.py"))
    imported = {
        (path.relative_to(ROOT).as_posix(), name.partition(".")[0]) for path in files for name in _imports(path)
    }

    assert len(files) > 5
    assert {(path, name) for path, name in imported if name not in {"bmv", *PLAIN, *MORE.get(path, ())}} == set()


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            assert not node.level
            yield node.module
