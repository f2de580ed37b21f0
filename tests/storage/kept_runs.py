"""Runs and what they keep: shortest ways to say them, and all that a store tells of them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from bmv.adapters.postgres.runs import PostgresRuns
from bmv.adapters.sqlite.runs import SqliteRuns
from bmv.ports.storage import (
    Balance,
    BreakerChange,
    Changes,
    Fill,
    OperatorCommand,
    Order,
    OrderState,
    Run,
    RunStore,
)

U64, U128 = 2**64 - 1, 2**128 - 1
MARKET = "sim/SOL"
ENDS = {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED}

# Opens the store of one place; what was kept there before is there again.
OpenRuns = Callable[[], AbstractAsyncContextManager[RunStore]]


class Place(NamedTuple):
    """Where a store of runs is: `postgres` and a DSN, or `sqlite` and a path."""

    sort: str
    name: str


PATIENT = {"deadline_s": 120, "attempt_s": 60}  # No test fails because the machine is busy.


def store(sort: str, name: str) -> PostgresRuns | SqliteRuns:
    """Return the store at a place, not opened yet."""
    return PostgresRuns(name, **PATIENT) if sort == "postgres" else SqliteRuns(name)


async def begun(store: RunStore, session: str = "s", mode: str = "paper", market: str = MARKET) -> Run:
    """Begin a run of which only what is named matters."""
    return await store.begin(session, mode, market, "0.1 abc", bytes(32), 7)


def order(run: Run, number: int = 1, state: str = "intended", filled: int = 0, **fields: int | None) -> Order:
    """Return an order of 10 lots at 100 ticks, right for its state."""
    done_ns = 50 if state in ENDS else None
    row = Order(run.id, number, 1, 100, 10, 0, 0, 5, OrderState(state), 10 if state == "filled" else filled)
    return row._replace(done_ns=done_ns)._replace(**fields)


def fill(run: Run, number: int = 1, seq: int = 0) -> Fill:
    """Return a trade of one lot."""
    return Fill(run.id, number, seq, 20, 21, 100, 1, -3, 0)


def breaker(tier: str, why: str = "") -> BreakerChange:
    """Return a change of the breaker."""
    return BreakerChange(9, tier, -(2**63), 2**63 - 1, why)


def of_every_sort(run: Run, number: int = 0) -> Changes:
    """Return a batch with something of every sort, numbers at their ends among it."""
    first, second = 2 * number, 2 * number + 1
    return Changes(
        number,
        [
            order(run, first),
            order(run, first, "sent", client_id=U64),
            order(run, first, "resting", 1, client_id=U64, venue_id=U128 - number, slot=U64, accepted_ns=6),
            order(run, second, level=-1, tif=2),
        ],
        [fill(run, first), fill(run, first, 1)._replace(slot=U64, signature="5ig", fee=2**63 - 1)],
        [Balance(3, "SOL", U64, U64), Balance(4, "SOL", U64 - number, U64), Balance(4, "USDC", 0)],
        [breaker("warn", "fell"), breaker("reduce", f"fell {number} ½")],
        [OperatorCommand(8, "ann", 1, f"after {number}")],
    )


class Found(NamedTuple):
    """All that a store tells of a run."""

    orders: list[Order]
    fills: list[Fill]
    balances: list[Balance]
    commands: list[OperatorCommand]


async def found(store: RunStore, run: Run) -> Found:
    """Return all that `store` tells of `run`."""
    return Found(
        [each async for page in store.orders(run) for each in page],
        [each async for page in store.fills(run) for each in page],
        list(await store.balances(run)),
        list(await store.commands(run)),
    )
