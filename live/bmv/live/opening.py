"""How a session begins: what the one before left is carried over, and what this one begins with is kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version

from bmv.adapters.config import Config
from bmv.adapters.config.dump import dump, masked
from bmv.core.standing import Standing
from bmv.live.decider import identity_of
from bmv.live.journal import Begun
from bmv.live.notes import RECEIPT, Opening, read_standing, seed_notes
from bmv.ports.storage import Note, Word

Trade = tuple[int, int, int]  # Time in ns, price in ticks, size in lots.


@dataclass(frozen=True, slots=True)
class Before:
    """What the session before left for whoever decides.

    Args:
        standing: How its breaker stood; None: there was no session, or it never valued anything.
        stopped: Whether it was stopped, and wrote its receipt; a process that was killed did not.
    """

    standing: Standing | None
    stopped: bool


def before_of(words: Iterable[Word]) -> Before:
    """Return what a session left for whoever decides in the next."""
    kept = list(words)
    stopped = any(isinstance(word, Note) and word.topic == RECEIPT for word in kept)
    return Before(read_standing(kept), stopped or not kept)


def open_minutes(
    begun: Begun,
    mode: str,
    market: str,
    config: Config,
    standing: Standing | None,
    rows: str,
    seed: Iterable[Trade],
    ts_ns: int,
) -> Opening:
    """Write down how a session begins; it is kept with the next commit."""
    opening = Opening(mode, market, version("bmv"), dump(masked(config)), identity_of(config), standing, rows)
    begun.journal.note(opening.note(ts_ns))
    for note in seed_notes(ts_ns, seed):
        begun.journal.note(note)
    return opening


def session_market(config: Config) -> str:
    """Return what a session's market is called: `VENUE/SYMBOL`."""
    return f"{config.market.venue}/{config.market.symbol.replace('/', '-')}"
