"""What the journals of many processes tell of one market, taken together and held against the balances."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bmv.adapters.openbook.book import Lots
from bmv.adapters.openbook.execution.recovery import read_left
from bmv.adapters.openbook.execution.telling import EPOCH_BITS
from bmv.data.journal.attempts import ATTEMPT, ENDS, FATE, Attempted, read_attempt, read_fate
from bmv.data.journal.legacy import LEGACY_FILL, read_legacy_fill
from bmv.live.journal import ENDED
from bmv.ports.messages import Event, Intent, Kind, Verb
from bmv.ports.storage import Note, Word


@dataclass
class Account:
    """What fills come to. Position in lots, money in ticks × lots, fees in native quote."""

    position: int = 0
    money: int = 0
    fees: int = 0
    fills: int = 0
    legacy: int = 0  # Fills of them that another process than the order's told.
    sizes: dict[int, int] = field(default_factory=dict)  # Of orders, by number.
    filled: Counter[int] = field(default_factory=Counter)

    def __repr__(self) -> str:
        return f"<Account of {self.fills} fills, {self.legacy} of earlier epochs: {self.position} lots>"

    def take(self, number: int, side: int, price: int, size: int, fee: int) -> None:
        """Take in a fill."""
        self.position += side * size
        self.money -= side * size * price
        self.fees += fee
        self.fills += 1
        self.filled[number] += size

    def check(self, lots: Lots, before: tuple[int, int], after: tuple[int, int]) -> list[str]:
        """Return where this is not what balances say: native base and quote, before and after."""
        wrong = [
            f"order {number} has {self.sizes.get(number)} lots, and {filled} of them are told to have traded"
            for number, filled in self.filled.items()
            if filled > self.sizes.get(number, 0)
        ]
        base, quote = self.position * lots.base_lot, self.money * lots.quote_lot - self.fees
        if (has := after[0] - before[0]) != base:
            wrong.append(f"base changed by {has}, and fills say {base}")
        if (has := after[1] - before[1]) != quote:
            wrong.append(f"quote changed by {has}, and fills and fees say {quote}")
        return wrong


def account_of(sessions: Mapping[int, Sequence[Word]]) -> Account:
    """Return what the fills of all sessions come to, by their epochs."""
    account = Account()
    for epoch, words in sorted(sessions.items()):
        for word in words:
            if isinstance(word, Intent) and word.verb == Verb.PLACE:
                account.sizes[epoch << EPOCH_BITS | word.order] = word.size
            elif isinstance(word, Event) and word.kind == Kind.FILLED:
                account.take(epoch << EPOCH_BITS | word.order, word.side, word.price, word.size, word.fee)
            elif isinstance(word, Note) and word.topic == LEGACY_FILL:
                account.take(*read_legacy_fill(word))
                account.legacy += 1
    return account


def check_sessions(sessions: Mapping[int, Sequence[Word]]) -> list[str]:
    """Return where attempts have no end, an order was placed twice, or a writer wrote after it was ended."""
    wrong, alive, placed = [], dict[str, Attempted](), dict[int, str]()
    failed = set[str]()
    for epoch, words in sorted(sessions.items()):
        before, alive, made = alive, {}, set[str]()
        wrong += _after_the_end(epoch, words)
        for word in words:
            if not isinstance(word, Note):
                continue
            if word.topic == ATTEMPT:
                attempt = read_attempt(word)
                if attempt.signature in made:
                    wrong.append(f"session {epoch} makes attempt {attempt.signature} twice")
                made.add(attempt.signature)
                others = [other for signature, other in alive.items() if signature not in failed]
                twice = [set(other.cancels) & set(attempt.cancels) for other in others]
                wrong += [f"orders {sorted(both)[:3]} were cancelled by two attempts at once" for both in twice if both]
                alive[attempt.signature] = attempt
                before.pop(attempt.signature, None)
                for number, _ in attempt.places:
                    if placed.setdefault(number, attempt.signature) != attempt.signature:
                        wrong.append(f"order {number} was placed by {placed[number]} and {attempt.signature}")
            elif word.topic == FATE:
                fate = read_fate(word)
                if fate.failed:
                    failed.add(fate.signature)
                if fate.state in ENDS:
                    alive.pop(fate.signature, None)
        wrong += [f"session {epoch} says nothing of attempt {signature}" for signature in before]
    wrong += [f"attempt {signature} has no end" for signature in alive]
    left = read_left(sessions[max(sessions)])
    return wrong + [f"order {order.number} has no end: {order}" for order in left.orders]


def check_spending(sessions: Mapping[int, Sequence[Word]], lamports: int) -> list[str]:
    """Return where what the newest session knows of all fees is not what left the wallet, to the lamport."""
    spent = read_left(sessions[max(sessions)]).spending.since(0)
    return [] if spent == lamports else [f"{lamports} lamports left the wallet, and the journal tells of {spent}"]


def check_tips(sessions: Mapping[int, Sequence[Word]], paid: int, most: int) -> list[str]:
    """Return where what the newest session knows of all tips is not what was paid, or that is more than allowed."""
    known = read_left(sessions[max(sessions)]).spending.tips.since(0)
    print(f"{paid} lamports of tips paid, {known} the journal says{f', and {most} is the most' if most else ''}")
    wrong = [] if known == paid else [f"{paid} lamports of tips were paid, and the journal tells of {known}"]
    return wrong + ([f"{paid} lamports were tipped, and {most} is the most"] if most and paid > most else [])


def _after_the_end(epoch: int, words: Iterable[Word]) -> list[str]:
    """Return what was written behind the word that ends a session."""
    topics = [word.topic if isinstance(word, Note) else "" for word in words]
    if ENDED not in topics:
        return []
    return [f"session {epoch} has {topic!r} after its end" for topic in topics[topics.index(ENDED) :] if topic != ENDED]
