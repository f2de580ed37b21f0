"""The accounts of each instruction, in the order and with the rights that the program wants."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Self, get_type_hints

from solders.instruction import AccountMeta
from solders.pubkey import Pubkey
from solders.sysvar import RENT
from solders.token import ID as TOKEN_PROGRAM

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1.accounts import Market

READ, WRITE, SIGN = "read", "write", "sign"  # The rights of an account; no instruction writes to a signer.

Read = Annotated[Pubkey, READ]
Written = Annotated[Pubkey, WRITE]
Signer = Annotated[Pubkey, SIGN]
MayRead = Annotated[Pubkey | None, READ]
MayWrite = Annotated[Pubkey | None, WRITE]
MaySign = Annotated[Pubkey | None, SIGN]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Accounts of an instruction: the fields of a subclass in order; None: left out, and then all behind it are."""

    @classmethod
    def from_metas(cls, metas: Sequence[AccountMeta]) -> Self:
        """Read the accounts of an instruction."""
        names, least = _names(cls)  # type: ignore[arg-type]  # mypy thinks a class has no hash.
        check_number(metas, least, len(names), cls.__name__)
        check_signers(cls.__name__, metas, _rights(cls))  # type: ignore[arg-type]  # As above.
        return cls(**{name: meta.pubkey for name, meta in zip(names, metas, strict=False)})

    def to_metas(self) -> list[AccountMeta]:
        """Return the accounts of an instruction."""
        rights = _rights(type(self))  # type: ignore[arg-type]  # As above.
        names, _ = _names(type(self))  # type: ignore[arg-type]  # As above.
        keys = [getattr(self, name) for name in names]
        return [meta(key, right) for key, right in zip(keys, rights, strict=True) if key is not None]


@cache
def _names(kind: type) -> tuple[tuple[str, ...], int]:
    """Return the names of a kind's accounts, and how many there are at the least."""
    assert is_dataclass(kind)
    each = fields(kind)
    return tuple(field.name for field in each), sum(field.default is not None for field in each)


@cache
def _rights(kind: type) -> tuple[str, ...]:
    assert is_dataclass(kind)
    hints = get_type_hints(kind, include_extras=True)
    return tuple(hints[field.name].__metadata__[0] for field in fields(kind))


def meta(key: Pubkey, right: str) -> AccountMeta:
    """Return how an instruction names `key`."""
    return AccountMeta(key, right == SIGN, right == WRITE)


def check_number(metas: Sequence[AccountMeta], least: int, most: int, what: str) -> None:
    """Refuse an instruction of too few or too many accounts."""
    if not least <= len(metas) <= most:
        raise Malformed(f"{what}: {len(metas)} accounts, not {least} to {most}")


def check_signers(what: str, metas: Iterable[AccountMeta], rights: Iterable[str]) -> None:
    """Refuse an instruction without the signature of an account that must sign."""
    for number, (given, right) in enumerate(zip(metas, rights, strict=False)):
        if right == SIGN and not given.is_signer:
            raise Malformed(f"{what}: account {number} must sign")


