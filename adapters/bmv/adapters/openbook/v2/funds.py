"""Instructions of OpenBook v2 about markets, accounts, funds and the stub oracle."""

from dataclasses import dataclass
from typing import Annotated

from bmv.adapters.openbook.v2.layout import I64, U8, U64, ArgumentF32, ArgumentF64, String
from bmv.adapters.openbook.v2.market import PROGRAM_ID
from bmv.adapters.openbook.v2.metas import (
    ASSOCIATED_TOKEN_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    MaybeRead,
    MaybeWrite,
    ProgramCall,
    Read,
    Sign,
    SignWrite,
    SignWriteV17,
    Write,
)
from bmv.adapters.openbook.v2.primitives import Maybe, Number


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMarket(ProgramCall):
    """Make a market; bids, asks and the event heap are accounts of the program, of their size and all zero.

    Args:
        conf_filter: Largest deviation of the oracles, as a part of the price.
        maker_fee: In millionths; below 0 a rebate.
    """

    name: String
    conf_filter: ArgumentF32
    max_staleness_slots: Annotated[int | None, Maybe(Number(4))]
    quote_lot_size: I64
    base_lot_size: I64
    maker_fee: I64
    taker_fee: I64
    time_expiry: I64
    market: SignWrite
    market_authority: Read
    bids: Write
    asks: Write
    event_heap: Write
    payer: SignWrite
    market_base_vault: Write
    market_quote_vault: Write
    base_mint: Read
    quote_mint: Read
    system_program: Read = SYSTEM_PROGRAM
    token_program: Read = TOKEN_PROGRAM
    associated_token_program: Read = ASSOCIATED_TOKEN_PROGRAM
    oracle_a: MaybeRead = None
    oracle_b: MaybeRead = None
    collect_fee_admin: Read
    open_orders_admin: MaybeRead = None
    consume_events_admin: MaybeRead = None
    close_market_admin: MaybeRead = None
    event_authority: Read
    program: Read = PROGRAM_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseMarket(ProgramCall):
    """Close an expired, empty market."""

    close_market_admin: Sign
    market: Write
    bids: Write
    asks: Write
    event_heap: Write
    sol_destination: Write
    token_program: Read = TOKEN_PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOpenOrdersIndexer(ProgramCall):
    """Make the list of an owner's accounts."""

    payer: SignWrite
    owner: Sign
    open_orders_indexer: Write
    system_program: Read = SYSTEM_PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseOpenOrdersIndexer(ProgramCall):
    """Close the list of an owner who has no accounts."""

    owner: Sign
    open_orders_indexer: Write
    sol_destination: Write
    token_program: Read = TOKEN_PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOpenOrdersAccount(ProgramCall):
    """Make an owner's account on a market."""

    name: String
    payer: SignWrite
    owner: Sign
    delegate_account: MaybeRead = None
    open_orders_indexer: Write
    open_orders_account: Write
    market: Read
    system_program: Read = SYSTEM_PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseOpenOrdersAccount(ProgramCall):
    """Close an empty account."""

    owner: Sign
    open_orders_indexer: Write
    open_orders_account: Write
    sol_destination: Write
    system_program: Read = SYSTEM_PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class _Depositing(ProgramCall):
    """What whoever deposits says, in native amounts, and names."""

    base_amount: U64
    quote_amount: U64
    owner: Sign
    user_base_account: Write
    user_quote_account: Write
    open_orders_account: Write
    market: Write
    market_base_vault: Write
    market_quote_vault: Write
    token_program: Read = TOKEN_PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit(_Depositing):
    """Add so much to what is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refill(_Depositing):
    """Add what is missing until so much is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleFunds(ProgramCall):
    """Pay out what is free."""

    owner: SignWriteV17
    penalty_payer: SignWrite
    open_orders_account: Write
    market: Write
    market_authority: Read
    market_base_vault: Write
    market_quote_vault: Write
    user_base_account: Write
    user_quote_account: Write
    referrer_account: MaybeWrite = None
    token_program: Read = TOKEN_PROGRAM
    system_program: Read = SYSTEM_PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleFundsExpired(ProgramCall):
    """Pay out what is free on an expired market, at its owner's order."""

    close_market_admin: Sign
    owner: SignWrite
    penalty_payer: SignWrite
    open_orders_account: Write
    market: Write
    market_authority: Read
    market_base_vault: Write
    market_quote_vault: Write
    user_base_account: Write
    user_quote_account: Write
    referrer_account: MaybeWrite = None
    token_program: Read = TOKEN_PROGRAM
    system_program: Read = SYSTEM_PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFees(ProgramCall):
    """Pay the market's fees out."""

    collect_fee_admin: Sign
    market: Write
    market_authority: Read
    market_quote_vault: Write
    token_receiver_account: Write
    token_program: Read = TOKEN_PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDelegate(ProgramCall):
    """Say who else may trade for an account; None: nobody."""

    owner: SignWrite
    open_orders_account: Write
    delegate_account: MaybeRead = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMarketExpired(ProgramCall):
    """End a market's trading."""

    close_market_admin: Sign
    market: Write


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneOrders(ProgramCall):
    """Cancel an account's orders on an expired market."""

    limit: U8
    close_market_admin: Sign
    open_orders_account: Write
    market: Read
    bids: Write
    asks: Write


@dataclass(frozen=True, slots=True, kw_only=True)
class StubOracleCreate(ProgramCall):
    """Make an oracle whose owner says the price."""

    price: ArgumentF64
    payer: SignWrite
    owner: Sign
    oracle: Write
    mint: Read
    system_program: Read = SYSTEM_PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class StubOracleSet(ProgramCall):
    """Say the price."""

    price: ArgumentF64
    owner: Sign
    oracle: Write


@dataclass(frozen=True, slots=True, kw_only=True)
class StubOracleClose(ProgramCall):
    """Close the oracle."""

    owner: Sign
    oracle: Write
    sol_destination: Write
    token_program: Read = TOKEN_PROGRAM
