"""How the environment is filled: uv fetches from where pip would have fetched."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SPEC = spec_from_file_location("install", ROOT / "install.py")
assert SPEC is not None
assert SPEC.loader is not None
install = module_from_spec(SPEC)
SPEC.loader.exec_module(install)

FILE = """
[global]
index-url = https://file.example/simple
find-links = /one /two

[install]
trusted-host = a.example b.example
"""


def test_uv_is_told_of_every_index_that_pip_knows_and_the_environment_of_pip_wins(tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(FILE)
    env = {**os.environ, "PIP_CONFIG_FILE": str(config), "PIP_INDEX_URL": "https://env.example/simple"}
    env |= {"PIP_EXTRA_INDEX_URL": "https://more.example/simple file:///mirror/simple", "PIP_FIND_LINKS": ""}
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, env=env, check=True).stdout
    except subprocess.CalledProcessError:
        pytest.skip("this environment has no pip")

    told = install.uv_environment(install.pip_settings(listing), {})

    assert told["UV_DEFAULT_INDEX"] == "https://env.example/simple"
    assert told["UV_INDEX"] == "https://more.example/simple file:///mirror/simple"
    assert told["UV_INSECURE_HOST"] == "a.example b.example"


def test_what_uv_was_told_itself_wins_over_what_pip_was_told() -> None:
    told = install.uv_environment({"index-url": "https://pip.example"}, {"UV_DEFAULT_INDEX": "https://uv.example"})

    assert told["UV_DEFAULT_INDEX"] == "https://uv.example"


def test_folders_of_wheels_are_listed_as_uv_lists_them() -> None:
    assert install.uv_environment({"find-links": "/one\n/two"}, {})["UV_FIND_LINKS"] == "/one,/two"


def test_uv_is_pinned_and_hashed_like_everything_else() -> None:
    lock = (ROOT / "requirements.uv.lock").read_text()

    assert "\nuv==" in lock
    assert lock.count("--hash=sha256:") > 10
