"""The page about data is held to its word: its examples import, it names every form, and every key of a manifest."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from small_files import FIXTURES

from bmv.adapters.cli.main import main
from bmv.data.ticks.importers import FORMS
from bmv.data.ticks.importers.generic import KNOWN
from bmv.data.ticks.importers.meaning import ROLES, plain, role_of
from bmv.data.ticks.lake.lake import Lake

PAGE = (Path(__file__).parents[4] / "docs" / "data.md").read_text("utf-8")
EXAMPLES = [line for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) for line in block.splitlines()]


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_of_the_page_imports(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "databento" in line:
        pytest.importorskip("databento_dbn", reason="the extra databento is not installed")
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    command, *words = shlex.split(line)

    assert command == "bmv"
    assert main(words) == 0
    assert Lake(tmp_path / "lake").days()


def test_the_page_names_every_form_and_imports_one_of_each() -> None:
    told = re.findall(r"^\| `(\w+)` \| ", PAGE.split("### The forms")[1].split("###")[0], re.M)

    assert told == [form.name for form in FORMS]
    assert len(EXAMPLES) > len(FORMS)


def test_each_column_that_the_page_says_tells_rows_apart_is_known_to_tell_them_apart() -> None:
    table = PAGE.split("### Columns that say what a row is")[1].split("### What is guessed")[0]
    rows = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("|")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]

    known = {plain(name) for names in KNOWN.values() for name in names}
    assert {role_of(name) for name in named} >= set(ROLES)
    assert all(role_of(name) or plain(name) in known for name in named)


def test_the_page_explains_every_key_of_a_manifest(tmp_path: Path) -> None:
    words = ["--venue", "v", "--symbol", "X", "--tick-size", "0.01", "--lot-size", "0.25"]
    main(["data", "import", str(FIXTURES / "floats.parquet"), "--lake", str(tmp_path), *words])

    (manifest,) = tmp_path.rglob("*.json")
    for key in json.loads(manifest.read_text()).keys() - {"version"}:
        assert f"`{key}`" in PAGE, key
