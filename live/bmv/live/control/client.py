"""The end of the control socket that asks."""

import os
import socket
import time
from contextlib import suppress
from typing import Any

from bmv.live.control.place import Place, connect, peer_uid
from bmv.live.control.protocol import ANSWER_MAX, Lines, Request, decode_answer, encode_request
from bmv.ports.errors import BmvError, Refused

CHUNK = 65_536  # Bytes of one read.
CONNECT_S = 2.0


def ask(place: Place, request: Request, timeout_s: float) -> Any:  # Any: whatever the session answers.
    """Return what the session at a place answers, or raise the error that it tells.

    Raises:
        BmvError: Nobody listens, nobody answers in time, or the session ended before it had answered.
        Refused: Another user listens.
    """
    until = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(CONNECT_S)
        try:
            connect(client, place)
            _check_peer(client, place)
            client.settimeout(timeout_s)
            with suppress(BrokenPipeError):  # It was turned away, and may be told why.
                client.sendall(encode_request(request))
            return decode_answer(_read(client, until))
        except TimeoutError:
            raise BmvError(_silent(place, request, timeout_s)) from None
        except (FileNotFoundError, ConnectionRefusedError):
            raise BmvError(f"session {place.name} does not run") from None
        except OSError as error:
            raise BmvError(f"session {place.name} ended without an answer ({error.strerror})") from None


def _check_peer(client: socket.socket, place: Place) -> None:
    uid, own = peer_uid(client), os.geteuid()
    if own != 0 and uid not in (None, 0, own):
        raise Refused(f"{place.socket}: expected a process of this user behind it, found one of user {uid}")


def _read(client: socket.socket, until: float) -> bytes:
    """Return the first line that comes; `TimeoutError` where none is whole in time, `OSError` where it ends before."""
    lines = Lines(ANSWER_MAX)
    while True:
        if (left_s := until - time.monotonic()) <= 0:
            raise TimeoutError
        client.settimeout(left_s)
        data = client.recv(CHUNK)
        if not data:
            raise ConnectionResetError(0, "it was closed")
        if whole := lines.feed(data):
            return whole[0]


def _silent(place: Place, request: Request, timeout_s: float) -> str:
    said = f"session {place.name} has not answered {request.name} within {timeout_s:g} s"
    if request.name in ("status", "orders", "fills", "health"):
        return f"{said}: its process may be stopped or blocked"
    return f"{said}: it may still do so; `bmv status` says how it is"
