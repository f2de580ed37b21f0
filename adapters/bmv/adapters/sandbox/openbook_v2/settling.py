"""Moving funds between wallets, an owner's account and the market.

Source: `instructions/{deposit,settle_funds,settle_funds_expired,sweep_fees,set_delegate,set_market_expired}.rs`.
"""

from bmv.adapters.openbook.v2 import funds
from bmv.adapters.openbook.v2.logs import DepositLog, SetDelegateLog, SettleFundsLog, SweepFeesLog
from bmv.adapters.sandbox.openbook_v2.failure import u64
from bmv.adapters.sandbox.openbook_v2.frame import PENALTY_EVENT_HEAP, Frame


def deposit(frame: Frame, instruction: funds.Deposit) -> bytes:
    _deposit(frame, instruction.base_amount, instruction.quote_amount)
    return b""


def refill(frame: Frame, instruction: funds.Refill) -> bytes:
    position = frame.open_orders().position
    base = instruction.base_amount - min(instruction.base_amount, position.base_free_native)
    quote = instruction.quote_amount - min(instruction.quote_amount, position.quote_free_native)
    _deposit(frame, base, quote)
    return b""


def _deposit(frame: Frame, base: int, quote: int) -> None:
    market, position = frame.market(), frame.open_orders().position
    frame.require(not frame.is_expired(), "MarketHasExpired", "deposit_expired")
    frame.transfer_tokens(base, "user_base_account", "market_base_vault", "owner")
    position.base_free_native += base
    market.base_deposit_total += base
    frame.transfer_tokens(quote, "user_quote_account", "market_quote_vault", "owner")
    position.quote_free_native += quote
    market.quote_deposit_total += quote
    if base or quote:
        frame.emit(DepositLog(frame.key("open_orders_account"), frame.key("owner"), base, quote))


def settle_funds(frame: Frame, instruction: funds.SettleFunds) -> bytes:
    _settle(frame)
    return b""


def settle_funds_expired(frame: Frame, instruction: funds.SettleFundsExpired) -> bytes:
    frame.require(frame.is_expired(), "MarketHasNotExpired", "settle_not_expired")
    _settle(frame)
    return b""


def _settle(frame: Frame) -> None:
    market, position = frame.market(), frame.open_orders().position
    rounding = 0
    if market.maker_fee > 0 and position.bids_base_lots == 0:
        rounding = int(position.locked_maker_fees)
        position.locked_maker_fees = 0
    base, quote = int(position.base_free_native), int(position.quote_free_native)
    rebate = u64(int(position.referrer_rebates_available) + rounding)
    referrer = frame.given("referrer_account")
    if referrer is None:
        market.fees_available += rebate
    else:
        market.fees_to_referrers += rebate
        market.quote_deposit_total -= rebate
    market.base_deposit_total -= base
    market.quote_deposit_total -= quote
    market.referrer_rebates_accrued -= int(position.referrer_rebates_available)
    if position.penalty_heap_count > 0:
        lamports = u64(position.penalty_heap_count * PENALTY_EVENT_HEAP[frame.build], "multiply")
        frame.transfer_lamports(lamports, "penalty_payer", "market")
        position.penalty_heap_count = 0
    if referrer is not None:
        frame.transfer_tokens(rebate, "market_quote_vault", "referrer_account", "market_authority")
    frame.transfer_tokens(base, "market_base_vault", "user_base_account", "market_authority")
    frame.transfer_tokens(quote, "market_quote_vault", "user_quote_account", "market_authority")
    frame.emit(SettleFundsLog(frame.key("open_orders_account"), base, quote, rebate, referrer))
    position.base_free_native = position.quote_free_native = position.referrer_rebates_available = 0


def sweep_fees(frame: Frame, instruction: funds.SweepFees) -> bytes:
    market = frame.market()
    amount = int(market.fees_available)
    market.fees_available = 0
    market.quote_deposit_total -= amount
    frame.transfer_tokens(amount, "market_quote_vault", "token_receiver_account", "market_authority")
    frame.emit(SweepFeesLog(frame.key("market"), amount, frame.key("token_receiver_account")))
    return b""


def set_delegate(frame: Frame, instruction: funds.SetDelegate) -> bytes:
    delegate = frame.given("delegate_account")
    if delegate is not None and not any(bytes(delegate)):
        delegate = None
    frame.open_orders().account.delegate = delegate
    frame.emit(SetDelegateLog(frame.key("open_orders_account"), delegate))
    return b""


def set_market_expired(frame: Frame, instruction: funds.SetMarketExpired) -> bytes:
    frame.require(not frame.is_expired(), "MarketHasExpired", "set_expired")
    frame.market().time_expiry = -1
    return b""
