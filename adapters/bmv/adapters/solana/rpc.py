"""A client of one RPC endpoint that reads: JSON-RPC over HTTP, every failure a declared error."""

import json
import time
from collections.abc import Sequence
from itertools import count
from urllib.parse import urlsplit

import httpx
from solders.pubkey import Pubkey

from bmv.adapters.solana.accounts import ENCODING, Snapshot, read_account
from bmv.adapters.solana.errors import MIN_CONTEXT_SLOT, EndpointError, Json, Lagging, NodeError, RateLimited
from bmv.adapters.solana.health import Health
from bmv.ports.errors import ConfigError

TIMEOUT_S = 20.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANSWER_BYTES_MAX = 64 << 20  # A program's code of 10 MiB in base64, several times over.
ACCOUNTS_MAX = 100  # In one call.
PROCESSED, CONFIRMED, FINALIZED = "processed", "confirmed", "finalized"
TOO_MANY = (429, -32429)  # Codes of JSON-RPC by which providers say what HTTP says by 429.


def shown(url: str) -> str:
    """Return an endpoint as it may be shown: a key may stand in user, path and query, so none of them is.

    >>> shown("https://user:pw@rpc.example.com:8443/v1/secret?api-key=secret")
    'https://rpc.example.com:8443'
    """
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"


def make_client() -> httpx.AsyncClient:
    """Return a client of HTTP; what is on this machine is asked directly, whatever proxy the environment names."""
    here = dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]"))
    return httpx.AsyncClient(timeout=TIMEOUT_S, mounts=here)


class Rpc:
    """Reads from one endpoint.

    Args:
        client: Carries the calls; closed by whoever made it.
        url: The endpoint's; never shown as a whole.
        answer_bytes_max: A longer answer is not read to its end.
        health: Learns how the endpoint does.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        health: Health | None = None,
    ) -> None:
        try:
            parts = urlsplit(url)
            known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            known = False
        if not known:
            raise ConfigError("endpoint: expected a URL such as https://rpc.example.com, found something else")
        self._client, self._url, self._bytes_max = client, url, answer_bytes_max
        self._ids = count(1)
        self.health = Health() if health is None else health
        self.endpoint = shown(url)

    def __repr__(self) -> str:
        return f"<Rpc {self.endpoint}>"

    def beside(self, url: str, health: Health) -> "Rpc":
        """Return a client of another endpoint, on the same connections."""
        return Rpc(self._client, url, self._bytes_max, health)

    async def call(self, method: str, *params: Json) -> Json:
        """Return the result of a method; `EndpointError` where there is none, `NodeError` where the node refuses."""
        try:
            result = await self._call(method, *params)
        except NodeError:
            self.health.note_answer(good=True)
            raise
        except RateLimited as error:
            self.health.note_limit(time.monotonic(), error.retry_after_s)
            raise
        except EndpointError:
            self.health.note_answer(good=False)
            raise
        self.health.note_answer(good=True)
        return result

    async def _call(self, method: str, *params: Json) -> Json:
        identity = next(self._ids)
        body = await self._post({"jsonrpc": "2.0", "id": identity, "method": method, "params": list(params)})
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise self._unusable(method, "no JSON") from None
        if not isinstance(answer, dict) or answer.get("id") not in (identity, None):
            raise self._unusable(method, "no answer to the call")
        if answer.get("error") is not None:
            raise self._refusal(method, answer["error"])
        if "result" not in answer:
            raise self._unusable(method, "neither a result nor an error")
        return answer["result"]

    async def accounts(self, keys: Sequence[Pubkey], *, least_slot: int = 0, commitment: str = CONFIRMED) -> Snapshot:
        """Return up to 100 accounts, all of one bank.

        Args:
            keys: Their addresses.
            least_slot: A node that has not reached it is `Lagging`, and does not answer with the past.
            commitment: How firm the bank has to be.
        """
        assert len(keys) <= ACCOUNTS_MAX, f"{len(keys)} accounts in one call"
        options = {"encoding": ENCODING, "commitment": commitment, "minContextSlot": least_slot}
        result = await self.call("getMultipleAccounts", [str(key) for key in keys], options)
        try:
            slot, values = result["context"]["slot"], result["value"]
            accounts = [read_account(value) for value in values]
        except (KeyError, TypeError):
            raise self._unusable("getMultipleAccounts", "neither slot nor accounts") from None
        except ValueError as error:
            raise self._unusable("getMultipleAccounts", str(error)) from None
        if not isinstance(slot, int):
            raise self._unusable("getMultipleAccounts", "a slot that is no number")
        if len(accounts) != len(keys):
            raise self._unusable("getMultipleAccounts", f"{len(accounts)} accounts where {len(keys)} were asked for")
        if slot < least_slot:
            raise self._unusable("getMultipleAccounts", f"slot {slot}, and {least_slot} was asked for as the least")
        self.health.note_slot(slot)
        return Snapshot(slot, dict(zip(keys, accounts, strict=True)))

    async def slot(self, commitment: str = PROCESSED) -> int:
        """Return the newest slot at a commitment."""
        slot = await self.call("getSlot", {"commitment": commitment})
        if type(slot) is not int or slot < 0:
            raise self._unusable("getSlot", "a slot that is no number")
        self.health.note_slot(slot)
        return slot

    async def _post(self, asked: Json) -> bytes:
        body = bytearray()
        try:
            async with self._client.stream("POST", self._url, json=asked) as answer:
                if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
                    raise RateLimited(self.endpoint, _seconds(answer.headers.get("retry-after")))
                if answer.status_code != httpx.codes.OK:
                    raise EndpointError(f"{self.endpoint}: answers {answer.status_code} {answer.reason_phrase}")
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > self._bytes_max:
                        raise self._unusable(asked["method"], f"more than {self._bytes_max} bytes")
        except httpx.TimeoutException:
            raise EndpointError(f"{self.endpoint}: does not answer within {TIMEOUT_S:g} s") from None
        except httpx.HTTPError as error:  # Its text may name the URL.
            raise EndpointError(f"{self.endpoint}: can't be reached ({type(error).__name__}){self._hint()}") from None
        return bytes(body)

    def _hint(self) -> str:
        here = urlsplit(self._url).hostname in LOOPBACK
        return "; is it running? `bmv sandbox` starts a chain on this machine" if here else ""

    def _refusal(self, method: str, error: Json) -> EndpointError:
        if not isinstance(error, dict) or not isinstance(error.get("code"), int):
            return self._unusable(method, "an error without a code")
        if error["code"] in TOO_MANY:
            return RateLimited(self.endpoint, None)
        kind = Lagging if error["code"] == MIN_CONTEXT_SLOT else NodeError
        return kind(self.endpoint, error["code"], str(error.get("message", ""))[:300], error.get("data"))

    def _unusable(self, method: str, what: str) -> EndpointError:
        return EndpointError(f"{self.endpoint}: answers {method} with what can't be used: {what}")


def _seconds(text: str | None) -> float | None:
    """Return what Retry-After says, None where it says nothing or a date."""
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
