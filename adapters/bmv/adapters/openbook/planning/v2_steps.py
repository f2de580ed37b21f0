"""The steps of OpenBook version 2: each is one instruction, whatever stands beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.planning.budget import Shape
from bmv.adapters.openbook.planning.orders import Cancel, Own, Place
from bmv.adapters.openbook.planning.packing import Rendered, Step
from bmv.adapters.openbook.planning.seat import Seat, Terms
from bmv.adapters.openbook.v2 import funds, orders
from bmv.adapters.openbook.v2.capabilities import OPENBOOK_V2
from bmv.adapters.openbook.v2.codes import PlaceOrderType, SelfTradeBehavior
from bmv.adapters.openbook.v2.instructions import Known, build
from bmv.adapters.openbook.v2.market import FEES_SCALE_FACTOR, Market
from bmv.ports.messages import Tif

SETTLING_CALLS = 3  # Transfers of base, quote and the referrer's share.
MATCHES_MAX = 20  # Orders that one of ours trades with at most; the rest of it is dropped.
SECONDS_MAX = 65_535  # An order rests no longer.
_IMPROVED = 1_000  # An ask may trade at up to so many times its price.
_I64_MAX = 2**63 - 1
_TYPES = {
    Tif.POST_ONLY: PlaceOrderType.POST_ONLY,
    Tif.LIMIT: PlaceOrderType.LIMIT,
    Tif.IOC: PlaceOrderType.IMMEDIATE_OR_CANCEL,
}


@dataclass(frozen=True, slots=True)
class StepsV2:
    """What one seat may do on one market.

    Args:
        market: The market's account.
        seat: Our accounts.
        shape: What steps take.
    """

    market: Market
    seat: Seat
    shape: Shape

    def cranks_of(self, nodes: Sequence[int]) -> list[Step]:
        """Return cranks of our own events by their nodes: others' before them are in nobody's way."""
        most = OPENBOOK_V2.crank_events_max
        return [
            self._step(
                orders.ConsumeGivenEvents(
                    slots=tuple(nodes[at : at + most]),
                    market=self.seat.market,
                    event_heap=self.market.event_heap,
                    remaining=(self.seat.open_orders,),
                ),
                self.shape.crank,
                cranks=len(nodes[at : at + most]),
            )
            for at in range(0, len(nodes), most)
        ]

    def crank_newest(self) -> Step:
        """Return a crank of what of ours may come to the heap before we land."""
        consume = orders.ConsumeEvents(
            limit=OPENBOOK_V2.crank_events_max,
            market=self.seat.market,
            event_heap=self.market.event_heap,
            remaining=(self.seat.open_orders,),
        )
        return self._step(consume, self.shape.crank, cranks=OPENBOOK_V2.crank_events_max)

    def cancels(self, cancels: Sequence[Cancel], own: Own) -> Iterator[Step]:
        """Yield cancels: of all, of a side, or of one order; only the last can fail, if the order is gone."""
        if cancels and len(cancels) == len(own.resting):
            yield self._cancel_side(None, cancels, own)
            return
        for side in Side:
            wanted = [cancel for cancel in cancels if cancel.order is not None and cancel.order.side is side]
            if len(wanted) > 1 and len(wanted) == sum(order.side is side for order in own.resting):
                yield self._cancel_side(side, wanted, own)
            else:
                yield from (self._cancel_one(cancel) for cancel in wanted)

    def _cancel_side(self, side: Side | None, cancels: Sequence[Cancel], own: Own) -> Step:
        every = orders.CancelAllOrders(
            side_option=side,
            limit=OPENBOOK_V2.order_slots,
            signer=self.seat.signer,
            open_orders_account=self.seat.open_orders,
            market=self.seat.market,
            bids=self.market.bids,
            asks=self.market.asks,
        )
        looked_at = len(cancels) + own.slots_waiting  # It looks for what was filled too, as long as that has a slot.
        return self._step(every, self.shape.cancel + self.shape.cancel_each * looked_at, cancels=tuple(cancels))

    def _cancel_one(self, cancel: Cancel) -> Step:
        assert cancel.order is not None, "version 2 cancels nothing blind"
        one = orders.CancelOrder(
            order_id=cancel.order.order_id,
            signer=self.seat.signer,
            open_orders_account=self.seat.open_orders,
            market=self.seat.market,
            bids=self.market.bids,
            asks=self.market.asks,
        )
        return self._step(one, self.shape.cancel + self.shape.cancel_each, cancels=(cancel,))

    def place(self, place: Place, terms: Terms) -> Step:
        seat, market, bid = self.seat, self.market, place.side is Side.BID
        order = orders.PlaceOrder(
            signer=seat.signer,
            open_orders_account=seat.open_orders,
            user_token_account=seat.quote_payer if bid else seat.base_payer,
            market=seat.market,
            bids=market.bids,
            asks=market.asks,
            event_heap=market.event_heap,
            market_vault=market.market_quote_vault if bid else market.market_base_vault,
            oracle_a=market.oracle_a,
            oracle_b=market.oracle_b,
            args=orders.PlaceOrderArgs(
                side=place.side,
                price_lots=place.price,
                max_base_lots=place.size,
                max_quote_lots_including_fees=self._money(place),
                client_order_id=place.number,
                order_type=_TYPES[place.tif],
                expiry_timestamp=_expiry(terms),
                self_trade_behavior=SelfTradeBehavior.CANCEL_PROVIDE,
                limit=MATCHES_MAX,
            ),
        )
        units = self.shape.place + self.shape.place_each + (0 if place.tif is Tif.POST_ONLY else self.shape.take)
        return self._step(order, units, calls=1, places=((place, place.number),))

    def batch(self, cancels: Sequence[Cancel], places: Sequence[Place], own: Own, terms: Terms) -> Step:
        """Return what cancels all and places all; ids count from 0, bids first."""
        seat, market = self.seat, self.market
        sides = [[place for place in places if place.side is side] for side in Side]
        bids, asks = (
            tuple(
                orders.PlaceMultipleOrdersArgs(place.price, self._locked_lots(place), _expiry(terms)) for place in some
            )
            for some in sides
        )
        whole = orders.CancelAllAndPlaceOrders(
            orders_type=PlaceOrderType.POST_ONLY,
            bid_orders=bids,
            ask_orders=asks,
            limit=MATCHES_MAX,
            signer=seat.signer,
            open_orders_account=seat.open_orders,
            user_quote_account=seat.quote_payer,
            user_base_account=seat.base_payer,
            market=seat.market,
            bids=market.bids,
            asks=market.asks,
            event_heap=market.event_heap,
            market_quote_vault=market.market_quote_vault,
            market_base_vault=market.market_base_vault,
            oracle_a=market.oracle_a,
            oracle_b=market.oracle_b,
        )
        named = tuple((place, at) for at, place in enumerate([*sides[Side.BID], *sides[Side.ASK]]))
        looked_at = len(cancels) + own.slots_waiting
        units = self.shape.place + self.shape.place_each * len(places) + self.shape.cancel_each * looked_at
        return self._step(whole, units, calls=2, cancels=tuple(cancels), places=named)

    def _money(self, place: Place) -> int:
        """Return the quote lots that an order may move.

        Of an order that may trade it is more than it can: its base lots are the bound. What version 1.7 takes off for
        the fee is native units where lots are meant, and an ask may sell for more than its price.
        """
        if place.tif is Tif.POST_ONLY:
            return self._locked_lots(place)
        lots, market = place.price * place.size, self.market
        most = _I64_MAX // (market.quote_lot_size * (FEES_SCALE_FACTOR + market.taker_fee)) * FEES_SCALE_FACTOR
        if place.side is Side.ASK:
            return min(lots * _IMPROVED, max(most, lots))
        fee = -(-lots * market.quote_lot_size * market.taker_fee // FEES_SCALE_FACTOR)
        return self._with_maker_fee(lots + 2 * fee + MATCHES_MAX)

    def _locked_lots(self, place: Place) -> int:
        return self._with_maker_fee(place.price * place.size)

    def _with_maker_fee(self, lots: int) -> int:
        """Return the least quote lots of which `lots` are left when the program took off the maker's fee."""
        fee = self.market.maker_fee
        if fee <= 0:
            return lots
        whole = -(-lots * FEES_SCALE_FACTOR // (FEES_SCALE_FACTOR - fee))
        while whole - -(-whole * fee // FEES_SCALE_FACTOR) < lots:
            whole += 1
        return whole

    def settlement(self) -> Step:
        seat, market = self.seat, self.market
        settle = funds.SettleFunds(
            owner=seat.signer,
            penalty_payer=seat.signer,
            open_orders_account=seat.open_orders,
            market=seat.market,
            market_authority=market.market_authority,
            market_base_vault=market.market_base_vault,
            market_quote_vault=market.market_quote_vault,
            user_base_account=seat.base_wallet,
            user_quote_account=seat.quote_wallet,
            referrer_account=seat.quote_wallet,
        )
        return self._step(settle, self.shape.settle, calls=SETTLING_CALLS, settles=True)

    def _step(
        self,
        call: Known,
        units: int,
        *,
        calls: int = 0,
        cancels: tuple[Cancel, ...] = (),
        places: tuple[tuple[Place, int], ...] = (),
        cranks: int = 0,
        settles: bool = False,
    ) -> Step:
        rendered = Rendered((build(call, self.seat.program),), units, calls)
        return Step(cancels=cancels, places=places, cranks=cranks, settles=settles, rendered=rendered)


def _expiry(terms: Terms) -> int:
    """Return the second from which an order is out of the book, as far off as the program counts; 0: never."""
    return 0 if terms.deadline is None else min(terms.deadline, terms.now + SECONDS_MAX)
