"""Each way of an order, by which reason it takes each step, and what is told of it."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.execution.orders import Order, Orders, Seen, Stage, exposure
from bmv.adapters.openbook.fills.fill import OwnFill
from bmv.adapters.openbook.planning.orders import OwnOrder
from bmv.ports.messages import Event, Intent, Kind, Liquidity, Reason, Tif, Verb

Step = Callable[[Orders], None]
PRICE, LOTS, VENUE_ID = 100, 10, 77
A, X = "attempt", "cancelling"  # Signatures.
CANCEL = Intent(Verb.CANCEL, 0, order=1)


def bid(number: int = 1, price: int = PRICE, tif: Tif = Tif.POST_ONLY, side: int = 1) -> Intent:
    return Intent(Verb.PLACE, 0, number, side, price, LOTS, tif=tif)


def one(number: int = 1, venue_id: int = VENUE_ID, price: int = PRICE, side: Side = Side.BID) -> OwnOrder:
    return OwnOrder(venue_id, side, price, number)


def trade(
    size: int, number: int = 1, order_id: int = VENUE_ID, price: int = PRICE, maker: bool = True, side: Side = Side.BID
) -> OwnFill:
    return OwnFill(5, 1, 0, order_id, number, side, price, size, 3, 0, maker, False)


def ask(*intents: Intent) -> Step:
    return lambda orders: orders.ask(intents)


def plan(*numbers: int) -> Step:
    return lambda orders: orders.plan(numbers)


def send(*cancels: int, by: str = A, places: Sequence[tuple[int, int]] = (), over_s: int | None = None) -> Step:
    return lambda orders: orders.send(by, places, cancels, over_s)


def refuse(*numbers: int) -> Step:
    return lambda orders: orders.refuse(numbers)


def land(slot: int, by: str = A) -> Step:
    return lambda orders: orders.land(by, slot)


def lose(by: str = A) -> Step:
    return lambda orders: orders.lose(by)


def see(slot: int, *resting: OwnOrder, fills: Sequence[OwnFill] = (), second: int = 0) -> Step:
    return lambda orders: orders.see(Seen(slot, second, resting, fills))


FLIES = (ask(bid()), plan(1), send(places=[(1, 1)]))
RESTS = (*FLIES, land(5), see(5, one()))
TAKES = (ask(bid(tif=Tif.IOC)), plan(1), send(places=[(1, 1)]), land(5))

WAYS: dict[str, tuple[Sequence[Step], str]] = {
    # Before anything is sent.
    "asked for only": ([ask(bid())], ""),
    "cancelled before it was planned": ([ask(bid()), ask(CANCEL)], "cancelled 10"),
    "cancelled with all before it was planned": ([ask(bid()), ask(Intent(Verb.CANCEL_ALL, 0))], "cancelled 10"),
    "refused by a plan": ([ask(bid()), refuse(1)], "rejected 10"),
    "planned, and a cancel is only a wish": ([ask(bid()), plan(1), ask(CANCEL)], ""),
    "dying before it was sent": ([ask(bid()), plan(1), ask(CANCEL), refuse(1)], "cancelled 10"),
    # Under way.
    "sent": (FLIES, ""),
    "not seen before it landed": ([*FLIES, see(5)], ""),
    "not seen in a bank before the slot in which it landed": ([*FLIES, land(5), see(4)], ""),
    "lost": ([*FLIES, lose()], "rejected 10"),
    "lost, and to be cancelled": ([*FLIES, ask(CANCEL), lose()], "cancelled 10"),
    "another attempt is lost": ([*FLIES, lose("another")], ""),
    # In the book.
    "seen in the book": (RESTS, "accepted 10"),
    "seen before its attempt is known to have landed": ([*FLIES, see(5, one()), land(5)], "accepted 10"),
    "seen twice": ([*RESTS, see(6, one())], "accepted 10"),
    "post-only, and it never rested": ([*FLIES, land(5), see(5)], "rejected 10 would_cross"),
    "takes nothing and rests nowhere": ([*TAKES, see(5)], "expired 10"),
    "takes a part": (
        [*TAKES, see(5, fills=[trade(4, order_id=0, maker=False, price=99)])],
        "accepted 10, filled 4, expired 6",
    ),
    # Its ends.
    "filled in parts": (
        [*RESTS, see(6, one(), fills=[trade(4)]), see(7, fills=[trade(6)])],
        "accepted 10, filled 4, filled 6",
    ),
    "filled before it was ever seen": (
        [*FLIES, land(5), see(6, fills=[trade(10, order_id=0)])],
        "accepted 10, filled 10",
    ),
    "a part filled before it was ever seen, and it rests": (
        [*FLIES, land(5), see(6, one(), fills=[trade(4)])],
        "accepted 10, filled 4",
    ),
    "gone without a wish of ours": ([*RESTS, see(6)], "accepted 10, expired 10"),
    "a part filled, then gone without a wish of ours": (
        [*RESTS, see(6, fills=[trade(4)])],
        "accepted 10, filled 4, expired 6",
    ),
    "cancelled": ([*RESTS, ask(CANCEL), send(1, by=X), land(6, X), see(6)], "accepted 10, cancelled 10"),
    "gone while a cancel is under way": ([*RESTS, ask(CANCEL), send(1, by=X), see(6)], "accepted 10, cancelled 10"),
    "a cancel that is lost leaves it in the book": (
        [*RESTS, ask(CANCEL), send(1, by=X), lose(X), see(6, one())],
        "accepted 10",
    ),
    "filled while a cancel is under way": (
        [*RESTS, ask(CANCEL), send(1, by=X), land(6, X), see(6, fills=[trade(10)])],
        "accepted 10, filled 10",
    ),
    "a part filled before the cancel": (
        [*RESTS, ask(CANCEL), send(1, by=X), land(6, X), see(6, fills=[trade(3)])],
        "accepted 10, filled 3, cancelled 7",
    ),
    "a cancel that lands before its placement, which lands too": (
        [*FLIES, ask(CANCEL), send(1, by=X), land(4, X), land(6), see(6, one())],
        "accepted 10",
    ),
    "a cancel that lands before its placement, which is lost": (
        [*FLIES, ask(CANCEL), send(1, by=X), land(4, X), lose()],
        "cancelled 10",
    ),
    "placed and cancelled between two looks": (
        [*FLIES, ask(CANCEL), send(1, by=X), land(5), land(6, X), see(7)],
        "cancelled 10",
    ),
    "over by its own terms, and still in a slot": (
        [ask(bid()), plan(1), send(places=[(1, 1)], over_s=60), land(5), see(5, one()), see(9, one(), second=60)],
        "accepted 10",
    ),
    "over by its own terms, and gone": (
        [ask(bid()), plan(1), send(places=[(1, 1)], over_s=60), land(5), see(5, one()), see(9, second=60)],
        "accepted 10, expired 10",
    ),
    "a cancel of what has ended is no news": ([*RESTS, see(6), ask(CANCEL)], "accepted 10, expired 10"),
}


def play(steps: Sequence[Step]) -> Orders:
    orders = Orders()
    for step in steps:
        step(orders)
    return orders


def words(events: Sequence[Event]) -> str:
    names = [
        f"{Kind(e.kind).name} {e.size}" + (f" {Reason(e.code).name}" if e.kind == Kind.REJECTED and e.code else "")
        for e in events
    ]
    return ", ".join(names).lower()


@pytest.mark.parametrize("way", WAYS)
def test_an_order_goes_its_way(way: str) -> None:
    steps, expected = WAYS[way]

    orders = play(steps)

    assert words(orders.take()) == expected
    assert orders.stray == []
    assert orders.take() == [], "what was told is told once"


@pytest.mark.parametrize("way", WAYS)
def test_an_order_is_open_as_long_as_no_end_of_it_was_told(way: str) -> None:
    orders = play(WAYS[way][0])

    told = orders.take()
    traded = sum(event.size for event in told if event.kind == Kind.FILLED)
    ended = any(event.kind in (Kind.CANCELLED, Kind.REJECTED, Kind.EXPIRED) for event in told)
    assert (1 in orders.open) is not (ended or traded == LOTS)


def test_a_batch_cancels_what_was_asked_for_before_it_and_not_what_it_places_itself() -> None:
    orders = play([ask(bid(1)), ask(bid(2), Intent(Verb.CANCEL_ALL, 0))])

    assert [(Kind(event.kind), event.order) for event in orders.take()] == [(Kind.CANCELLED, 1)]
    assert [order.number for order in orders.asked()] == [2]


def test_what_is_to_be_cancelled_is_wanted_until_an_attempt_carries_it_and_again_when_that_did_nothing() -> None:
    orders = play([*RESTS, ask(CANCEL)])
    assert [order.number for order in orders.dying()] == [1]

    orders.send(X, (), [1])
    assert orders.dying() == []

    orders.lose(X)
    assert [order.number for order in orders.dying()] == [1]


def test_a_cancel_that_landed_before_its_placement_is_wanted_again() -> None:
    orders = play([*FLIES, ask(CANCEL), send(1, by=X), land(4, X), land(6), see(6, one())])

    assert [order.number for order in orders.dying()] == [1]


def test_an_order_over_by_its_own_terms_that_holds_a_slot_is_to_be_cancelled() -> None:
    steps = [ask(bid()), plan(1), send(places=[(1, 1)], over_s=60), land(5), see(5, one(), second=59)]
    orders = play(steps)
    assert orders.dying() == []

    see(6, one(), second=60)(orders)

    assert [order.number for order in orders.dying()] == [1]


def test_a_fill_of_no_open_order_is_stray_and_told_to_nobody() -> None:
    strays = [
        trade(1, number=9, order_id=9),
        trade(11),
        trade(1, price=99, order_id=0),
        trade(1, side=Side.ASK, order_id=0),
    ]
    orders = play(RESTS)
    orders.take()

    see(6, one(), fills=strays)(orders)

    assert orders.stray == strays
    assert orders.take() == []


def test_a_fill_is_of_no_order_that_was_never_sent() -> None:
    orders = play([ask(bid()), see(5, fills=[trade(1, number=0, order_id=0)])])

    assert len(orders.stray) == 1


def test_an_order_that_nobody_knows_is_a_stranger_until_it_is_gone() -> None:
    other = one(number=9, venue_id=99)
    orders = play([*RESTS, see(6, one(), other)])
    assert orders.strangers == (other,)

    see(7, one())(orders)

    assert orders.strangers == ()
    assert 1 in orders.open


def test_an_order_with_our_number_at_another_price_is_a_stranger() -> None:
    orders = play([*FLIES, land(5), see(4, one(price=PRICE + 1))])

    assert len(orders.strangers) == 1
    assert words(orders.take()) == ""


def batch() -> list[Step]:
    """Two orders that the venue numbers by their place in the batch, the first of them with 0."""
    return [
        ask(bid(1), bid(2, price=99)),
        plan(1, 2),
        send(places=[(1, 0), (2, 1)]),
        land(5),
        see(5, one(0, 70), one(1, 71, 99)),
    ]


def test_orders_numbered_by_their_place_in_a_batch_are_known_by_what_was_sent_the_first_with_0() -> None:
    orders = play(batch())

    assert {number: order.venue_id for number, order in orders.open.items()} == {1: 70, 2: 71}


def test_the_next_batch_has_the_same_numbers_at_the_venue_and_fills_go_to_the_order_of_the_venues_id() -> None:
    again = [ask(bid(3)), plan(3), send(by="second", places=[(3, 0)]), land(8, "second")]
    seen = see(8, one(0, 70), one(1, 71, 99), one(0, 80), fills=[trade(10, number=0, order_id=80)])
    orders = play([*batch(), *again])
    orders.take()

    seen(orders)

    told = orders.take()
    assert [(Kind(event.kind), event.order) for event in told] == [(Kind.ACCEPTED, 3), (Kind.FILLED, 3)]
    assert sorted(orders.open) == [1, 2]


def test_a_fill_without_the_venues_number_before_first_sight_is_of_the_order_sent_with_its_client_id() -> None:
    steps = [ask(bid(1), bid(2, price=99)), plan(1, 2), send(places=[(1, 0), (2, 1)]), land(5)]
    orders = play(steps)

    see(6, one(0, 70), fills=[trade(10, number=1, order_id=0, price=99)])(orders)

    assert [(Kind(e.kind), e.order) for e in orders.take()] == [
        (Kind.ACCEPTED, 1),
        (Kind.ACCEPTED, 2),
        (Kind.FILLED, 2),
    ]


def test_a_taker_may_trade_at_a_better_price_and_a_maker_only_at_its_own() -> None:
    orders = play(TAKES)

    see(5, fills=[trade(1, order_id=0, price=98), trade(1, order_id=0, price=98, maker=False)])(orders)

    assert [fill.maker for fill in orders.stray] == [True]
    assert [event.code for event in orders.take() if event.kind == Kind.FILLED] == [Liquidity.TAKER]


def test_a_fill_is_told_with_its_fee_and_the_second_of_the_bank_that_showed_it() -> None:
    orders = play(RESTS)
    orders.take()

    see(6, one(), fills=[trade(4)], second=1_700_000_000)(orders)

    (told,) = orders.take()
    assert (told.fee, told.price, told.side, told.code) == (3, PRICE, 1, Liquidity.MAKER)
    assert told.venue_ns == 1_700_000_000 * 10**9


def test_an_order_number_is_asked_for_once_as_long_as_it_is_open() -> None:
    with pytest.raises(AssertionError, match="order 1 is open already"):
        play([ask(bid()), ask(bid())])


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([*FLIES, plan(1)], id="planned after it was sent"),
        pytest.param([*FLIES, send(by="again", places=[(1, 1)])], id="sent in two attempts"),
        pytest.param([*FLIES, refuse(1)], id="refused after it was sent"),
        pytest.param([ask(bid()), send(places=[(1, 1)])], id="sent and never planned"),
    ],
)
def test_an_order_goes_no_step_twice(steps: Sequence[Step]) -> None:
    with pytest.raises(AssertionError, match="order 1 is"):
        play(steps)


def test_orders_of_an_earlier_process_are_all_to_be_cancelled() -> None:
    orders = Orders()

    orders.restore([Order(7, bid(7), Stage.RESTING, client_id=7, attempt=A)])

    assert [order.number for order in orders.dying()] == [7]


def test_what_is_asked_for_and_not_sent_counts_against_the_limit_and_what_traded_does_not() -> None:
    orders = play([*RESTS, see(6, one(), fills=[trade(4)]), ask(bid(2), bid(3, side=-1))])

    assert exposure(orders.open.values()) == (16, 10)


STEPS = st.sampled_from(
    [
        lambda n: ask(Intent(Verb.CANCEL, 0, order=n)),
        lambda n: send(n, by=f"{X}{n}"),
        lambda n: land(5, f"{X}{n}"),
        lambda n: lose(f"{X}{n}"),
        lambda n: land(5, f"{A}{n}"),
        lambda n: see(6),
        lambda n: see(6, one(n, 70 + n)),
        lambda n: see(6, one(n, 70 + n), fills=[trade(3, number=n, order_id=70 + n)]),
        lambda n: see(6, fills=[trade(10, number=n, order_id=0)]),
        lambda n: lose(f"{A}{n}"),
    ]
)


@given(st.lists(st.tuples(STEPS, st.integers(1, 3)), max_size=30))
def test_each_order_has_one_end_at_most_and_never_trades_more_than_it_has(
    steps: list[tuple[Callable[[int], Step], int]],
) -> None:
    orders = play([step for n in (1, 2, 3) for step in (ask(bid(n)), plan(n), send(by=f"{A}{n}", places=[(n, n)]))])

    for step, number in steps:
        step(number)(orders)

    told = orders.take()
    for number in (1, 2, 3):
        mine = [event for event in told if event.order == number]
        traded = sum(event.size for event in mine if event.kind == Kind.FILLED)
        ends = [event for event in mine if event.kind in (Kind.CANCELLED, Kind.REJECTED, Kind.EXPIRED)]
        assert traded + sum(event.size for event in ends) == LOTS or number in orders.open
        assert len(ends) <= 1
        assert len([event for event in mine if event.kind == Kind.ACCEPTED]) <= 1
        assert not ends or mine[-1] is ends[0]


@pytest.mark.parametrize(
    ("dying", "kind"),
    [(False, Kind.EXPIRED), (True, Kind.CANCELLED)],
)
def test_an_order_of_which_nobody_knows_whether_it_landed_ends_where_the_chain_does_not_show_it(
    dying: bool, kind: Kind
) -> None:
    orders = Orders()
    for step in (ask(bid()), plan(1), send(places=[(1, 1)])):
        step(orders)
    if dying:
        orders.ask([CANCEL])
    orders.land(A, 9, known=False)

    see(8)(orders)
    assert orders.open
    see(9)(orders)

    assert [(event.kind, event.code) for event in orders.take()] == [(kind, Reason.NONE)]
    assert not orders.open


def test_a_cancel_that_did_nothing_is_not_paid_for_again_until_its_order_is_in_the_book() -> None:
    orders = Orders()
    for step in (ask(bid()), plan(1), send(places=[(1, 1)]), ask(CANCEL)):
        step(orders)
    assert orders.cancellable(orders.dying(), []) == orders.dying() != []
    send(1, by=X)(orders)
    land(5, by=X)(orders)

    assert orders.cancellable(orders.dying(), []) == []
    assert orders.cancellable(orders.dying(), [one()]) == orders.dying() != []
