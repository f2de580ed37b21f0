"""What must hold in a simulated seed, whatever goes wrong, as the world sees it and as the journal tells it."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from solders.transaction import VersionedTransaction
from tests.rigs.sessions import Limits, check_guards, check_stale
from tests.rigs.settling import account_of, check_sessions, check_spending
from tests.simulation.live.town import CONFIG_FILE, JOURNAL, Town, expected

from bmv.adapters.config import compile, load
from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.execution.recovery import read_left
from bmv.adapters.sandbox.ledger import Block
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.data.journal.attempts import ENDS, FATE, read_fate
from bmv.live.decider import decider_of_text
from bmv.live.notes import COMMANDED, OPENING, Holding, read_holding, read_opening, read_said, read_standing
from bmv.live.replay import replay
from bmv.ports.errors import BmvError
from bmv.ports.messages import Command, Event, Intent, Kind, Tier, Verb
from bmv.ports.storage import Note, Word

FENCE_S = 10.0  # After which nothing of a session comes any more that another has taken over from.
LIFE_S, LATE_S = 30, 20  # How long an order may rest by the configuration, and until the chain has rid itself of it.
UNSENT_MAX = 25  # Transactions that a session may sign and never send, however often its store fails.
POOR_S = 10.0  # After which a wallet without SOL sends no orders any more, from when that is final.


class Onlooker(Limits):
    """A witness who reads the book once a block."""

    _seen: "tuple[int, list[Any]] | None" = None

    def _freeze(self, block: Block) -> None:
        self._seen = block.slot, super().resting()
        super()._freeze(block)

    def resting(self) -> list[Any]:
        """Return our orders in the book, as they were when the newest block froze."""
        seen = self._seen
        return super().resting() if seen is None or self.box.chain.ledger.open.slot > seen[0] + 1 else seen[1]


class Overseer:
    """Looks at every block, at everything that is sent, and at the end at all that was kept."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.wrong = list[str]()
        self.witness = Onlooker(town, town.ground.account)  # type: ignore[arg-type]  # It asks for world and chain.
        self.witness.target = self.witness.held()[0] // town.world.market.lots.base_lot
        self.witness.kept = lambda: town.kept.attempts.keys() if town.kept.read() else ()
        self.held, self.lamports = self.witness.held(), town.lamports()
        self.taken = 0  # Lamports that somebody else took out of our wallet.
        self._bytes: dict[str, bytes] = {}
        self._came_s: dict[str, float] = {}
        self._begun_s: dict[int, float] = {}  # By epoch: when its session was first seen.
        self._final: dict[str, tuple[int, bool]] = {}  # Of ours: the slot of its final block, and whether it failed.
        self._final_height = town.chain.final_height
        self._seen_s: dict[int, float] = {}  # By the venue's id: since when an order of ours has rested.
        self._poor_s: float | None = None
        town.arrivals = self._arrive
        town.chain.on_freeze.append(self._freeze)

    def blame(self, text: str) -> None:
        """Note what is wrong, once."""
        if text not in self.wrong:
            self.wrong.append(text)
            self.town.say(f"WRONG: {text}")

    # While it goes on.

    def _arrive(self, transaction: bytes) -> None:
        """Look at bytes that came to a node: kept before, always the same, of the one writer that may send."""
        signature = str(VersionedTransaction.from_bytes(transaction).signatures[0])
        if self._bytes.setdefault(signature, transaction) != transaction:
            self.blame(f"{signature} came in two forms")
        if signature in self._came_s:
            return
        now_s = self._came_s[signature] = self.town.loop.time()
        self._read()
        attempt = self.town.kept.attempts.get(signature)
        if attempt is None:
            self.blame(f"{signature} was sent and was not kept")
        elif attempt.transaction != transaction:
            self.blame(f"{signature} was sent in another form than it was kept")
        elif attempt.places and (since := self._fenced_s(attempt.epoch)) is not None and now_s - since > FENCE_S:
            self.blame(f"session {attempt.epoch} sent orders {now_s - since:.1f} s after another took over")

    def _read(self) -> None:
        self.town.kept.read()
        for name in self.town.kept.words:
            self._begun_s.setdefault(int(name.rpartition("/")[2]), self.town.loop.time())

    def _fenced_s(self, epoch: int) -> float | None:
        """Return since when a session may not send any more; None: it may."""
        after = [begun_s for other, begun_s in self._begun_s.items() if other > epoch]
        ran_s = max((one.on_s for one in self.town.instances if one.epoch == epoch), default=0.0)
        return max(min(after), ran_s) if after else None

    def _freeze(self, block: Block) -> None:
        town, now_s = self.town, self.town.loop.time()
        self._read()
        self._note_final()
        own = self.witness.resting()
        bids, asks = ([order.price_lots for order in own if order.side is side] for side in (Side.BID, Side.ASK))
        if bids and asks and max(bids) >= min(asks):
            self.blame(f"slot {block.slot}: our own orders cross, bid {max(bids)} and ask {min(asks)}")
        self._seen_s = {order.order_id: self._seen_s.get(order.order_id, now_s) for order in own}
        if town.ground.venue == "openbook-v2" and self._seen_s and not town.chain.dark:
            oldest_s = now_s - min(self._seen_s.values())
            if oldest_s > LIFE_S + LATE_S:
                self.blame(f"slot {block.slot}: an order has rested for {oldest_s:.0f} s")
        self._poor_s = None if town.lamports() >= 10**9 else self._poor_s or now_s
        for landed in block.landed:
            attempt = town.kept.attempts.get(landed.signature)
            poor = (
                self._poor_s is not None
                and self._came_s.get(landed.signature, 0.0) > self._poor_s + POOR_S + town.final_s
            )
            if poor and attempt is not None and attempt.places:
                self.blame(f"{landed.signature} places orders though the wallet has no SOL to spare")

    def _note_final(self) -> None:
        chain = self.town.chain
        while self._final_height < chain.final_height:
            self._final_height += 1
            block = chain.ledger.at_height(self._final_height)
            for landed in block.landed:
                if landed.keys[0] == self.town.world.user.address:
                    self._final[landed.signature] = block.slot, landed.result.error is not None

    def killed(self) -> None:
        """See that the journal knows every order that rests, when a process has just been killed."""
        self._read()
        kept = self.town.kept
        if not kept.words:
            return
        left = read_left(kept.words[kept.newest])
        resting = {order.client_order_id for order in self.witness.resting()}
        if strange := resting - {order.client_id for order in left.orders}:
            self.blame(f"orders {sorted(strange)} rest, and session {kept.newest} knows nothing of them")

    # At the end.

    async def check(self) -> list[str]:
        """Return all that is wrong."""
        town, chain = self.town, self.town.chain
        town.pace.paused = True
        chain.advance(40)
        self._freeze(chain.ledger.open)
        if rest := self.witness.resting():
            self.blame(f"{len(rest)} orders rest at the end")
        for instance in town.instances:
            if not expected(instance.error):
                self.blame(f"process {instance.process.name} ended by {instance.error!r:.300}")
        for text in town.loop.unheard:
            self.blame(f"nobody heard: {text:.300}")
        sessions = town.kept.numbered()
        if not sessions:
            self.blame("nothing is kept")
            return [*self.wrong, *self.witness.wrong]
        last = sessions[max(sessions)]
        found = [*self.witness.wrong, *check_sessions(sessions), *self._check_fates(sessions)]
        found += check_spending(sessions, self.lamports - town.lamports() - self.taken)
        found += account_of(sessions).check(town.world.market.lots, self.held, self.witness.held())
        found += [*self._check_holding(last), *check_stops(sessions), *_check_replays(sessions)]
        found += check_unsent(sessions)
        for epoch, words in sessions.items():
            found += [f"session {epoch}: {each}" for each in (*check_stale(words), *check_guards(words))]
        found += await _verified()
        for text in found:
            self.blame(text)
        return self.wrong

    def _check_fates(self, sessions: Mapping[int, Sequence[Word]]) -> list[str]:
        """Return where a journal tells of a transaction an end that is not what became final."""
        wrong = list[str]()
        for words in sessions.values():
            for word in words:
                if not isinstance(word, Note) or word.topic != FATE or (fate := read_fate(word)).state not in ENDS:
                    continue
                final = self._final.get(fate.signature)
                state = "expired" if final is None else "failed" if final[1] else "finalized"
                where = None if final is None else final[0]
                if fate.state != state or fate.more.get("slot") != where:
                    told = f"{fate.state} in slot {fate.more.get('slot')}"
                    wrong.append(f"{fate.signature} is told {told}, and is {state} in slot {where}")
        return wrong

    def _check_holding(self, words: Sequence[Word]) -> list[str]:
        """Return where the last word on what is held is not what the chain says."""
        market, lots = compile.market(load(CONFIG_FILE)), self.town.world.market.lots
        base, quote = self.witness.held()
        found = Holding(base // lots.base_lot, int(Fraction(quote, 10**lots.quote_decimals) / market.quantum))
        said = read_holding(words, market.half)
        return [] if said == found else [f"the last session says that {said} is held, and the chain {found}"]


def check_stops(sessions: Mapping[int, Sequence[Word]]) -> list[str]:
    """Return which orders were asked for while the breaker had halted, or while an operator had paused it.

    Both outlive a session: what the one before knew, and its successor was told, holds on.
    """
    wrong, halted, paused = list[str](), False, False
    for epoch, words in sorted(sessions.items()):
        for word in words:
            if isinstance(word, Event) and word.kind == Kind.COMMAND:
                halted = (halted or word.code == Command.HALT) and word.code != Command.REARM
            elif isinstance(word, Note) and word.topic == COMMANDED:
                said = read_said(word)
                if said["by"] == "operator":
                    paused = (paused or said["command"] == "pause") and said["command"] != "resume"
            elif isinstance(word, Intent) and word.verb == Verb.PLACE and (halted or paused):
                wrong.append(
                    f"session {epoch} asks for order {word.order}, {'halted' if halted else 'paused'} as it is"
                )
        standing = read_standing(words)
        if halted and standing is not None and standing.tier != Tier.HALT:
            wrong.append(f"session {epoch} was halted, and what it leaves does not say so")
    return wrong


def check_unsent(sessions: Mapping[int, Sequence[Word]]) -> list[str]:
    """Return which sessions sign again and again what can't be kept: it fills memory, and then the journal."""
    wrong = list[str]()
    for epoch, words in sessions.items():
        fates = [read_fate(word) for word in words if isinstance(word, Note) and word.topic == FATE]
        unsent = sum(fate.state == "expired" and fate.more.get("sent") == 0 for fate in fates)
        if unsent > UNSENT_MAX:
            wrong.append(f"session {epoch} signed {unsent} transactions that it could not keep")
    return wrong


def _check_replays(sessions: Mapping[int, Sequence[Word]]) -> list[str]:
    """Return which sessions come out otherwise when they are heard again."""
    wrong = list[str]()
    for epoch, words in sessions.items():
        if any(isinstance(each, Note) and each.topic == OPENING for each in words):
            opening = read_opening(words)
            decider = decider_of_text(opening.config, opening.strategy)
            heard = replay(decider.engine(opening.standing), words, decider.change)
            if not heard.equal:
                wrong.append(f"session {epoch}: word {heard.first_difference} comes out otherwise")
    return wrong


async def _verified() -> list[str]:
    """Return which session's chain of words is not whole."""
    wrong, store = list[str](), SqliteSessions(JOURNAL)
    for name in await store.sessions():
        try:
            await store.verify(name)
        except BmvError as error:
            wrong.append(str(error))
    await store.close()
    return wrong
