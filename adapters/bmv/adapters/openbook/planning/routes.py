"""What the ways to the chain take, and the form of transaction that all of them do."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from solders.pubkey import Pubkey

from bmv.ports.errors import ConfigError

PACKET_BYTES = 1_232  # Of version 0, and of whatever goes by a route that cuts packets.
LARGE_BYTES = 4_096  # Of version 1.
LOCKS_MAX = 64  # Accounts of one transaction, of either version.
TRACE_MAX = 64  # Instructions of one transaction and those that they call, together; version 1 has no more in itself.
UNITS_MAX = 1_400_000


class RouteKind(StrEnum):
    """How one sends by a route."""

    RPC = "rpc"  # To a node, which hands it on.
    JITO = "jito"  # To a block engine, as a bundle of one.
    RELAY = "relay"  # As to a node, to somebody with a better connection, who wants a tip.


@dataclass(frozen=True, slots=True)
class Route:
    """One way to send.

    Args:
        name: As the configuration calls it.
        versions: Of transactions that it takes.
        bytes_max: Of the largest one that it takes.
        kind: How one sends.
        tips: Accounts that its tip is paid to; empty: it wants none.
        least_tip: Lamports, of a route that wants a tip.
        no_revert: Whether what would fail never lands by it.
        after_slots, after_s: How long the routes before it have placements to themselves: until either has passed.
    """

    name: str
    versions: frozenset[int] = frozenset({0, 1})
    bytes_max: int = LARGE_BYTES
    kind: RouteKind = RouteKind.RPC
    tips: tuple[Pubkey, ...] = ()
    least_tip: int = 0
    no_revert: bool = False
    after_slots: int = 0
    after_s: float = 0.0

    def takes(self, version: int, size: int) -> bool:
        """Whether it takes a transaction of a version, of so many bytes."""
        return version in self.versions and size <= self.bytes_max


@dataclass(frozen=True, slots=True)
class Form:
    """What transactions are to be like: one version for every route, since two would be two transactions.

    Args:
        version: 1, or 0.
        bytes_max: Of one transaction, signatures included.
    """

    version: int
    bytes_max: int


def common_form(chain_takes_version_1: bool, routes: Sequence[Route]) -> Form:
    """Return the form that the chain and every route take: version 1 if all do, or else version 0.

    >>> jito = Route("jito", frozenset({0}), PACKET_BYTES)
    >>> common_form(True, [Route("rpc")]), common_form(True, [Route("rpc"), jito]).version
    (Form(version=1, bytes_max=4096), 0)
    """
    if not routes:
        raise ConfigError("there is no route to send by; one at least is needed")
    version = int(chain_takes_version_1 and all(1 in route.versions for route in routes))
    for route in routes:
        if version not in route.versions:
            raise ConfigError(
                f"route {route.name} takes no version {version}, the one that the chain and all others take"
            )
    most = LARGE_BYTES if version else PACKET_BYTES
    return Form(version, min(most, *(route.bytes_max for route in routes)))
