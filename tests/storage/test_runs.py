"""What every store of runs owes to its driver, wherever it lies."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from kept_runs import (
    ENDS,
    MARKET,
    U64,
    U128,
    Found,
    Place,
    begun,
    breaker,
    fill,
    found,
    of_every_sort,
    order,
)

from bmv.adapters.postgres.sessions import PostgresSessions
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.data.journal.runrules import LEGAL
from bmv.ports.errors import DataError, Refused
from bmv.ports.messages import Event
from bmv.ports.storage import Balance, Changes, OperatorCommand, Order, OrderState, Run, RunStore

# Keeps batch after batch and says the number of each that it knows to be kept; argument 4: the session to begin.
WRITER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from kept_runs import begun, of_every_sort, store

async def write():
    runs = store(sys.argv[2], sys.argv[3])
    run = await begun(runs, sys.argv[4])
    print("begun", flush=True)
    number = 0
    while True:
        await runs.keep(run, of_every_sort(run, number))
        print(number, flush=True)
        number += 1

asyncio.run(write())
"""


def using(open_runs: Any, *acts: Callable[[RunStore], Awaitable[Any]]) -> list[Any]:
    """Do each act on a store opened anew, so that only what is kept joins them, and return their results."""

    async def each() -> list[Any]:
        results = []
        for act in acts:
            async with open_runs() as store:
                results.append(await act(store))
        return results

    return asyncio.run(each())


def kept(open_runs: Any, *batches: Callable[[Run], Changes]) -> tuple[Run, Found]:
    """Begin a run, keep batches, restart, and return what is found."""

    async def keep(store: RunStore) -> Run:
        run = await begun(store)
        for batch in batches:
            await store.keep(run, batch(run))
        return run

    (run,) = using(open_runs, keep)
    return run, using(open_runs, lambda store: found(store, run))[0]


def refused(open_runs: Any, match: str, *batches: Callable[[Run], Changes], error: type[Exception] = Refused) -> Found:
    """Begin a run, keep batches, of which the last is refused, and return what is found."""

    async def keep(store: RunStore) -> Found:
        run = await begun(store)
        for batch in batches[:-1]:
            await store.keep(run, batch(run))
        before = await found(store, run)
        with pytest.raises(error, match=match):
            await store.keep(run, batches[-1](run))
        assert await found(store, run) == before
        return before

    return using(open_runs, keep)[0]  # type: ignore[no-any-return]  # What an act returns is not typed.


def orders(number: int, *rows: tuple[Any, ...]) -> Callable[[Run], Changes]:
    """Return a batch of orders 1 in the states given, with fields."""
    return lambda run: Changes(number, [order(run, 1, state, **fields) for state, fields in rows])


def test_what_was_kept_is_read_back_after_a_restart(open_runs: Any) -> None:
    run, told = kept(open_runs, of_every_sort, lambda run: of_every_sort(run, 1))

    first, second = of_every_sort(run), of_every_sort(run, 1)
    assert told.orders == [first.orders[2], first.orders[3], second.orders[2], second.orders[3]]
    assert told.orders[0].venue_id == U128
    assert told.fills == [*first.fills, *second.fills]
    assert told.balances == [Balance(4, "SOL", U64 - 1, U64), Balance(4, "USDC", 0)]
    assert told.commands == [OperatorCommand(8, "ann", 1, "after 0"), OperatorCommand(8, "ann", 1, "after 1")]


def test_epochs_grow_with_every_start_of_a_market_and_mode(open_runs: Any) -> None:
    starts = [("a", "paper", "x"), ("b", "paper", "x"), ("c", "live", "x"), ("d", "paper", "y"), ("e", "paper", "x")]
    begun_runs = using(open_runs, *(lambda s, start=start: begun(s, *start) for start in starts))

    (listed,) = using(open_runs, lambda s: s.runs())

    assert [run.epoch for run in begun_runs] == [1, 2, 1, 1, 3]
    assert list(listed) == begun_runs
    assert sorted({run.id for run in begun_runs}) == [run.id for run in begun_runs]


