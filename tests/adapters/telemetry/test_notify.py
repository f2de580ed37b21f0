"""What systemd is told, over a real socket of its kind."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bmv.adapters.telemetry.notify import STATUS_MAX, Notify


@pytest.fixture(params=["path", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[socket.socket, str]]:
    """A socket as systemd has it, and its address as it stands in the environment."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        name = str(tmp_path / "notify")[-90:] if request.param == "path" else f"bmv-test-{os.getpid()}"
        if request.param == "path":
            monkeypatch.chdir(tmp_path)
            name = "./notify"
        one.bind(f"\0{name}" if request.param == "abstract" else name)
        one.settimeout(20)
        yield one, f"@{name}" if request.param == "abstract" else name


def test_each_word_reaches_the_manager(manager: tuple[socket.socket, str]) -> None:
    one, address = manager
    notify = Notify.of_environment(
        {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    )

    notify.ready("quoting SOL/USDC")
    notify.watchdog()
    notify.status("paused\nREADY=1 by an operator")
    notify.stopping()

    assert [one.recv(1_000) for _ in range(4)] == [
        b"READY=1\nSTATUS=quoting SOL/USDC", b"WATCHDOG=1", b"STATUS=paused READY=1 by an operator", b"STOPPING=1",
    ]  # fmt: skip
    assert notify.watchdog_s == 30
    assert repr(notify) == "<Notify: 4 sent, 0 failed>"


def test_where_nobody_listens_nothing_is_said() -> None:
    notify = Notify.of_environment({})

    notify.ready("x")
    notify.status("")

    assert (notify.sent, notify.failed, notify.watchdog_s) == (0, 0, None)


def test_a_manager_that_is_gone_or_takes_nothing_holds_up_nobody(manager: tuple[socket.socket, str]) -> None:
    one, address = manager
    notify = Notify(address)
    for _ in range(5_000):
        notify.watchdog()  # Until its queue is full, and beyond.
    assert notify.failed > 0
    one.close()
    failed = notify.failed

    notify.ready("x" * 10_000)

    assert notify.failed == failed + 1


@pytest.mark.parametrize(
    "env", [{"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "0"}, {}]
)
def test_a_watchdog_that_is_not_ours_or_makes_no_sense_is_none(env: dict[str, str]) -> None:
    assert Notify.of_environment(env).watchdog_s is None


def test_a_status_is_cut_to_what_a_line_holds(manager: tuple[socket.socket, str]) -> None:
    one, address = manager

    Notify(address).status("é" * 10_000)

    assert one.recv(10_000).decode() == "STATUS=" + "é" * STATUS_MAX
