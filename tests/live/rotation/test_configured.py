"""The configuration names the new key: its one line is written anew, and what is not understood is left alone."""

import tomllib
from pathlib import Path

import pytest

from bmv.live.rotation.configured import replaced

CHANGES = {"wallet": "/new.json"}


def written(folder: Path, text: str) -> Path:
    path = folder / "bmv.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (
            'a = 1\n[live]\nwallet = "old.json"\n[x]\nwallet = "old.json"\n',
            'a = 1\n[live]\nwallet = "/new.json"\n[x]\nwallet = "old.json"\n',
        ),
        (
            '[live] # Mine.\n  wallet="old.json"   # Hot "one".\nopen_orders = "A"\n',
            '[live] # Mine.\n  wallet="/new.json"   # Hot "one".\n',
        ),
        ("[live]\r\nwallet = 'old.json' # Hot.\r\n", '[live]\r\nwallet = "/new.json" # Hot.\r\n'),
        (
            '[live]\nwallet = "old.json"\n[live.api]\nwallet = 1\n',
            '[live]\nwallet = "/new.json"\n[live.api]\nwallet = 1\n',
        ),
    ],
)
def test_one_line_is_written_anew_and_the_name_of_the_old_account_goes(tmp_path: Path, text: str, after: str) -> None:
    path = tmp_path / "bmv.toml"
    path.write_bytes(text.encode())

    left = replaced(path, tmp_path / "old.json", CHANGES, ("open_orders",))

    assert left == ""
    assert path.read_bytes().decode() == after


@pytest.mark.parametrize(
    "text",
    [
        "[market]\n",
        '[live]\nwallet = "another.json"\n',
        'live = { wallet = "old.json" }\n',
        '[live]\nwallet = """old.json"""\n',
        'live.wallet = "old.json"\n',
        '[live]\n"wallet" = "old.json"\n',
        '[live]\nx = """\nwallet = "old.json"\n"""\nwallet = "old.json"\n',
    ],
)
def test_what_is_not_plain_is_told_and_left_alone_or_written_right(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)

    left = replaced(path, tmp_path / "old.json", CHANGES, ())

    if left:
        assert 'live.wallet = "/new.json"' in left
        assert path.read_text() == text
    else:
        wanted = tomllib.loads(text)
        wanted["live"]["wallet"] = "/new.json"
        assert tomllib.loads(path.read_text()) == wanted


def test_a_delegate_is_named_anew_where_it_stood(tmp_path: Path) -> None:
    path = written(tmp_path, '[live]\nwallet = "old.json"\ndelegate = "A"\n')

    assert replaced(path, tmp_path / "old.json", {**CHANGES, "delegate": "B"}, ()) == ""
    assert tomllib.loads(path.read_text()) == {"live": {"wallet": "/new.json", "delegate": "B"}}
