"""The signs of life of a session, heard by a socket like systemd's."""

import asyncio
import os
import socket
from collections.abc import Iterator

import pytest

from bmv.adapters.telemetry.notify import Notify
from bmv.adapters.telemetry.pulse import Pulse
from bmv.live.heart import beat_on


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(f"\0bmv-heart-{os.getpid()}")
        one.setblocking(False)
        yield one


def heard(manager: socket.socket) -> list[str]:
    found = list[str]()
    while True:
        try:
            found.append(manager.recv(1_000).decode())
        except BlockingIOError:
            return found


def test_signs_of_life_end_when_the_loop_hangs_and_come_again_when_it_turns(manager: socket.socket) -> None:
    async def run() -> None:
        hand = [0.0]
        pulse = Pulse(limit_s=10, clock=lambda: hand[0])
        beating = asyncio.create_task(beat_on(pulse, Notify(f"@bmv-heart-{os.getpid()}", watchdog_s=0.03)))
        while "WATCHDOG=1" not in heard(manager):
            await asyncio.sleep(0.01)
        assert pulse.alive

        hand[0] = 11  # A loop that hangs so long: nothing of it runs before the next `await`.
        assert not pulse.alive
        assert heard(manager) == []

        while "WATCHDOG=1" not in heard(manager):
            await asyncio.sleep(0.01)
        assert pulse.alive
        beating.cancel()

    asyncio.run(run())


def test_systemd_is_told_how_the_session_is_once_for_each_change(manager: socket.socket) -> None:
    async def run() -> None:
        pulse, notify = Pulse(), Notify(f"@bmv-heart-{os.getpid()}", watchdog_s=0.03)
        beating = asyncio.create_task(beat_on(pulse, notify))
        said = list[str]()
        for why in ("", "paused by an operator", ""):
            pulse.say(why)
            while not (found := [word for word in heard(manager) if word.startswith("STATUS=")]):
                await asyncio.sleep(0.01)
            said += found
        await asyncio.sleep(0.1)
        assert [word for word in heard(manager) if word.startswith("STATUS=")] == []
        assert said == ["STATUS=quoting", "STATUS=not quoting: paused by an operator", "STATUS=quoting"]
        beating.cancel()

    asyncio.run(run())
