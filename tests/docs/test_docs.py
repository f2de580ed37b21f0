"""The documentation is held to its word: links lead somewhere, commands and code run, the tests it names exist."""

import json
import re
import shlex
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bmv.adapters.cli.main import main
from bmv.backtest import Backtest
from bmv.data.ticks.synth.synth import synth

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ROOMS = ("ports", "core", "data", "adapters", "backtest", "live")
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / room / "README.md" for room in ROOMS)])
NOTEBOOK = DOCS / "notebook.ipynb"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROWS = 5_000  # Of a tape that a page makes up without saying how long.


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page in one language."""
    return [text for tongue, text in BLOCK.findall(page.read_text("utf-8")) if tongue == language]


def prose(page: Path) -> str:
    """Return the text of a page, or of a notebook's pages, without its code blocks."""
    return BLOCK.sub("", "\n".join(cells("markdown")) if page == NOTEBOOK else page.read_text("utf-8"))


def cells(kind: str) -> list[str]:
    """Return the sources of the notebook's cells of one kind."""
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def anchors(page: Path) -> set[str]:
    """Return where links within a page may lead: its headings as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a fresh copy in which `make demo` has made a tape; the test stands in it."""
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("images", "decisions"))
    synth(tmp_path / "runs" / "demo" / "lake", rows=ROWS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_is_something_to_hold() -> None:
    assert {"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/index.md"} <= set(map(named, PAGES))
    assert len(PAGES) > 20


@pytest.mark.parametrize("page", [*PAGES, NOTEBOOK], ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        there = page.parent / path if path else page
        if "://" in link:
            continue
        if not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(link)

    assert lost == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent == DOCS and page.stem != "index"], ids=named)
def test_every_page_is_found_from_the_table_of_contents(page: Path) -> None:
    assert page.name in LINK.findall((DOCS / "index.md").read_text("utf-8"))


def test_every_decision_is_found_from_their_list() -> None:
    found = LINK.findall((DOCS / "decisions" / "index.md").read_text("utf-8"))

    assert found == sorted(page.name for page in (DOCS / "decisions").glob("0*.md"))


def test_every_test_that_is_named_exists() -> None:
    tests = "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^(?:    )?def (test_\w+)", tests, re.MULTILINE))

    told = {name for page in PAGES for name in re.findall(r"`(test_\w+)`", prose(page))}

    assert told - there == set()
    assert len(told) > 40


def test_the_code_map_has_every_module() -> None:
    code_map = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    modules = [file for room in ROOMS for file in (ROOT / room / "bmv" / room).rglob("*.py")]
    names = [
        file.relative_to(ROOT / room / "bmv" / room).with_suffix("").as_posix()
        for room in ROOMS
        for file in modules
        if file.is_relative_to(ROOT / room) and file.name != "__init__.py"
    ]

    assert [name for name in names if f"`{name}`" not in code_map] == []
    assert len(names) > 50


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "toml")], ids=named)
def test_every_block_of_toml_can_be_read(page: Path) -> None:
    assert all(tomllib.loads(text) for text in blocks(page, "toml"))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")], ids=named)
def test_commands_do_what_they_say(page: Path, house: Path) -> None:
    lines = [line.removeprefix("$ ") for text in blocks(page, "console") for line in text.splitlines()]
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    synth(house / "lake", rows=ROWS)

    for line in lines:
        command, *words = shlex.split(line)
        if command == "make":
            assert set(words) <= set(targets)
        elif command == "bmv":
            short = ["--rows", str(ROWS)] if words[:2] == ["data", "synth"] and "--rows" not in words else []
            assert main([*words, *short]) == 0, line
        else:
            assert line == "source .venv/bin/activate"


def test_the_demo_loses_against_holding_as_its_pages_say(tmp_path: Path) -> None:
    tape = synth(tmp_path / "lake")  # That of `make demo`.

    summary = Backtest(DOCS / "examples" / "demo.toml", data=tape).run().summary

    after = {row["horizon_s"]: row for row in summary["statistics"]["markouts"] if row["side"] is None}
    rebate_bps = 0.5
    assert float(summary["net_vs_hold"]) < 0
    assert all(after[horizon_s]["high_bps"] < 0 for horizon_s in (1, 5, 30))
    assert after[5]["mean_bps"] < -rebate_bps
    assert summary["fills"] > 1_000


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=named)
def test_every_block_of_python_runs(page: Path, house: Path) -> None:
    names: dict[str, Any] = {"__name__": page.stem}

    for text in blocks(page, "python"):
        exec(compile(text, named(page), "exec"), names)

    assert len(names) > 2


def test_the_notebook_runs_as_plain_python(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house / "docs")
    names: dict[str, Any] = {"__name__": "notebook"}

    for text in cells("code"):
        exec(compile(text, NOTEBOOK.name, "exec"), names)

    assert len(names["result"].fills) > 100


def test_the_notebook_was_executed_and_stays_small() -> None:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    counts = [cell["execution_count"] for cell in notebook["cells"] if cell["cell_type"] == "code"]

    assert counts == list(range(1, len(counts) + 1))
    assert NOTEBOOK.stat().st_size < 400_000


def test_pictures_stay_small() -> None:
    pictures = list((DOCS / "images").iterdir())

    assert pictures
    assert [picture.name for picture in pictures if picture.stat().st_size > 400_000] == []


@pytest.mark.parametrize("page", [*PAGES, NOTEBOOK], ids=named)
def test_no_page_knows_the_machine_it_was_written_on(page: Path) -> None:
    assert re.findall(r"(?<![\w.])/(?:home|root|work|tmp|Users)/\S*", page.read_text("utf-8")) == []