def test_a_start_that_is_sent_again_is_one_run(open_runs: Any) -> None:
    first, again = using(open_runs, begun, begun)

    assert first == again
    with pytest.raises(Refused, match=r"session s is that of run \d+ \(paper in sim/SOL"):
        using(open_runs, lambda s: begun(s, mode="live"))


def test_of_many_who_begin_at_once_each_has_an_epoch_of_its_own(open_runs: Any) -> None:
    async def race(store: RunStore) -> list[Run]:
        return await asyncio.gather(*(begun(store, str(n)) for n in range(8)))

    (runs,) = using(open_runs, race)

    assert sorted(run.epoch for run in runs) == list(range(1, 9))
    assert [run.epoch for run in sorted(runs)] == list(range(1, 9))


def test_a_run_and_its_journal_lie_in_one_place(open_runs: Any, runs_at: Place) -> None:
    async def journal(store: RunStore) -> list[Any]:
        at: Any = PostgresSessions if runs_at.sort == "postgres" else SqliteSessions
        sessions = at(runs_at.name)
        await begun(store, "begins first")
        await sessions.append("begins first", 0, [Event(1, 2)])
        await sessions.append("told first", 0, [Event(1, 2)])
        await begun(store, "told first")
        heads = [await sessions.verify(name) for name in ("begins first", "told first")]
        await sessions.close()
        return heads

    (heads,) = using(open_runs, journal)

    assert [head.words for head in heads] == [1, 1]


def test_a_batch_that_is_sent_again_counts_once(open_runs: Any) -> None:
    run, told = kept(open_runs, *[of_every_sort] * 3, *[lambda run: of_every_sort(run, 1)] * 2)
    _, once = kept(open_runs, lambda run: of_every_sort(run, 1))

    assert told == once
    assert (len(told.fills), len(told.commands)) == (4, 2)
    assert run.epoch == 1


@pytest.mark.parametrize(
    ("number", "match"),
    [
        (1, "another batch is kept with number 1: somebody else writes"),
        (0, "batch 0 was sent, expected batch 2"),
        (3, "batch 3 was sent, expected batch 2"),
    ],
)
def test_another_batch_than_the_next_is_refused(open_runs: Any, number: int, match: str) -> None:
    refused(open_runs, match, of_every_sort, lambda run: of_every_sort(run, 1), orders(number, ("intended", {})))


def way_to(state: OrderState) -> list[str]:
    """Return the states by which an order comes to `state`."""
    if state == "intended":
        return ["intended"]
    return ["intended", "sent"] if state == "sent" else ["intended", "sent", state]


def test_an_order_goes_its_way_only(open_runs: Any) -> None:
    async def every_pair(store: RunStore) -> set[tuple[OrderState, OrderState]]:
        went, number = set(), 0
        run = await begun(store)
        for one, (before, after) in enumerate(product(OrderState, OrderState)):
            await store.keep(run, Changes(number, [order(run, one, state) for state in way_to(before)]))
            number += 1
            try:
                await store.keep(run, Changes(number, [order(run, one, after)]))
            except Refused:
                continue
            number += 1
            if before != after:
                went.add((before, after))
        return went

    (went,) = using(open_runs, every_pair)

    assert went == {(before, after) for before, afters in LEGAL.items() for after in afters}
    assert not {before for before, _ in went} & ENDS


@pytest.mark.parametrize("end", sorted(ENDS))
def test_an_order_does_not_come_back_from_its_end(open_runs: Any, end: OrderState) -> None:
    way = orders(0, *((state, {}) for state in way_to(end)))

    for match, later in {
        f"has ended: {end}; it was told as resting": ("resting", {}),
        "has ended": (end, {"slot": 9}),
    }.items():
        told = refused(open_runs, match, way, orders(1, later))
        assert told.orders[0].state is end


