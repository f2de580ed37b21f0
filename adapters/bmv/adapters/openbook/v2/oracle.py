"""The oracle that OpenBook v2 brings along for tests, and an oracle's price in lots.

The program counts an oracle's price in floats, then in a fixed-point number of 48 fractional bits (I80F48). Nothing
else here knows floats; what follows gives the program's own figure, bit for bit.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import inf, isfinite, isnan, nan
from typing import Annotated

from solders.pubkey import Pubkey

from bmv.adapters.openbook.v2.layout import F64, I64, U64, Key, read_account, record, size
from bmv.adapters.openbook.v2.market import PROGRAM_ID, Market
from bmv.adapters.openbook.v2.primitives import Raw

DISCRIMINATOR = bytes.fromhex("e0fbfe63b1ae8904")
_BITS = 48  # Of a fixed-point number's fraction.
_LIMIT = 1 << 127
_U64_MAX = (1 << 64) - 1
_POWERS = tuple(float(f"1e{power}") for power in range(-12, 13))


@dataclass(frozen=True, slots=True)
class StubOracle:
    """An oracle whose owner says the price, 208 bytes.

    Args:
        price: Quote in one of base, both in whole units.
        last_update_slot: 0: never stale.
    """

    owner: Key
    mint: Key
    price: F64
    last_update_ts: I64
    last_update_slot: U64
    deviation: F64
    reserved: Annotated[bytes, Raw(104)]

    @classmethod
    def decode(cls, data: bytes) -> "StubOracle":
        """Read an account's bytes."""
        return read_account(cls, DISCRIMINATOR, data)

    def encode(self) -> bytes:
        """Return the account's bytes."""
        return DISCRIMINATOR + record(StubOracle).write(self)


STUB_ORACLE_SIZE = 8 + size(StubOracle)


def stub_oracle_address(owner: Pubkey, mint: Pubkey, program: Pubkey = PROGRAM_ID) -> tuple[Pubkey, int]:
    """Return where an owner's stub oracle of a mint lies, and its bump."""
    return Pubkey.find_program_address([b"StubOracle", bytes(owner), bytes(mint)], program)


def last_update_slot(oracle: StubOracle) -> int:
    """Return the slot when an oracle's price was said; of one that is never stale, the last there can be."""
    return oracle.last_update_slot or _U64_MAX


def is_fresh(market: Market, oracle: StubOracle, slot: int) -> bool:
    """Whether an oracle's price is young enough for its market in `slot`."""
    most = market.oracle_config.max_staleness_slots
    return most < 0 or min(last_update_slot(oracle) + most, _U64_MAX) >= slot


def is_sure(market: Market, oracle: StubOracle) -> bool:
    """Whether an oracle's price is certain enough for its market."""
    return not oracle.deviation > market.oracle_config.conf_filter * oracle.price


def deviation_squared(first: StubOracle, second: StubOracle) -> float:
    """Return the square of how uncertain the ratio of two prices is, as a part of it."""
    parts = (ratio(first.deviation, first.price), ratio(second.deviation, second.price))
    return parts[0] * parts[0] + parts[1] * parts[1]


def are_sure(market: Market, first: StubOracle, second: StubOracle) -> bool:
    """Whether the ratio of two oracles' prices is certain enough for their market."""
    limit = market.oracle_config.conf_filter
    return not deviation_squared(first, second) > limit * limit


def ratio(part: float, whole: float) -> float:
    """Divide as processors do: by zero too."""
    if whole:
        return part / whole
    if part == 0 or isnan(part):
        return nan
    return inf if part > 0 else -inf


def native_price(market: Market, price: float) -> int | None:
    """Return native quote for one native base in units of 2^-48, or None beyond what the program can hold.

    Source: `state/market.rs`, `oracle_price_from_a`.
    """
    power = market.quote_decimals - market.base_decimals
    if not -12 <= power <= 12:
        return None
    scaled = price * _POWERS[power + 12]
    if not isfinite(scaled):
        return None
    fixed = round(Fraction(scaled) * (1 << _BITS))  # To the nearest, ties to even, as the program's library does.
    return fixed if -_LIMIT <= fixed < _LIMIT else None


def price_lots(market: Market, fixed: int) -> int | None:
    """Return a native price (of `native_price`) in the market's lots, or None if it is beyond an i64.

    Source: `state/market.rs`, `native_price_to_lot`.
    """
    product = fixed * market.base_lot_size
    if not -_LIMIT <= product < _LIMIT:
        return None
    magnitude = (abs(product) << _BITS) // (market.quote_lot_size << _BITS)  # Divides toward zero.
    whole = (magnitude if product >= 0 else -magnitude) >> _BITS  # And then takes the whole part, downward.
    return whole if -(1 << 63) <= whole < 1 << 63 else None


def oracle_price_lots(market: Market, price: float) -> int | None:
    """Return an oracle's price in the market's lots, or None where the program has none.

    The caller has looked whether the oracle is stale or too uncertain.
    """
    fixed = native_price(market, price)
    return None if fixed is None else price_lots(market, fixed)
