"""`bmv chain orders`: what of ours rests, as the finalized chain has it."""

from bmv.adapters.openbook.book import RestingOrder, Side
from bmv.adapters.openbook.inspection.fit import exact
from bmv.adapters.openbook.planning.orders import OwnOrder
from bmv.adapters.openbook.seat.desk import DeskSnapshot, slots_of
from bmv.adapters.report.market_text import even, second_text
from bmv.adapters.report.tables import Column, say, say_table
from bmv.adapters.solana.errors import Json
from bmv.live.chain.seated import Seated

SIDES = {Side.BID: "bid", Side.ASK: "ask"}
COLUMNS = (
    Column("side", "left"),
    Column("price"),
    Column("size"),
    Column("lots"),
    Column("client id"),
    Column("venue id"),
    Column("expires", "left"),
)


def orders_json(seated: Seated, desk: DeskSnapshot) -> Json:
    """Return the page as JSON; ids are text, since JSON's readers cut large numbers."""
    own, books = desk.own(seated.seat.open_orders), {order.order_id: order for order in desk.orders or ()}
    total = slots_of(desk.market)
    return {
        "slot": desk.slot,
        "market": str(seated.seat.market),
        "account": None if desk.account is None else str(seated.seat.open_orders),
        "orders": [_row(seated, desk, one, books.get(one.order_id)) for one in sorted(own.resting, key=_rank)],
        "slots": {
            "resting": len(own.resting),
            "waiting_for_crank": own.slots_waiting,
            "free": own.slots_free if desk.account is not None else 0,
            "all": total if desk.account is not None else 0,
        },
    }


def _rank(order: OwnOrder) -> tuple[int, int, int]:
    """Asks from the highest down, then bids: as books are drawn."""
    return -order.side, -order.price, order.order_id


def _row(seated: Seated, desk: DeskSnapshot, own: OwnOrder, resting: RestingOrder | None) -> Json:
    lots, expires = seated.lots, None if resting is None else resting.expires
    size = None if resting is None else resting.size_lots
    return {
        "side": SIDES[own.side],
        "price": exact(lots.price(own.price)) if own.price else None,
        "price_ticks": own.price or None,
        "size": None if size is None else exact(lots.size(size)),
        "size_lots": size,
        "client_id": str(own.client_id),
        "venue_id": str(own.order_id),
        "expires": expires,
        "expired": expires is not None and expires <= desk.unix_timestamp,
    }


def say_orders(seated: Seated, desk: DeskSnapshot) -> None:
    """Print the page."""
    page = orders_json(seated, desk)
    if page["account"] is None:
        say(f"no account of {seated.seat.owner} on this market; `bmv chain setup` makes one")
        return
    rows = [_cells(seated, order) for order in page["orders"]]
    if rows:
        say_table(COLUMNS, rows)
    slots = page["slots"]
    waiting = f", {slots['waiting_for_crank']} wait for the crank" if slots["waiting_for_crank"] else ""
    say(f"{slots['resting']} resting{waiting}, {slots['free']} of {slots['all']} slots free (slot {page['slot']})")


def _cells(seated: Seated, order: Json) -> list[str]:
    lots = seated.lots
    price, size = order["price_ticks"], order["size_lots"]
    expires = "never" if order["expires"] is None else second_text(order["expires"])
    return [
        order["side"],
        "at the oracle" if price is None else even(lots.price(price), lots.tick),
        "unknown" if size is None else even(lots.size(size), lots.lot),
        "unknown" if size is None else str(size),
        order["client_id"],
        order["venue_id"],
        f"{expires} (over)" if order["expired"] else expires,
    ]
