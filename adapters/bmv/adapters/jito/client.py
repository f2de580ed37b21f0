"""Carries calls to a block engine over HTTP. It shows no URL, for a key may stand in it, and no header."""

import asyncio
import time
from collections.abc import Callable, Mapping
from itertools import count

import httpx

from bmv.adapters.jito import codec
from bmv.adapters.jito.codec import Answer, Call, Said
from bmv.adapters.jito.floor import ToldFloor, read_floor
from bmv.adapters.jito.regions import Region, Regions

ANSWER_S = 2.0
BODY_BYTES_MAX = 1 << 20
LIMITED_S = 1.0  # For so long a region is left alone that refuses for too many requests and names no time.
FLOOR_PATH = "/api/v1/bundles/tip_floor"


class JitoClient:
    """Speaks with one engine, by whichever of its regions is the quickest now.

    Args:
        client: Carries the calls; closed by whoever made it.
        urls: Of the regions, by name.
        header: Name and value of the header that says who we are; None: we don't say.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        urls: Mapping[str, str],
        header: tuple[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._urls, self._clock = client, {name: url.rstrip("/") for name, url in urls.items()}, clock
        self._headers = {"content-type": "application/json", **(dict([header]) if header else {})}
        self._numbers = count(1)
        self.regions = Regions(urls)

    def __repr__(self) -> str:
        return f"<JitoClient {', '.join(self._urls)}>"

    async def measure(self) -> dict[str, Answer]:
        """Ask every region once for the tip accounts, and so learn how long each takes; return what each said."""
        regions = list(self.regions.each.values())
        answers = await asyncio.gather(*(self._ask(region, codec.tip_accounts()) for region in regions))
        return {region.name: answer for region, answer in zip(regions, answers, strict=True)}

    async def call(self, call: Call) -> Answer:
        """Say something to the region that is best now; `BUSY` where every region wants to be left alone."""
        region = self.regions.choose(self._clock())
        if region is None:
            open_s = min(region.open_s for region in self.regions.each.values())
            return Answer(Said.BUSY, words="every region wants to be left alone", wait_s=open_s - self._clock())
        return await self._ask(region, call)

    async def floor(self, url: str) -> ToldFloor | None:
        """Ask for the tip floor, at its own URL; None where there is none to be had now."""
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._client.get(url.rstrip("/") + FLOOR_PATH)
                return read_floor(answer.json()) if answer.status_code == httpx.codes.OK else None
        except (TimeoutError, httpx.HTTPError, ValueError, RecursionError):
            return None

    async def _ask(self, region: Region, call: Call) -> Answer:
        began_s = self._clock()
        try:
            async with asyncio.timeout(ANSWER_S):
                status, headers, body = await self._post(self._urls[region.name] + call.path, call)
        except (TimeoutError, httpx.HTTPError):  # The error's text may name the URL.
            region.note_failure(self._clock())
            return Answer(Said.UNKNOWN, words=f"{region.name}: no answer")
        answer = codec.read_answer(status, headers, body)
        if answer.said is Said.BUSY:
            region.note_limit(self._clock(), LIMITED_S if answer.wait_s is None else answer.wait_s)
        elif status >= 500:
            region.note_failure(self._clock())
        else:
            region.note_answer(self._clock() - began_s)
        return answer

    async def _post(self, url: str, call: Call) -> tuple[int, Mapping[str, str], bytes]:
        body = bytearray()
        content = call.body(next(self._numbers))
        async with self._client.stream("POST", url, content=content, headers=self._headers) as answer:
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > BODY_BYTES_MAX:
                    break
            return answer.status_code, answer.headers, bytes(body)
