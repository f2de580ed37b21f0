"""`docs/chain.md`, followed line by line as somebody would who meets the sandbox for the first time."""

import re
import shlex
from pathlib import Path

import pytest
from sandboxes import running

from bmv.adapters.cli.main import main
from bmv.adapters.sandbox.wiring import Settings

PAGE = Path(__file__).parents[3] / "docs" / "chain.md"
COMMAND = re.compile(r"^\$ bmv (chain .*)$", re.MULTILINE)
ASKS = ("setup", "cancel-all", "settle", "close")


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_whoever_follows_the_page_is_led_from_setting_up_to_closing(
    venue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = COMMAND.findall(PAGE.read_text(encoding="utf-8"))
    assert [line.split()[1] for line in lines] == ["setup", "balances", "orders", "cancel-all", "settle", "close"]

    with running(Settings(venue=venue, speed=20), tmp_path) as it:
        for line in lines:
            words = [it.config if word == "sandbox/bmv.toml" else word for word in shlex.split(line)]
            if words[1] in ASKS and "--yes" not in words:
                words.append("--yes")
            assert main(words) == 0, line

    told = capsys.readouterr().out
    for words in ("done: the seat is set up", "done: no order of ours is left", "nothing to do", "SOL came back"):
        assert words in told
        assert words in PAGE.read_text(encoding="utf-8")
