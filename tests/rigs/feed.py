"""A feed behind a wire on which things go wrong, slot by slot and from a seed, held against the chain itself.

    python -m tests.rigs.feed [SEEDS]

Every update that was told, and neither taken back nor put in doubt, must show the book that the chain had; and when
things go right again, the feed must be with the chain within the slots after which it reads the accounts again.
"""

import json
import sys
from dataclasses import dataclass, field
from random import Random

from tests.rigs.recording import Truth

from bmv.adapters.openbook.feed.follow import Broken, Follow, give_up
from bmv.adapters.openbook.feed.words import Doubted, Undone, Update, Word
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.faults import Fault, Faults
from bmv.adapters.sandbox.pubsub import Pubsub
from bmv.adapters.sandbox.view import View
from bmv.adapters.sandbox.wiring import Settings, World, make_world
from bmv.adapters.solana.accounts import ENCODING, Snapshot
from bmv.adapters.solana.clock import CLOCK
from bmv.adapters.solana.lineage import Lineage

SLOT_NS = 200_000_000
RECONCILE_SLOTS = 5
SLOTS = 120


@dataclass
class Line:
    """One connection to a chain that goes on slot by slot, and what it told."""

    world: World
    truth: Truth
    seed: int
    told: list[Word] = field(default_factory=list)
    lineage: Lineage = field(default_factory=Lineage)
    downs: int = 0
    without_logs: bool = False  # They are lost on the way.
    forged_logs: bool = False  # They come twice, the second time as another transaction's.
    hostile: float = 0.0  # Share of the notifications that are changed on the way.
    mutations: int = 0
    pairs: float = 0.0  # Share of the slots of which all that is told of two accounts, or of one and the logs, is lost.
    lost: list[tuple[int, frozenset[object]]] = field(default_factory=list)  # By slot, what was lost together.

    def __post_init__(self) -> None:
        self.faults = Faults(self.seed)
        self.view = View(self.world.chain, self.faults)
        self.dice = Random(self.seed)
        self.venue = self.truth.another_venue()
        self.broken, self.undone_from = False, None
        self.connect()
        self.world.chain.on_freeze.append(lambda block: self.pubsub.tell(block))

    def connect(self) -> None:
        """Subscribe anew, as to another node."""
        self.pubsub = Pubsub(self.view)
        self.follow = Follow(self.venue, self.lineage, {}, self.world.market.address)
        self.reading: list[tuple[int, Snapshot]] = []  # Snapshots on their way, by the slot in which they come.
        self.slots = 0
        self.targets: dict[object, object] = {}  # What is subscribed to, by number.
        self.losing: frozenset[object] = frozenset()  # Of the slot that goes on.
        processed = {"encoding": ENCODING, "commitment": "processed"}
        asked: list[tuple[object, str, list[object]]] = [("slot", "slotSubscribe", [])]
        asked += [(key, "accountSubscribe", [str(key), processed]) for key in self.venue.keys]
        logs = {"mentions": [str(self.world.market.address)]}
        asked.append(("logs", "logsSubscribe", [logs, {"commitment": "processed"}]))
        asked.append((CLOCK, "accountSubscribe", [str(CLOCK), processed]))
        for request, (target, method, params) in enumerate(asked, 1):
            self.follow.ask(request, target)  # type: ignore[arg-type]
            number = self.pubsub.call(self._hear, method, params)
            self.targets[number] = target
            self.follow.hear(f'{{"jsonrpc": "2.0", "id": {request}, "result": {number}}}', 0)

    def _hear(self, text: str) -> None:
        if self.without_logs and "logsNotification" in text:
            return
        if self.losing and self.targets.get(json.loads(text)["params"]["subscription"]) in self.losing:
            return
        if self.hostile and "Notification" in text and self.dice.random() < self.hostile:
            text = mutated(text, self.dice)
            self.mutations += 1
        if self.forged_logs and "logsNotification" in text:
            self._take(text.replace('"signature": "', '"signature": "1'))
        self._take(text)

    def _take(self, text: str) -> None:
        try:
            self.follow.hear(text, self.world.chain.slot * SLOT_NS)
            self.told += self.follow.take()
        except Broken as error:
            self.broken, self.undone_from = True, error.undone_from

    def step(self) -> None:
        """Let one slot go by: others trade, notifications go out, snapshots are read and come in late."""
        self.world.flow.act()
        self.losing = frozenset()
        if self.pairs and self.dice.random() < self.pairs:
            self.losing = frozenset(self.dice.sample([*self.venue.keys, "logs"], 2))
            self.lost.append((self.world.chain.slot, self.losing))
        self.world.chain.advance()
        self.slots += 1
        self._read()
        if self.broken:
            self.broken = False
            self.downs += 1
            self.give_up()

    def give_up(self) -> None:
        """Leave the connection for another."""
        doubted = give_up(self.venue, self.lineage, self.undone_from)
        self.told += [Undone(self.lineage.root, "down"), *([] if doubted is None else [doubted])]
        self.undone_from = None
        self.connect()

    def _read(self) -> None:
        chain = self.world.chain
        if (self.follow.wants_snapshot or self.slots % RECONCILE_SLOTS == 0) and len(self.reading) < 2:
            slot = self.view.slot({"commitment": "processed"})
            accounts = {key: chain.account(key) for key in self.venue.keys}
            self.reading.append((self.slots + self.dice.randint(0, 2), Snapshot(slot, accounts)))
        while self.reading and self.reading[0][0] <= self.slots:
            try:
                self.follow.note_root(chain.block("finalized").slot)
                self.follow.read(self.reading.pop(0)[1])
                self.told += self.follow.take()
            except Broken as error:
                self.broken, self.undone_from = True, error.undone_from


