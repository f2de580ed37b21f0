"""A grid on the sandbox for an hour of its life: placed, moved, filled, cranked, settled, cancelled; to the last unit."""

from random import Random

import pytest
from tests.rigs.genuine_v2 import genuine_build
from tests.rigs.planned import CANCEL_ALL, VENUES, Stage, place, staged

from bmv.adapters.openbook.book import RestingOrder, Side
from bmv.adapters.openbook.planning.budget import Fee
from bmv.adapters.openbook.planning.seat import Terms
from bmv.adapters.openbook.v2.open_orders import indexer_address
from bmv.adapters.sandbox.market import Order
from bmv.adapters.sandbox.openbook_v2.frame import PENALTY_EVENT_HEAP
from bmv.adapters.sandbox.wallets import send
from bmv.adapters.sandbox.wiring import USER_BASE, USER_LAMPORTS, USER_QUOTE, Settings
from bmv.adapters.solana.sending.fees import SIGNATURE_LAMPORTS
from bmv.ports.messages import Intent, Tif

LEVELS, TURNS = 10, 50
BASE_LOT, QUOTE_LOT = 10**6, 10
PRICE = Fee(micro=2_000)
REBATE_BPS, TAKER_BPS = 2, 4
TWO_BPS = (2 << 64) // 10_000  # As version 1 counts it, in parts of 2**64: of a round amount it is a unit less.


class Ledger:
    """What our wallets are to hold, by what we saw: nothing is read from them."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        keys = [stage.seat.open_orders]
        if stage.venue == "openbook-v2":
            keys.append(indexer_address(stage.user.address)[0])
        self.rent = sum(stage.world.chain.account(key).lamports for key in keys)  # type: ignore[union-attr]
        opened = SIGNATURE_LAMPORTS * (2 if stage.venue == "openbook-v1" else 1)
        self.lamports = USER_LAMPORTS - self.rent - opened
        self.base, self.quote = USER_BASE * 10**9, USER_QUOTE * 10**6
        self.fills = 0

    def made(self, before: list[RestingOrder]) -> None:
        """Book what was taken of our orders since."""
        left = {one.order_id: one.size_lots for one in self.stage.resting()}
        for one in before:
            lots = one.size_lots - left.get(one.order_id, 0)
            if lots:
                worth = lots * one.price_lots * QUOTE_LOT
                sign = 1 if one.side is Side.BID else -1
                self.base += sign * lots * BASE_LOT
                self.quote += self.rebate(worth) - sign * worth
                self.fills += 1

    def took(self, price: int, lots: int) -> None:
        """Book what we bought as a taker; half of the fee comes back to us as the referrer."""
        worth = price * lots * QUOTE_LOT
        self.base += lots * BASE_LOT
        if self.stage.venue == "openbook-v2":
            self.lamports -= PENALTY_EVENT_HEAP[genuine_build()]  # The maker's fill waits on the heap.
        if self.stage.venue == "openbook-v1":
            fee = -(-2 * TWO_BPS * worth >> 64)
            self.quote -= worth + fee - fee // 2
        else:
            fee = -(-worth * TAKER_BPS // 10_000)
            self.quote -= worth + fee - (fee - self.rebate(worth))

    def rebate(self, worth: int) -> int:
        """Return what the maker of a trade of so much quote gets."""
        if self.stage.venue == "openbook-v1":
            return TWO_BPS * worth >> 64
        return worth * REBATE_BPS // 10_000


def carry(stage: Stage, ledger: Ledger, batch: list[Intent], version: int, terms: Terms) -> None:
    """Plan and land a batch, and pay for it."""
    plan = stage.plan(batch, version, terms, PRICE)
    assert not plan.refused
    for part in plan.parts:
        assert stage.land(part) is None
        ledger.lamports -= SIGNATURE_LAMPORTS + part.head.lamports
        assert part.head.lamports == PRICE.lamports(part.head.units) > 0
    stage.learn(batch, plan)


def grid(first: int, centre: int, size: int) -> list[Intent]:
    return [
        place(first + 2 * level + side, side, centre + (level + 1) * (-1 if side is Side.BID else 1), size)
        for level in range(LEVELS)
        for side in Side
    ]


def shown(stage: Stage) -> list[tuple[int, int, int]]:
    return sorted((one.side, one.price_lots, one.size_lots) for one in stage.resting())


@pytest.mark.parametrize("consensus", ["alpenglow", "tower"])
@pytest.mark.parametrize("version", [1, 0])
@pytest.mark.parametrize("venue", VENUES)
def test_a_grid_that_moved_fifty_times_costs_fees_and_rent_and_gains_its_fills(
    venue: str, version: int, consensus: str
) -> None:
    stage = staged(venue, Settings(venue=venue, consensus=consensus, build=genuine_build()))
    ledger = Ledger(stage)
    dice = Random(f"{venue} {version}")
    centre, number, cranked = 15_000, 1, 0
    for turn in range(TURNS):
        centre += dice.randint(-8, 8)
        wanted = grid(number, centre, 5 + turn % 7)
        number += len(wanted)
        terms = stage.terms(settle_above=(50 * BASE_LOT, 10**7), until=stage.world.chain.unix_timestamp + 600)

        carry(stage, ledger, [CANCEL_ALL, *wanted], version, terms)

        assert shown(stage) == sorted((0 if one.side > 0 else 1, one.price, one.size) for one in wanted)
        for side in Side:
            if dice.random() < 0.5:
                before = stage.resting()
                stage.take(side, centre * 2 if side is Side.BID else 1, dice.randint(1, 20), dice.randrange(3))
                ledger.made(before)
        if dice.random() < 0.3:
            stage.crank()
            cranked += 1
    carry(stage, ledger, [CANCEL_ALL], version, stage.terms())
    market, other = stage.world.market, stage.takers[3]
    offer = market.requote(other, [Order(Side.ASK, 20_000, 7)], 9_999)
    send(stage.world.chain, [other.key], offer)
    carry(stage, ledger, [place(number, Side.BID, 20_001, 7, Tif.IOC)], version, stage.terms())
    ledger.took(20_000, 7)
    for _ in range(12):
        carry(stage, ledger, [], version, stage.terms(withdraw=True))

    own = stage.own()
    assert ledger.fills > 20
    assert cranked > 5
    assert stage.resting() == []
    assert (own.resting, own.slots_waiting, own.base_free, own.quote_free) == ((), 0, 0, 0)
    assert stage.money() == (ledger.lamports, ledger.base, ledger.quote)
