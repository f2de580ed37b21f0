"""A TCP proxy that swallows what it should forward, when told so, as a broken network does."""

import asyncio
from contextlib import suppress
from types import TracebackType
from urllib.parse import parse_qs, urlsplit


class Proxy:
    """Listens on a port of its own and forwards to the server of `behind`, a DSN; used as an asynchronous context.

    Attributes:
        to_server: Whether what the client says arrives; where not, it is neither refused nor answered.
        to_client: Whether what the server says arrives.
        spoken: Bytes forwarded to the server so far.
        silent_after: After so many bytes more to the server, nothing goes either way.
    """

    def __init__(self, behind: str) -> None:
        self.behind = urlsplit(behind)
        self.port = 0
        self.to_server = self.to_client = True
        self.spoken = 0
        self.silent_after: int | None = None
        self.writers: list[asyncio.StreamWriter] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Proxy":
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    @property
    def dsn(self) -> str:
        """Where a client reaches the database of `behind` through this."""
        user, _, _ = self.behind.netloc.rpartition("@")
        return f"postgresql://{user or 'postgres'}@127.0.0.1:{self.port}{self.behind.path}"

    def heal(self) -> None:
        """Let new connections through; those that were swallowed stay so, as in earnest."""
        self.to_server = self.to_client = True
        self.silent_after = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with suppress(OSError):
            there, back = await self._reach()
            self.writers.append(back)
            pumps = (self._pump(reader, back, "to_server"), self._pump(there, writer, "to_client"))
            self.tasks += map(asyncio.create_task, pumps)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self.behind.port or 5432
        folder = parse_qs(self.behind.query).get("host", [""])[0]
        if folder.startswith("/"):
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
        return await asyncio.open_connection(self.behind.hostname or "localhost", port)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        with suppress(OSError):
            while said := await reader.read(65_536):
                if way == "to_server":
                    self.spoken += len(said)
                    if self.silent_after is not None and self.spoken > self.silent_after:
                        self.to_server = self.to_client = False
                if not getattr(self, way):
                    await asyncio.sleep(3600)  # This connection is dead, and nobody is told.
                writer.write(said)
                await writer.drain()
            writer.close()