@pytest.mark.parametrize(
    ("match", "fields"),
    [
        ("filled fell from 4 to 3 lots", {"filled": 3}),
        ("price was 100 and is told as 101; it stays what it is", {"filled": 4, "price": 101}),
        ("side was 1 and is told as -1", {"filled": 4, "side": -1}),
        ("size was 10 and is told as 11", {"filled": 4, "size": 11}),
        ("level was 0 and is told as 1", {"filled": 4, "level": 1}),
        ("decided_ns was 5 and is told as 6", {"filled": 4, "decided_ns": 6}),
        ("venue_id was 12 and is told as 13", {"filled": 4, "venue_id": 13}),
    ],
)
def test_what_an_order_is_stays(open_runs: Any, match: str, fields: dict[str, int]) -> None:
    before = orders(0, ("sent", {}), ("resting", {"filled": 4, "venue_id": 12}))

    refused(open_runs, match, before, orders(1, ("resting", fields)))


def test_what_the_chain_said_of_an_order_stays_known(open_runs: Any) -> None:
    known = {"client_id": 1, "venue_id": 2, "slot": 3, "accepted_ns": 4}

    run, told = kept(
        open_runs,
        orders(0, ("sent", {}), ("resting", known)),
        orders(1, ("unknown", {"filled": 4})),
        orders(2, ("resting", {"filled": 4, "slot": 9})),
    )

    assert told.orders == [order(run, 1, "resting", 4, **{**known, "slot": 9})]


def test_a_batch_is_kept_whole_or_not_at_all(open_runs: Any) -> None:
    def half_wrong(run: Run) -> Changes:
        return of_every_sort(run, 1)._replace(fills=[fill(run, 2), fill(run, 99)])

    refused(open_runs, r"fill 0 of order 99 of run \d+: that order is not kept", of_every_sort, half_wrong)
    assert kept(open_runs, of_every_sort, lambda run: of_every_sort(run, 1))[1].fills


def test_a_fill_is_kept_once(open_runs: Any) -> None:
    again = "fill 1 of order 0 of run .* is kept already"

    refused(open_runs, again, of_every_sort, lambda run: Changes(1, fills=[fill(run, 0, 2), fill(run, 0, 1)]))
    refused(open_runs, "is kept already", of_every_sort, lambda run: Changes(1, fills=[fill(run, 0, 2)] * 2))


def test_an_order_never_trades_more_than_its_size(open_runs: Any) -> None:
    def of(*sizes: int, seq: int = 0) -> Callable[[Run], list[Any]]:
        return lambda run: [fill(run, 1, seq + at)._replace(size=size) for at, size in enumerate(sizes)]

    first = orders(0, ("sent", {}))
    too_many = r"fill \d of order 1 of run \d+: with it \d+ lots have traded of an order of 10"

    refused(open_runs, too_many, lambda run: first(run)._replace(fills=of(500)(run)))
    refused(open_runs, too_many, lambda run: first(run)._replace(fills=of(6, 5)(run)))

    def six(run: Run) -> Changes:
        return first(run)._replace(fills=of(6)(run))

    refused(open_runs, too_many, six, lambda run: Changes(1, fills=of(5, seq=1)(run)))
    assert len(kept(open_runs, six, lambda run: Changes(1, fills=of(4, seq=1)(run)))[1].fills) == 2


