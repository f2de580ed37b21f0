"""The tip floor as it changes: by the engine's stream, and asked for where the stream is silent."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from bmv.adapters.jito.floor import ToldFloor, read_floor

SILENT_S = 10.0  # A stream that says nothing for so long is given up, and the floor asked for.
AGAIN_S = 5.0  # Between two tries.
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MESSAGE_BYTES_MAX = 1 << 16


async def follow_floor(
    url: str | None, ask: Callable[[], Awaitable[ToldFloor | None]], hear: Callable[[ToldFloor], None]
) -> None:
    """Tell each tip floor as it comes, until cancelled.

    Args:
        url: Of the stream; None: there is none, and the floor is asked for.
        ask: Asks for it once.
        hear: Learns of each.
    """
    while True:
        if (told := await ask()) is not None:
            hear(told)
        if url is not None:
            await _listen(url, hear)
        await asyncio.sleep(AGAIN_S)


async def _listen(url: str, hear: Callable[[ToldFloor], None]) -> None:
    """Tell what a stream says, until it is silent or breaks."""
    here = urlsplit(url).hostname in LOOPBACK
    try:
        async with connect(
            url, max_size=MESSAGE_BYTES_MAX, open_timeout=SILENT_S, proxy=None if here else True
        ) as stream:
            while True:
                async with asyncio.timeout(SILENT_S):
                    text = await stream.recv()
                if (told := _read(text)) is not None:
                    hear(told)
    except (OSError, TimeoutError, WebSocketException, ValueError):
        return


def _read(text: str | bytes) -> ToldFloor | None:
    try:
        return read_floor(json.loads(text))
    except (ValueError, RecursionError):
        return None
