"""The file that a sweep was begun from, and what has changed in it since: a sweep runs what its own folder keeps."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from bmv.adapters.config import Config, load, masked
from bmv.adapters.config.dump import flat
from bmv.adapters.config.load import PATHS
from bmv.adapters.config.masking import mask_url
from bmv.data.runs.folder import CONFIG, MANIFEST, json_at
from bmv.data.runs.numbers import Json
from bmv.ports.errors import BmvError

PLANNED = ("parameters", "tapes")  # Of `sweep`: written out by the plan, so the folder has them otherwise.


def origin_of(file: Path, sets: Sequence[str], config: Config) -> Json:
    """Return what the manifest says of the file that a sweep is begun from.

    Args:
        sets: Overrides `key=value` that were given beside it.
        config: What file and overrides came to.
    """
    spelt = (each.partition("=") for each in sets)
    return {
        "file": str(file.resolve()),
        "sets": [f"{key}={mask_url(value)}" for key, _, value in spelt],
        "sweep": _planned(config),
    }


def changed_since(folder: Path) -> str:
    """Say what of the file of a sweep is otherwise now than what the sweep runs with; empty where nothing is."""
    origin = json_at(folder / MANIFEST).get("origin")
    if not isinstance(origin, dict):
        return ""
    kept = f"the sweep goes on with {folder / CONFIG}, as it was begun"
    try:
        now = load(origin["file"], origin["sets"])
    except BmvError as error:
        return f"{str(error).splitlines()[0]}; {kept}"
    then = flat(load(folder / CONFIG, (), {}))
    told = list(_changes(then, flat(now))) + [
        f"sweep.{name}" for name, value in _planned(now).items() if value != origin["sweep"][name]
    ]
    return f"{origin['file']} is otherwise now: {', '.join(told)}; {kept}" if told else ""


def _changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:  # Any: whatever a key may hold.
    for key, value in then.items():
        planned = key.removeprefix("sweep.") in PLANNED
        if not planned and _comparable(key, value) != _comparable(key, now[key]):
            yield f"{key} is {_shown(now[key])}, not {_shown(value)}"


def _comparable(key: str, value: Any) -> Any:  # Any: as above.
    """Return `value`, of a path its name alone: its folder is spelt otherwise from another working directory."""
    if isinstance(value, Mapping):
        return {name: _comparable(f"{key}.{name}", inner) for name, inner in value.items()}
    return PurePath(value).name if key in PATHS and isinstance(value, str) else value


def _shown(value: object) -> str:
    return "absent" if value is None else str(value)


def _planned(config: Config) -> Json:
    sweep = masked(config).model_dump(mode="json")["sweep"]
    return {name: sweep[name] for name in PLANNED}
