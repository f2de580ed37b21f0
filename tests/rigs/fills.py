"""Our fills as they are read, held against what the book lost, order by order, while everything happens at random.

    python -m tests.rigs.fills [SEEDS]

We quote, cancel, take, settle; others take from us, naming our account or not, and crank, at once or much later; blocks
vanish; the reader is killed and begins again from its mark. What each transaction took from the book is seen by looking
at the book before and after it, which shares nothing with what is tried here. Every fill must be told once, the money
must be right to the last unit, and the checksum must find whatever log is kept from the reader, to the unit. With
`BMV_OPENBOOK_V1_SO` and `BMV_OPENBOOK_V2_SO` set, the genuine programs run.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from solders.instruction import Instruction
from solders.keypair import Keypair
from tests.rigs.planned import CANCEL_ALL, VENUES, Stage, cancel, place, staged

from bmv.adapters.openbook.book import RestingOrder, Side
from bmv.adapters.openbook.fills.fill import Logged, OwnFill, Read, flow_of
from bmv.adapters.openbook.fills.v1 import MarkV1, MissingMoney, OwnFillsV1, held
from bmv.adapters.openbook.fills.v2 import MarkV2, MissingVolume, OwnFillsV2
from bmv.adapters.openbook.v1.accounts import OpenOrders
from bmv.adapters.openbook.v1.events import EventQueue
from bmv.adapters.openbook.v2.heap import EventHeap
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount
from bmv.adapters.sandbox.flow import with_units
from bmv.adapters.sandbox.market import Order
from bmv.adapters.sandbox.wallets import Trader, seeded_key, signed_by, trader_of
from bmv.adapters.sandbox.wiring import MAKERS, Settings
from bmv.adapters.solana.pubsub import Logs
from bmv.ports.messages import Tif

CENTRE = 15_000
SETTINGS = {venue: Settings(venue=venue, consensus="tower") for venue in VENUES}


class True_(NamedTuple):
    """A fill of ours that the book shows."""

    slot: int
    order_id: int
    client_id: int
    side: Side
    price: int
    size: int
    maker: bool


@dataclass
class Reader:
    """The reader of either version, fed from the chain."""

    stage: Stage
    reader: OwnFillsV1 | OwnFillsV2 = field(init=False)
    hidden: set[str] = field(default_factory=set)  # Transactions whose logs it never gets.

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Count from the end of the open block on."""
        stage, seat = self.stage, self.stage.seat
        events, account, slot = stage.events(), stage.account(), stage.world.chain.slot
        mark: MarkV1 | MarkV2
        if isinstance(events, EventQueue):
            mark = OwnFillsV1.begin(seat.open_orders, self.lots, slot, events, self._held())
        else:
            assert isinstance(account, OpenOrdersAccount)
            mark = OwnFillsV2.begin(seat.market, stage.state, seat.open_orders, slot, events, account)
        self.reader = self._at(mark)

    @property
    def lots(self):  # type: ignore[no-untyped-def]  # Of either version.
        return self.stage.world.market.lots

    def _at(self, mark: MarkV1 | MarkV2) -> OwnFillsV1 | OwnFillsV2:
        seat = self.stage.seat
        if isinstance(mark, MarkV1):
            return OwnFillsV1(seat.open_orders, self.lots, mark)
        return OwnFillsV2(seat.market, self.stage.state, seat.open_orders, mark)

    def restart(self, mark: MarkV1 | MarkV2) -> None:
        """Begin again from what was kept."""
        rows = json.loads(json.dumps(mark.to_json()))
        if isinstance(mark, MarkV1):
            self.reader = self._at(MarkV1.from_json(rows, self.stage.seat.open_orders))
        else:
            self.reader = self._at(MarkV2.from_json(rows))
        assert self.reader.mark == mark

    def logs(self) -> list[Logged]:
        """Return the market's logs since long before the mark."""
        chain, market = self.stage.world.chain, self.stage.world.market.address
        return [
            Logged(block.slot, Logs(one.signature, one.result.error is not None, tuple(one.result.logs)))
            for block in chain.ledger.blocks[-400:]
            for one in block.landed
            if market in one.keys and one.signature not in self.hidden
        ]

    def read(self) -> Read:
        """Look at the end of the open block."""
        stage, slot = self.stage, self.stage.world.chain.slot
        events, account = stage.events(), stage.account()
        if isinstance(self.reader, OwnFillsV1):
            assert isinstance(events, EventQueue)
            return self.reader.read(slot, events, self.logs())
        assert isinstance(events, EventHeap)
        assert isinstance(account, OpenOrdersAccount)
        return self.reader.read(slot, events, account, self.logs())

    def _held(self):  # type: ignore[no-untyped-def]
        account = self.stage.account()
        assert isinstance(account, OpenOrders)
        _, base, quote = self.stage.money()
        return held(account, base, quote)

    def check(self) -> MissingMoney | MissingVolume | None:
        """Return what the account shows to be missing."""
        account = self.stage.account()
        if isinstance(self.reader, OwnFillsV1):
            return self.reader.check(self._held())
        assert isinstance(account, OpenOrdersAccount)
        return self.reader.check(account)


