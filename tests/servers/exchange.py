"""An exchange on loopback that speaks as the venues of prices do, and misbehaves when told so."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response


@dataclass
class Refusal:
    """How the exchange answers instead: an HTTP status and its headers."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


class Exchange:
    """Listens on a port of its own; used as an asynchronous context.

    Attributes:
        subscribed: What clients asked for over websockets, in order: the path at Binance, else the message.
        asked: What clients asked for over HTTP: path and headers.
        answers: Start of a path over HTTP -> body that is answered, or a refusal.
        refusal: How the next handshakes of websockets are refused, if they are.
    """

    def __init__(self) -> None:
        self.port = 0
        self.subscribed: list[str] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, str | Refusal] = {}
        self.refusal: Refusal | None = None
        self._clients: dict[str, set[ServerConnection]] = {}
        self._server: Server | None = None

    async def __aenter__(self) -> "Exchange":
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Listen, on the port of before if there was one."""
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, process_request=self._answer, compression=None, ping_interval=None
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self) -> None:
        """Be gone: nothing listens any more."""
        assert self._server is not None
        self.cut()
        self._server.close()
        await self._server.wait_closed()

    def websocket(self, venue: str) -> str:
        """Where a client reaches a venue's stream."""
        return f"ws://127.0.0.1:{self.port}/{venue}"

    def rest(self, venue: str) -> str:
        """Where a client asks a venue."""
        return f"http://127.0.0.1:{self.port}/{venue}"

    async def say(self, venue: str, text: str) -> None:
        """Say something to all who listen at a venue."""
        for client in list(self.clients(venue)):
            await client.send(text)

    def cut(self) -> None:
        """Break every websocket without a farewell."""
        for clients in self._clients.values():
            for client in list(clients):
                client.transport.abort()

    def clients(self, venue: str) -> set[ServerConnection]:
        """Who listens at a venue now."""
        return self._clients.get(venue, set())

    def listeners(self, venue: str) -> int:
        """How many listen at a venue now."""
        return len(self.clients(venue))

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if "upgrade" in request.headers.get("Connection", "").lower():
            return None if self.refusal is None else _response(self.refusal.status, "no", self.refusal.headers)
        self.asked.append((request.path, {name.lower(): value for name, value in request.headers.raw_items()}))
        for start, answer in self.answers.items():
            if request.path.startswith(start):
                if isinstance(answer, Refusal):
                    return _response(answer.status, "{}", answer.headers)
                return _response(200, answer, {})
        return _response(404, "{}", {})

    async def _serve(self, client: ServerConnection) -> None:
        assert client.request is not None
        path = urlsplit(client.request.path).path
        venue = path.split("/")[1]
        clients = self._clients.setdefault(venue, set())
        try:
            if venue == "binance":
                self.subscribed.append(path)
                clients.add(client)
            async for message in client:
                self.subscribed.append(str(message))
                for answer in _welcome(venue, json.loads(message)):
                    await client.send(answer)
                clients.add(client)
        except ConnectionClosed:
            pass
        finally:
            clients.discard(client)


def binance(symbol: str, bid: str, ask: str, update: int) -> str:
    """A message of `bookTicker`."""
    return json.dumps({"u": update, "s": symbol, "b": bid, "B": "31.21000000", "a": ask, "A": "40.66000000"})


def coinbase(symbol: str, bid: str, ask: str, sequence: int, time: str) -> str:
    """A message of `ticker`."""
    return json.dumps({
        "type": "ticker", "sequence": sequence, "product_id": symbol, "price": bid, "open_24h": "148.91",
        "volume_24h": "1021436.7", "low_24h": "147.5", "high_24h": "152.02", "volume_30d": "40216811.1",
        "best_bid": bid, "best_bid_size": "12.1", "best_ask": ask, "best_ask_size": "9.73", "side": "buy",
        "time": time, "trade_id": 512, "last_size": "0.5",
    })  # fmt: skip


def kraken(symbol: str, bid: str, ask: str, time: str | None, kind: str = "update") -> str:
    """A message of `ticker`, whose prices are numbers, written as they are given."""
    stamp = "" if time is None else f',"timestamp":"{time}"'
    return (
        f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{symbol}","bid":{bid},"bid_qty":2.5,"ask":{ask},'
        f'"ask_qty":3.25,"last":{bid},"volume":163.28908096,"vwap":149.9,"low":147.0,"high":152.0,"change":1.25,'
        f'"change_pct":0.84{stamp}}}]}}'
    )


def coingecko(coin: str, usd: str, at_s: int) -> str:
    """An answer of `/simple/price`."""
    return f'{{"{coin}":{{"usd":{usd},"eur":{usd},"gbp":{usd},"jpy":{usd},"last_updated_at":{at_s}}}}}'


def pyth(feed: str, price: str, conf: str, at_s: int, expo: int = -8) -> str:
    """An answer of `/v2/updates/price/latest`."""
    told = {"price": price, "conf": conf, "expo": expo, "publish_time": at_s}
    parsed = {"id": feed, "price": told, "ema_price": told, "metadata": {"slot": 7, "proof_available_time": at_s}}
    return json.dumps({"binary": {"encoding": "hex", "data": ["504e4155"]}, "parsed": [parsed]})


def _welcome(venue: str, asked: dict[str, object]) -> list[str]:
    """What a venue answers to a subscription."""
    if venue == "coinbase":
        return [
            json.dumps({"type": "subscriptions", "channels": [{"name": "ticker", "product_ids": asked["product_ids"]}]})
        ]
    system = {"api_version": "v2", "connection_id": 1, "system": "online", "version": "2.0.0"}
    return [
        json.dumps({"channel": "status", "type": "update", "data": [system]}),
        json.dumps({"method": "subscribe", "result": {"channel": "ticker", "snapshot": True}, "success": True}),
    ]


def _response(status: int, body: str, headers: dict[str, str]) -> Response:
    content = body.encode()
    named = {"Content-Type": "application/json", "Content-Length": str(len(content)), "Connection": "close", **headers}
    return Response(status, HTTPStatus(status).phrase, Headers(named), content)


def query(path: str) -> dict[str, list[str]]:
    """The query of a path that was asked for."""
    return parse_qs(urlsplit(path).query)


async def until(is_so: Callable[[], bool], patience_s: float = 60.0) -> None:
    """Wait until a condition holds, as long as a busy machine may need."""
    async with asyncio.timeout(patience_s):
        while not is_so():
            await asyncio.sleep(0.002)
