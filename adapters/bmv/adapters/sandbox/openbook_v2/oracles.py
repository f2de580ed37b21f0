"""An oracle's price as the program sees it: the stub's only, which is all that a chain of one's own has."""

from decimal import Decimal
from math import inf, isnan

from solders.pubkey import Pubkey

from bmv.adapters.openbook.v2.codes import Build
from bmv.adapters.openbook.v2.layout import record
from bmv.adapters.openbook.v2.market import Market
from bmv.adapters.openbook.v2.oracle import (
    DISCRIMINATOR,
    STUB_ORACLE_SIZE,
    StubOracle,
    are_sure,
    deviation_squared,
    is_fresh,
    is_sure,
    last_update_slot,
    native_price,
    price_lots,
    ratio,
)
from bmv.adapters.sandbox.openbook_v2.failure import occurred, panicked, thrown
from bmv.adapters.sandbox.openbook_v2.frame import Frame


def oracle_price_lots(frame: Frame) -> int | None:
    """Return the price of the market's oracles in lots; None: it has none that can be trusted.

    Source: `state/market.rs`, `oracle_price`.
    """
    market = record(Market).read(bytes(frame.state("market").data), 8)[0]
    if market.oracle_a is None:
        return None
    price = _price(frame, market)
    if price is None:
        return None
    fixed = native_price(market, price)
    if fixed is None:
        return None
    lots = price_lots(market, fixed)
    if lots is None:
        raise occurred(frame.build, "InvalidOraclePrice")
    return lots


def _price(frame: Frame, market: Market) -> float | None:
    first = _read(frame, "oracle_a")
    if market.oracle_b is None:
        return first.price if _is_fresh(frame, market, "oracle_a", first) and _is_sure(frame, market, first) else None
    second = _read(frame, "oracle_b")
    if not _is_fresh(frame, market, "oracle_a", first) or not _is_fresh(frame, market, "oracle_b", second):
        return None
    return ratio(first.price, second.price) if _are_sure(frame, market, first, second) else None


def _read(frame: Frame, name: str) -> StubOracle:
    data = bytes(frame.state(name).data)
    if not data:  # Its account was closed.
        line = 154 if frame.build is Build.V1_7 else 155
        raise panicked("range end index 4 out of range for slice of length 0", f"state/oracle.rs:{line}:27")
    if data[:8] != DISCRIMINATOR:
        raise occurred(frame.build, "UnknownOracleType")
    if len(data) != STUB_ORACLE_SIZE:
        raise panicked("from_bytes")
    return record(StubOracle).read(data, 8)[0]


def check_oracles(frame: Frame) -> None:
    """Fail unless a new market's oracles are known and of one kind."""
    first, second = frame.given("oracle_a"), frame.given("oracle_b")
    if first is None and second is not None:
        raise occurred(frame.build, "InvalidSecondOracle")
    if first is None:
        return
    if frame.build is Build.V1_7:
        alike = second is None or _is_stub(frame, "oracle_a") == _is_stub(frame, "oracle_b")
        frame.require(alike, "InvalidOracleTypes", "create_oracle_types")
        return
    if second is not None and first == second:
        raise thrown(frame.build, "RequireKeysNeqViolated", "create_oracle_keys", (first, second))
    for name in ("oracle_a", "oracle_b") if second is not None else ("oracle_a",):
        if not _is_stub(frame, name):
            raise occurred(frame.build, "UnknownOracleType")


def _is_stub(frame: Frame, name: str) -> bool:
    return frame.state(name).data[:8] == DISCRIMINATOR


def _is_fresh(frame: Frame, market: Market, name: str, oracle: StubOracle) -> bool:
    if is_fresh(market, oracle, frame.surroundings.slot):
        return True
    key: Pubkey = frame.key(name)
    frame.say(
        f"Oracle is stale; pubkey {key}, price: {shown(oracle.price)}, "
        f"last_update_slot: {last_update_slot(oracle)}, now_slot: {frame.surroundings.slot}"
    )
    return False


def _is_sure(frame: Frame, market: Market, oracle: StubOracle) -> bool:
    if is_sure(market, oracle):
        return True
    frame.say(
        f"Oracle confidence not good enough: pubkey {frame.key('oracle_a')}, price: {shown(oracle.price)}, "
        f"deviation: {shown(oracle.deviation)}, conf_filter: {shown(market.oracle_config.conf_filter)}"
    )
    return False


def _are_sure(frame: Frame, market: Market, first: StubOracle, second: StubOracle) -> bool:
    if are_sure(market, first, second):
        return True
    computed, limit = deviation_squared(first, second), market.oracle_config.conf_filter
    frame.say(f"Combined confidence too high: computed^2: {shown(computed)}, conf_filter^2: {shown(limit * limit)}")
    return False


def shown(value: float) -> str:
    """Return a float as Rust writes it: never with an exponent, whole ones without a point.

    >>> shown(150.0), shown(1e-7), shown(0.1), shown(-998000.00048828125)
    ('150', '0.0000001', '0.1', '-998000.0004882813')
    """
    if isnan(value):
        return "NaN"
    if value in (inf, -inf):
        return "inf" if value > 0 else "-inf"
    shortest = Decimal(repr(value))
    step = Decimal((0, (1,), int(shortest.as_tuple().exponent)))
    if abs(Decimal(value)) - abs(shortest) == step / 2:  # Midway Rust goes away from zero, Python to the even digit.
        shortest += step.copy_sign(shortest)
    return f"{shortest:f}".removesuffix(".0")
