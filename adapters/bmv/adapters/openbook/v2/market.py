"""A market of OpenBook v2: what is traded, in which lots, for which fees, and what is owed to whom."""

from dataclasses import dataclass
from typing import Annotated

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Lots
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2.layout import (
    F64,
    I64,
    U8,
    U64,
    U128,
    Key,
    OptionalKey,
    PositiveI64,
    read_account,
    record,
    size,
)
from bmv.adapters.openbook.v2.primitives import Raw

DISCRIMINATOR = bytes.fromhex("dbbed53700e3c69a")
FEES_SCALE_FACTOR = 1_000_000  # Fees are counted in so many parts of the quote traded.
PROGRAM_ID = Pubkey.from_string("opnb2LAfJYbRMAHHvqjCwQxanZn7ReEHp1k81EohpZb")


@dataclass(frozen=True, slots=True)
class OracleConfig:
    """What an oracle must keep to.

    Args:
        conf_filter: Largest deviation, as a part of the price.
        max_staleness_slots: Largest age, in slots; below 0: any.
    """

    conf_filter: F64
    max_staleness_slots: I64
    reserved: Annotated[bytes, Raw(72)]


@dataclass(frozen=True, slots=True)
class Market:
    """The account of a market, 848 bytes.

    Args:
        time_expiry: Second after which nothing is traded; 0: never.
        quote_lot_size: Native quote in a lot of quote.
        base_lot_size: Native base in a lot of base.
        seq_num: Orders ever placed.
        maker_fee: In millionths of quote; below 0 a rebate.
        taker_fee: In millionths of quote, never below 0.
        maker_volume: Native quote traded, counted when a fill is processed.
    """

    bump: U8
    base_decimals: U8
    quote_decimals: U8
    padding1: Annotated[bytes, Raw(5)]
    market_authority: Key
    time_expiry: I64
    collect_fee_admin: Key
    open_orders_admin: OptionalKey
    consume_events_admin: OptionalKey
    close_market_admin: OptionalKey
    name: Annotated[bytes, Raw(16)]
    bids: Key
    asks: Key
    event_heap: Key
    oracle_a: OptionalKey
    oracle_b: OptionalKey
    oracle_config: OracleConfig
    quote_lot_size: PositiveI64
    base_lot_size: PositiveI64
    seq_num: U64
    registration_time: I64
    maker_fee: I64
    taker_fee: I64
    fees_accrued: U128
    fees_to_referrers: U128
    referrer_rebates_accrued: U64
    fees_available: U64
    maker_volume: U128
    taker_volume_wo_oo: U128
    base_mint: Key
    quote_mint: Key
    market_base_vault: Key
    base_deposit_total: U64
    market_quote_vault: Key
    quote_deposit_total: U64
    reserved: Annotated[bytes, Raw(128)]

    @classmethod
    def decode(cls, data: bytes) -> "Market":
        """Read an account's bytes; lots and fees that no market can have are refused."""
        market = read_account(cls, DISCRIMINATOR, data)
        if not 0 <= market.taker_fee <= FEES_SCALE_FACTOR or abs(market.maker_fee) > FEES_SCALE_FACTOR:
            raise Malformed(f"fees of {market.maker_fee} and {market.taker_fee} millionths are beyond the whole")
        if market.maker_fee < -market.taker_fee:
            raise Malformed(f"a rebate of {-market.maker_fee} millionths is more than the taker's {market.taker_fee}")
        return market

    def encode(self) -> bytes:
        """Return the account's bytes."""
        return DISCRIMINATOR + record(Market).write(self)

    def lots(self) -> Lots:
        """Return the units of its whole numbers."""
        return Lots(self.base_lot_size, self.quote_lot_size, self.base_decimals, self.quote_decimals)

    def is_expired(self, unix_timestamp: int) -> bool:
        """Whether nothing is traded at that second any more."""
        return self.time_expiry != 0 and self.time_expiry < unix_timestamp


MARKET_SIZE = 8 + size(Market)


def market_authority(market: Pubkey, program: Pubkey = PROGRAM_ID) -> tuple[Pubkey, int]:
    """Return the address that owns a market's vaults, and its bump."""
    return Pubkey.find_program_address([b"Market", bytes(market)], program)


def event_authority(program: Pubkey = PROGRAM_ID) -> Pubkey:
    """Return the address that signs what the program logs by calling itself."""
    return Pubkey.find_program_address([b"__event_authority"], program)[0]
