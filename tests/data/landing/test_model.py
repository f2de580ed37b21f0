"""The model of landing: whose turn it is, who wins, what is lost."""

import pytest

from bmv.data.landing.dice import draw
from bmv.data.landing.model import WINDOW_SLOTS, Bid, Engine, Verdict, World
from bmv.data.landing.tips import PERCENTILES, TipFloor, per_unit

BUSY = World(seed=3, jito_share=0.8, crowd=0.7, dropped=0.05, apart=0.02)
SLOTS = range(400_000, 420_000)


def bid(number: str, micro: int, slot: int = 100, *locks: str, contested: bool = False) -> Bid:
    return Bid(number, micro, frozenset(locks or {"book"}), slot, contested)


def test_a_leader_keeps_his_window_of_four_slots() -> None:
    windows = [[BUSY.has_jito(at * WINDOW_SLOTS + slot) for slot in range(WINDOW_SLOTS)] for at in range(500)]

    assert all(len(set(window)) == 1 for window in windows)
    assert {window[0] for window in windows} == {True, False}


def test_the_same_world_answers_alike_and_another_seed_otherwise() -> None:
    again, other = World(seed=3, jito_share=0.8, crowd=0.7), World(seed=4, jito_share=0.8, crowd=0.7)

    assert [BUSY.rival(slot) for slot in SLOTS[:200]] == [again.rival(slot) for slot in SLOTS[:200]]
    assert [BUSY.rival(slot) for slot in SLOTS[:200]] != [other.rival(slot) for slot in SLOTS[:200]]


@pytest.mark.parametrize("micro", [2_000, 20_000, 100_000, 1_000_000, 30_000_000])
def test_a_bid_wins_as_often_as_the_curve_says(micro: int) -> None:
    won = sum(BUSY.wins(slot, micro) for slot in SLOTS) / len(SLOTS)

    assert abs(won - BUSY.win_share(micro)) < 0.015, "seed 3"


def test_a_share_and_its_tip_lead_back_to_one_another() -> None:
    floor = TipFloor((2_000, 10_000, 36_000, 1_400_000, 10_000_000))

    assert [round(floor.tip(each)) for each in PERCENTILES] == list(floor.lamports)
    for percent in (3, 25, 40, 60, 90, 97, 99.5):
        assert floor.share_below(floor.tip(percent)) == pytest.approx(percent / 100)


def test_of_two_that_write_to_the_same_account_the_better_lands_and_of_strangers_both() -> None:
    engine = Engine(World())
    for each in (bid("cheap", 10), bid("dear", 20), bid("stranger", 1, 100, "elsewhere")):
        engine.take(each)

    told = {one.number: verdict for one, verdict in engine.auction(100)}

    assert told == {"dear": Verdict.WON, "stranger": Verdict.WON, "cheap": Verdict.OUTBID}
    assert len(engine) == 0


def test_without_a_leader_of_jitos_a_bundle_waits_and_then_is_gone() -> None:
    engine = Engine(World(jito_share=0.0, patience=3))
    engine.take(bid("one", 10, 100))

    told = [engine.auction(slot) for slot in (100, 101, 102, 103)]

    assert told == [[], [], [(bid("one", 10, 100), Verdict.NO_LEADER)], []]


def test_what_a_region_tells_late_takes_part_late() -> None:
    engine = Engine(World())
    engine.take(bid("late", 10, 103))

    assert [len(engine.auction(slot)) for slot in (101, 102, 103)] == [0, 0, 1]


def test_bundles_sent_once_land_as_often_as_the_model_says() -> None:
    micro, landed, sent = per_unit(20_000, 200_000), 0, 8_000
    for number in range(sent):
        slot = SLOTS[0] + number * 16 + int(16 * draw(9, "phase", number))
        engine = Engine(BUSY)
        engine.take(Bid(str(number), micro, frozenset({"book"}), slot))
        ends = [verdict for at in range(BUSY.patience) for _, verdict in engine.auction(slot + at)]
        assert len(ends) == 1, f"bundle {number} has {len(ends)} ends"
        landed += ends[0] is Verdict.WON

    assert abs(landed / sent - BUSY.land_share(micro)) < 0.02
