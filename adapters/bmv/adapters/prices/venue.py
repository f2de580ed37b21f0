"""What is to be known of a venue to hear its prices: where it is, what to say to it, how to read what it says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from bmv.adapters.prices.quote import Message, Pair


class Decode(Protocol):
    """Reads one message without any I/O."""

    def __call__(self, message: str | bytes, pair: Pair, symbol: str) -> Message:
        """Return what `message` says of `pair`, which the venue calls `symbol`; `MessageError` for what is unusable."""
        ...


@dataclass(frozen=True, slots=True)
class Venue:
    """One place that prices come from.

    Args:
        name: As configurations name it.
        transport: `websocket`: it tells every change. `polling`: it is asked again and again.
        url: Where it is, unless a configuration says another.
        symbol: What it calls a pair; None where only a configuration can say.
        endpoint: From its URL and a symbol to the address that is opened.
        greeting: What is sent first over a websocket.
        decode: Reads a message, or an answer.
        max_age_s: Older prices do not count, unless a configuration says otherwise; None: as all others.
        silence_s: A websocket on which nothing was heard for so long is dead.
        poll_s: How often it is asked, unless a configuration says otherwise.
        key_header: The header that carries a key of the venue, by its URL.
        key_variable: The variable of the environment that may hold the key; empty where it takes none.
        objection: Why it has no price of a pair, if that is known.
    """

    name: str
    transport: Literal["websocket", "polling"]
    url: str
    symbol: Callable[[Pair], str | None]
    endpoint: Callable[[str, str], str]
    decode: Decode
    greeting: Callable[[str], tuple[str, ...]] = lambda symbol: ()
    max_age_s: float | None = None
    silence_s: float = 30.0
    poll_s: float = 0.0
    key_header: Callable[[str, str], dict[str, str]] = lambda url, key: {}
    key_variable: str = ""
    objection: Callable[[Pair], str] = lambda pair: ""

    @property
    def sets_prices(self) -> bool:
        """Whether it is a market with bid and ask, and no figure that somebody made of markets: that may only veto."""
        return self.transport == "websocket"