@pytest.mark.parametrize(
    ("match", "make"),
    [
        ("size is None; expected a whole number", lambda run: Changes(0, [order(run, 1)._replace(size=None)])),
        ("filled is None; expected a whole number", lambda run: Changes(0, [order(run, 1)._replace(filled=None)])),
        ("side is 1.0; expected a whole number", lambda run: Changes(0, [order(run, 1)._replace(side=1.0)])),
        ("state is None; expected a text", lambda run: Changes(0, [order(run, 1)._replace(state=None)])),
        ("state is 'lost'; expected one of intended", lambda run: Changes(0, [order(run, 1)._replace(state="lost")])),
        ("signature is b'x'; expected a text", lambda run: Changes(0, fills=[fill(run)._replace(signature=b"x")])),
        ("asset is None; expected a text", lambda run: Changes(0, balances=[Balance(1, None, 5)])),
        ("raw is None; expected a whole number", lambda run: Changes(0, balances=[Balance(1, "SOL", None)])),
        ("why is None; expected a text", lambda run: Changes(0, breaker=[breaker("halt")._replace(why=None)])),
        ("argument is None; expected a text", lambda run: Changes(0, commands=[OperatorCommand(1, "ann", 1, None)])),
        ("number is None; expected a whole number", lambda run: Changes(None)),
    ],
)
def test_what_is_no_word_of_a_run_is_refused_alike_by_every_store(open_runs: Any, match: str, make: Any) -> None:
    refused(open_runs, match, make, error=DataError)


@pytest.mark.parametrize(
    ("field", "value"),
    [("session", None), ("mode", None), ("market", None), ("code", None), ("config_sha256", None), ("started_ns", None),
     ("config_sha256", "a" * 32)],
)  # fmt: skip
def test_a_run_that_lacks_something_is_not_begun(open_runs: Any, field: str, value: Any) -> None:
    whole = {"session": "s", "mode": "paper", "market": "m", "code": "c", "config_sha256": bytes(32), "started_ns": 1}

    async def begin(store: RunStore) -> None:
        with pytest.raises(DataError, match=rf"{field} is .*; expected"):
            await store.begin(**{**whole, field: value})
        assert list(await store.runs()) == []

    using(open_runs, begin)


def test_an_end_without_a_time_or_a_code_is_refused(open_runs: Any) -> None:
    async def end(store: RunStore) -> None:
        run = await begun(store)
        for ended_ns, exit_code in ((None, 0), (9, None)):
            with pytest.raises(DataError, match="is None; expected a whole number"):
                await store.end(run, ended_ns, exit_code)  # type: ignore[arg-type]  # That is what is tried.

    using(open_runs, end)


def test_a_refusal_of_the_database_itself_is_one_line_without_the_row(open_runs: Any) -> None:
    async def twice(store: RunStore) -> str:
        run = await begun(store)
        with pytest.raises(Refused) as caught:
            await store.keep(run, Changes(0, [order(run, 1, "sent", venue_id=77), order(run, 2, "sent", venue_id=77)]))
        return str(caught.value)

    (told,) = using(open_runs, twice)

    assert len(told.splitlines()) == 1
    assert "DETAIL" not in told
    assert "77" not in told


def test_a_stale_run_is_refused(open_runs: Any) -> None:
    async def overtaken(store: RunStore) -> None:
        run = await begun(store, "old")
        await store.keep(run, of_every_sort(run))
        async with open_runs() as other:
            await begun(other, "new")
        for number in (0, 1):
            with pytest.raises(Refused, match=r"run \d+ \(paper in sim/SOL\) is stale: its epoch is 1, and epoch 2"):
                await store.keep(run, of_every_sort(run, number))
        assert len((await found(store, run)).orders) == 2
        assert await begun(store, "old") == run
        with pytest.raises(Refused, match="stale"):
            await store.keep(run._replace(epoch=99), of_every_sort(run, 1))

    using(open_runs, overtaken)


def test_a_run_of_another_market_or_mode_makes_nobody_stale(open_runs: Any) -> None:
    async def neighbours(store: RunStore) -> None:
        run = await begun(store, "a")
        await begun(store, "b", mode="live")
        await begun(store, "c", market="sim/OTHER")
        await store.keep(run, of_every_sort(run))

    using(open_runs, neighbours)


