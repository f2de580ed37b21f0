"""The control socket over real sockets, with a session that remembers."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from remembering import Remembering

from bmv.live.control.client import ask
from bmv.live.control.place import Place, connect, hold, listens
from bmv.live.control.protocol import REQUEST_MAX, Request, encode_request
from bmv.live.control.server import Control, Patience
from bmv.live.control.steered import StopMode
from bmv.ports.errors import BmvError, Refused

SHORT = Patience(connections=3, line_s=1.0, answer_s=0.3, farewell_s=0.3)
STATUS = encode_request(Request("status"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place in a folder whose path is far too long for the address of a socket."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("BMV_RUNTIME_DIR", str(folder))
    return Place(folder, "live-sim-SOL-USDC-0")


def serving(
    place: Place, use: Callable[[Control, Remembering], Awaitable[None]], patience: Patience | None = None
) -> Control:
    """Serve a session while `use` goes on, and return its server."""

    async def run() -> Control:
        session = Remembering()
        async with Control(place, session, patience) as control:
            await use(control, session)
        return control

    return asyncio.run(run())


def client(place: Place) -> socket.socket:
    """Return a connection that does what it likes."""
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(20)
    connect(one, place)
    return one


def rest(one: socket.socket) -> bytes:
    """Return what comes until the other end closes."""
    found = b""
    try:
        while data := one.recv(65_536):
            found += data
    except ConnectionResetError:
        pass
    return found


async def asked(place: Place, request: Request) -> Any:
    return await asyncio.to_thread(ask, place, request, 20.0)


def test_each_request_reaches_the_session_as_it_was_meant(place: Place) -> None:
    answers: dict[str, Any] = {}

    async def use(_: Control, session: Remembering) -> None:
        for request in (Request("status"), Request("orders"), Request("fills", limit=3), Request("health")):
            answers[request.name] = await asked(place, request)
        for request in (
            Request("pause"), Request("flatten"), Request("set", key="grid.bid.levels", value="3"),
            Request("stop", mode=StopMode.KEEP),
        ):  # fmt: skip
            answers[request.name] = await asked(place, request)
        assert session.heard == ["pause", "flatten", "set grid.bid.levels=3", "stop keep"]

    serving(place, use)

    assert answers["status"]["state"] == "quoting"
    assert [row["id"] for row in answers["fills"]] == ["997", "998", "999"]
    assert answers["pause"] == {"done": True, "message": "paused; 1 order was cancelled", "cancelled": 1}
    assert answers["flatten"] == {"done": False, "message": "0.5 SOL are still to be sold", "left": "0.5"}


def test_what_the_session_refuses_comes_back_with_its_exit_code_and_without_its_secrets(place: Place) -> None:
    async def use(_: Control, __: Remembering) -> None:
        with pytest.raises(Refused, match="re-arm it first") as caught:
            await asked(place, Request("resume"))
        assert "\n" not in str(caught.value)
        assert "hunter2" not in str(caught.value)
        assert "0123456789" not in str(caught.value)

    serving(place, use)


def test_a_fault_of_the_session_is_told_and_counted_and_the_next_request_is_answered(place: Place) -> None:
    class Faulty(Remembering):
        async def status(self) -> dict[str, Any]:
            raise ZeroDivisionError("by zero")

        async def orders(self) -> list[dict[str, Any]]:
            return [{"price": object()}]

    async def run() -> Control:
        async with Control(place, Faulty()) as control:
            for request, what in ((Request("status"), "ZeroDivisionError: by zero"), (Request("orders"), "TypeError")):
                with pytest.raises(BmvError, match=f"{what}.*a fault of bmv"):
                    await asked(place, request)
            assert (await asked(place, Request("health")))["alive"]
        return control

    control = asyncio.run(run())

    assert (control.faults, control.answered) == (2, 1)


def test_the_socket_and_its_folder_are_open_to_nobody_else_and_the_socket_is_gone_at_the_end(place: Place) -> None:
    async def use(_: Control, __: Remembering) -> None:
        assert stat.S_IMODE(place.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(place.lock.stat().st_mode) == 0o600
        assert stat.S_IMODE(place.folder.stat().st_mode) == 0o700
        assert listens(place)

    serving(place, use)

    assert not place.socket.exists()
    assert not listens(place)


def test_a_second_session_is_refused_while_the_first_lives_and_leaves_its_socket_alone(place: Place) -> None:
    async def use(_: Control, __: Remembering) -> None:
        with pytest.raises(Refused, match=f"already runs, as process {os.getpid()}"):
            async with Control(place, Remembering()):
                pass
        assert (await asked(place, Request("health")))["ready"]

    serving(place, use)


def test_a_place_that_is_held_before_a_session_begins_is_served_by_it_and_by_no_other(place: Place) -> None:
    async def run() -> None:
        with hold(place):
            with pytest.raises(Refused, match="already runs"):
                async with Control(place, Remembering()):
                    pass
            async with Control(place, Remembering(), held=True):
                assert (await asked(place, Request("health")))["alive"]
            with pytest.raises(Refused, match="already runs"), hold(place):
                pass

    asyncio.run(run())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_socket_of_a_killed_process_is_taken_over_and_that_of_a_stopped_one_is_not(
    place: Place, how: signal.Signals
) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLDER, str(place.folder), place.name], stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"ready\n"
    os.kill(other.pid, how)
    if how == signal.SIGKILL:
        other.wait()

    async def use(_: Control, __: Remembering) -> None:
        assert (await asked(place, Request("health")))["ready"]

    try:
        assert place.socket.exists()
        if how == signal.SIGKILL:
            serving(place, use)
        else:
            with pytest.raises(Refused, match=f"already runs, as process {other.pid}"):
                serving(place, use)
            with pytest.raises(BmvError, match="may be stopped or blocked"):
                ask(place, Request("status"), 0.3)
    finally:
        other.kill()
        other.communicate()


HOLDER = """
import asyncio, sys
from pathlib import Path
from bmv.live.control.place import Place
from bmv.live.control.server import Control

