"""Where attempts are kept before they are sent: the journal, as far as the execution writes to it."""

from typing import Protocol

from bmv.ports.storage import Note


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
