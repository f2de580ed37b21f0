"""The crank: takes events from the front of the queue and books them to the traders' accounts.

Source: openbook-dex/program 3873f285, `dex/src/state.rs: process_consume_events`; numbers are its lines.
"""

from collections.abc import Callable, Sequence

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v1 import layout as at
from bmv.adapters.openbook.v1.events import FLAGS, EventFlag
from bmv.adapters.openbook.v1.keys import sort_key
from bmv.adapters.openbook.v1.layout import Record
from bmv.adapters.openbook.v1.logs import FillEventLog, OpenOrdersBalanceLog, to_line
from bmv.adapters.sandbox.openbook_v1.failing import Panic, check
from bmv.adapters.sandbox.openbook_v1.fees import referrer_rebate
from bmv.adapters.sandbox.openbook_v1.loading import Account, Market
from bmv.adapters.sandbox.openbook_v1.orders import Orders
from bmv.adapters.sandbox.openbook_v1.queue import Ring

_U64 = 2**64 - 1
_TIERS = 8

_HEAP = 32 * 1024 - 8  # Bytes of the program's heap, of which nothing is ever given back.
_PER_NAME = 48  # What the entry point keeps of each account that is named,
_PER_ACCOUNT = 32 + 40  # and more of each that was not named before.
_PER_LOG = 1024 + 8  # What an event's encoding takes beside its own bytes.


class Heap:
    """The program's memory, which only grows; beyond 32 KiB it stops."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        different = len({account.key for account in accounts})
        self.left = _HEAP - len(accounts) * _PER_NAME - different * _PER_ACCOUNT

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise Panic("Error: memory allocation failed, out of memory", "")


def consume_events(
    market: Market,
    queue: Ring,
    accounts: Sequence[Account],
    limit: int,
    say: Callable[[str], None],
    heap: Heap,
) -> None:
    """Take up to `limit` events; stop without an error at the first of an account that is not among `accounts`."""
    keys = [sort_key(account.key) for account in accounts]
    for _ in range(limit):
        event = queue.front()
        if event is None:
            return
        flags = event["event_flags"]
        _check_event(flags, event)
        owner = event.key("owner")
        index = _search(keys, sort_key(owner))
        if index is None:
            return
        account = accounts[index]
        orders = market.open_orders(account, None)
        _check_slot(orders, event, Side.BID if flags & EventFlag.BID else Side.ASK)
        if flags & EventFlag.FILL:
            _fill(market, orders, event, flags, say, heap)
        else:
            _out(orders, event, flags)
        account.release()
        queue.pop()


def _search(keys: Sequence[tuple[int, ...]], wanted: tuple[int, ...]) -> int | None:
    """Search as Rust's library did when the program was built, so that keys not sorted are missed alike."""
    left, right = 0, len(keys)
    while left < right:
        middle = left + (right - left) // 2
        if keys[middle] == wanted:
            return middle
        if keys[middle] < wanted:
            left = middle + 1
        else:
            right = middle
    return None


def _check_event(flags: int, event: Record) -> None:
    if flags > 31:
        raise Panic("called `Result::unwrap()` on an `Err` value: FromBitsError", "src/state.rs:1272:59")
    if flags & EventFlag.FILL:
        check(flags in FLAGS, "state", 1280)
        check(event["fee_tier"] < _TIERS, "state", 1293)
    check(flags in FLAGS or flags & ~(EventFlag.BID | EventFlag.RELEASE_FUNDS) == 0, "state", 1301)


def _check_slot(orders: Orders, event: Record, side: Side) -> None:
    slot = event["owner_slot"]
    check(slot < at.SLOTS, "state", 3005)
    check(orders.side(slot) is side, "state", 3006)
    check(orders.order(slot) == event["order_id"], "state", 3007)


def _fill(market: Market, orders: Orders, event: Record, flags: int, say: Callable[[str], None], heap: Heap) -> None:
    paid, received, fee = event["native_qty_paid"], event["native_qty_released"], event["native_fee_or_rebate"]
    bid, maker = bool(flags & EventFlag.BID), bool(flags & EventFlag.MAKER)
    if maker and bid:
        _add(orders, "native_pc_total", -paid)
        _add(orders, "native_coin_total", received)
        _add(orders, "native_coin_free", received)
        _add(orders, "native_pc_free", fee)
    elif maker:
        _add(orders, "native_coin_total", -paid)
        _add(orders, "native_pc_total", received)
        _add(orders, "native_pc_free", received)
    rebate = None if maker else referrer_rebate(fee)
    if rebate is not None:
        _add(orders, "referrer_rebates_accrued", rebate)
    names = _Names(market, orders, event)
    fill = FillEventLog(
        market=names.market,
        open_orders=names.open_orders,
        open_orders_owner=names.owner,
        bid=bid,
        maker=maker,
        native_qty_paid=paid,
        native_qty_received=received,
        native_fee_or_rebate=fee,
        order_id=event["order_id"],
        owner_slot=event["owner_slot"],
        fee_tier=event["fee_tier"],
        client_order_id=event["client_order_id"] or None,
        referrer_rebate=rebate,
    )
    for log in (fill, names.balance()):
        heap.take(_PER_LOG + len(log.encode()))
        say(to_line(log))


class _Names:
    """Whom a fill is about, as the log names them."""

    def __init__(self, market: Market, orders: Orders, event: Record) -> None:
        self.market = Pubkey.from_bytes(market.address)
        self.open_orders = Pubkey.from_bytes(event.key("owner"))
        self.owner = Pubkey.from_bytes(orders.key("owner"))
        self.orders = orders

    def balance(self) -> OpenOrdersBalanceLog:
        orders = self.orders
        return OpenOrdersBalanceLog(
            open_orders=self.open_orders,
            open_orders_owner=self.owner,
            market=self.market,
            native_pc_total=orders["native_pc_total"],
            native_coin_total=orders["native_coin_total"],
            native_coin_free=orders["native_coin_free"],
            native_pc_free=orders["native_pc_free"],
            referrer_rebates_accrued=orders["referrer_rebates_accrued"],
        )


def _out(orders: Orders, event: Record, flags: int) -> None:
    what, line = ("pc", 3105) if flags & EventFlag.BID else ("coin", 3113)
    if flags & EventFlag.RELEASE_FUNDS:
        _add(orders, f"native_{what}_free", event["native_qty_released"])
    check(orders[f"native_{what}_free"] <= orders[f"native_{what}_total"], "state", line)
    if not event["native_qty_paid"]:
        orders.remove(event["owner_slot"])


def _add(record: Record, name: str, amount: int) -> None:
    record[name] = record[name] + amount & _U64