@dataclass(frozen=True, slots=True, kw_only=True)
class InitializeMarketKeys(Keys):
    market: Written
    req_q: Written
    event_q: Written
    bids: Written
    asks: Written
    coin_vault: Written
    pc_vault: Written
    coin_mint: Read
    pc_mint: Read
    rent: Read
    open_orders_authority: MayRead = None
    prune_authority: MayRead = None
    consume_events_authority: MayRead = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKeys(Keys):
    """Of NewOrderV3 and both forms of Replace.

    Args:
        payer: The owner's wallet: of quote for a bid, of base for an ask.
        rent: Is not looked at; another account of the same transaction there saves 32 bytes.
        discount: An account of SRM or MSRM; accepted, and without effect.
    """

    market: Written
    open_orders: Written
    req_q: Written
    event_q: Written
    bids: Written
    asks: Written
    payer: Written
    owner: Signer
    coin_vault: Written
    pc_vault: Written
    token_program: Read
    rent: Read
    discount: MayRead = None

    @classmethod
    def of(cls, market: Market, *, open_orders: Pubkey, owner: Pubkey, payer: Pubkey) -> Self:
        """Return the accounts of an order of `owner` on `market`."""
        return cls(
            market=market.own_address,
            open_orders=open_orders,
            req_q=market.req_q,
            event_q=market.event_q,
            bids=market.bids,
            asks=market.asks,
            payer=payer,
            owner=owner,
            coin_vault=market.coin_vault,
            pc_vault=market.pc_vault,
            token_program=TOKEN_PROGRAM,
            rent=RENT,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelKeys(Keys):
    """Of every cancel."""

    market: Written
    bids: Written
    asks: Written
    open_orders: Written
    owner: Signer
    event_q: Written

    @classmethod
    def of(cls, market: Market, *, open_orders: Pubkey, owner: Pubkey) -> Self:
        """Return the accounts of a cancel of `owner` on `market`."""
        return cls(
            market=market.own_address,
            bids=market.bids,
            asks=market.asks,
            open_orders=open_orders,
            owner=owner,
            event_q=market.event_q,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleKeys(Keys):
    """Of SettleFunds.

    Args:
        referrer: Any account of the quote mint, one's own included: gets half of the taker fees.
    """

    market: Written
    open_orders: Written
    owner: Signer
    coin_vault: Written
    pc_vault: Written
    coin_wallet: Written
    pc_wallet: Written
    vault_signer: Read
    token_program: Read
    referrer: MayWrite = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseKeys(Keys):
    """Of CloseOpenOrders."""

    open_orders: Written
    owner: Signer
    destination: Written
    market: Read


@dataclass(frozen=True, slots=True, kw_only=True)
class InitKeys(Keys):
    """Of InitOpenOrders."""

    open_orders: Written
    owner: Signer
    market: Read
    rent: Read = RENT
    open_orders_authority: MaySign = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneKeys(Keys):
    """Of Prune, on permissioned markets only."""

    market: Written
    bids: Written
    asks: Written
    prune_authority: Signer
    open_orders: Written
    open_orders_owner: Read
    event_q: Written


def sort_key(key: Pubkey | bytes) -> tuple[int, ...]:
    """Return by what the program sorts accounts: their bytes as four numbers.

    >>> low, high = bytes([0, 1]) + bytes(30), bytes([1, 0]) + bytes(30)
    >>> sort_key(high) < sort_key(low)
    True
    """
    data = bytes(key)
    return tuple(int.from_bytes(data[at : at + 8], "little") for at in range(0, 32, 8))


def _check_any(open_orders: tuple[Pubkey, ...]) -> None:
    if not open_orders:
        raise ValueError("a crank names at least one OpenOrders account; the program refuses one that names none")


@dataclass(frozen=True, slots=True, kw_only=True)
class CrankKeys:
    """Of ConsumeEvents.

    Args:
        open_orders: Accounts whose events are taken, in the order in which they are named.
        ends: Two accounts that are never looked at; the market and its queue again make the instruction smallest.
    """

    open_orders: tuple[Pubkey, ...]
    market: Pubkey
    event_q: Pubkey
    ends: tuple[Pubkey, Pubkey]

    def __post_init__(self) -> None:
        _check_any(self.open_orders)

    @classmethod
    def of(cls, market: Market, open_orders: Iterable[Pubkey]) -> Self:
        """Return the accounts of a crank, sorted as the program wants them."""
        accounts = tuple(sorted(set(open_orders), key=sort_key))
        ends = (market.own_address, market.event_q)
        return cls(open_orders=accounts, market=market.own_address, event_q=market.event_q, ends=ends)

    @classmethod
    def from_metas(cls, metas: Sequence[AccountMeta]) -> Self:
        """Read the accounts of an instruction."""
        check_number(metas, 5, 256, "CrankKeys")
        *open_orders, market, event_q, one, two = (given.pubkey for given in metas)
        return cls(open_orders=tuple(open_orders), market=market, event_q=event_q, ends=(one, two))

    def to_metas(self) -> list[AccountMeta]:
        """Return the accounts of an instruction."""
        return [meta(key, WRITE) for key in (*self.open_orders, self.market, self.event_q, *self.ends)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionedCrankKeys:
    """Of ConsumeEventsPermissioned."""

    open_orders: tuple[Pubkey, ...]
    market: Pubkey
    event_q: Pubkey
    authority: Pubkey

    def __post_init__(self) -> None:
        _check_any(self.open_orders)

    @classmethod
    def from_metas(cls, metas: Sequence[AccountMeta]) -> Self:
        """Read the accounts of an instruction."""
        check_number(metas, 4, 256, "PermissionedCrankKeys")
        check_signers("PermissionedCrankKeys", metas[-1:], [SIGN])
        *open_orders, market, event_q, authority = (given.pubkey for given in metas)
        return cls(open_orders=tuple(open_orders), market=market, event_q=event_q, authority=authority)

    def to_metas(self) -> list[AccountMeta]:
        """Return the accounts of an instruction."""
        written = [meta(key, WRITE) for key in (*self.open_orders, self.market, self.event_q)]
        return [*written, meta(self.authority, SIGN)]
