"""The run folder of a session, made from nothing but its journal: like a backtest's, for the same readers.

A paper session happens once more, at the same simulated venue, and must come to the same digest. A live one is booked
as its journal tells it.
"""

import platform
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

from bmv.adapters.bookkeeping import ledger
from bmv.adapters.bookkeeping.books import Books
from bmv.adapters.bookkeeping.chain import charged
from bmv.adapters.bookkeeping.mirror import Mirror
from bmv.adapters.bookkeeping.stage import Stage
from bmv.adapters.bookkeeping.tables import Memory, outcome
from bmv.adapters.config import compile, digest
from bmv.adapters.config.compile import to_ns
from bmv.adapters.sim.clock import SimClock
from bmv.adapters.sim.exchange import SimExchange, open_venue
from bmv.core.engine import Engine
from bmv.data.journal.costs import ChainCosts, chain_costs
from bmv.data.journal.landing_page import landings_json
from bmv.data.journal.landings import Landings
from bmv.data.runs.folder import VERSION, Run, RunFiles, save
from bmv.data.runs.numbers import Json
from bmv.data.runs.outcome import Outcome
from bmv.data.runs.product import product_hash
from bmv.data.runs.summary import LIVE as LIVE
from bmv.data.runs.summary import Quality, summary_of
from bmv.live.decider import Decider, decider_of_text
from bmv.live.loop import Loop
from bmv.live.notes import CLOSED, Opening, read_opening
from bmv.live.replay import Retelling
from bmv.ports.errors import BmvError, DataError
from bmv.ports.messages import Event, Intent, Kind, Reason
from bmv.ports.storage import Note, Word

PAPER = "paper"
SHADOW = "shadow"  # Where the rows of a session come from that sends nothing.
SOL = ("SOL", "WSOL")
PACKAGES = ("bmv", "dependency-injector", "numba", "numpy", "polars", "pydantic")
_DEPTH, _REFERENCE, _BALANCE = Kind.DEPTH.value, Kind.REFERENCE.value, Kind.BALANCE.value
DRAIN_ROWS = 4_096  # Events between two times at which rows are handed over.


class LetOut:
    """Lets out what a session's guard let out, by what its journal says that it kept in.

    Args:
        stage: The venue.
        words: Of the session.
    """

    def __init__(self, stage: Stage, words: Sequence[Word]) -> None:
        self._stage = stage
        self._kept_in = {word.order for word in words if isinstance(word, Event) and _is_guarded(word)}

    def submit(self, batch: Sequence[Intent]) -> None:
        """Put on its way what is not of an order that was kept in."""
        if going := [intent for intent in batch if intent.order not in self._kept_in]:
            self._stage.submit(going)


def _is_guarded(event: Event) -> bool:
    return event.kind == Kind.REJECTED and event.code == Reason.GUARDED


class Forgetting:
    """A journal that keeps nothing: what is told is kept already."""

    def event(self, event: Event) -> None:
        """Forget it."""

    def intent(self, intent: Intent) -> None:
        """Forget it."""


def outcome_of(words: Sequence[Word]) -> tuple[Opening, Decider, Outcome]:
    """Return how a session began, who decided in it, and what came of it; `DataError` where its words don't say."""
    opening = read_opening(words)
    decider = decider_of_text(opening.config, opening.strategy)
    first = decider_of_text(opening.config, opening.strategy)  # Whose keys change as the session is told again.
    engine = first.engine(opening.standing)
    exchange, clock = _exchange(decider)
    memory = Memory()
    record = ledger.opened(engine.params, to_ns(decider.config.data.equity_sample_s))
    books = Books(engine, exchange.sim.venue, record, memory)
    again = _simulated if opening.mode == PAPER else _mirrored
    again(words, engine, Retelling(engine, first.change), exchange, clock, books)
    result = outcome(decider.market, engine.params, engine.state, record, memory.whole(), (0.0, 0.0))
    return opening, decider, result


def _exchange(decider: Decider) -> tuple[SimExchange, SimClock]:
    clock = SimClock()
    return SimExchange(open_venue(compile.venue(decider.config, decider.market)), clock), clock


