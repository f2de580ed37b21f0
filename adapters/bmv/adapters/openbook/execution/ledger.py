"""Where attempts are kept before they are sent: the journal, as far as the execution writes to it."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from bmv.ports.errors import StorageError
from bmv.ports.storage import Note

BEAT = "beat"  # Topic of a word that says nothing: its writer is there.
BEAT_S, IDLE_BEAT_S = 1.0, 30.0  # While bytes of ours are sent again, that is a few slots; else nothing hangs on it.


class Ledger(Protocol):
    """A journal that was begun; its other words are the driver's."""

    def note(self, note: Note) -> None:
        """Add a word behind those that were added before; it is kept with the next commit, or soon."""
        ...

    async def commit(self) -> None:
        """Return when every word that was added before survives a crash.

        `StorageError` where that is not so, or not known: nothing may be sent then. `Refused` where somebody else
        writes: this process is not the one that trades any more.
        """
        ...


async def keep_beating(ledger: Ledger, now_ns: Callable[[], int], sends: Callable[[], bool]) -> None:
    """Write a word now and then, for ever: one who is not the writer any more learns it so, by `Refused`.

    Args:
        ledger: The journal.
        now_ns: The time, ns UTC.
        sends: Whether bytes may be sent again meanwhile.
    """
    beaten_s = time.monotonic()
    while True:
        await asyncio.sleep(BEAT_S)
        if time.monotonic() - beaten_s >= (BEAT_S if sends() else IDLE_BEAT_S):
            beaten_s = time.monotonic()
            ledger.note(Note(now_ns(), BEAT, ""))
            with suppress(StorageError):  # The next word tries again.
                await ledger.commit()