async def main():
    async with Control(Place(Path(sys.argv[1]), sys.argv[2]), None):
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_a_request_that_was_begun_goes_on_though_whoever_asked_has_gone(place: Place) -> None:
    async def use(_: Control, session: Remembering) -> None:
        session.may_stop.clear()
        one = client(place)
        one.sendall(encode_request(Request("stop")))
        while not session.heard:
            await asyncio.sleep(0.01)
        one.close()
        await asyncio.sleep(0.05)
        session.may_stop.set()
        await session.stopped.wait()

    serving(place, use)


def test_the_answer_to_a_stop_is_told_though_the_session_ends_at_once(place: Place) -> None:
    answer: dict[str, Any] = {}
    thread = threading.Thread(target=lambda: answer.update(ask(place, Request("stop"), 20.0)))

    async def use(_: Control, session: Remembering) -> None:
        session.may_stop.clear()
        thread.start()
        while not session.heard:
            await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(0.1, session.may_stop.set)

    serving(place, use)
    thread.join()

    assert answer == {"done": True, "message": "stopped, orders: cancel", "slot": 17}


def test_whoever_asks_nothing_or_half_a_line_is_let_go(place: Place) -> None:
    async def use(_: Control, __: Remembering) -> None:
        silent, slow = client(place), client(place)
        slow.sendall(STATUS[:5])
        for one in (silent, slow):
            assert await asyncio.to_thread(rest, one) == b""
            one.close()

    control = serving(place, use, SHORT)

    assert control.answered == 0


