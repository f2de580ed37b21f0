"""What tests of several rooms share: a real Postgres, and a made-up run."""

import sys
from collections.abc import Iterator
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

for shared in ("servers", "samples"):
    sys.path.insert(0, str(Path(__file__).parent / shared))

# Commands heed the width of a terminal in a pipe too, and whoever runs the tests may tell one.
environ.pop("COLUMNS", None)

settings.register_profile("patient", settings(), deadline=None)  # No test fails because the machine is busy.
settings.load_profile("patient")

if TYPE_CHECKING:
    from postgres import Cluster, Databases


@pytest.fixture(scope="session", autouse=True)
def register_of_trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests try out of the register of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BMV_TRIALS", str(tmp_path_factory.mktemp("register") / "trials.sqlite"))
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The DSN of a server's maintenance database: that of `BMV_TEST_POSTGRES`, or of one started for the session."""
    if named := environ.get("BMV_TEST_POSTGRES"):
        yield named
        return
    from postgres import Cluster

    cluster = Cluster(fsync="off", max_wal_size="2GB")
    try:
        yield cluster.make().dsn
    finally:
        cluster.close()


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: str) -> Iterator["Databases"]:
    """Gives fresh databases with our schema in them."""
    import asyncio

    from postgres import Databases

    from bmv.adapters.postgres.migrate import migrate

    databases = Databases(postgres_server, lambda dsn: asyncio.run(migrate(dsn)))
    yield databases
    if environ.get("BMV_TEST_POSTGRES"):  # A server that is ours goes as a whole.
        databases.close()


@pytest.fixture
def postgres(postgres_databases: "Databases") -> str:
    """The DSN of a fresh database with our schema."""
    return postgres_databases.fresh()


@pytest.fixture
def bare_postgres(postgres_server: str) -> Iterator[str]:
    """The DSN of a fresh database with nothing in it."""
    from postgres import Databases

    databases = Databases(postgres_server)
    yield databases.fresh()
    if environ.get("BMV_TEST_POSTGRES"):
        databases.close()


@pytest.fixture
def postgres_cluster() -> Iterator["Cluster"]:
    """A server of this test's own, as durable as in earnest, to be stopped and started at will."""
    from postgres import Cluster

    cluster = Cluster()
    try:
        yield cluster.make()
    finally:
        cluster.close()


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a made-up day of trading; read only."""
    from synthetic import CONFIG, day, write_run

    from bmv.data.runs.statistics.stats import statistics

    outcome = day()
    bracket = {"front": {"net": "104.1", "fills": 4120, "max_drawdown": 0.007, "digest": "f" * 16}}
    return write_run(tmp_path_factory.mktemp("runs") / "day", outcome, statistics(outcome, CONFIG), bracket=bracket)
