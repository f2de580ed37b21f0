"""Every instruction of the program, both ways: a value to bytes and accounts, and back.

Dead ones (NewOrder, NewOrderV2, CancelOrder, CancelOrderByClientId, SendTake: the program panics) are refused, as are
those of the program's own authority (DisableMarket, SweepFees).
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, get_args, get_type_hints

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1 import keys as by
from bmv.adapters.openbook.v1.bodies import BYTES_MAX, CLIENT_IDS_MAX, REPLACE_MAX, VERSION, NewOrder, Tag, side_of

PROGRAM_ID = Pubkey.from_string("srmqPvymJeFKQ4zGQed1GFppgkRHL9kaELCbyksJtPX")  # On mainnet.
DEVNET_PROGRAM_ID = Pubkey.from_string("EoTcMgcDRTJVZDMZWBoU6rhYHZfkNTVEAfz3uUJRcYGj")
AUTHORITY = Pubkey.from_string("GTgd6NaobHDLSFAh2kG5DTNsL4SBJH42Qq11jpjWCfXA")  # May disable markets and sweep fees.

AnyKeys = by.Keys | by.CrankKeys | by.PermissionedCrankKeys


def _number(data: bytes, size: int, what: str) -> int:
    if len(data) != size:
        raise Malformed(f"{what}: {len(data)} bytes behind the tag, not {size}")
    return int.from_bytes(data, "little")


def _check_u64(*values: int) -> None:
    if any(not 0 <= value < 2**64 for value in values):
        raise ValueError(f"{values} must be from 0 to 2**64 - 1")


def _check_limit(limit: int) -> None:
    if not 0 <= limit < 2**16:
        raise ValueError(f"limit must be from 0 to 65535, not {limit}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instruction:
    """What all have: a tag, accounts, and bytes behind the tag, none unless a kind says which."""

    tag: ClassVar[Tag]
    keys: Any  # Any: each kind has its own.

    def body(self) -> bytes:
        """Return the bytes behind the tag."""
        return b""

    @classmethod
    def decode(cls, body: bytes, keys: Any) -> Self:  # Any: as above.
        """Read what stands behind the tag."""
        _number(body, 0, cls.__name__)
        return cls(keys=keys)

    def data(self) -> bytes:
        """Return the instruction's bytes."""
        return bytes([VERSION]) + self.tag.to_bytes(4, "little") + self.body()