class Game:
    """One market, one reader, and what really happened."""

    def __init__(self, venue: str, seed: int, stage: Stage | None = None) -> None:
        self.venue, self.dice = venue, Random(f"fills {venue} {seed}")
        self.stage = stage or staged(venue, SETTINGS[venue])
        world = self.stage.world
        names = [f"maker {number}" for number in range(MAKERS)]
        seeds = SETTINGS[venue].seed
        self.makers = [trader_of(seeded_key(seeds, name), name, world.base, world.quote) for name in names]
        self.number = 100
        self.truth: list[True_] = []
        self.told: list[OwnFill] = []  # Provisional, and not taken back.
        self.kept: list[OwnFill] = []  # Final, kept with the mark.
        self.tally: Counter[str] = Counter()
        self.start = self.stage.money()
        self.reader = Reader(self.stage)
        self.kept_mark = self.reader.reader.mark
        self.looked = True
        world.chain.advance(33)  # A mark to begin from is of a final slot.

    # What happens.

    def step(self) -> None:
        """Let something happen, and look now and then."""
        self.dice.choices([kind for _, kind in KINDS], [weight for weight, _ in KINDS])[0](self)

    def _book(self) -> dict[int, tuple[Side, RestingOrder]]:
        market = self.stage.world.market
        return {order.order_id: (side, order) for side in Side for order in market.book(side)}

    def _land(self, signers: Sequence[Keypair], instructions: Sequence[Instruction]) -> bool:
        chain = self.stage.world.chain
        transaction = signed_by(signers, with_units(instructions), chain.ledger.open.newest_hash)
        error = chain.land(transaction)
        self.looked = False
        return error is None

    def quote(self) -> None:
        """Cancel some of ours, place others, on the safe side of everybody."""
        bids, asks = (self.stage.world.market.book(side) for side in Side)
        top = min(asks[0].price_lots - 1 if asks else CENTRE + 8, CENTRE + 8)
        bottom = max(bids[0].price_lots + 1 if bids else CENTRE - 8, CENTRE - 8)
        batch = [cancel(one.client_id) for one in self.stage.own().resting if self.dice.random() < 0.4]
        for _ in range(self.dice.randint(0, 3)):
            self.number += 1
            side = self.dice.choice(list(Side))
            away = self.dice.randint(0, 6)
            price = top - away if side is Side.BID else bottom + away
            batch.append(place(self.number, side, price, self.dice.choice([1, 3, 10, 77])))
        self._plan(batch)

    def _plan(self, batch: Sequence[object], **terms: object) -> None:
        plan = self.stage.plan(batch, terms=self.stage.terms(**terms))  # type: ignore[arg-type]
        for part in plan.parts:
            if self.stage.world.chain.land(self.stage.transaction(part)) is not None:
                self.tally["failed"] += 1
            self.looked = False

    def others_quote(self) -> None:
        maker = self.dice.choice(self.makers)
        bids, asks = (self.stage.world.market.book(side) for side in Side)
        account = self.stage.world.market.account_of(maker)
        ask = min((one.price_lots for one in asks if one.owner != account), default=CENTRE + 8)
        bid = max((one.price_lots for one in bids if one.owner != account), default=CENTRE - 8)
        orders = [Order(Side.BID, ask - self.dice.randint(1, 7), self.dice.choice([1, 5, 30])) for _ in range(2)]
        orders += [Order(Side.ASK, bid + self.dice.randint(8, 14), self.dice.choice([1, 5, 30])) for _ in range(2)]
        self.number += 1
        self._land([maker.key], self.stage.world.market.requote(maker, orders, self.number))

    def others_take(self) -> None:
        self._take(self.dice.choice(self.stage.takers))

    def take(self) -> None:
        self._take(self.stage.user)

    def _take(self, taker: Trader) -> None:
        """Let somebody take, and see what the book lost."""
        self.number += 1
        side, size = self.dice.choice(list(Side)), self.dice.choice([1, 2, 9, 40, 200])
        price = CENTRE * 2 if side is Side.BID else 1
        if self.dice.random() < 0.5:
            price = CENTRE + (4 if side is Side.BID else -4)
        before = self._book()
        direct = self.dice.random() < 0.5
        market, own = self.stage.world.market, self.stage.seat.open_orders
        if not self._land([taker.key], market.take(taker, Order(side, price, size), self.number, direct)):
            self.tally["take failed"] += 1
            return
        after, mine = self._book(), market.account_of(taker)
        for order_id, (resting, order) in before.items():
            lost = order.size_lots - (after[order_id][1].size_lots if order_id in after else 0)
            if not lost or order.owner == mine:
                self.tally["own provided"] += bool(lost)
                continue
            if order.owner == own:
                self._true(order_id, order.client_order_id, resting, order.price_lots, lost, True)
                self.tally["made, direct" if direct else "made"] += 1
            if mine == own:
                self._true(0, self.number, side, order.price_lots, lost, False)
                self.tally["taken, direct" if direct else "taken"] += 1

    def _true(self, order_id: int, client_id: int, side: Side, price: int, size: int, maker: bool) -> None:
        slot = self.stage.world.chain.slot
        self.truth.append(True_(slot, order_id, client_id, Side(side), price, size, maker))

    def take_by_plan(self) -> None:
        """Take as a plan does it: an order that takes what it crosses at once."""
        side = self.dice.choice(list(Side))
        against = [
            one for one in self.stage.world.market.book(Side(1 - side)) if one.owner == self.stage.seat.open_orders
        ]
        if against or not self.stage.world.market.book(Side(1 - side)):
            return
        self.number += 1
        before = self._book()
        price = CENTRE + (12 if side is Side.BID else -12)
        self._plan([place(self.number, side, price, self.dice.choice([1, 4, 33]), Tif.IOC)])
        after = self._book()
        for order_id, (_, order) in before.items():
            lost = order.size_lots - (after[order_id][1].size_lots if order_id in after else 0)
            if lost:
                self._true(0, self.number, side, order.price_lots, lost, False)
                self.tally["taken by plan"] += 1

    def crank(self) -> None:
        instructions = self.stage.world.market.crank()
        if instructions:
            self._land([self.stage.world.chain.faucet], instructions)

    def settle(self) -> None:
        self._plan([], withdraw=True)

    def pass_slots(self) -> None:
        self.stage.world.chain.advance(self.dice.choice([1, 1, 2, 5, 40]))
        self.looked = False

    # What the reader does.

    def look(self) -> None:
        """Look at the end of a slot; nothing lands in it any more."""
        if self.looked:
            return
        read = self.reader.read()
        assert read.missed == 0, read
        self.told += read.fills
        self.compare()
        assert self.reader.check() is None, self.reader.check()
        self.stage.world.chain.advance()
        self.looked = True

    def keep(self) -> None:
        """Keep what is final, with its mark, in one step."""
        done = self.reader.reader.settle(self.stage.world.chain.block("finalized").slot)
        self.kept += done.fills
        self.told = self.told[len(done.fills) :]
        self.kept_mark = done.mark
        assert not done.fills or max(fill.slot for fill in done.fills) <= done.mark.slot

    def kill(self) -> None:
        """Forget all but what was kept, and begin again there."""
        self.reader.restart(self.kept_mark)
        self.told = []
        self.looked = False
        self.tally["killed"] += 1

    def fork(self) -> None:
        """Let blocks vanish."""
        chain = self.stage.world.chain
        if not chain.may_vanish:
            return
        chain.fork(min(self.dice.randint(1, 5), chain.may_vanish))
        left = chain.ledger.blocks[-2].slot
        self.truth = [one for one in self.truth if one.slot <= left]
        gone = self.reader.reader.undo(left)
        assert list(gone) == self.told[len(self.told) - len(gone) :]
        self.told = self.told[: len(self.told) - len(gone)]
        self.looked = False
        self.tally["taken back"] += len(gone)

    def compare(self) -> None:
        """Hold what is told against what happened."""
        told, true = self.kept + self.told, self.truth
        assert Counter(map(_bare, told)) == Counter(map(_bare, true))
        ids = Counter((fill.order_id, *_bare(fill)) for fill in told if fill.maker and fill.order_id)
        assert ids <= Counter((one.order_id, *_bare(one)) for one in true)
        names = [(fill.seq, fill.nth, fill.maker) for fill in told]
        assert len(set(names)) == len(names), "two fills of one name"
        self.tally["maker's ids"] += sum(ids.values())

    # The end.

    def finish(self) -> None:
        """Cancel, crank, settle; hold the money against the fills."""
        self.look()
        for _ in range(60):
            self.crank()
            self.stage.world.chain.advance()
        self._plan([CANCEL_ALL])
        self.stage.world.chain.advance()
        self.crank()
        self.settle()
        self.look()
        self.stage.world.chain.advance(40)
        self.keep()
        assert not self.told
        assert not self.stage.own().resting
        flow = flow_of(self.kept, self.reader.lots)
        _, base, quote = self.stage.money()
        assert base - self.start[1] == flow.base
        assert quote - self.start[2] == flow.quote + flow.share
        self.tally["fills"] += len(self.kept)


KINDS = (
    (8, Game.quote), (4, Game.others_quote), (8, Game.others_take), (2, Game.take), (2, Game.take_by_plan),
    (3, Game.crank), (1, Game.settle), (4, Game.pass_slots), (6, Game.look), (2, Game.keep), (1, Game.kill), (1, Game.fork),
)  # fmt: skip


def _bare(fill: OwnFill | True_) -> tuple[int, ...]:
    return fill.client_id, fill.side, fill.price, fill.size, fill.maker


def play(venue: str, seed: int, steps: int = 150, stage: Stage | None = None) -> Counter[str]:
    """Play one schedule; return what happened how often."""
    game = Game(venue, seed, stage)
    for _ in range(steps):
        game.step()
    game.finish()
    return game.tally


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    for venue in VENUES:
        tally: Counter[str] = Counter()
        for seed in range(seeds):
            try:
                tally += play(venue, seed)
            except BaseException:
                print(f"{venue}, seed {seed}", file=sys.stderr)
                raise
        print(f"{venue}: {seeds} seeds, " + ", ".join(f"{n} {name}" for name, n in sorted(tally.items())))


if __name__ == "__main__":
    main()
