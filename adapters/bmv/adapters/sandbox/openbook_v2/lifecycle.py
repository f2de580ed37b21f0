"""Making and closing accounts: markets, indexers, owners' accounts, oracles.

What `make_…` does happens before the constraints are held against the other accounts, as Anchor has it.

Source: `instructions/{create,close}_*.rs`, `stub_oracle_*.rs`, and what Anchor derives of their accounts.
"""

from solders.pubkey import Pubkey

from bmv.adapters.openbook.v2 import bookside, funds, heap, open_orders
from bmv.adapters.openbook.v2.layout import record
from bmv.adapters.openbook.v2.market import (
    FEES_SCALE_FACTOR,
    MARKET_SIZE,
    Market,
    OracleConfig,
    event_authority,
    market_authority,
)
from bmv.adapters.openbook.v2.open_orders import OpenOrdersIndexer, indexer_address, indexer_size, open_orders_address
from bmv.adapters.openbook.v2.oracle import STUB_ORACLE_SIZE, StubOracle, stub_oracle_address
from bmv.adapters.sandbox.openbook_v2.accounts import (
    check_address,
    close_account,
    create_account,
    create_vault,
    lengthen,
    shorten,
)
from bmv.adapters.sandbox.openbook_v2.events import Heap
from bmv.adapters.sandbox.openbook_v2.failure import borrow_failed, caused, panicked
from bmv.adapters.sandbox.openbook_v2.frame import Frame
from bmv.adapters.sandbox.openbook_v2.memory import View
from bmv.adapters.sandbox.openbook_v2.oracles import check_oracles
from bmv.adapters.sandbox.openbook_v2.position import OpenOrders

_SIDE_AT = 312  # Of a BookSide: whether it holds bids (0) or asks (1).
_ZEROED = {"bids": bookside.BOOK_SIDE_SIZE, "asks": bookside.BOOK_SIDE_SIZE, "event_heap": heap.EVENT_HEAP_SIZE}


def make_market(frame: Frame) -> None:
    """Make the accounts that a new market needs, and look at those that were made for it."""
    create_account(frame, "market", MARKET_SIZE)
    authority, _ = market_authority(frame.key("market"), frame.program)
    for side in ("base", "quote"):
        create_vault(frame, f"market_{side}_vault", frame.key(f"{side}_mint"), frame.key("market_authority"))
    check_address(frame, "market_authority", authority)
    for name, size in _ZEROED.items():
        _check_zeroed(frame, name, size)
    if frame.key("base_mint") == frame.key("quote_mint"):
        raise caused(frame.build, "ConstraintRaw", "base_mint")
    check_address(frame, "event_authority", event_authority(frame.program))


def _check_zeroed(frame: Frame, name: str, size: int) -> None:
    state = frame.state(name)
    if len(state.data) < 8:
        raise panicked("range end index 8 out of range")
    if any(state.data[:8]):
        raise caused(frame.build, "ConstraintZero", name)
    if state.owner != frame.program:
        raise caused(frame.build, "AccountOwnedByWrongProgram", name, (state.owner, frame.program))
    if not frame.is_writable(name):
        raise caused(frame.build, "ConstraintMut", name)
    if len(state.data) != size:
        raise panicked("from_bytes_mut>SizeMismatch")


def create_market(frame: Frame, instruction: funds.CreateMarket) -> bytes:
    _check_market(frame, instruction)
    check_oracles(frame)
    name = instruction.name.encode()
    frame.require(len(name) <= 16, "InvalidInputNameLength", "name_length")
    if frame.key("bids") == frame.key("asks"):
        raise borrow_failed()
    frame.state("market").data[:] = _new_market(frame, instruction, name.ljust(16, b"\0")).encode()
    for side in ("bids", "asks"):
        frame.state(side).data[:8] = bookside.DISCRIMINATOR
    frame.state("bids").data[_SIDE_AT], frame.state("asks").data[_SIDE_AT] = 0, 1
    events = frame.state("event_heap").data
    events[:8] = heap.DISCRIMINATOR
    Heap(events).set_up()
    frame.logs += (f"Program {frame.program} invoke [2]", f"Program {frame.program} success")  # It logs by a call.
    return b""


