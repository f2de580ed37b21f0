"""The bytes behind an instruction's tag, without the accounts: what is asked for."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self, TypeVar

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed

VERSION = 0
LIMIT_MAX = 65_535
CLIENT_IDS_MAX = 8
REPLACE_MAX = 8
BYTES_MAX = 5 + 8 + 54 * REPLACE_MAX

E = TypeVar("E", bound=IntEnum)

_U64_MAX = 2**64 - 1
_NEVER = 2**63 - 1
_SHORT, _LONG = 46, 54  # Bytes of an order without and with a deadline.


class Tag(IntEnum):
    """What is asked for; the second of an instruction's two first numbers."""

    INITIALIZE_MARKET = 0
    NEW_ORDER = 1
    MATCH_ORDERS = 2
    CONSUME_EVENTS = 3
    CANCEL_ORDER = 4
    SETTLE_FUNDS = 5
    CANCEL_ORDER_BY_CLIENT_ID = 6
    DISABLE_MARKET = 7
    SWEEP_FEES = 8
    NEW_ORDER_V2 = 9
    NEW_ORDER_V3 = 10
    CANCEL_ORDER_V2 = 11
    CANCEL_ORDER_BY_CLIENT_ID_V2 = 12
    SEND_TAKE = 13
    CLOSE_OPEN_ORDERS = 14
    INIT_OPEN_ORDERS = 15
    PRUNE = 16
    CONSUME_EVENTS_PERMISSIONED = 17
    CANCEL_ORDERS_BY_CLIENT_IDS = 18
    REPLACE_ORDER_BY_CLIENT_ID = 19
    REPLACE_ORDERS_BY_CLIENT_IDS = 20


class OrderType(IntEnum):
    LIMIT = 0
    IMMEDIATE_OR_CANCEL = 1
    POST_ONLY = 2


class SelfTrade(IntEnum):
    """What happens when an order meets one of the same OpenOrders account."""

    DECREMENT_TAKE = 0  # Both shrink, without fees.
    CANCEL_PROVIDE = 1  # The resting one goes, the taker goes on.
    ABORT_TRANSACTION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order, as it is sent.

    Args:
        limit_price: In ticks.
        max_coin_qty: Base lots.
        max_native_pc_qty_including_fees: Native quote that a bid may cost, fees included; of an ask any number above 0.
        client_order_id: 0: none.
        limit: Matches to make at most; what is left rests if it no longer crosses, for IOC orders too.
        max_ts: Unix second after which it is refused; None: never.
    """

    side: Side
    limit_price: int
    max_coin_qty: int
    max_native_pc_qty_including_fees: int
    self_trade_behavior: SelfTrade = SelfTrade.ABORT_TRANSACTION
    order_type: OrderType = OrderType.LIMIT
    client_order_id: int = 0
    limit: int = LIMIT_MAX
    max_ts: int | None = None

    def __post_init__(self) -> None:
        for name in ("limit_price", "max_coin_qty", "max_native_pc_qty_including_fees"):
            if not 0 < getattr(self, name) <= _U64_MAX:
                raise ValueError(f"{name} must be from 1 to 2**64 - 1, not {getattr(self, name)}")
        if not 0 <= self.client_order_id <= _U64_MAX or not 0 <= self.limit <= LIMIT_MAX:
            raise ValueError(f"client_order_id {self.client_order_id} or limit {self.limit} does not fit")
        if self.max_ts is not None and not -(2**63) <= self.max_ts <= _NEVER:
            raise ValueError(f"max_ts {self.max_ts} does not fit")

    def encode(self, *, always_deadline: bool = False) -> bytes:
        """Return its bytes: 54 with a deadline, 46 without; `always_deadline` asks for 54 even where there is none."""
        data = b"".join(
            (
                self.side.to_bytes(4, "little"),
                self.limit_price.to_bytes(8, "little"),
                self.max_coin_qty.to_bytes(8, "little"),
                self.max_native_pc_qty_including_fees.to_bytes(8, "little"),
                self.self_trade_behavior.to_bytes(4, "little"),
                self.order_type.to_bytes(4, "little"),
                self.client_order_id.to_bytes(8, "little"),
                self.limit.to_bytes(2, "little"),
            )
        )
        if self.max_ts is None and not always_deadline:
            return data
        return data + (_NEVER if self.max_ts is None else self.max_ts).to_bytes(8, "little", signed=True)

    @classmethod
    def decode(cls, data: bytes, *, always_deadline: bool = False) -> Self:
        """Read 46 or 54 bytes; where a deadline always stands there, one at the end of time comes back as None."""
        if len(data) not in (_SHORT, _LONG):
            raise Malformed(f"order: {len(data)} bytes, not {_SHORT} or {_LONG}")
        max_ts = int.from_bytes(data[46:54], "little", signed=True) if len(data) == _LONG else None
        price, size, money = (int.from_bytes(data[at : at + 8], "little") for at in (4, 12, 20))
        if not (price and size and money):
            raise Malformed(f"order: price {price}, size {size}, money {money}: none may be 0")
        return cls(
            side=side_of(data[0:4]),
            limit_price=price,
            max_coin_qty=size,
            max_native_pc_qty_including_fees=money,
            self_trade_behavior=_member(SelfTrade, data[28:32]),
            order_type=_member(OrderType, data[32:36]),
            client_order_id=int.from_bytes(data[36:44], "little"),
            limit=int.from_bytes(data[44:46], "little"),
            max_ts=None if always_deadline and max_ts == _NEVER else max_ts,
        )


def side_of(data: bytes) -> Side:
    """Return the side that 4 bytes name."""
    return _member(Side, data)


def _member(kind: type[E], data: bytes) -> E:
    number = int.from_bytes(data, "little")
    try:
        return kind(number)
    except ValueError:
        raise Malformed(f"instruction: {number} is no {kind.__name__}") from None
