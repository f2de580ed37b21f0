"""What traders ask for beside orders (an account, their money), what the crank does, and the program's own authority.

Source: openbook-dex/program 3873f285, `dex/src/state.rs`; numbers are its lines.
"""

from bmv.adapters.openbook.v1.accounts import ALL_FREE, AccountFlag
from bmv.adapters.openbook.v1.codes import DexErrorCode
from bmv.adapters.openbook.v1.instructions import AUTHORITY
from bmv.adapters.sandbox.openbook_v1.context import Context, or_assertion, send
from bmv.adapters.sandbox.openbook_v1.crank import Heap, consume_events
from bmv.adapters.sandbox.openbook_v1.failing import check, fail
from bmv.adapters.sandbox.openbook_v1.loading import Market, check_signer, check_token_program

_MASK = 2**64 - 1
_AUTHORITY = bytes(AUTHORITY)


# The account of a trader.


def initialize(context: Context) -> None:
    """Play InitOpenOrders."""
    accounts = context.accounts
    check(4 <= len(accounts) <= 5, "state", 2472)
    authority = check_signer(accounts[4]) if len(accounts) == 5 else None
    owner = check_signer(accounts[1])
    market = Market(accounts[2], context.program_id, allow_disabled=False)
    market.open_orders(accounts[0], owner, context.surroundings, authority)


def close(context: Context) -> None:
    """Play CloseOpenOrders."""
    check(len(context.accounts) == 4, "state", 2417)
    open_orders_, owner, destination, market_ = context.accounts
    check_signer(owner)
    market = Market(market_, context.program_id, allow_disabled=True)
    orders = market.open_orders(open_orders_, owner)
    if orders["free_slot_bits"] != ALL_FREE:
        raise fail(DexErrorCode.TOO_MANY_OPEN_ORDERS)
    for what, name in (("coin", "Base"), ("pc", "Quote")):
        if orders[f"native_{what}_total"]:
            context.say(f"Program log: {name} currency total must be zero to close the open orders account")
            raise fail(DexErrorCode.TOO_MANY_OPEN_ORDERS)
    destination.state.lamports += open_orders_.state.lamports
    open_orders_.state.lamports = 0
    orders["account_flags"] = AccountFlag.CLOSED


def settle(context: Context) -> None:
    """Play SettleFunds."""
    accounts = context.accounts
    check(9 <= len(accounts) <= 10, "state", 2279)
    market_, open_orders_, owner, coin_vault, pc_vault, coin_wallet, pc_wallet, signer, token = accounts[:9]
    check_token_program(token)
    market = Market(market_, context.program_id, allow_disabled=True)
    check(owner.signer, "state", 2294)
    or_assertion(lambda: market.vault(coin_vault, "coin"), 2297)
    or_assertion(lambda: market.vault(pc_vault, "pc"), 2298)
    or_assertion(lambda: market.wallet(coin_wallet, "coin"), 2300)
    or_assertion(lambda: market.wallet(pc_wallet, "pc"), 2302)
    referrer = accounts[9] if len(accounts) == 10 else None
    if referrer is not None:
        or_assertion(lambda: market.wallet(referrer, "pc"), 2307)
    check(market.vault_signer() == signer.key, "state", 1607)
    orders = market.open_orders(open_orders_, owner)
    coin, pc = orders["native_coin_free"], orders["native_pc_free"]
    for what, amount, where in (("coin", coin, "2820:14"), ("pc", pc, "2824:14")):
        market[f"{what}_deposits_total"] = market[f"{what}_deposits_total"] - amount & _MASK
        orders[f"native_{what}_free"] = 0
        orders.debit(what, amount, f"src/state.rs:{where}")
    send(context, coin_vault, coin_wallet, signer, coin)
    send(context, pc_vault, pc_wallet, signer, pc)
    accrued = orders["referrer_rebates_accrued"]
    if referrer is not None and accrued:
        send(context, pc_vault, referrer, signer, accrued)
    else:
        market["pc_fees_accrued"] = market["pc_fees_accrued"] + accrued & _MASK
    market["referrer_rebates_accrued"] = market["referrer_rebates_accrued"] - accrued & _MASK
    orders["referrer_rebates_accrued"] = 0


# The program's own authority.


def disable(context: Context) -> None:
    """Play DisableMarket."""
    check(len(context.accounts) == 2, "state", 2347)
    market_, authority = context.accounts
    market = Market(market_, context.program_id, allow_disabled=False)
    check(authority.signer, "state", 1573)
    check(authority.key == _AUTHORITY, "state", 1574)
    market["account_flags"] |= AccountFlag.DISABLED


def sweep_fees(context: Context) -> None:
    """Play SweepFees."""
    check(len(context.accounts) == 6, "state", 2374)
    market_, pc_vault, authority, wallet, signer, token = context.accounts
    market = Market(market_, context.program_id, allow_disabled=False)
    market.vault(pc_vault, "pc")
    market.wallet(wallet, "pc")
    check(market.vault_signer() == signer.key, "state", 1607)
    check_token_program(token)
    check(authority.signer, "state", 1567)
    check(authority.key == _AUTHORITY, "state", 1568)
    amount, market["pc_fees_accrued"] = market["pc_fees_accrued"], 0
    send(context, pc_vault, wallet, signer, amount)


# The crank.


def consume(context: Context, limit: int) -> None:
    """Play ConsumeEvents."""
    check(len(context.accounts) >= 5, "state", 2012)
    *open_orders, market_, event_q_, _, _ = context.accounts
    market = Market(market_, context.program_id, allow_disabled=True)
    check(market.authority("consume_events_authority") is None, "state", 2024)
    queue = market.event_queue(event_q_)
    consume_events(market, queue, open_orders, limit, context.say, Heap(context.accounts))


def consume_permissioned(context: Context, limit: int) -> None:
    """Play ConsumeEventsPermissioned."""
    check(len(context.accounts) >= 4, "state", 2042)
    *open_orders, market_, event_q_, authority = context.accounts
    market = Market(market_, context.program_id, allow_disabled=True)
    check(authority.signer, "state", 2054)
    check(market.authority("consume_events_authority") == authority.key, "state", 2055)
    queue = market.event_queue(event_q_)
    consume_events(market, queue, open_orders, limit, context.say, Heap(context.accounts))
