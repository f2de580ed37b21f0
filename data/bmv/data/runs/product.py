"""Which code made a run."""

import hashlib
from pathlib import Path

import bmv


def product_hash() -> str:
    """Return the hash of all our code: whatever may have had a part in a run."""
    rooms = sorted(Path(room) for room in bmv.__path__)
    digest = hashlib.sha256()
    files = sorted((path.relative_to(room).as_posix(), path) for room in rooms for path in room.rglob("*.py"))
    for name, path in files:
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
