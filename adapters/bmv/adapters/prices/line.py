"""One line to one venue: where it leads, what is said and heard on it, and how long to wait when it breaks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from urllib.parse import urlsplit

from bmv.adapters.prices.quote import Pair
from bmv.adapters.prices.settings import NS_PER_S, Settings
from bmv.adapters.prices.venue import Venue
from bmv.adapters.prices.venues import VENUES
from bmv.ports.errors import BmvError, ConfigError

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
BANNED_WAIT_S = 60  # Where a venue refuses for the number of calls and does not say until when.
RETRY_AFTER_S_MAX = 86_400
HERE = ("localhost", "127.0.0.1", "::1")


class LineError(BmvError):
    """A line that broke, or never came up.

    Args:
        text: Why; shows no more of an address than scheme, host and port.
        retry_after_s: How long the venue wants to be left alone.
    """

    def __init__(self, text: str, retry_after_s: int = 0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Line:
    """Where a source or a leg is heard.

    Args:
        name: That of the source or leg, such as `kraken SOL/USD`.
        venue: Who is there.
        pair: What is asked for.
        symbol: What the venue calls it.
        url: The venue's address; may hold a secret.
        poll_ns: How often a venue that has to be asked is asked.
        headers: Sent with every call; may hold a secret.
    """

    name: str
    venue: Venue
    pair: Pair
    symbol: str
    url: str = field(repr=False)
    poll_ns: int
    headers: Mapping[str, str] = field(repr=False)

    @property
    def address(self) -> str:
        """What is opened or asked; never shown."""
        return self.venue.endpoint(self.url, self.symbol)

    @property
    def shown(self) -> str:
        """Return the address as it may be shown: a key may stand in user, path and query, so none of them is."""
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"

    @property
    def is_here(self) -> bool:
        """Whether it leads to this machine, and so past every proxy."""
        return urlsplit(self.url).hostname in HERE


def lines(settings: Settings, keys: Mapping[str, str]) -> list[Line]:
    """Return every line that the sources and their legs need, each once.

    Args:
        settings: In which nothing is wrong.
        keys: Name of a venue -> its key.
    """
    by_name: dict[str, Line] = {}
    for name, venue, pair, symbol, url, poll_ns in _wanted(settings):
        line = _line(name, VENUES[venue], pair, symbol, url, poll_ns, keys.get(venue, ""))
        if by_name.setdefault(name, line).address != line.address:
            raise ConfigError(f"live.prices: {name} is named with two addresses; expected one")
    return list(by_name.values())


def wait_ns(attempt: int, dice: Random) -> int:
    """Return how long to wait before another try: anything up to a limit that doubles, so that no two clients agree.

    Args:
        attempt: 0 for the first.
        dice: Says how much of the limit.
    """
    longest_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(attempt, 16))
    return int(dice.uniform(0.0, longest_s) * NS_PER_S)


def retry_after_s(status: int, headers: Mapping[str, str]) -> int:
    """Return how long a venue that answers with `status` wants to be left alone, in seconds; 0: it does not say.

    >>> retry_after_s(429, {"retry-after": "7"}), retry_after_s(418, {}), retry_after_s(503, {})
    (7, 60, 0)
    """
    text = headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), RETRY_AFTER_S_MAX)
    return BANNED_WAIT_S if status in (418, 429) else 0


def _wanted(settings: Settings) -> Iterator[tuple[str, str, Pair, str, str, int]]:
    for source in settings.sources:
        yield source.name, source.venue, source.pair, source.symbol, source.url, source.poll_ns
        if (leg := source.leg) is not None:
            yield leg.name, leg.venue, leg.pair, leg.symbol, leg.url, 0


def _line(name: str, venue: Venue, pair: Pair, symbol: str, url: str, poll_ns: int, key: str) -> Line:
    url = url or venue.url
    schemes = ("wss", "ws") if venue.transport == "websocket" else ("https", "http")
    try:
        parts = urlsplit(url)
        known = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise ConfigError(f"live.prices: url of {name}: expected {schemes[0]}://…, found something else")
    if key and parts.scheme in ("ws", "http") and parts.hostname not in HERE:
        raise ConfigError(f"live.prices: url of {name}: a key goes out over {schemes[0]}:// only")
    called = symbol or venue.symbol(pair)
    assert called, f"{name} has no symbol"
    headers = venue.key_header(url, key) if key else {}
    return Line(name, venue, pair, called, url, poll_ns or int(venue.poll_s * NS_PER_S), headers)
