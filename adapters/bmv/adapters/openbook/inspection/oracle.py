"""The price that a market's pegged orders follow, where its oracles say one that the program would take."""

from collections.abc import Mapping, Sequence

from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.inspection.reading import Reading
from bmv.adapters.openbook.v2.market import Market
from bmv.adapters.openbook.v2.oracle import (
    DISCRIMINATOR,
    StubOracle,
    are_sure,
    is_fresh,
    is_sure,
    last_update_slot,
    oracle_price_lots,
    ratio,
)

Accounts = Mapping[Pubkey, Account | None]


def oracle_price(reading: Reading, market: Market) -> int | str:
    """Return the price of a market's oracles in lots, or why it has none, as a clause."""
    return price_of(reading.snapshot.accounts, reading.snapshot.slot, market)


def price_of(accounts: Accounts, slot: int, market: Market) -> int | str:
    """Return the price of a market's oracles in lots in `slot`, or why it has none, as a clause.

    Only OpenBook's own stub oracles are read. Those of Pyth, Switchboard and Raydium are named and left alone.
    """
    oracles = []
    for key in keys(market):
        oracle = _oracle(accounts, slot, market, key)
        if isinstance(oracle, str):
            return oracle
        oracles.append(oracle)
    return _in_lots(market, oracles) if oracles else "the market names no oracle"


def unread(accounts: Accounts, market: Market) -> str:
    """Return which oracle of a market the program can read and nobody here can, as a clause; "": none."""
    foreign = ((key, account) for key in keys(market) if (account := accounts.get(key)) is not None)
    return next((_foreign(key, account) for key, account in foreign if account.data[:8] != DISCRIMINATOR), "")


def keys(market: Market) -> list[Pubkey]:
    """Return the accounts of a market's oracles; without a first one the program looks at no second."""
    named = (market.oracle_a, market.oracle_b)
    return [] if market.oracle_a is None else [key for key in named if key is not None]


def _foreign(key: Pubkey, account: Account) -> str:
    return f"the oracle {key} is of program {account.owner}, whose prices are not read here"


def _oracle(accounts: Accounts, slot: int, market: Market, key: Pubkey) -> StubOracle | str:
    account = accounts.get(key)
    if account is None:
        return f"there is no oracle {key}"
    if account.data[:8] != DISCRIMINATOR:
        return _foreign(key, account)
    try:
        oracle = StubOracle.decode(account.data)
    except Malformed as error:
        return f"the oracle {key} is damaged: {error}"
    if not is_fresh(market, oracle, slot):
        most = market.oracle_config.max_staleness_slots
        return f"the oracle {key} is stale: its price is of slot {last_update_slot(oracle)}, and may be {most} old"
    return oracle


def _in_lots(market: Market, oracles: Sequence[StubOracle]) -> int | str:
    """Return the price of one oracle, or the ratio of two."""
    first, second = oracles[0], oracles[1] if len(oracles) > 1 else None
    sure = is_sure(market, first) if second is None else are_sure(market, first, second)
    if not sure:
        return "its oracle is less sure of the price than the market asks for"
    price = oracle_price_lots(market, first.price if second is None else ratio(first.price, second.price))
    return "its oracle's price can't be counted in the market's lots" if price is None else price