def _check_market(frame: Frame, args: funds.CreateMarket) -> None:
    maker, taker, fees = args.maker_fee, args.taker_fee, "InvalidInputMarketFees"
    frame.require(abs(maker) <= FEES_SCALE_FACTOR, fees, "create_maker_fee")
    frame.require(abs(taker) <= FEES_SCALE_FACTOR, fees, "create_taker_fee")
    frame.require(taker >= 0 and (maker >= 0 or -maker <= taker), fees, "create_fees")
    open_ = args.time_expiry == 0 or args.time_expiry > frame.now
    frame.require(open_, "InvalidInputMarketExpired", "create_expiry")
    quote, base = args.quote_lot_size, args.base_lot_size
    frame.require(quote > 0, "InvalidInputLots", "create_quote_lot", (quote, 0))
    frame.require(base > 0, "InvalidInputLots", "create_base_lot", (base, 0))


def _new_market(frame: Frame, args: funds.CreateMarket, name: bytes) -> Market:
    authority, bump = market_authority(frame.key("market"), frame.program)
    staleness = -1 if args.max_staleness_slots is None else args.max_staleness_slots
    return Market(
        bump=bump,
        base_decimals=frame.state("base_mint").data[44],
        quote_decimals=frame.state("quote_mint").data[44],
        padding1=bytes(5),
        market_authority=authority,
        time_expiry=args.time_expiry,
        collect_fee_admin=frame.key("collect_fee_admin"),
        open_orders_admin=frame.given("open_orders_admin"),
        consume_events_admin=frame.given("consume_events_admin"),
        close_market_admin=frame.given("close_market_admin"),
        name=name,
        bids=frame.key("bids"),
        asks=frame.key("asks"),
        event_heap=frame.key("event_heap"),
        oracle_a=frame.given("oracle_a"),
        oracle_b=frame.given("oracle_b"),
        oracle_config=OracleConfig(args.conf_filter, staleness, bytes(72)),
        quote_lot_size=args.quote_lot_size,
        base_lot_size=args.base_lot_size,
        seq_num=0,
        registration_time=frame.now,
        maker_fee=args.maker_fee,
        taker_fee=args.taker_fee,
        fees_accrued=0,
        fees_to_referrers=0,
        referrer_rebates_accrued=0,
        fees_available=0,
        maker_volume=0,
        taker_volume_wo_oo=0,
        base_mint=frame.key("base_mint"),
        quote_mint=frame.key("quote_mint"),
        market_base_vault=frame.key("market_base_vault"),
        base_deposit_total=0,
        market_quote_vault=frame.key("market_quote_vault"),
        quote_deposit_total=0,
        reserved=bytes(128),
    )


def close_market(frame: Frame, instruction: funds.CloseMarket) -> bytes:
    market = frame.market()
    frame.require(frame.is_expired(), "MarketHasNotExpired", "close_not_expired")
    owed = (
        market.base_deposit_total,
        market.quote_deposit_total,
        market.fees_available,
        market.referrer_rebates_accrued,
    )
    frame.require(not any(owed), "NonEmptyMarket", "close_not_empty")
    roots = [half.trees.root(tree) for half in frame.book().halves.values() for tree in (0, 1)]
    frame.require(all(root is None for root in roots), "BookContainsElements", "close_book")
    frame.require(len(frame.heap()) == 0, "EventHeapContainsElements", "close_heap")
    for name in ("market", "bids", "asks", "event_heap"):
        close_account(frame, name)
    return b""


def make_indexer(frame: Frame) -> None:
    """Make an owner's list of accounts."""
    address, _ = indexer_address(frame.key("owner"), frame.program)
    check_address(frame, "open_orders_indexer", address)
    create_account(frame, "open_orders_indexer", indexer_size(0))


def create_open_orders_indexer(frame: Frame, instruction: funds.CreateOpenOrdersIndexer) -> bytes:
    _, bump = indexer_address(frame.key("owner"), frame.program)
    frame.state("open_orders_indexer").data[:] = OpenOrdersIndexer(bump, 0, ()).encode()
    return b""


def close_open_orders_indexer(frame: Frame, instruction: funds.CloseOpenOrdersIndexer) -> bytes:
    frame.require(not _indexer(frame).addresses, "IndexerActiveOO", "close_indexer")
    close_account(frame, "open_orders_indexer")
    return b""


def _indexer(frame: Frame) -> OpenOrdersIndexer:
    return record(OpenOrdersIndexer).read(bytes(frame.state("open_orders_indexer").data), 8)[0]


