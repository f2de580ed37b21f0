"""Keys of venues: from the environment or from a file that nobody else may read, and never shown."""

from collections.abc import Mapping
from pathlib import Path

from bmv.adapters.prices.settings import Settings
from bmv.adapters.prices.venues import VENUES
from bmv.ports.errors import ConfigError

KEY_BYTES_MAX = 4096


def read_keys(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the key of every venue that has one; the environment comes before the file.

    `ConfigError` for a file that is not there, may be read by others, or holds no key.
    """
    keys = {}
    for name in sorted({source.venue for source in settings.sources}):
        variable, file = VENUES[name].key_variable, settings.key_files.get(name, "")
        if variable and environment.get(variable):
            keys[name] = _checked(environment[variable], f"environment {variable}")
        elif file:
            keys[name] = _checked(_read(Path(file), name), f"live.prices.{name}_key_file = {file}")
    return keys


def _read(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            content = file.read(KEY_BYTES_MAX)
    except OSError as error:
        raise ConfigError(f"live.prices.{name}_key_file = {path}: can't be read: {error.strerror}") from None
    if mode & 0o077:
        raise ConfigError(f"live.prices.{name}_key_file = {path}: others may read it; say chmod 600 {path}")
    return content.decode("ascii", errors="replace")


def _checked(text: str, where: str) -> str:
    key = text.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{where}: expected a key, found none (it is not shown)")
    return key