def test_nothing_is_kept_by_a_run_after_its_successor_has_begun(open_runs: Any) -> None:
    async def race(store: RunStore) -> None:
        old = await begun(store, "old")
        done: list[int] = []

        async def write() -> None:
            for number in range(10_000):
                await store.keep(old, Changes(number, [order(old, number)]))
                done.append(number)

        writer = asyncio.create_task(write())
        async with open_runs() as other:
            while len(done) < 20:
                await asyncio.sleep(0)
            new = await begun(other, "new")
            seen = await other.open_orders(MARKET, "paper")
            with pytest.raises(Refused, match="stale"):
                await writer
            await other.keep(new, of_every_sort(new))
            assert [each.id for each in await other.open_orders(MARKET, "paper") if each.run == old.id] == [
                each.id for each in seen
            ]
        assert len(done) <= len(seen) <= len(done) + 1

    using(open_runs, race)


def test_a_second_process_makes_the_first_stale(open_runs: Any, runs_at: Place) -> None:
    with process(runs_at, "first") as first, process(runs_at, "second") as second:
        assert first.stderr
        told = first.stderr.read()
        second.kill()

    runs = using(open_runs, lambda s: s.runs())[0]

    assert [run.session for run in runs] == ["first", "second"]
    assert f"run {runs[0].id} (paper in sim/SOL) is stale: its epoch is 1, and epoch 2 has begun" in told
    assert first.returncode == 1


def process(place: Place, session: str) -> Any:  # Any: a process, once it has begun its run and kept a batch.
    command = [sys.executable, "-c", WRITER, str(Path(__file__).parent), *place, session]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert writer.stdout
    assert writer.stdout.readline() == "begun\n"
    assert writer.stdout.readline() == "0\n"
    return writer


def test_a_killed_writer_loses_nothing_acknowledged_and_doubles_nothing(open_runs: Any, runs_at: Place) -> None:
    dice = Random(3)
    for turn in range(5):
        with process(runs_at, f"turn {turn}") as writer:
            time.sleep(dice.uniform(0, 0.1))
            writer.kill()
            acknowledged = max([0, *(int(line) for line in writer.stdout if line.endswith("\n"))]) + 1

        run = using(open_runs, lambda s: s.runs())[0][-1]
        # Who begins waits for what is under way: a server may go on with the last words of a client that is dead.
        _, told = using(open_runs, lambda s, turn=turn: begun(s, f"after {turn}"), lambda s, run=run: found(s, run))

        batches = len(told.commands)
        whole = [of_every_sort(run, number) for number in range(batches)]
        assert acknowledged <= batches <= acknowledged + 1
        assert told.orders == [each for batch in whole for each in batch.orders[2:]]
        assert told.fills == [each for batch in whole for each in batch.fills]
        assert told.balances[0] == whole[-1].balances[1]
        assert told.commands == [each for batch in whole for each in batch.commands]
        last = [of_every_sort(run, n).breaker[-1] for n in (acknowledged - 1, acknowledged)]
        assert using(open_runs, lambda s: s.breaker(MARKET, "paper"))[0] in last


def test_the_grid_of_a_crashed_run_is_found_and_settled_by_the_next(open_runs: Any) -> None:
    async def crash(store: RunStore) -> Run:
        run = await begun(store, "crashed")
        await store.keep(run, of_every_sort(run))
        return run

    async def settle(store: RunStore) -> list[list[Order]]:
        run = await begun(store, "next")
        left = await store.open_orders(MARKET, "paper")
        ends = [
            left[0]._replace(state=OrderState.FILLED, filled=10, done_ns=70),
            left[1]._replace(state=OrderState.CANCELLED, done_ns=71),
        ]
        batch = Changes(0, [*ends, order(run)], [fill(run), fill(run)._replace(run=left[0].run, order=0, seq=2)])
        await store.keep(run, batch)
        return [list(left), list(await store.open_orders(MARKET, "paper")), [*ends, order(run)]]

    crashed, (left, open_now, told) = using(open_runs, crash, settle)
    (after,) = using(open_runs, lambda s: found(s, crashed))

    assert left == of_every_sort(crashed).orders[2:]
    assert open_now == told[2:]
    assert after.orders == told[:2]
    assert [each.seq for each in after.fills] == [0, 1, 2]