def make_open_orders(frame: Frame) -> None:
    """Make an owner's account, and room for it in his list."""
    indexer = _indexer(frame)
    address, _ = open_orders_address(frame.key("owner"), indexer.created_counter + 1, frame.program)
    check_address(frame, "open_orders_account", address)
    create_account(frame, "open_orders_account", open_orders.OPEN_ORDERS_SIZE)
    lengthen(frame, "open_orders_indexer", indexer_size(len(indexer.addresses) + 1))
    _check_indexer(frame, indexer)
    if len(indexer.addresses) >= open_orders.MAX_ACCOUNTS:
        raise caused(frame.build, "ConstraintRaw", "open_orders_indexer")


def _check_indexer(frame: Frame, indexer: OpenOrdersIndexer) -> None:
    seeds = [b"OpenOrdersIndexer", bytes(frame.key("owner")), bytes([indexer.bump])]
    check_address(frame, "open_orders_indexer", Pubkey.create_program_address(seeds, frame.program))
    if not frame.is_writable("open_orders_indexer"):
        raise caused(frame.build, "ConstraintMut", "open_orders_indexer")


def create_open_orders_account(frame: Frame, instruction: funds.CreateOpenOrdersAccount) -> bytes:
    indexer, key = _indexer(frame), frame.key("open_orders_account")
    number = indexer.created_counter + 1
    listed = OpenOrdersIndexer(indexer.bump, number, (*indexer.addresses, key))
    frame.state("open_orders_indexer").data[:] = listed.encode()
    name = instruction.name.encode()
    frame.require(len(name) <= 32, "InvalidInputNameLength", "name_length")
    frame.state("open_orders_account").data[:8] = open_orders.DISCRIMINATOR
    made = frame.open_orders()
    made.set_up()
    account = made.account
    account.name, account.account_num, account.market = name.ljust(32, b"\0"), number, frame.key("market")
    account.bump = open_orders_address(frame.key("owner"), number, frame.program)[1]
    account.owner, account.delegate, account.version = frame.key("owner"), frame.given("delegate_account"), 1
    return b""


def shorten_indexer(frame: Frame) -> None:
    """Take an address from an owner's list, before his account is closed.

    The program first takes the room of one address, then strikes out that of the account: both at once here.
    """
    indexer = _indexer(frame)
    if not indexer.addresses:
        raise panicked("attempt to subtract with overflow")
    key = frame.key("open_orders_account")
    kept = tuple(address for address in indexer.addresses if address != key)
    shorten(frame, "open_orders_indexer", indexer_size(len(indexer.addresses) - 1), "sol_destination")
    _check_indexer(frame, indexer)
    if len(kept) < len(indexer.addresses):
        frame.state("open_orders_indexer").data[:] = OpenOrdersIndexer(
            indexer.bump, indexer.created_counter, kept
        ).encode()


def close_open_orders_account(frame: Frame, instruction: funds.CloseOpenOrdersAccount) -> bytes:
    opened = frame.open_orders()
    frame.require(_is_empty(opened), "NonEmptyOpenOrdersPosition", "close_open_orders")
    close_account(frame, "open_orders_account")
    return b""


def _is_empty(opened: OpenOrders) -> bool:
    position: View = opened.position
    owed = (
        position.bids_base_lots,
        position.asks_base_lots,
        position.base_free_native,
        position.quote_free_native,
        position.locked_maker_fees,
        position.referrer_rebates_available,
        position.penalty_heap_count,
        opened.account.version and position.bids_quote_lots,
    )
    return not any(owed)


def make_oracle(frame: Frame) -> None:
    """Make a stub oracle."""
    address, _ = stub_oracle_address(frame.key("owner"), frame.key("mint"), frame.program)
    check_address(frame, "oracle", address)
    create_account(frame, "oracle", STUB_ORACLE_SIZE)


def stub_oracle_create(frame: Frame, instruction: funds.StubOracleCreate) -> bytes:
    clock = frame.surroundings
    owner, mint = frame.key("owner"), frame.key("mint")
    made = StubOracle(owner, mint, instruction.price, clock.unix_timestamp, clock.slot, 0.0, bytes(104))
    frame.state("oracle").data[:] = made.encode()
    return b""


def stub_oracle_set(frame: Frame, instruction: funds.StubOracleSet) -> bytes:
    view = View(StubOracle, frame.state("oracle").data, 8)
    view.price = instruction.price
    view.last_update_ts, view.last_update_slot = frame.surroundings.unix_timestamp, frame.surroundings.slot
    return b""


def stub_oracle_close(frame: Frame, instruction: funds.StubOracleClose) -> bytes:
    close_account(frame, "oracle")
    return b""