@dataclass(frozen=True, slots=True, kw_only=True)
class InitializeMarket(_Instruction):
    """Make a market of zeroed accounts.

    Args:
        fee_rate_bps: Without effect, 0.
        pc_dust_threshold: Without effect on matching.
    """

    tag: ClassVar = Tag.INITIALIZE_MARKET
    keys: by.InitializeMarketKeys
    coin_lot_size: int
    pc_lot_size: int
    vault_signer_nonce: int
    pc_dust_threshold: int
    fee_rate_bps: int = 0

    def __post_init__(self) -> None:
        _check_u64(self.coin_lot_size, self.pc_lot_size, self.vault_signer_nonce, self.pc_dust_threshold)
        _check_limit(self.fee_rate_bps)

    def body(self) -> bytes:
        numbers = (self.coin_lot_size, 8), (self.pc_lot_size, 8), (self.fee_rate_bps, 2)
        more = (self.vault_signer_nonce, 8), (self.pc_dust_threshold, 8)
        return b"".join(number.to_bytes(size, "little") for number, size in (*numbers, *more))

    @classmethod
    def decode(cls, body: bytes, keys: by.InitializeMarketKeys) -> Self:
        """Read what stands behind the tag."""
        _number(body, 34, "InitializeMarket")
        ends = ((0, 8), (8, 16), (16, 18), (18, 26), (26, 34))
        coin_lot, pc_lot, fee_rate, nonce, dust = (int.from_bytes(body[a:b], "little") for a, b in ends)
        return cls(
            keys=keys,
            coin_lot_size=coin_lot,
            pc_lot_size=pc_lot,
            vault_signer_nonce=nonce,
            pc_dust_threshold=dust,
            fee_rate_bps=fee_rate,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InitOpenOrders(_Instruction):
    """Make a zeroed account of the program one's OpenOrders on a market."""

    tag: ClassVar = Tag.INIT_OPEN_ORDERS
    keys: by.InitKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseOpenOrders(_Instruction):
    """Close an OpenOrders account that holds nothing, and take its rent back."""

    tag: ClassVar = Tag.CLOSE_OPEN_ORDERS
    keys: by.CloseKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleFunds(_Instruction):
    """Take what is free in an OpenOrders account into the wallets."""

    tag: ClassVar = Tag.SETTLE_FUNDS
    keys: by.SettleKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrderV3(_Instruction):
    """Place an order."""

    tag: ClassVar = Tag.NEW_ORDER_V3
    keys: by.OrderKeys
    order: NewOrder

    def body(self) -> bytes:
        return self.order.encode()

    @classmethod
    def decode(cls, body: bytes, keys: by.OrderKeys) -> Self:
        """Read what stands behind the tag."""
        return cls(keys=keys, order=NewOrder.decode(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceOrderByClientId(_Instruction):
    """Cancel whatever has the order's client id, then place the order."""

    tag: ClassVar = Tag.REPLACE_ORDER_BY_CLIENT_ID
    keys: by.OrderKeys
    order: NewOrder

    def body(self) -> bytes:
        return self.order.encode(always_deadline=True)

    @classmethod
    def decode(cls, body: bytes, keys: by.OrderKeys) -> Self:
        """Read what stands behind the tag."""
        _number(body, 54, "ReplaceOrderByClientId")
        return cls(keys=keys, order=NewOrder.decode(body, always_deadline=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceOrdersByClientIds(_Instruction):
    """Cancel whatever has the client ids of up to 8 orders, then place them; all of one side, as there is one payer."""

    tag: ClassVar = Tag.REPLACE_ORDERS_BY_CLIENT_IDS
    keys: by.OrderKeys
    orders: tuple[NewOrder, ...]

    def __post_init__(self) -> None:
        if len(self.orders) > REPLACE_MAX:
            raise ValueError(f"{len(self.orders)} orders in one instruction; {REPLACE_MAX} is the most")

    def body(self) -> bytes:
        orders = b"".join(order.encode(always_deadline=True) for order in self.orders)
        return len(self.orders).to_bytes(8, "little") + orders

    @classmethod
    def decode(cls, body: bytes, keys: by.OrderKeys) -> Self:
        """Read what stands behind the tag."""
        n, rest = divmod(len(body) - 8, 54)
        if rest or not 0 <= n <= REPLACE_MAX or int.from_bytes(body[:8], "little") != n:
            raise Malformed(
                f"ReplaceOrdersByClientIds: {len(body)} bytes for {int.from_bytes(body[:8], 'little')} orders"
            )
        parts = (body[start : start + 54] for start in range(8, len(body), 54))
        return cls(keys=keys, orders=tuple(NewOrder.decode(part, always_deadline=True) for part in parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrderV2(_Instruction):
    """Cancel an order by the venue's id."""

    tag: ClassVar = Tag.CANCEL_ORDER_V2
    keys: by.CancelKeys
    side: Side
    order_id: int

    def __post_init__(self) -> None:
        if not 0 <= self.order_id < 2**128:
            raise ValueError(f"order_id {self.order_id} does not fit into 128 bits")

    def body(self) -> bytes:
        return self.side.to_bytes(4, "little") + self.order_id.to_bytes(16, "little")

    @classmethod
    def decode(cls, body: bytes, keys: by.CancelKeys) -> Self:
        """Read what stands behind the tag."""
        _number(body, 20, "CancelOrderV2")
        return cls(keys=keys, side=side_of(body[:4]), order_id=int.from_bytes(body[4:], "little"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrderByClientIdV2(_Instruction):
    """Cancel the order of the lowest slot that has a client id; it fails where there is none."""

    tag: ClassVar = Tag.CANCEL_ORDER_BY_CLIENT_ID_V2
    keys: by.CancelKeys
    client_order_id: int

    def __post_init__(self) -> None:
        _check_u64(self.client_order_id)

    def body(self) -> bytes:
        return self.client_order_id.to_bytes(8, "little")

    @classmethod
    def decode(cls, body: bytes, keys: by.CancelKeys) -> Self:
        """Read what stands behind the tag."""
        return cls(keys=keys, client_order_id=_number(body, 8, "CancelOrderByClientIdV2"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrdersByClientIds(_Instruction):
    """Cancel every order that has one of up to 8 client ids; those that are gone are no error."""

    tag: ClassVar = Tag.CANCEL_ORDERS_BY_CLIENT_IDS
    keys: by.CancelKeys
    client_order_ids: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_u64(*self.client_order_ids)
        if len(self.client_order_ids) > CLIENT_IDS_MAX:
            raise ValueError(f"{len(self.client_order_ids)} ids in one instruction; {CLIENT_IDS_MAX} is the most")

    def body(self) -> bytes:
        return b"".join(client_id.to_bytes(8, "little") for client_id in self.client_order_ids)

    @classmethod
    def decode(cls, body: bytes, keys: by.CancelKeys) -> Self:
        """Read what stands behind the tag."""
        if len(body) % 8 or len(body) > 8 * CLIENT_IDS_MAX:
            raise Malformed(f"CancelOrdersByClientIds: {len(body)} bytes, not up to {CLIENT_IDS_MAX} × 8")
        ids = (int.from_bytes(body[start : start + 8], "little") for start in range(0, len(body), 8))
        return cls(keys=keys, client_order_ids=tuple(ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limited(_Instruction):
    """One that does so much and no more."""

    limit: int

    def __post_init__(self) -> None:
        _check_limit(self.limit)

    def body(self) -> bytes:
        return self.limit.to_bytes(2, "little")

    @classmethod
    def decode(cls, body: bytes, keys: Any) -> Self:  # Any: as above.
        """Read what stands behind the tag."""
        return cls(keys=keys, limit=_number(body, 2, cls.__name__))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumeEvents(_Limited):
    """Crank up to `limit` events; it stops at the first of an account that is not named, without an error."""

    tag: ClassVar = Tag.CONSUME_EVENTS
    keys: by.CrankKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumeEventsPermissioned(_Limited):
    """The same on a market that wants its crank's signature."""

    tag: ClassVar = Tag.CONSUME_EVENTS_PERMISSIONED
    keys: by.PermissionedCrankKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune(_Limited):
    """Take every order of an account off a permissioned market's book, up to `limit` nodes of it."""

    tag: ClassVar = Tag.PRUNE
    keys: by.PruneKeys


AnyInstruction = (
    InitializeMarket
    | InitOpenOrders
    | CloseOpenOrders
    | SettleFunds
    | NewOrderV3
    | ReplaceOrderByClientId
    | ReplaceOrdersByClientIds
    | CancelOrderV2
    | CancelOrderByClientIdV2
    | CancelOrdersByClientIds
    | ConsumeEvents
    | ConsumeEventsPermissioned
    | Prune
)


_KINDS = {kind.tag: (kind, get_type_hints(kind)["keys"]) for kind in get_args(AnyInstruction)}


def build(value: AnyInstruction, program_id: Pubkey = PROGRAM_ID) -> Instruction:
    """Return the instruction that a transaction carries."""
    return Instruction(program_id, value.data(), value.keys.to_metas())


def parse(instruction: Instruction) -> AnyInstruction:
    """Read an instruction of the program; rights beyond those it needs, or lacking ones, are not looked at."""
    data = bytes(instruction.data)
    if not 5 <= len(data) <= BYTES_MAX or data[0] != VERSION:
        raise Malformed(f"instruction: {len(data)} bytes that begin with {data[:1].hex() or 'nothing'}")
    tag, body = int.from_bytes(data[1:5], "little"), data[5:]
    if tag not in _KINDS:
        raise Malformed(f"instruction: tag {tag} is none that this program still plays")
    kind, keys = _KINDS[Tag(tag)]
    read: AnyInstruction = kind.decode(body, keys.from_metas(instruction.accounts))
    return read