def test_orders_that_a_run_left_open_at_its_end_are_found_too(open_runs: Any) -> None:
    async def leave(store: RunStore) -> Run:
        run = await begun(store)
        await store.keep(run, of_every_sort(run))
        await store.end(run, 100, 1)
        return run

    run, left, elsewhere = using(
        open_runs, leave, lambda s: s.open_orders(MARKET, "paper"), lambda s: s.open_orders(MARKET, "live")
    )

    assert list(left) == of_every_sort(run).orders[2:]
    assert list(elsewhere) == []


def test_a_run_tells_nothing_of_orders_in_another_market(open_runs: Any) -> None:
    async def stray(store: RunStore) -> None:
        other, run = await begun(store, "a", market="sim/OTHER"), await begun(store, "b")
        for number in (other.id, 10**9):
            with pytest.raises(Refused, match=f"run {number} is none of sim/SOL"):
                await store.keep(run, Changes(0, [order(run)._replace(run=number)]))

    using(open_runs, stray)


def test_the_last_state_of_the_breaker_is_found_after_a_restart(open_runs: Any) -> None:
    async def trip(store: RunStore) -> None:
        run = await begun(store, "a")
        await store.keep(run, Changes(0, breaker=[breaker("warn"), breaker("halt", "fell by 5 %")]))

    async def unharmed(store: RunStore) -> None:
        await begun(store, "b")
        await begun(store, "c", mode="live")

    async def rearm(store: RunStore) -> None:
        run = await begun(store, "d")
        await store.keep(run, Changes(0, breaker=[breaker("armed", "ann")]))

    def look(store: RunStore) -> Awaitable[Any]:
        return store.breaker(MARKET, "paper")

    before, _, tripped, _, latched, _, armed, live = using(
        open_runs, look, trip, look, unharmed, look, rearm, look, lambda s: s.breaker(MARKET, "live")
    )

    assert (before, live) == (None, None)
    assert tripped == latched == breaker("halt", "fell by 5 %")
    assert armed == breaker("armed", "ann")


def test_a_run_ends_once(open_runs: Any) -> None:
    async def end(store: RunStore) -> Run:
        run = await begun(store)
        await store.keep(run, of_every_sort(run))
        for _ in range(2):
            await store.end(run, 100, 5)
        for other in ((101, 5), (100, 0)):
            with pytest.raises(Refused, match=r"has ended at 100 ns with 5, not at \d+ ns with \d"):
                await store.end(run, *other)
        await store.keep(run, of_every_sort(run))
        with pytest.raises(Refused, match="has ended"):
            await store.keep(run, of_every_sort(run, 1))
        return run

    run, listed = using(open_runs, end, lambda s: s.runs())

    assert list(listed) == [run._replace(ended_ns=100, exit_code=5)]


def test_a_stale_run_may_still_say_how_it_ended(open_runs: Any) -> None:
    async def end(store: RunStore) -> Any:
        run = await begun(store, "old")
        await begun(store, "new")
        await store.end(run, 100, 5)
        return [each.exit_code for each in await store.runs()]

    assert using(open_runs, end) == [[5, None]]


def test_a_run_that_the_store_never_began_is_refused(open_runs: Any) -> None:
    async def stray(store: RunStore) -> None:
        run = (await begun(store))._replace(id=10**6)
        with pytest.raises(Refused, match="run 1000000 is not known here"):
            await store.keep(run, Changes(0))
        with pytest.raises(Refused, match="run 1000000 is not known here"):
            await store.end(run, 100, 0)

    using(open_runs, stray)


