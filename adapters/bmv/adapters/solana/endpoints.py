"""The nodes that may be asked, and which of them to ask."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from bmv.adapters.solana.health import Health
from bmv.adapters.solana.rpc import shown
from bmv.ports.errors import ConfigError

READ, SEND = "read", "send"
ROLES = (READ, SEND)
FAILING_STEPS = 4  # Endpoints that fail about equally often are chosen by their order.


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A node.

    Args:
        url: Of its RPC; never shown as a whole, since it may hold a key.
        websocket: Of its pubsub.
        roles: What it is for, of `ROLES`.
        health: How it does.
    """

    url: str
    websocket: str
    roles: tuple[str, ...] = ROLES
    health: Health = field(default_factory=Health)

    @property
    def name(self) -> str:
        """It as it may be shown."""
        return shown(self.url)

    def __repr__(self) -> str:
        return f"<Endpoint {self.name}: slot {self.health.slot}, {self.health.failing:.0%} failing>"


def websocket_of(url: str) -> str:
    """Return where a node usually has its pubsub: the same place, and the next port where one is named.

    >>> websocket_of("https://rpc.example.com/?api-key=1"), websocket_of("http://127.0.0.1:8899")
    ('wss://rpc.example.com/?api-key=1', 'ws://127.0.0.1:8900')
    """
    parts = urlsplit(url)
    host = parts.netloc
    if parts.port:
        host = host.removesuffix(f":{parts.port}") + f":{parts.port + 1}"
    return urlunsplit(parts._replace(scheme="wss" if parts.scheme == "https" else "ws", netloc=host))


class Endpoints:
    """The nodes of a configuration, most trusted first."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._all = tuple(endpoints)
        if not self.readers:
            raise ConfigError("live.endpoints: expected at least one endpoint to read from, found none")

    def __repr__(self) -> str:
        return f"<Endpoints {', '.join(map(repr, self._all))}>"

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._all)

    @property
    def readers(self) -> tuple[Endpoint, ...]:
        """Those that are read from."""
        return tuple(endpoint for endpoint in self._all if READ in endpoint.roles)

    def choose(self, now_s: float, without: Endpoint | None = None) -> Endpoint | None:
        """Return the endpoint to read from: none that wants to be left alone, then the healthiest, then the first.

        Where all want to be left alone it is the one that does for the shortest while. None: there is no other than
        `without`.
        """
        left = [endpoint for endpoint in self.readers if without is None or endpoint.url != without.url]
        return min(left, key=lambda endpoint: _rank(endpoint, now_s), default=None)


def _rank(endpoint: Endpoint, now_s: float) -> tuple[float, int]:
    health = endpoint.health
    return max(health.cool_until_s - now_s, 0.0), int(health.failing * FAILING_STEPS)