def test_whoever_takes_no_answer_is_let_go(place: Place) -> None:
    class Wordy(Remembering):
        async def orders(self) -> list[dict[str, Any]]:
            return [{"text": "x" * 1_000}] * 900

    async def run() -> None:
        async with Control(place, Wordy(), SHORT) as control:
            one = client(place)
            one.sendall(encode_request(Request("orders")) * 10)
            while "1 connected" not in repr(control):
                await asyncio.sleep(0.01)
            while "0 connected" not in repr(control):
                await asyncio.sleep(0.01)
            assert control.answered < 10
            one.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "data",
    [
        b"x" * (REQUEST_MAX + 1), b"\n" * 50, b"\xff\x00\n", b"[" * 2_000 + b"\n", b'{"bmv":1}\n',
        b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n", b'{"bmv":1,"request":"stop","mode":"now"}\n',
    ],
)  # fmt: skip
def test_hostile_bytes_are_answered_with_an_error_and_reach_no_session(place: Place, data: bytes) -> None:
    async def use(_: Control, session: Remembering) -> None:
        one = client(place)
        one.sendall(data)
        one.shutdown(socket.SHUT_WR)
        found = await asyncio.to_thread(rest, one)
        one.close()
        assert found.count(b'"error"') == found.count(b"\n") >= 1
        assert session.heard == []
        assert (await asked(place, Request("health")))["alive"]

    control = serving(place, use)

    assert control.faults == 0


def test_a_flood_of_connections_costs_no_more_than_its_share_and_a_stop_gets_through(place: Place) -> None:
    async def use(control: Control, session: Remembering) -> None:
        crowd = []
        for _ in range(50):
            crowd.append(client(place))
            await asyncio.sleep(0)
        assert (await asked(place, Request("stop")))["done"]
        assert len(control._tasks) <= 3
        for one in crowd:
            one.close()
        assert session.heard == ["stop cancel"]

    serving(place, use, Patience(connections=3, line_s=60))


def test_more_requests_under_way_than_are_borne_are_told_so(place: Place) -> None:
    async def use(_: Control, session: Remembering) -> None:
        session.may_stop.clear()
        crowd = [client(place) for _ in range(3)]
        for one in crowd:
            one.sendall(encode_request(Request("stop")))
        while len(session.heard) < 3:
            await asyncio.sleep(0.01)
        with pytest.raises(Refused, match="3 requests are under way"):
            await asked(place, Request("status"))
        session.may_stop.set()
        for one in crowd:
            one.close()

    serving(place, use, Patience(connections=3))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_is_turned_away_though_the_folder_lets_him_in() -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Place(Path(name), "live-sim-A-0")

        async def use(_: Control, __: Remembering) -> None:
            place.folder.chmod(0o755)
            place.socket.chmod(0o666)
            for user, found in ((os.geteuid(), b'"alive":true'), (65_534, b"")):
                other = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", STRANGER, str(place.socket), str(user), stdout=subprocess.PIPE
                )
                said, _errors = await other.communicate()
                assert other.returncode == 0
                assert (found in said) if found else said == b""

        control = serving(place, use)

        assert (control.answered, control.refused) == (1, 1)


STRANGER = """
import os, socket, sys
os.setuid(int(sys.argv[2]))
one = socket.socket(socket.AF_UNIX)
one.connect(sys.argv[1])
try:
    one.sendall(b'{"bmv":1,"request":"health"}\\n')
    one.shutdown(socket.SHUT_WR)
    print(one.recv(1000).decode(), end="")
except OSError:
    pass
"""


def test_a_session_that_dies_in_mid_answer_is_told_from_one_that_does_not_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BmvError, match="does not run"):
        ask(place, Request("status"), 5.0)
    listener = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(place.folder)
    listener.bind(place.socket.name)
    listener.listen()
    thread = threading.Thread(target=lambda: listener.accept()[0].close())
    thread.start()

    with pytest.raises(BmvError, match="ended without an answer"):
        ask(place, Request("status"), 5.0)
    thread.join()
    listener.close()


def test_an_answer_that_does_not_end_is_given_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(place.folder)
    listener.bind(place.socket.name)
    listener.listen()

    def flood() -> None:
        one = listener.accept()[0]
        try:
            while True:
                one.sendall(b"x" * 65_536)
        except OSError:
            one.close()

    thread = threading.Thread(target=flood)
    thread.start()

    with pytest.raises(BmvError, match="found a longer one"):
        ask(place, Request("status"), 20.0)
    thread.join()
    listener.close()
