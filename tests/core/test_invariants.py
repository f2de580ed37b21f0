"""Whatever the world says and in whatever order, what may still happen stays within what is owned and allowed.

A machine of random events plays market and venue at once: an order may be accepted, fill in parts, be cancelled at our
wish or be rejected, at any time and in any order that a venue could choose. After each event the worst case of all
orders whose end is unknown must hold.
"""

from collections import Counter
from typing import Any

from desk import SECOND, Desk
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bmv.core.accounting import notional
from bmv.core.risk import lot_cost
from bmv.core.state import DYING, STAGE
from bmv.ports.messages import Command, Tier, Tif

LEVELS = ((0.0, 7), (0.004, 9), (0.011, 14))
PRICES = st.integers(960, 1040)
OCCURRED: Counter[str] = Counter()
OCCURS = ["place", "cancel", "filled", "filled while dying", "beside"]
GAPS = st.sampled_from([0.0, 0.0, 1e-9, 0.01, 0.2, 1.0, 7.0])


class World(RuleBasedStateMachine):
    """A venue of whims around one engine."""

    @initialize(
        purse=st.sampled_from([60_000, 20_000, 3_000, 0]),
        held=st.sampled_from([40, 20, 4, 0]),
        max_position=st.sampled_from([25, 40, 10, 3]),
        max_open_orders=st.sampled_from([128, 6, 3]),
        tolerance_size=st.sampled_from([0.0, 0.3, 1.0]),
        limits=st.sampled_from(
            [{}, {"max_total_notional": 30_000}, {"max_order_notional": 12_000}, {"max_cancels_per_minute": 2},
             {"max_orders_per_minute": 5}, {"max_age_ns": 2 * SECOND}, {"risk_max_position": 12}]
        ),
        breaker=st.sampled_from([{}, {"reduce_ppm": 2_000}, {"warn_ppm": 100, "halt_ppm": 4_000, "flatten": 1}]),
        maker_fee_e8=st.sampled_from([0, 30_000, -10_000]),
    )  # fmt: skip
    def begin(self, purse: int, held: int, limits: dict[str, Any], breaker: dict[str, Any], **settings: Any) -> None:
        self.now = 0.0
        self.resting: dict[int, int] = {}  # Orders whose end is unknown, by id: lots left.
        self.accepted: set[int] = set()
        self.cancelled: set[int] = set()  # Asked for.
        self.desk = Desk(
            bids=LEVELS, asks=LEVELS, start_position=held, target=held, start_cash=purse, tolerance=0.002,
            taker_fee_e8=50_000, **limits, **breaker, **settings,
        )  # fmt: skip
        self.hear(self.desk.quote(0, 999, 1001))
        self.hear(self.desk.trade(0, 1000, 10))

    def hear(self, asked: list[str]) -> None:
        """Take in what the engine asks for; cancels come first, and no order is cancelled twice."""
        verbs = ["place" if line.startswith("#") else "cancel" for line in asked]
        assert verbs == sorted(verbs)
        OCCURRED.update(verbs)
        for line in asked:
            if line == "cancel all":
                self.cancelled |= set(self.resting)
            elif line.startswith("cancel"):
                order = int(line.removeprefix("cancel #"))
                assert order in self.resting.keys() - self.cancelled
                self.cancelled.add(order)
            else:
                order = int(line.split()[0].removeprefix("#"))
                self.resting[order] = self.desk.asked[order].size
                self.check_placed(order)

    def check_placed(self, order: int) -> None:
        state, asked = self.desk.state, self.desk.asked[order]
        away = state.position - state_target(self.desk)
        assert asked.price >= 1
        assert asked.size >= 1
        assert state.tier < Tier.HALT or asked.level == -1
        OCCURRED.update(["flattened"] if asked.level == -1 else [], beside=len(self.cancelled & self.resting.keys()))
        if state.tier >= Tier.REDUCE:
            OCCURRED["reduced"] += 1
            of_its_side = [left for each, left in self.resting.items() if self.desk.asked[each].side == asked.side]
            assert asked.side * away < 0
            assert sum(of_its_side) <= abs(away)

    def pass_time(self, gap: float) -> float:
        self.now += gap
        return self.now

    @rule(gap=GAPS, bid=PRICES, spread=st.integers(-1, 6))
    def quote(self, gap: float, bid: int, spread: int) -> None:
        self.hear(self.desk.quote(self.pass_time(gap), bid, bid + spread))

    @rule(gap=GAPS, price=PRICES, size=st.integers(1, 50))
    def trade(self, gap: float, price: int, size: int) -> None:
        self.hear(self.desk.trade(self.pass_time(gap), price, size))

    @rule()
    def wake(self) -> None:
        wakes_at = self.desk.wakes_at
        if wakes_at is not None and wakes_at < self.now + 3600:
            self.now = max(self.now, wakes_at)
            self.hear(self.desk.timer())

    def accept(self, order: int) -> None:
        if order not in self.accepted:
            self.accepted.add(order)
            self.hear(self.desk.accept(self.now, order))

    @rule(pick=st.integers(0, 99), gap=GAPS, share=st.sampled_from([0.2, 0.6, 1.0]), fee=st.integers(-2, 3))
    def fill(self, pick: int, gap: float, share: float, fee: int) -> None:
        if not self.resting:
            return
        order = sorted(self.resting)[pick % len(self.resting)]
        self.accept(order)
        lots = max(1, int(self.resting[order] * share))
        asked = self.desk.asked[order]
        dearest = lots * (lot_cost(self.desk.engine.params, asked.price, asked.tif) - notional(1, 0, asked.price, 1))
        OCCURRED["filled while dying" if order in self.cancelled else "filled"] += 1
        self.resting[order] -= lots
        if self.resting[order] == 0:
            del self.resting[order]
        self.hear(self.desk.fill(self.pass_time(gap), order, lots, fee=min(fee, dearest)))

    @rule(pick=st.integers(0, 99), gap=GAPS)
    def end(self, pick: int, gap: float) -> None:
        """A cancel arrives, or an immediate-or-cancel order expires."""
        ending = [o for o in sorted(self.resting) if o in self.cancelled or self.desk.asked[o].tif == Tif.IOC]
        if not ending:
            return
        order = ending[pick % len(ending)]
        self.accept(order)
        del self.resting[order]
        expires = self.desk.asked[order].tif == Tif.IOC
        self.hear((self.desk.expired if expires else self.desk.cancelled)(self.pass_time(gap), order))

    @rule(pick=st.integers(0, 99), gap=GAPS)
    def reject(self, pick: int, gap: float) -> None:
        fresh = sorted(self.resting.keys() - self.accepted)
        if fresh:
            order = fresh[pick % len(fresh)]
            del self.resting[order]
            self.hear(self.desk.rejected(self.pass_time(gap), order))

    @rule(gap=GAPS, command=st.sampled_from([Command.PAUSE, Command.RESUME, Command.RESUME, Command.REARM]))
    def command(self, gap: float, command: Command) -> None:
        self.hear(self.desk.command(self.pass_time(gap), command))

    @invariant()
    def the_engine_knows_its_orders(self) -> None:
        assert sorted(self.desk.open) == sorted(self.resting)
        assert self.desk.state.n_live == sum(row[STAGE] != DYING for row in self.orders())
        assert {row[0] for row in self.orders() if row[STAGE] == DYING} >= self.cancelled & self.resting.keys()

    @invariant()
    def the_position_stays_within_its_limits_whatever_fills(self) -> None:
        p, position = self.desk.engine.params, self.desk.state.position
        bids, asks = self.lots(1), self.lots(-1)
        assert bids == 0 or position + bids <= p.target + p.max_position
        assert asks == 0 or position - asks >= max(0, p.target - p.max_position)
        assert bids == 0 or p.risk_max_position == 0 or position + bids <= p.risk_max_position

    @invariant()
    def what_fills_can_be_paid(self) -> None:
        p = self.desk.engine.params
        cost = sum(left * lot_cost(p, self.desk.asked[o].price, self.desk.asked[o].tif) for o, left in self.bids())
        assert cost <= max(0, self.desk.state.cash)

    @invariant()
    def no_order_crosses_another(self) -> None:
        bids = [row[3] for row in self.orders() if row[1] > 0]
        asks = [row[3] for row in self.orders() if row[1] < 0]
        assert not bids or not asks or max(bids) < min(asks)

    @invariant()
    def no_more_orders_are_open_than_may_be(self) -> None:
        assert self.desk.state.n_orders <= self.desk.engine.params.max_open_orders

    @invariant()
    def the_notional_of_all_orders_stays_within_its_limit(self) -> None:
        limit = self.desk.engine.params.max_total_notional
        assert limit == 0 or sum(notional(1, 0, row[3], row[4]) for row in self.orders()) <= limit

    def orders(self) -> list[list[int]]:
        if not hasattr(self, "desk"):
            return []
        state = self.desk.state
        return state.orders[: state.n_orders].tolist()  # type: ignore[no-any-return]  # Numpy says Any.

    def bids(self) -> list[tuple[int, int]]:
        return [(order, left) for order, left in self.resting.items() if self.desk.asked[order].side > 0]

    def lots(self, side: int) -> int:
        return sum(left for order, left in self.resting.items() if self.desk.asked[order].side == side)


def state_target(desk: Desk) -> int:
    return desk.engine.params.target


def test_the_worst_case_holds_at_every_instant() -> None:
    OCCURRED.clear()

    run_state_machine_as_test(World, settings=settings(max_examples=200, stateful_step_count=60, deadline=None))

    rare = {name for name in OCCURS if not OCCURRED[name]}
    assert rare == set(), f"tried in vain: {OCCURRED}"
