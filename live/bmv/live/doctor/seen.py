"""What the doctor saw, before anything is made of it. None is unknown everywhere."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from bmv.adapters.openbook.inspection.records import Finding, Inspection
from bmv.adapters.solana.consensus import Consensus
from bmv.ports.errors import BmvError


class Tick(NamedTuple):
    """The chain's clock, notified: of which slot, what it said (whole seconds), and when it came (ns UTC)."""

    slot: int
    unix_timestamp: int
    received_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketSeen:
    """A websocket that was tried.

    Args:
        name: Its URL as it may be shown.
        failure: Why no subscription was confirmed; "": one was.
        ticks: What the chain's clock said on it.
    """

    name: str
    failure: str = ""
    ticks: tuple[Tick, ...] = ()


class Taken(Enum):
    """Whether a node takes transactions of version 1."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class VersionOne(NamedTuple):
    """What a node made of a transaction of version 1, and in which words."""

    taken: Taken
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSeen:
    """One endpoint that was tried.

    Args:
        name: Its URL as it may be shown.
        roles: What it is for.
        failure: Why it does not answer; "": it does.
        version: Of its software.
        consensus: By which rule the chain agrees, as it says.
        genesis: Hash that its chain's first block was built on, by which a chain is known; None: it does not say.
        slots: Its newest slot in each round, in which all endpoints were asked at the same time.
        final_lag: How many slots its newest final one is behind its newest.
        version_one: What it makes of a transaction of version 1.
        socket: Its websocket; None: it is not read from.
        limited: How often it refused for too many requests while all that was asked.
    """

    name: str
    roles: tuple[str, ...]
    failure: str = ""
    version: str | None = None
    consensus: Consensus = Consensus.UNKNOWN
    genesis: str | None = None
    slots: tuple[int | None, ...] = ()
    final_lag: int | None = None
    version_one: VersionOne | None = None
    socket: SocketSeen | None = None
    limited: int = 0


class Touched(NamedTuple):
    """The newest transactions that named the market.

    Args:
        looked: How many were looked at.
        failed: How many of them failed.
        last_good: Second of the chain when the last one succeeded; None: none of them did, or nobody said when.
        signatures: Of those that succeeded, the newest first.
    """

    looked: int
    failed: int
    last_good: int | None
    signatures: tuple[str, ...]


class LastTrade(NamedTuple):
    """The newest trade that could be found.

    Args:
        price, size: In quote per base and in base, as people read them.
        taker: "buys" or "sells".
        unix_timestamp: Second of the chain; None: the venue keeps none.
    """

    price: str
    size: str
    taker: str
    unix_timestamp: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSeen:
    """The market that was tried.

    Args:
        unknown: Why nothing of it could be read; "": it could.
        inspection: What it is; None: it is none that can be read, and a finding says why.
        findings: What is wrong with it.
        touched: Who uses it; None: the node does not say.
        last_trade: None: none was found.
    """

    unknown: str = ""
    inspection: Inspection | None = None
    findings: tuple[Finding, ...] = ()
    touched: Touched | None = None
    last_trade: LastTrade | None = None


class DiskSeen(NamedTuple):
    """Where something is kept: its key in the configuration, its place, and the bytes that are free there."""

    key: str
    place: str
    free_bytes: int | None


class DatabaseSeen(NamedTuple):
    """A database that is configured.

    Args:
        place: As it may be shown.
        failure: What is wrong; "": nothing.
        error: Whose fault that is.
        pending: Steps of the schema that it lacks.
        made: Whether it is there at all.
    """

    place: str
    failure: str = ""
    error: type[BmvError] = BmvError
    pending: tuple[str, ...] = ()
    made: bool = True
