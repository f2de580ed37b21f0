"""Connections of which none is waited for longer than its deadline.

asyncpg by itself waits for ever where a network swallows packets: for a reply, for the end of a rollback or of a
cancellation, for a connection to come back to its pool. Therefore a watchdog cuts the connection at the deadline, which
ends every wait on it, whichever it is, and a connection on which anything failed is not used again.

The server may not know for long that such a connection is dead: in the middle of a COPY it even ignores its own
timeouts (PostgreSQL 15, `ProcessClientReadInterrupt`), and keeps what it has locked until TCP gives up. Therefore the
next connection ends those that were cut.

Work that was interrupted is done again on a fresh connection, so that **all work must be safe to be done twice**: when
the reply to a commit is lost, nobody knows whether it was done.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import asyncpg

from bmv.adapters.postgres.dsn import checked, database, masked, silenced
from bmv.ports.errors import ConfigError, DataError, StorageError

Connection = Any  # asyncpg ships no types.
Done = TypeVar("Done")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
MARGIN_S = 0.5  # Given to what a cut connection must still tell, before its task is cancelled too.

# Another connection, or the same work once more, may do better.
PASSING = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,  # The server stops, starts, or cut us off.
    asyncpg.TooManyConnectionsError,
    asyncpg.TransactionRollbackError,  # Deadlocks, and what could not be put in a row with the work of others.
    asyncpg.ReadOnlySQLTransactionError,  # A standby that is about to be made primary.
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
FULL = (asyncpg.DiskFullError, asyncpg.OutOfMemoryError)
SCHEMA = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedColumnError,
    asyncpg.InvalidSchemaNameError,
)
OPERATOR = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ClientConfigurationError,
)


class Pool:
    """Connections to one database, opened when first needed; it belongs to one event loop.

    Args:
        dsn: `postgresql://USER@HOST:PORT/DATABASE`; a password may come from PGPASSWORD or ~/.pgpass as well.
        size: Most connections at a time; who comes after that waits, within the deadline.
        deadline_s: Longest time from a call to its answer or error, connecting and trying again included.
        attempt_s: Longest time of one attempt; shorter, so that a connection that went dead leaves time for another.
        prepare: Done once on every new connection.
    """

    def __init__(
        self,
        dsn: str,
        size: int = 4,
        deadline_s: float = 15.0,
        attempt_s: float = 5.0,
        prepare: Callable[[Connection], Awaitable[None]] | None = None,
    ) -> None:
        self.dsn = checked(dsn)
        self.size = size
        self.deadline_s = deadline_s
        self.attempt_s = min(attempt_s, deadline_s)
        self.prepare = prepare
        self._turns = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._busy = 0
        self._cut: set[int] = set()  # The server's processes behind connections that failed.
        self._name = ""  # By which those processes are known as ours.

    def __repr__(self) -> str:
        told = f"{self._busy} busy, {len(self._idle)} idle, at most {self.size}"
        return f"<Pool {masked(self.dsn)} | connections: {told}>"

    async def run(self, work: Callable[[Connection], Awaitable[Done]], what: str) -> Done:
        """Return what `work` returns; where its connection fails, do it again on another, with growing pauses.

        `StorageError` when the deadline has passed or the server's disk is full, `ConfigError` when only the operator
        can mend it, `DataError` for values that no column takes; all name `what` was to be done, none shows a password.
        """
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + self.deadline_s, FIRST_PAUSE_S
        while True:
            try:
                async with self._connection(min(loop.time() + self.attempt_s, end)) as connection:
                    return await work(connection)
            except OPERATOR as error:
                raise ConfigError(self._line(what, error)) from None
            except asyncpg.InvalidCatalogNameError:
                told = f"there is no database {database(self.dsn)}; `bmv db init` makes it"
                raise ConfigError(self._line(what, told)) from None
            except SCHEMA as error:
                told = f"the schema is missing or not that of this program; see `bmv db status` ({error})"
                raise ConfigError(self._line(what, told)) from None
            except FULL as error:
                told = f"the server has no room left ({error}); what was acknowledged is kept"
                raise StorageError(self._line(what, told)) from None
            except (asyncpg.DataError, UnicodeError) as error:
                raise DataError(self._line(what, error)) from None
            except PASSING as error:
                if loop.time() + pause >= end:
                    told = f"given up after {self.deadline_s:g} s: {error or type(error).__name__}"
                    raise StorageError(self._line(what, told)) from None
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def fetch(self, what: str, query: str, *arguments: object) -> list[Any]:  # Any: asyncpg's rows.
        """Return the rows of a query that changes nothing, as :meth:`run` does."""
        return await self.run(lambda connection: connection.fetch(query, *arguments), what)

    async def close(self) -> None:
        """Close the connections that nobody uses; those in use end with their work."""
        while self._idle:
            connection = self._idle.pop()
            try:
                async with asyncio.timeout(1):
                    await connection.close()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()

    @asynccontextmanager
    async def _connection(self, end: float) -> AsyncIterator[Connection]:
        """Lend a connection until `end` (of the loop's clock), when it is closed even if somebody still waits on it."""
        async with asyncio.timeout_at(end + MARGIN_S), self._turns:
            connection = await self._taken(end)
            process = connection.get_server_pid()
            watchdog = asyncio.get_running_loop().call_at(end, connection.terminate)
            self._busy += 1
            try:
                yield connection
            except BaseException:
                self._cut.add(process)
                connection.terminate()
                raise
            else:
                self._idle.append(connection)
            finally:
                self._busy -= 1
                watchdog.cancel()

    async def _taken(self, end: float) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        self._name = self._name or f"bmv {secrets.token_hex(4)}"
        left = max(end - asyncio.get_running_loop().time(), 0.001)
        connection = await asyncpg.connect(self.dsn, timeout=left, server_settings=self._settings())
        try:
            await _mind_the_client(connection)
            await self._end_the_cut(connection)
            if self.prepare:
                await self.prepare(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _end_the_cut(self, connection: Connection) -> None:
        if cut := list(self._cut):
            ours = "select pid from pg_stat_activity where pid = any ($1) and application_name = $2"
            await connection.fetch(f"select pg_terminate_backend(pid) from ({ours}) as ours", cut, self._name)
            self._cut.difference_update(cut)

    def _settings(self) -> dict[str, str]:
        patience_ms = str(max(round(1000 * self.deadline_s), 1))
        return {
            "application_name": self._name,
            "timezone": "UTC",
            # A server whose client is gone gives up what that client held, and does not work for nobody.
            "idle_in_transaction_session_timeout": patience_ms,
            "statement_timeout": patience_ms,
            "lock_timeout": patience_ms,
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        }

    def _line(self, what: str, told: object) -> str:
        return f"{masked(self.dsn)}: {what}: {silenced(told, self.dsn)}"


async def _mind_the_client(connection: Connection) -> None:
    """Let a statement end when its client is gone, where the server can: its locks would outlive a killed process."""
    if connection.get_server_version().major >= 14:
        with suppress(asyncpg.InvalidParameterValueError):  # Not every system can.
            await connection.execute("set client_connection_check_interval = '1s'")
