"""Makers, takers and a crank who keep the sandbox's market alive, one slot at a time.

They read the chain as it is and know nothing from before but their turn: a block that vanishes needs no repair.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.keypair import Keypair

from bmv.adapters.openbook.book import Side
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.errors import in_words
from bmv.adapters.sandbox.market import Market, Order
from bmv.adapters.sandbox.script import Move, Row, Script, Take
from bmv.adapters.sandbox.wallets import Trader, signed_by

LEVELS = 5
SLOTS_QUOTED = 10  # A maker looks at his quotes every tenth slot,
MOVED_BPS = 2  # and replaces them if the price has moved that far.
SPREAD_BPS = 4  # From the middle to the first level of the nearest maker,
STEP_BPS = 3  # from level to level.
SIZE_LOTS = 1_000
SLIP_BPS = 30  # How far a taker goes beyond the best price.
TAKES_SETTLED = 25  # A taker pays himself out after that many.
UNIT_LIMIT = 1_000_000
DIRECT_SHARE = 0.5  # Of takers that pass the makers' accounts, on version 2.


@dataclass(slots=True)
class Maker:
    """A maker's habits: his distance and size are his own, so that the book has several levels."""

    trader: Trader
    number: int
    quoted_mid2: int = 0

    def ladder(self, mid2: int) -> list[Order]:
        """Return the orders he wants around the middle, which is half of `mid2` ticks."""
        orders = []
        for level in range(LEVELS):
            bps = SPREAD_BPS + self.number + level * STEP_BPS
            size = SIZE_LOTS * (1 + level) // (1 + self.number % 2)
            away = max(mid2 * bps // 20_000, 1)
            orders.append(Order(Side.BID, max((mid2 - 1) // 2 - away, 1), size))
            orders.append(Order(Side.ASK, mid2 // 2 + 1 + away, size))
        return orders


class Flow:
    """What others do on the market.

    Args:
        chain: Where they do it.
        market: The market.
        makers, takers: Who they are.
        script: Where the price goes, and who takes.
        seed: Of the dice that choose takers.
    """

    def __init__(
        self,
        chain: Chain,
        market: Market,
        makers: Sequence[Trader],
        takers: Sequence[Trader],
        script: Script,
        seed: int,
    ) -> None:
        self._chain, self._market, self._script = chain, market, script
        self._makers = [Maker(trader, number) for number, trader in enumerate(makers)]
        self._takers = takers
        self._dice = Random(f"takers {seed}")
        self._begun_ns = chain.ledger.open.parent_ns
        self._next: Row | None = next(script, None)
        self._mid2 = 0
        self._slots = self._numbers = 0
        self.slots_cranked = 1  # The crank comes every so many slots.
        self._takes: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()  # What was sent, by kind, and
        self.failed: Counter[str] = Counter()  # what failed, by reason.

    def act(self) -> None:
        """Do what is due in the open block: the script first, then quotes, then the crank."""
        now_ns = self._chain.ledger.open.parent_ns - self._begun_ns
        while self._next is not None and self._next.ts_ns <= now_ns:
            row, self._next = self._next, next(self._script, None)
            if isinstance(row, Move):
                self._mid2 = row.mid2
            else:
                self._take(row)
        for maker in self._makers:
            if (self._slots + maker.number) % SLOTS_QUOTED == 0:
                self._quote(maker)
        if self._slots % self.slots_cranked == 0:
            self._send("crank", [self._chain.faucet], self._market.crank())
        self._slots += 1

    def _quote(self, maker: Maker) -> None:
        """Replace a maker's orders if the price has moved, or few of them are left."""
        if self._mid2 <= 0:
            return
        moved = abs(self._mid2 - maker.quoted_mid2) * 10_000 >= MOVED_BPS * self._mid2
        if not moved and not self._is_thin(maker):
            return
        maker.quoted_mid2 = self._mid2
        orders = self._uncrossed(maker.ladder(self._mid2))
        self._send("quote", [maker.trader.key], self._market.requote(maker.trader, orders, self._number()))

    def _is_thin(self, maker: Maker) -> bool:
        resting = [order for side in Side for order in self._market.book(side)]
        own = sum(order.owner == self._market.account_of(maker.trader) for order in resting)
        return own < 2 * LEVELS

    def _uncrossed(self, orders: Sequence[Order]) -> list[Order]:
        """Return orders that do not cross what others have resting, each moved behind it if it would."""
        best = {side: next((order.price_lots for order in self._market.book(side)), None) for side in Side}
        bid, ask = best[Side.BID], best[Side.ASK]
        moved = []
        for order in orders:
            if order.side == Side.BID and ask is not None:
                order = order._replace(price=min(order.price, ask - 1))
            if order.side == Side.ASK and bid is not None:
                order = order._replace(price=max(order.price, bid + 1))
            if order.price > 0:
                moved.append(order)
        return moved

    def _take(self, row: Take) -> None:
        against = self._market.book(Side.ASK if row.side == Side.BID else Side.BID)
        if not against:
            return
        taker = self._dice.choice(self._takers)
        direct = self._dice.random() < DIRECT_SHARE
        best = against[0].price_lots
        slip = max(best * SLIP_BPS // 10_000, 1)
        price = row.price or (best + slip if row.side == Side.BID else max(best - slip, 1))
        order = Order(row.side, price, row.size)
        self._send("take", [taker.key], self._market.take(taker, order, self._number(), direct))
        self._takes[taker.name] += 1
        if self._takes[taker.name] % TAKES_SETTLED == 0:
            self._send("settle", [taker.key], self._market.settle(taker))

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _send(self, kind: str, signers: Sequence[Keypair], instructions: Sequence[Instruction]) -> None:
        if not instructions:
            return
        transaction = signed_by(signers, with_units(instructions), self._chain.ledger.open.newest_hash)
        error = self._chain.land(transaction)
        self.sent[kind] += 1
        if error is not None:
            self.failed[f"{kind}: {in_words(error)}"] += 1


def with_units(instructions: Sequence[Instruction]) -> list[Instruction]:
    """Return instructions with a limit of compute units in front that they do not reach."""
    return [set_compute_unit_limit(UNIT_LIMIT), *instructions]