def believed(told: list[Word]) -> dict[int, Update]:
    """Return the updates that were neither taken back nor put in doubt."""
    kept: dict[int, Update] = {}
    for word in told:
        if isinstance(word, Update):
            assert not (word.bids and word.asks) or word.bids[0][0] < word.asks[0][0]
            kept[word.slot] = word
        elif isinstance(word, Undone):
            kept = {slot: update for slot, update in kept.items() if slot <= word.after}
        elif isinstance(word, Doubted):
            kept = {slot: update for slot, update in kept.items() if not word.after < slot <= word.until}
    return kept


def make_line(venue: str, seed: int, consensus: str = "alpenglow") -> Line:
    world = make_world(Settings(venue=venue, seed=seed, consensus=consensus))
    return Line(world, Truth(world), seed)


def trouble(line: Line, dice: Random) -> None:
    """Let something go wrong now and then."""
    chain, roll = line.world.chain, dice.random()
    if roll < 0.03:
        chain.fork(min(dice.randint(1, 4), chain.may_vanish)) if chain.may_vanish else None
    elif roll < 0.05:
        chain.advance(skipped=dice.randint(1, 3))
    elif roll < 0.06:
        line.give_up()


def go_back(chain: Chain, blocks: int) -> None:
    """Let blocks vanish that were final, as no sandbox does by itself, and go on after the one before them."""
    chain.freeze()
    chain._undo(blocks)
    chain.final_height = chain.height
    chain._open(chain.ledger.open, chain.slot + 1)


def mutated(text: str, dice: Random) -> str:
    """Return a message with something in it changed, lost or put twice."""
    at = dice.randrange(len(text))
    until = at + dice.choice((0, 1, 1, 1, 2, 40))
    return text[:at] + dice.choice(("", chr(dice.randrange(32, 127)), text[at:until] * 2)) + text[until:]


def run_hostile(venue: str, seed: int, mutations: int) -> tuple[int, int]:
    """Follow a market whose messages are changed on the way; return mutations, and how often that was found at once."""
    line = make_line(venue, seed)
    line.hostile = 0.1
    while line.mutations < mutations:
        line.step()
    line.hostile = 0.0
    for _ in range(3 * RECONCILE_SLOTS):
        line.step()
    check(line, f"{venue}, hostile, seed {seed}")
    return line.mutations, line.downs


def run_pairs(venue: str, seed: int) -> tuple[int, int]:
    """Lose what is told of two accounts in one slot, over and over; return how often, and how many updates were right.

    A trade that is told of another slot than its own is as wrong as a book that is.
    """
    line = make_line(venue, seed)
    line.pairs = 0.1
    for _ in range(SLOTS):
        line.step()
    line.pairs = 0.0
    for _ in range(3 * RECONCILE_SLOTS):
        line.step()
    right = check(line, f"{venue}, pairs, seed {seed}")
    happened = {update.slot: update.traded for update in line.truth.updates}
    for slot, update in believed(line.told).items():
        wrong = set(update.traded.prints) - set(happened[slot].prints)
        assert not wrong, f"{venue}, pairs, seed {seed}: {wrong} is told of slot {slot}"
    return len(line.lost), right


def run(venue: str, consensus: str, seed: int) -> int:
    """Let a market be followed over a bad wire; return how many updates were told, not taken back and right."""
    line, dice = make_line(venue, seed, consensus), Random(f"{venue} {seed}")
    line.faults.switch_on(Fault(("drop", "double", "reorder")[seed % 3], share=0.02))
    for _ in range(SLOTS):
        trouble(line, dice)
        line.step()
    line.faults.switch_off()
    for _ in range(3 * RECONCILE_SLOTS):
        line.step()

    return check(line, f"{venue}, {consensus}, seed {seed}")


def check(line: Line, where: str) -> int:
    """Hold what was told and not taken back against what the chain did; return how many updates that were."""
    happened = {update.slot: update for update in line.truth.updates}
    kept = believed(line.told)
    last = kept[max(kept)]
    assert line.world.chain.slot - last.slot <= RECONCILE_SLOTS + 3, f"{where}: it did not converge"
    for slot, update in kept.items():
        if slot in happened:
            book, true = (update.bids, update.asks), (happened[slot].bids, happened[slot].asks)
            assert book == true, f"{where}: the book of slot {slot} is not the chain's"
    return len(kept)


def main() -> None:
    """Run so many seeds of both versions and both rules of finality."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for venue in ("openbook-v1", "openbook-v2"):
        for consensus in ("alpenglow", "tower"):
            updates = [run(venue, consensus, seed) for seed in range(seeds)]
            share = sum(updates) / len(updates) / (SLOTS + 3 * RECONCILE_SLOTS)
            print(f"{venue}, {consensus}: {seeds} seeds converged; {share:.0%} of slots told and right, none wrong")
        lost, right = (sum(found) for found in zip(*(run_pairs(venue, seed) for seed in range(seeds)), strict=True))
        print(f"{venue}: {lost} pairs of notifications lost together; {right} slots told and right, none wrong")
        changed, found = run_hostile(venue, 1, 100 * seeds)
        print(f"{venue}: {changed} messages changed on the way, {found} of them found at once, no wrong book told")


if __name__ == "__main__":
    main()
