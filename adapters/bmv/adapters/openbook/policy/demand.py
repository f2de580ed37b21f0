"""What an instruction that is allowed demands of its message, and how accounts are compared."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from bmv.adapters.openbook.policy.orders import Placement
from bmv.adapters.openbook.policy.verdict import Code, Forbidden

Allowed = Mapping[str, frozenset[Pubkey | None]]  # By the name that an instruction gives to an account.


class Demand(NamedTuple):
    """What one instruction asks for.

    Args:
        accounts: With no more rights than it needs.
        orders: What it places.
        tip, wrapped, rent: Lamports that it moves.
        deposit: Native base and quote that it puts into our account at the venue.
    """

    accounts: list[AccountMeta]
    orders: list[Placement]
    tip: int = 0
    wrapped: int = 0
    rent: int = 0
    deposit: tuple[int, int] = (0, 0)


def only(*keys: Pubkey | None) -> frozenset[Pubkey | None]:
    """Return what an account may be."""
    return frozenset(keys)


def check_account(what: str, name: str, key: Pubkey | None, allowed: Allowed) -> None:
    """Refuse an account that is not among those that the configuration implies for its place."""
    if key not in allowed.get(name, frozenset()):
        raise Forbidden(Code.ACCOUNT, f"{what}: {key or 'nothing'} as {name}, which the configuration does not imply")


def check_others(what: str, keys: Iterable[Pubkey], allowed: frozenset[Pubkey]) -> None:
    """Refuse accounts of others beyond those whose events may be settled."""
    for key in keys:
        if key not in allowed:
            raise Forbidden(Code.ACCOUNT, f"{what}: {key} is no trader whose events wait on the market")
