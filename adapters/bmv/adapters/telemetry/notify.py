"""Telling systemd how we are, by its protocol `sd_notify`: one datagram for each word, and none where nobody listens.

Source: sd_notify(3) and sd_watchdog_enabled(3) of systemd.
"""

import os
import socket
from collections.abc import Mapping
from typing import Self

STATUS_MAX = 200  # Characters.


class Notify:
    """Tells whoever started this process; it never waits and never raises.

    Args:
        address: Of the socket; "": nobody listens.
        watchdog_s: Within which each :meth:`watchdog` must follow the one before; None: nobody counts.
    """

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self.sent = self.failed = 0
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    @classmethod
    def of_environment(cls, env: Mapping[str, str] | None = None) -> Self:
        """Return what the environment of a service says; a watchdog that is meant for another process is none."""
        env = os.environ if env is None else env
        ours = env.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = env.get("WATCHDOG_USEC", "")
        counted = ours and usec.isdecimal() and int(usec) > 0
        return cls(env.get("NOTIFY_SOCKET", ""), int(usec) / 1e6 if counted else None)

    def __repr__(self) -> str:
        return f"<Notify: {self.sent} sent, {self.failed} failed>" if self._address else "<Notify: nobody listens>"

    def ready(self, status: str = "") -> None:
        """Say that it runs, and that what depends on it may start."""
        self._send("READY=1", status)

    def status(self, status: str) -> None:
        """Say in one sentence, without secrets, how it is: `systemctl status` shows it."""
        self._send("", status)

    def watchdog(self) -> None:
        """Say that it is alive: at least twice in `watchdog_s`, and from the loop that must not hang."""
        self._send("WATCHDOG=1")

    def stopping(self, status: str = "") -> None:
        """Say that it is about to end."""
        self._send("STOPPING=1", status)

    def _send(self, word: str, status: str = "") -> None:
        if not self._address:
            return
        said = "".join(letter if letter.isprintable() else " " for letter in status)[:STATUS_MAX]
        lines = [line for line in (word, f"STATUS={said}" if said else "") if line]
        if not lines:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one:
                one.setblocking(False)
                one.sendto("\n".join(lines).encode(), self._address)
            self.sent += 1
        except OSError:
            self.failed += 1