def _simulated(
    words: Sequence[Word], engine: Engine, retelling: Retelling, exchange: SimExchange, clock: SimClock, books: Books
) -> None:
    """Let a session happen once more: what the market and the operator did is told, all else follows from it."""
    stage = Stage(exchange, clock, books)
    loop = Loop(engine, LetOut(stage, words), Forgetting(), clock, stage)
    for number, word in enumerate(words):
        if isinstance(word, Note):
            retelling.obey(word)
            if word.topic == CLOSED:
                books.finish()
        elif isinstance(word, Event) and not engine.state.closed:
            if word.kind == _BALANCE:  # A session that went on with what a killed one held.
                books.begin(word.size, word.fee)
            if _is_guarded(word):
                loop.wake(word.ts_ns - 1)
                stage.pass_time(word.ts_ns)
                books.report(word)
            with suppress(BmvError):  # A strategy that failed then fails again; the session ended by that.
                if word.kind <= _DEPTH or word.kind >= _REFERENCE or _is_guarded(word):
                    loop.tell(word)
                else:
                    loop.wake(word.ts_ns)
        if number % DRAIN_ROWS == 0:
            books.drain()
    if not engine.state.closed:  # A process that was killed.
        books.finish()
    while engine.state.closed and stage.reporting:
        loop.hear(stage.deliver_next())
    books.close()


def _mirrored(
    words: Sequence[Word], engine: Engine, retelling: Retelling, exchange: SimExchange, clock: SimClock, books: Books
) -> None:
    """Book a session as its journal tells it."""
    mirror = Mirror(exchange, books)
    for number, word in enumerate(words):
        if isinstance(word, Note):
            retelling.obey(word)
        elif isinstance(word, Event):
            mirror.before(word)
            clock.advance(word.ts_ns)
            retelling.hear(word)
            mirror.after(word)
        if number % DRAIN_ROWS == 0:
            books.drain()
    books.finish()
    books.close()


def save_session(
    session: str, words: Sequence[Word], folder: Path, *, report: bool = True, failed: str | None = None
) -> str:
    """Write the run folder of a session, and return its digest; `DataError` where nothing happened in it.

    Args:
        session: Its name.
        words: All of it.
        folder: Where to.
        report: Whether to write the page.
        failed: What the session failed with; None: it did not.
    """
    opening, decider, result = outcome_of(words)
    if result.first_ns < 0:
        raise DataError(f"session {session}: nothing of the market was heard, so there is no run to write")
    warnings = [] if failed is None else [f"the session failed: {failed}"]
    if opening.rows == SHADOW:
        warnings.append("a session in the shadow: it decided and signed, and sent nothing")
    quality = Quality({"rows": result.counts["events"], "source": opening.rows}, warnings, len(warnings))
    config = decider.config.model_dump(mode="json")
    chain, unsure = dict[str, Json](), list[str]()
    if opening.mode == LIVE:
        rate, costs = quote_per_sol(result), chain_costs(words)
        result = charged(result, costs, epoch_of(session), rate)
        chain = {"chain": costs.to_json(rate), "landing": landing_of(words)}
        unsure += unpriced(costs, rate)
    figures = summary_of(result, config, opening.mode, quality, unsure)
    summary = {**figures, "session": session, "failed": failed, **chain}
    files = RunFiles(
        _manifest(session, opening, decider, words), opening.config, summary, result.orders, result.fills, result.equity
    )
    save(folder, files, _page if report else None)
    return result.digest


def epoch_of(session: str) -> int:
    """Return the number of a session, by which the venue's numbers of its orders begin.

    >>> epoch_of("live/openbook-v2/SOL-USDC/00000007")
    7
    """
    number = session.rpartition("/")[2]
    return int(number) if number.isdecimal() else 0


def landing_of(words: Sequence[Word]) -> Json:
    """Return how the transactions of a session landed, as its page shows it."""
    landings = Landings()
    landings.take(words)
    return landings_json(landings)


def unpriced(costs: ChainCosts, rate: Fraction | None) -> list[str]:
    """Return what is to be said where what was paid could not be put into the profit."""
    if rate is not None or not costs.lamports:
        return []
    return [
        f"{costs.lamports:,} lamports were paid to the chain and are not in the profit: this market has no SOL, and "
        "nothing else says what they are worth in quote."
    ]


def quote_per_sol(result: Outcome) -> Fraction | None:
    """Return what a SOL is worth at the end of a run, by its own last mid; None where its market has no SOL."""
    base, _, quote = result.market.symbol.partition("/")
    if quote in SOL:
        return Fraction(1)
    mids = result.equity["mid"].drop_nulls()
    return Fraction(mids[-1]) if base in SOL and len(mids) else None


def _manifest(session: str, opening: Opening, decider: Decider, words: Sequence[Word]) -> Json:
    return {
        "version": VERSION,
        "code": product_hash(),
        "config": digest(decider.config),
        "strategy": opening.strategy,
        "latencies": {},
        "data": [],
        "engine": opening.mode,
        "session": {"name": session, "words": len(words), "rows": opening.rows},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _page(run: Run) -> str:
    from bmv.adapters.report import report  # Brings Plotly, which a session without a report has no need of.

    return report.render(run)
