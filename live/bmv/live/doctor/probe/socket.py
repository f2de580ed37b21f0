"""A websocket tried: opened, subscribed to the chain's clock, and listened to for a while."""

import asyncio
import time
from contextlib import suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bmv.adapters.solana.accounts import read_account
from bmv.adapters.solana.clock import CLOCK, read_unix_timestamp
from bmv.adapters.solana.endpoints import Endpoint
from bmv.adapters.solana.pubsub import Confirmed, Notified, RequestRefused, account_subscribe, read_message
from bmv.adapters.solana.rpc import PROCESSED, shown
from bmv.live.doctor.seen import SocketSeen, Tick

OPEN_S = 10.0
CONFIRM_S = 5.0
FIRST_S = 5.0  # How long the first tick is waited for,
LISTEN_S = 2.0  # how long is listened after it,
TICKS_MAX = 20  # and after how many that is enough.
REQUEST = 1


class _Refused(Exception):
    """The node does not do what a feed needs."""


async def try_socket(endpoint: Endpoint) -> SocketSeen:
    """Try the websocket of an endpoint."""
    name = shown(endpoint.websocket)
    try:
        async with connect(endpoint.websocket, compression=None, open_timeout=OPEN_S, proxy=None) as socket:
            await _subscribe(socket)
            return SocketSeen(name=name, ticks=tuple(await _listen(socket)))
    except TimeoutError:
        return SocketSeen(name=name, failure=f"does not open within {OPEN_S:g} s")
    except (OSError, WebSocketException) as error:
        return SocketSeen(name=name, failure=f"can't be reached, or broke off ({type(error).__name__})")
    except (_Refused, ValueError) as error:
        return SocketSeen(name=name, failure=str(error))


async def _subscribe(socket: ClientConnection) -> None:
    await socket.send(account_subscribe(REQUEST, CLOCK, PROCESSED))
    try:
        async with asyncio.timeout(CONFIRM_S):
            while not isinstance(message := read_message(await socket.recv()), Confirmed):
                if isinstance(message, RequestRefused):
                    raise _Refused(f"refuses a subscription: {message.message}")
    except TimeoutError:
        raise _Refused(f"opens, and does not confirm a subscription within {CONFIRM_S:g} s") from None


async def _listen(socket: ClientConnection) -> list[Tick]:
    """Return the ticks that come within `LISTEN_S` of the first; none where that does not come in time."""
    ticks = list[Tick]()
    loop = asyncio.get_running_loop()
    with suppress(TimeoutError):
        async with asyncio.timeout(FIRST_S) as limit:
            while len(ticks) < TICKS_MAX:
                message = read_message(await socket.recv())
                if not isinstance(message, Notified) or (clock := read_account(message.value)) is None:
                    continue
                if not ticks:
                    limit.reschedule(loop.time() + LISTEN_S)
                ticks.append(Tick(message.slot, read_unix_timestamp(clock), time.time_ns()))
    return ticks
