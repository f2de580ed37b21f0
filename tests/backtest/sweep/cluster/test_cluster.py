"""The same sweep on a cluster of two real nodes: whatever dies, the result is that of threads, byte for byte."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from searches import BOTH, bmv, command, configured, environment, lake, written

from bmv.adapters.config import Config
from bmv.backtest import codecache
from bmv.backtest.fused import machine_code
from bmv.backtest.sweep import api
from bmv.backtest.sweep.cluster.cluster import Cluster, ClusterError, pool
from bmv.backtest.sweep.run.work import Work
from bmv.backtest.sweep.trials.row import TrialRow
from bmv.ports.errors import UsageError

pytest.importorskip("ray", reason="Ray is not installed: pip install 'bmv[ray]'")

pytestmark = pytest.mark.filterwarnings(  # Ray leaves files of its own open.
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
CLIENT_PORT = 23_907
RANGES = ("grid.bid.first_bps,grid.ask.first_bps=2:13:1", "pivot.window_s=10:50:10")  # 60 sets.
SOON = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 3}
OBJECTIVE = """
def calm(summary):
    return -summary["max_drawdown"]
"""
DEADLY = """
import os

def quote(params, state, memory, wanted):
    os._exit(1)
"""


@pytest.fixture(scope="module")
def ticks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lake(tmp_path_factory.mktemp("ticks"), 240_000)


@pytest.fixture(scope="module", autouse=True)
def place() -> Iterator[Path]:
    """Where all that is made beside the sweeps lies, compiled code too; its name is short, since sockets lie below it."""
    folder = Path(tempfile.mkdtemp(prefix="bmv-ray-"))
    machine_code()  # Kept from now on.
    shutil.copytree(codecache.folder(), folder / "cache" / "machine-code" / codecache.folder().name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", str(folder))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("BMV_CACHE_DIR", str(folder / "cache"))
        patch.setenv("BMV_TRIALS", str(folder / "trials.sqlite"))
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def nodes(place: Path) -> Iterator[Any]:
    """A cluster that `auto` finds: a head with one CPU, to which each test adds what it wants; no process outlives it."""
    from ray.cluster_utils import Cluster as Nodes

    head = {"num_cpus": 1, "include_dashboard": False, "ray_client_server_port": CLIENT_PORT}
    made = Nodes(initialize_head=True, head_node_args={**head, "_system_config": SOON})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", made.address)
        try:
            yield made
        finally:
            made.shutdown()
            gc.collect()  # While what Ray left open may still be closed unseen.
            left = gone(place)
    assert left == []


def gone(folder: Path) -> list[str]:
    """Return the processes that still name `folder` on their command line, after a while."""
    end = time.monotonic() + 15
    while (found := [line for line in commands().values() if str(folder) in line]) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def commands() -> dict[int, str]:
    """Return the command line of each process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # It ended.
    return found


