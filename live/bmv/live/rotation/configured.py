"""The configuration names the new key: one line of the file, and nothing else of it, is written anew."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from bmv.data.files.writing import whole_file
from bmv.ports.errors import ConfigError

TABLE = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+")
VALUE = re.compile(r"""^([^=]+=\s*)("(?:[^"\\]|\\.)*"|'[^']*')""")
LIVE = "live"


def replaced(path: Path, old_wallet: Path, changes: Mapping[str, str], dropped: Sequence[str]) -> str:
    """Write new values for keys of `[live]` that stand in the file; return what is left to do by hand, "": nothing.

    Args:
        path: The configuration.
        old_wallet: File of the old key: where the file does not name it, it was given by `--set` or the environment.
        changes: New values by key; a key that does not stand there is not added, but for `wallet`.
        dropped: Keys that don't hold for the new key.
    """
    text = _read(path)
    table = tomllib.loads(text)
    live = table.get(LIVE, {})
    named = live.get("wallet")
    by_hand = "; ".join(f'live.{key} = "{value}"' for key, value in changes.items() if key in live or key == "wallet")
    if not isinstance(named, str) or (path.parent / named).resolve() != old_wallet.resolve():
        return f"{path} does not name the old key; set {by_hand}, wherever that is"
    new = edit(text, changes, dropped)
    wanted = {key: value for key, value in live.items() if key not in dropped}
    wanted |= {key: value for key, value in changes.items() if key in live}
    if new is None or tomllib.loads(new) != {**table, LIVE: wanted}:
        return f"{path} is written in a way that is left alone; set {by_hand}"
    with whole_file(path) as half_done:
        half_done.write_bytes(new.encode())
    return ""


def edit(text: str, changes: Mapping[str, str], dropped: Sequence[str]) -> str | None:
    """Return the text of a configuration with other values in `[live]`, None where the result is no TOML.

    >>> edit('[live]\\nwallet = "a.json"  # Mine.\\n', {"wallet": "b.json"}, ())
    '[live]\\nwallet = "b.json"  # Mine.\\n'
    """
    table, lines = "", list[str]()
    for line in text.splitlines(keepends=True):
        if header := TABLE.match(line):
            table = header[1]
        key = line.partition("=")[0].strip()
        if table == LIVE and "=" in line and key in dropped:
            continue
        lines.append(_with(line, changes[key]) if table == LIVE and "=" in line and key in changes else line)
    new = "".join(lines)
    try:
        tomllib.loads(new)
    except tomllib.TOMLDecodeError:
        return None
    return new


def _with(line: str, value: str) -> str:
    """Return a line with another value, all around it kept."""
    return VALUE.sub(lambda found: found[1] + json.dumps(value), line, count=1)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected a TOML file, found other bytes") from None
