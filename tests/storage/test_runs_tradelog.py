"""The tables of a run can be made once more from its journal, and are what a live process kept word by word."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from dependency_injector import providers
from kept_runs import ENDS, begun, found

from bmv.adapters.bookkeeping import ledger
from bmv.adapters.config import load
from bmv.backtest.journal import MemoryJournal
from bmv.backtest.run import run
from bmv.backtest.wiring import BacktestContainer
from bmv.core.state import NEVER_NS
from bmv.data.journal.runrules import LEGAL
from bmv.data.journal.tradelog import Open, Told, missing, project, rebuilt
from bmv.data.runs import columns
from bmv.ports.errors import DataError
from bmv.ports.market_data import Columns
from bmv.ports.messages import Event, Intent, Kind, Tif, Verb
from bmv.ports.storage import Changes, Note, Order, OrderState, RunStore, Word

CONFIG = """
version = 1
[market]
symbol = "SOL"
tick_size = "0.01"
lot_size = "0.1"
maker_fee_bps = 2
taker_fee_bps = 4
[pivot]
window_s = 5
history_s = 60
[grid.bid]
levels = 3
first_bps = 1
step_bps = 2
total_size = 6
[grid.ask]
levels = 2
first_bps = 1
step_bps = 3
total_size = 5
[inventory]
start_base = 50
start_quote = 5000
max_position = 40
[requote]
threshold_bps = 1
min_interval_ms = 50
[simulation]
entry_latency_ms = 400
response_latency_ms = 300
"""
ORDER_COLUMNS = {
    "id": ledger.O_ORDER, "side": ledger.O_SIDE, "price": ledger.O_PRICE, "size": ledger.O_SIZE,
    "level": ledger.O_LEVEL, "decided_ns": ledger.O_DECIDED_NS, "filled": ledger.O_FILLED, "reason": ledger.O_REASON,
}  # fmt: skip
FILL_COLUMNS = {
    "order": ledger.F_ORDER, "venue_ns": ledger.F_TS_NS, "known_ns": ledger.F_KNOWN_NS, "price": ledger.F_PRICE,
    "size": ledger.F_SIZE, "fee": ledger.F_FEE, "liquidity": ledger.F_CODE,
}  # fmt: skip
DONE = {
    columns.DONE_FILLED: "filled", columns.DONE_CANCELLED: "cancelled", columns.DONE_REJECTED: "rejected",
    columns.DONE_EXPIRED: "expired",
}  # fmt: skip
BATCH = 23  # Words; so many that a batch tells of several orders, and so few that orders go on from batch to batch.


class Tape:
    """Ten minutes of trades and quotes around a price that wanders."""

    def seed(self, history_ns: int) -> Columns:
        """Return no trade: the tape itself begins with some."""
        return Columns(*(np.empty(0, np.int64) for _ in Columns._fields))

    def batches(self) -> Iterator[Columns]:
        """Yield all rows at once."""
        dice = np.random.default_rng(5)
        n = 6_000
        mid = 10_000 + np.cumsum(dice.integers(-1, 2, n))
        trade = dice.random(n) < 0.5
        side = np.where(trade, dice.choice([-1, 1], n), 0)
        price = np.where(trade, mid + side * dice.integers(0, 4, n), 0)
        size = np.where(trade, dice.integers(1, 30, n), 0)
        quote = [
            np.where(trade, 0, each) for each in (mid - 1, dice.integers(1, 50, n), mid + 1, dice.integers(1, 50, n))
        ]
        yield Columns(np.arange(n) * 10**8, np.where(trade, 1, 2), side, price, size, *quote)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Word], Any]:
    """The words of a run on that tape, and the orders and fills of its own record."""
    file = tmp_path_factory.mktemp("run") / "run.toml"
    file.write_text(CONFIG)
    container = BacktestContainer(config=load(file), paths=[], sample_ns=10**9)
    journal = MemoryJournal()
    container.tape.override(providers.Object(Tape()))
    container.strategy.override(providers.Object(None))
    container.journal.override(providers.Object(journal))
    run(container.world(), container.tape(), lambda rows: None)
    return list(journal.words), container.sink().whole()


def place(number: int = 1, size: int = 10, ts_ns: int = 5) -> Intent:
    return Intent(Verb.PLACE, ts_ns, number, 1, 100, size, 0, Tif.POST_ONLY)


def report(kind: Kind, number: int = 1, size: int = 0, **fields: int) -> Event:
    return Event(kind, 20, 19, number, 1, 100, size, **fields)


def way(*words: Word) -> list[tuple[str, int]]:
    """Return the states that an order goes through as `words` tell, and what of it is filled."""
    return [(order.state, order.filled) for order in project(1, words, {}).orders]


ACCEPTED = report(Kind.ACCEPTED)


@pytest.mark.parametrize(
    ("words", "then"),
    [
        ([], []),
        ([ACCEPTED], [("sent", 0), ("resting", 0)]),
        ([report(Kind.REJECTED, code=1)], [("sent", 0), ("rejected", 0)]),
        ([ACCEPTED, report(Kind.CANCELLED, size=10)], [("sent", 0), ("resting", 0), ("cancelled", 0)]),
        ([report(Kind.FILLED, size=10)], [("sent", 0), ("filled", 10)]),
        ([report(Kind.FILLED, size=4), ACCEPTED], [("sent", 0), ("sent", 4), ("resting", 4)]),
        ([report(Kind.FILLED, size=4), report(Kind.EXPIRED, size=6)], [("sent", 0), ("sent", 4), ("expired", 4)]),
        (
            [ACCEPTED, report(Kind.FILLED, size=4), Note(1, "why", "x"), report(Kind.FILLED, size=6)],
            [("sent", 0), ("resting", 0), ("resting", 4), ("filled", 10)],
        ),
        ([Intent(Verb.CANCEL, 6, 1), Event(Kind.TIMER, 7), Event(Kind.BALANCE, 8, size=9)], []),
    ],
)  # fmt: skip
def test_each_word_takes_an_order_along_its_way(words: list[Word], then: list[tuple[str, int]]) -> None:
    assert way(place(), *words) == [("intended", 0), *then]


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ("word 7 of run 1 tells of order 1, which is not open", [ACCEPTED]),
        ("word 8 of run 1 places order 1, which is open", [place(), place()]),
        ("word 9 of run 1 tells of order 1, which is not open", [place(), report(Kind.CANCELLED), ACCEPTED]),
        ("word 8 of run 1: order 1 traded 11 lots, expected 10", [place(), report(Kind.FILLED, size=11)]),
    ],
)
def test_a_word_that_cannot_follow_is_named(match: str, words: list[Word]) -> None:
    with pytest.raises(DataError, match=match):
        project(1, words, {}, first=7)


def test_what_is_made_from_a_journal_is_what_the_backtest_recorded(played: tuple[list[Word], Any]) -> None:
    words, record = played

    told = rebuilt(1, words)

    assert len(told.orders) == len(record.orders) > 100
    for order, row in zip(told.orders, record.orders[record.orders[:, ledger.O_ORDER].argsort()].tolist(), strict=True):
        assert [getattr(order, field) for field in ORDER_COLUMNS] == [row[column] for column in ORDER_COLUMNS.values()]
        assert (order.accepted_ns or NEVER_NS, order.done_ns or NEVER_NS) == (
            row[ledger.O_ACCEPTED_NS],
            row[ledger.O_DONE_NS] or NEVER_NS,
        )
        assert order.state == DONE.get(row[ledger.O_DONE], order.state)
    assert max(each.seq for each in told.fills) > 0
    by_order = record.fills[record.fills[:, ledger.F_ORDER].argsort(kind="stable")].tolist()
    for fill, row in zip(told.fills, by_order, strict=True):
        assert [getattr(fill, field) for field in FILL_COLUMNS] == [row[column] for column in FILL_COLUMNS.values()]


def test_every_step_made_from_a_journal_is_legal(played: tuple[list[Word], Any]) -> None:
    before: dict[int, Order] = {}
    ways = set()
    for order in project(1, played[0], {}).orders:
        if order.id in before:
            ways.add((before[order.id].state, order.state))
        before[order.id] = order

    assert {(one, other) for one, other in ways if one != other and other not in LEGAL[one]} == set()
    assert {order.state for order in before.values()} & ENDS
    assert len(ways) > 4


def kept_in_batches(store: RunStore, words: list[Word]) -> Any:
    async def keep() -> Any:
        run = await begun(store)
        known: dict[int, Open] = {}
        for number, first in enumerate(range(0, len(words), BATCH)):
            told = project(run.id, words[first : first + BATCH], known, first)
            await store.keep(run, Changes(number, told.orders, told.fills))
        return run

    return keep()


def test_what_is_rebuilt_from_a_journal_is_what_was_kept(open_runs: Any, played: tuple[list[Word], Any]) -> None:
    words = played[0][:3_000]

    async def both() -> tuple[Any, Told]:
        async with open_runs() as store:
            run = await kept_in_batches(store, words)
        async with open_runs() as store:
            return await found(store, run), rebuilt(run.id, words)

    kept, told = asyncio.run(both())

    assert (kept.orders, kept.fills) == told
    assert kept.fills


def test_a_successor_adds_what_a_killed_run_had_said_and_not_kept(
    open_runs: Any, played: tuple[list[Word], Any]
) -> None:
    words = played[0][:3_000]

    async def catch_up() -> tuple[Any, Told]:
        async with open_runs() as store:
            run = await kept_in_batches(store, words[:2_000])
            left = await store.open_orders(run.market, run.mode)
            chain = [order._replace(state=OrderState.UNKNOWN, venue_id=order.id) for order in left[:1]]
            n_batches = -(-2_000 // BATCH)
            sent = [order._replace(state=OrderState.SENT) for order in chain if left[0].state is OrderState.INTENDED]
            await store.keep(run, Changes(n_batches, [*sent, *chain]))
        async with open_runs() as store:
            successor = await begun(store, "next")
            kept = await found(store, run)
            rest = missing(Told(kept.orders, kept.fills), project(run.id, words, {}))
            await store.keep(successor, Changes(0, *rest))
            assert chain
            assert rest.fills
            return await found(store, run), rebuilt(run.id, words)

    kept, told = asyncio.run(catch_up())

    assert [order._replace(venue_id=None) for order in kept.orders] == told.orders
    assert kept.fills == told.fills


def test_an_order_kept_as_no_word_told_it_is_named() -> None:
    told = project(3, [place(), ACCEPTED], {})

    with pytest.raises(DataError, match="order 1 of run 3 is kept as its journal never told it"):
        missing(Told([told.orders[-1]._replace(filled=1)], []), told)