@pytest.mark.parametrize(
    ("match", "row"),
    [
        (r"order 1 of run \d+: venue_id is -1; expected 0 to 3402", {"venue_id": -1}),
        (f"venue_id is {U128 + 1}; expected 0 to {U128}", {"venue_id": U128 + 1}),
        (f"client_id is {U64 + 1}; expected 0 to {U64}", {"client_id": U64 + 1}),
        (f"slot is {U64 + 1}; expected", {"slot": U64 + 1}),
        ("price is 0; expected 1 to", {"price": 0}),
        ("price is 1.5; expected a whole number", {"price": 1.5}),
        (f"decided_ns is {2**63}; expected", {"decided_ns": 2**63}),
        ("side is 0; expected 1 or -1", {"side": 0}),
        ("filled is 11 of 10 lots", {"filled": 11}),
        ("done_ns is 3 while it is sent", {"done_ns": 3}),
        ("told as filled with 3 of 10 lots", {"state": OrderState.FILLED, "filled": 3, "done_ns": 3}),
        ("told as rejected with 3 lots", {"state": OrderState.REJECTED, "filled": 3, "done_ns": 3}),
        ("tif is 3; expected 0 to 2", {"tif": 3}),
    ],
)
def test_what_no_order_can_be_is_refused_by_its_field(open_runs: Any, match: str, row: dict[str, Any]) -> None:
    wrong = lambda run: Changes(0, [order(run, 1, "sent")._replace(**row)])  # noqa: E731  # It fits on a line.

    refused(open_runs, match, wrong, error=DataError)


@pytest.mark.parametrize(
    ("match", "changes"),
    [
        ("balance of SOL: raw is -1", Changes(0, balances=[Balance(1, "SOL", -1)])),
        ("asset is ''; expected a name", Changes(0, balances=[Balance(1, "", 1)])),
        ("breaker: tier is 'off'; expected one of armed, warn, reduce, halt", Changes(0, breaker=[breaker("off")])),
        ("breaker: why is .*zero byte", Changes(0, breaker=[breaker("warn", "a\0b")])),
        ("half a character", Changes(0, breaker=[breaker("warn", "\ud83d")])),
        ("command of ann: code is 5; expected 1 to 4", Changes(0, commands=[OperatorCommand(1, "ann", 5)])),
        ("a batch: number is -1", Changes(-1)),
    ],
)
def test_what_no_column_takes_is_refused_by_its_field(open_runs: Any, match: str, changes: Changes) -> None:
    refused(open_runs, match, lambda run: changes, error=DataError)


@pytest.mark.parametrize(
    ("match", "start"),
    [
        ("mode is 'test'; expected paper or live", ("s", "test", MARKET, "c", bytes(32), 1)),
        ("config_sha256 has 31 bytes; expected 32", ("s", "live", MARKET, "c", bytes(31), 1)),
        ("market is ''; expected a name", ("s", "live", "", "c", bytes(32), 1)),
    ],
)
def test_a_start_that_cannot_be_is_refused(open_runs: Any, match: str, start: tuple[Any, ...]) -> None:
    with pytest.raises(DataError, match=match):
        using(open_runs, lambda s: s.begin(*start))


def test_more_orders_and_fills_than_a_page_holds_are_read_in_order(open_runs: Any) -> None:
    async def many(store: RunStore) -> tuple[Run, list[int]]:
        run = await begun(store)
        rows = [order(run, number, venue_id=number << 64, size=100) for number in range(7_001)]
        await store.keep(run, Changes(0, rows, [fill(run, number % 100, number // 100) for number in range(7_001)]))
        return run, [len(page) async for page in store.orders(run)]

    ((run, pages),) = using(open_runs, many)
    (told,) = using(open_runs, lambda s: found(s, run))

    assert len(pages) > 1
    assert [each.id for each in told.orders] == list(range(7_001))
    assert [(each.order, each.seq) for each in told.fills] == sorted((n % 100, n // 100) for n in range(7_001))
