"""Reads from whichever endpoint answers: none is trusted to be there on a bad day."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import httpx

from bmv.adapters.solana.endpoints import Endpoint, Endpoints
from bmv.adapters.solana.errors import EndpointError, Lagging, RateLimited
from bmv.adapters.solana.rpc import FINALIZED, Rpc
from bmv.ports.errors import BmvError, DataError

PAUSE_S = 0.3  # Between two rounds of asking all.
CATCH_UP_S = 3.0

T = TypeVar("T")


class Readers:
    """The endpoints that are read from.

    Args:
        client: Carries the calls.
        endpoints: All of the configuration.
        patience_s: For how long to go on asking while all refuse or lag; where none can be reached, all are asked once
            more and no longer waited for, unless `stubborn`.
        stubborn: Whether to go on asking those that can't be reached too.
    """

    def __init__(
        self, client: httpx.AsyncClient, endpoints: Endpoints, patience_s: float, *, stubborn: bool = False
    ) -> None:
        self.endpoints, self.client = endpoints, client
        self._patience_s, self._stubborn = patience_s, stubborn
        self.least_slot = 0  # Nothing older is believed.

    def __repr__(self) -> str:
        return f"<Readers {self.endpoints!r} from slot {self.least_slot}>"

    def reached(self, slot: int) -> None:
        """Believe nothing older than a slot from now on."""
        self.least_slot = max(self.least_slot, slot)

    async def catch_up(self) -> None:
        """Believe nothing older than the newest final slot that any endpoint tells of within a moment."""
        found = await asyncio.gather(*map(self._final_slot, self.endpoints.readers))
        self.reached(max(found))

    async def _final_slot(self, endpoint: Endpoint) -> int:
        try:
            async with asyncio.timeout(CATCH_UP_S):
                return await self._rpc(endpoint).slot(FINALIZED)
        except (EndpointError, TimeoutError):
            return 0

    async def ask(self, job: Callable[[Rpc], Awaitable[T]]) -> T:
        """Return what a job makes of the first endpoint that answers it; `EndpointError` says why none does.

        An endpoint may be of another chain: where one says that there is no such market, the others are asked too, and
        only if all say so it is believed.
        """
        until_s = time.monotonic() + self._patience_s
        while True:
            failures = list[EndpointError | DataError]()
            for endpoint in self._ordered():
                try:
                    return await job(self._rpc(endpoint))
                except (EndpointError, DataError) as error:
                    failures.append(error)
            told = [one for one in failures if isinstance(one, DataError)]
            if len(told) == len(failures):
                raise told[0]
            if not self._is_worth_waiting(failures) or time.monotonic() >= until_s:
                raise EndpointError("\n".join(map(str, failures)))
            await asyncio.sleep(PAUSE_S)

    def _is_worth_waiting(self, failures: Sequence[BmvError]) -> bool:
        return self._stubborn or any(isinstance(one, RateLimited | Lagging) for one in failures)

    def _ordered(self) -> list[Endpoint]:
        """Return the endpoints, those last that want to be left alone: they are tried only if no other answers."""
        now_s = time.monotonic()
        return sorted(self.endpoints.readers, key=lambda endpoint: max(endpoint.health.cool_until_s - now_s, 0.0))

    def _rpc(self, endpoint: Endpoint) -> Rpc:
        return Rpc(self.client, endpoint.url, health=endpoint.health)
