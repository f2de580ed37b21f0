"""A run that outgrows a table goes on, or is refused in words; it never stands still."""

import signal
from collections.abc import Iterator
from importlib import import_module
from types import FrameType

import numpy as np
import pytest
from scenarios import USUAL
from twins import Case, differences, fused, reference

from bmv.adapters.sim.exchange import TooManyReports
from bmv.core.kernel import kernel
from bmv.core.params import Params
from bmv.core.record import FloatTable, Table
from bmv.core.state import State

SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND
PATIENCE_S = 20
Rows = list[tuple[int, ...]]


@pytest.fixture(scope="module")
def machine_code() -> None:
    """Have the loop compiled before anybody looks at the clock: that alone may take longer than the patience."""
    import_module("bmv.backtest.fused").machine_code()


@pytest.fixture(autouse=True)
def watchdog(machine_code: None) -> Iterator[None]:
    """Fail a test that hangs in a loop between Python and the machine."""

    def bark(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"the run stands still: nothing came of it in {PATIENCE_S} s")

    before = signal.signal(signal.SIGALRM, bark)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def wandering(length: int, gap_ns: int, trades: float) -> Rows:
    """Return a market that wanders, a share of whose rows are trades."""
    dice = np.random.default_rng(1)
    mids = (10_000 + np.cumsum(dice.integers(-1, 2, length)) // 4).tolist()
    printed = (dice.random(length) < trades).tolist()
    return [
        (START_NS + i * gap_ns, 1, 1 if i % 3 else -1, mid, 3, 0, 0, 0, 0)
        if printed[i]
        else (START_NS + i * gap_ns, 2, 0, 0, 0, mid - 2, 10, mid + 2, 10)
        for i, mid in enumerate(mids)
    ]


def seesaw(length: int, gap_ns: int) -> Rows:
    """Return quotes of which each moves the mid."""
    return [(START_NS + i * gap_ns, 2, 0, 0, 0, 9_998 + i % 2, 10, 10_002, 10) for i in range(length)]


@kernel
def one_stays_one_moves(params: Params, state: State, memory: FloatTable, wanted: Table) -> int:
    """Want a bid far away that never moves, and an ask that always does."""
    memory[0] += 1.0
    for side, row in ((1, 0), (-1, 1)):
        wanted[row, 0] = side
        wanted[row, 1] = 0
        wanted[row, 2] = 5_000 if side > 0 else 11_000 + int(memory[0]) % 2
        wanted[row, 3] = 1
        wanted[row, 4] = 0
    return 2


@kernel
def one_large_bid(params: Params, state: State, memory: FloatTable, wanted: Table) -> int:
    """Want one bid that prints nibble at for long."""
    wanted[0, 0] = 1
    wanted[0, 1] = 0
    wanted[0, 2] = 9_500
    wanted[0, 3] = 1_000_000
    wanted[0, 4] = 0
    return 1


def test_more_trades_than_the_history_was_made_for_are_remembered() -> None:
    settings = USUAL | {"pivot": {"window_s": 10, "history_s": 86_400}, "requote": {"threshold_bps": 20}}
    run = Case(settings, [], wandering(70_000, gap_ns=1_000_000, trades=0.99))

    compiled = fused(run.config, run.tape)

    assert compiled.engine["head"] > 2**16
    assert compiled.engine["history_rows"] == 2**17
    assert "\n".join(differences(reference(run.config, run.tape, patience=10**7)[0], compiled)) == ""


def test_more_seeding_trades_than_the_history_was_made_for_are_remembered() -> None:
    settings = USUAL | {"pivot": {"window_s": 10, "history_s": 86_400}}
    rows = wandering(66_100, gap_ns=1_000_000, trades=1.0)
    run = Case(settings, rows[:-100], rows[-100:])

    compiled = fused(run.config, run.tape)

    assert compiled.engine["history_rows"] == 2**17
    assert "\n".join(differences(reference(run.config, run.tape)[0], compiled)) == ""


def test_an_order_that_outlives_tens_of_thousands_of_others_is_kept() -> None:
    settings = USUAL | {
        "strategy": "capacity.py:any",
        "requote": {"threshold_bps": 0, "tolerance_bps": 0, "min_interval_ms": 0},
        "simulation": {"entry_latency_ms": 0, "response_latency_ms": 0},
    }
    run = Case(settings, [], seesaw(70_000, gap_ns=SECOND), one_stays_one_moves)

    compiled = fused(run.config, run.tape, run.strategy)

    orders = compiled.outcome.orders
    assert len(orders) > 33_000
    assert orders["order_id"].to_list() == list(range(1, len(orders) + 1))
    assert orders["done"][0] == "end"


def test_more_reports_on_their_way_than_are_kept_are_refused_in_words() -> None:
    settings = USUAL | {
        "strategy": "capacity.py:any",
        "inventory": {"start_base": 0, "start_quote": 10**9, "max_position": 10**6},
        "simulation": {"entry_latency_ms": 0, "response_latency_ms": 3_600_000},
    }
    rows = seesaw(1, gap_ns=0) + [(START_NS + i, 1, -1, 9_000, 1, 0, 0, 0, 0) for i in range(70_000)]
    run = Case(settings, [], rows, one_large_bid)

    with pytest.raises(TooManyReports, match=r"shorter simulation\.response_latency_ms"):
        fused(run.config, run.tape, run.strategy)


def test_a_fill_before_the_first_mid_is_accounted_for() -> None:
    seed: Rows = [(START_NS - SECOND, 1, 1, 10_000, 5, 0, 0, 0, 0)]
    rows: Rows = [
        (START_NS, 2, 0, 0, 0, 9_998, 5, 0, 0),
        (START_NS + SECOND, 1, -1, 9_000, 50, 0, 0, 0, 0),
        (START_NS + 2 * SECOND, 2, 0, 0, 0, 8_999, 5, 9_001, 5),
    ]
    run = Case(USUAL, seed, rows)

    compiled = fused(run.config, run.tape)

    pnl = compiled.outcome.pnl
    assert compiled.outcome.counts["fills"] > 0
    assert pnl["net"] == pnl["spread"] + pnl["inventory"] + pnl["fees"]