def children(parent: int) -> list[int]:
    """Return the processes that `parent` started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == parent:
            found.append(int(path.parent.name))
    return found


def raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def power_off(node: Any) -> None:
    """Kill a node with all that runs on it."""
    for process in [raylet(node), *children(raylet(node))]:
        os.kill(process, signal.SIGKILL)


class Middle(api.Monitor):
    """Does something once, when both workers are at work, and knows when that was."""

    def __init__(self, act: Any) -> None:
        self.act, self.heard, self.at, self.pool = act, 0, -1, None

    def make(self, work: Work) -> Cluster:
        self.pool = pool("auto")(work)
        return self.pool

    def trial(self, row: TrialRow) -> None:
        self.heard += 1
        if self.at < 0 and self.pool.workers == 2:
            self.at = self.heard
            self.act()


def swept(folder: Path, config: Config, ticks: Path, ranges: tuple[str, ...] = RANGES, **how: Any) -> bytes:
    """Run a sweep and return its table."""
    plan = api.make_plan(config, ranges, [str(ticks)])
    api.begin(folder, plan)
    api.run(folder, plan, report=False, **how)
    return (folder / "trials.parquet").read_bytes()


@pytest.fixture(scope="module")
def of_threads(ticks: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return swept(tmp_path_factory.mktemp("threads") / "sweep", configured(), ticks)


# The first of all: beside the cluster of the others Ray starts no second one on a machine reliably.
def test_ctrl_c_leaves_nothing_of_a_local_cluster_and_the_sweep_can_be_resumed(
    place: Path, ticks: Path, of_threads: bytes, tmp_path: Path
) -> None:
    written(tmp_path)
    words = ["sweep", "maker.toml", "--data", ticks, *(w for r in RANGES for w in ("--param", r)), "--no-report"]

    process = subprocess.Popen(
        command([*words, "--out", "sweep", "--workers", "auto", "--json"]), cwd=tmp_path, text=True,
        env=environment(tmp_path / "t.sqlite"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)  # As a terminal does: everyone in the group hears of it.
    _, said = process.communicate(timeout=30)
    left = gone(place)

    assert process.returncode == 130, said
    assert said.endswith("interrupted\n")
    assert "ray" not in said.lower()
    assert left == []
    assert bmv("sweep", "resume", "sweep", cwd=tmp_path, trials=tmp_path / "t.sqlite").returncode == 0
    assert (tmp_path / "sweep/trials.parquet").read_bytes() == of_threads


def test_a_node_killed_in_the_middle_loses_and_doubles_no_trial(
    nodes: Any, ticks: Path, of_threads: bytes, tmp_path: Path
) -> None:
    second = nodes.add_node(num_cpus=1)
    for attempt in range(4):  # On a busy machine the sweep may end before the second node takes part.
        middle = Middle(lambda: power_off(second))
        table = swept(tmp_path / f"sweep-{attempt}", configured(), ticks, make_pool=middle.make, monitor=middle)
        assert middle.heard == 60
        assert table == of_threads
        if middle.at > 0:
            break

    assert 0 < middle.at < 50


def test_a_worker_killed_in_the_middle_loses_and_doubles_no_trial(
    nodes: Any, ticks: Path, of_threads: bytes, tmp_path: Path
) -> None:
    second = nodes.add_node(num_cpus=1)
    killed = []

    def kill() -> None:
        lines = commands()
        killed.extend(pid for pid in children(raylet(second)) if lines.get(pid, "").startswith("ray::Worker"))
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

    for attempt in range(4):  # As above.
        middle = Middle(kill)
        table = swept(tmp_path / f"sweep-{attempt}", configured(), ticks, make_pool=middle.make, monitor=middle)
        if middle.at > 0:
            break
    nodes.remove_node(second)

    assert len(killed) == 1
    assert 0 < middle.at < 50
    assert middle.heard == 60
    assert table == of_threads


def test_files_of_the_user_reach_workers_that_see_none_of_his_folders(nodes: Any, ticks: Path, tmp_path: Path) -> None:
    maker = Path(written(tmp_path)).read_text()
    (tmp_path / "maker.toml").write_text(maker.replace("version = 1", 'version = 1\nstrategy = "mine.py:microprice"'))
    shutil.copy(Path(__file__).parents[4] / "docs/strategies/microprice.py", tmp_path / "mine.py")
    (tmp_path / "figures.py").write_text(OBJECTIVE)
    words = ["sweep", "maker.toml", "--data", ticks, "--param", "grid.bid.first_bps,grid.ask.first_bps=2:8:2"]
    words += ["--objective", "figures.py:calm", "--no-report", "--json"]

    here = bmv(*words, "--out", "here", cwd=tmp_path, trials=tmp_path / "here.sqlite")
    there = bmv(
        *words, "--out", "there", "--workers", f"ray://127.0.0.1:{CLIENT_PORT}",
        cwd=tmp_path, trials=tmp_path / "there.sqlite",
    )  # fmt: skip

    assert (here.returncode, there.returncode) == (0, 0), there.stderr
    assert there.stderr == here.stderr == ""  # Nor does Ray say anything.
    assert (tmp_path / "there/trials.parquet").read_bytes() == (tmp_path / "here/trials.parquet").read_bytes()


def test_tapes_that_have_an_address_are_read_by_the_nodes_themselves(
    nodes: Any, ticks: Path, of_threads: bytes, tmp_path: Path
) -> None:
    plan = api.make_plan(configured(), RANGES, [ticks.as_uri()])
    api.begin(tmp_path / "sweep", plan)
    made = []

    def make(work: Work) -> Cluster:
        made.append(pool("auto")(work))
        assert made[0].sent == []
        return made[0]

    api.run(tmp_path / "sweep", plan, make_pool=make, report=False)

    assert (tmp_path / "sweep/trials.parquet").read_bytes() == of_threads


def test_a_set_that_kills_every_worker_is_given_up_with_a_clear_error(nodes: Any, ticks: Path, tmp_path: Path) -> None:
    (tmp_path / "deadly.py").write_text(DEADLY)

    with pytest.raises(ClusterError, match="trial 0: 3 workers died while they ran it"):
        swept(
            tmp_path / "sweep", configured(strategy=f"{tmp_path}/deadly.py:quote"), ticks, BOTH, make_pool=pool("auto")
        )


def test_a_node_with_other_code_is_refused_by_its_address(nodes: Any, ticks: Path, tmp_path: Path) -> None:
    (tmp_path / "bmv/later").mkdir(parents=True)
    (tmp_path / "bmv/later/news.py").write_text("")
    other = nodes.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(tmp_path)})

    with pytest.raises(ClusterError, match=r"node [\d.]+ of the cluster: its bmv is of another version than ours"):
        swept(tmp_path / "sweep", configured(), ticks, make_pool=pool("auto"))
    nodes.remove_node(other)


def test_without_ray_the_command_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError('there is none')")
    code = "import sys; sys.path.insert(0, '.'); from bmv.backtest.sweep.cluster.cluster import pool; pool('auto')"

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert f"{UsageError.__name__}: --workers auto: Ray is not installed: pip install 'bmv[ray]'" in done.stderr
