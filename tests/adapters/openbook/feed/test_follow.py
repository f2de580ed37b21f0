"""A market followed over one connection: what is told is what the chain did, whatever comes in."""

import json

import pytest
from tests.rigs import feed

from bmv.adapters.openbook.feed.follow import Broken
from bmv.adapters.openbook.feed.words import Undone, Update, is_sane
from bmv.adapters.sandbox.faults import Fault
from bmv.live.record.keeper import Hole, Keeper, Rows
from bmv.ports.messages import Kind


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
@pytest.mark.parametrize("consensus", ["alpenglow", "tower"])
def test_what_is_told_and_not_taken_back_is_what_the_chain_did(venue: str, consensus: str) -> None:
    right = [feed.run(venue, consensus, seed) for seed in range(3)]

    assert sum(right) > feed.SLOTS


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_a_wire_on_which_nothing_goes_wrong_tells_every_slot_and_takes_none_back(venue: str) -> None:
    line = feed.make_line(venue, 3)

    for _ in range(40):
        line.step()

    slots = [word.slot for word in line.told if isinstance(word, Update)]
    assert len(slots) == len(line.told)
    assert slots == list(range(slots[0], slots[0] + len(slots)))
    assert len(slots) > 30


def test_updates_of_a_fork_that_is_given_up_are_taken_back() -> None:
    line = feed.make_line("openbook-v2", 1)
    for _ in range(10):
        line.step()
    newest = line.world.chain.slot

    line.world.chain.fork(1)
    for _ in range(5):
        line.step()

    told = [word.slot for word in line.told if isinstance(word, Update)]
    assert newest not in feed.believed(line.told)
    assert newest + 1 in told
    assert newest not in told or any(isinstance(word, Undone) and word.after < newest for word in line.told)


def test_a_chain_that_uses_its_slot_numbers_again_breaks_the_connection() -> None:
    line = feed.make_line("openbook-v2", 1)
    for _ in range(10):
        line.step()
    line.world.chain.go_dark()
    for _ in range(40):
        line.step()
    before = line.downs

    line.world.chain.go_on()
    for _ in range(6):
        line.step()

    assert line.downs == before + 1


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_a_chain_that_went_back_to_before_what_was_final_is_followed_again_at_once(venue: str) -> None:
    line = feed.make_line(venue, 1)
    for _ in range(40):
        line.step()
    root = line.lineage.root

    feed.go_back(line.world.chain, 20)
    for _ in range(12):
        line.step()

    assert line.downs == 1
    assert line.lineage.root < root
    updates = [word for word in line.told if isinstance(word, Update)]
    assert updates[-1].slot >= line.world.chain.slot - 2
    assert updates[-1].slot < root
    assert updates[-1].traded.lost > updates[0].traded.lost
    assert feed.check(line, venue) > 5


def test_events_that_went_back_while_nobody_looked_are_lost_and_the_feed_goes_on() -> None:
    line = feed.make_line("openbook-v1", 1)
    for _ in range(40):
        line.step()
    before = next(word.traded for word in reversed(line.told) if isinstance(word, Update))

    feed.go_back(line.world.chain, 30)
    line.give_up()
    for _ in range(12):
        line.step()

    after = next(word.traded for word in reversed(line.told) if isinstance(word, Update))
    assert after.events < before.events
    assert after.lost > before.lost


def test_fills_whose_logs_are_taken_away_are_missing_to_the_unit() -> None:
    line = feed.make_line("openbook-v2", 4)
    line.without_logs = True
    for _ in range(200):
        line.step()

    lots, happened = line.world.market.lots, {update.slot: update.traded for update in line.truth.updates}
    keeper = Keeper(line.lineage, lots.quote_lot)
    made = [one for word in line.told for one in keeper.hear(word)]
    kept = [one.slot for one in made if isinstance(one, Rows)]
    trades = [event for one in made if isinstance(one, Rows) for event in one.events if event.kind == Kind.TRADE]
    missed = [one.quote for one in made if isinstance(one, Hole)]
    true = happened[kept[-1]].quote - happened[kept[0]].quote
    assert None not in missed
    assert sum(missed) > 0
    assert sum(event.price * event.size for event in trades) * lots.quote_lot + sum(missed) == true


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_messages_that_are_changed_on_the_way_never_make_a_wrong_book(venue: str) -> None:
    changed, found = feed.run_hostile(venue, 1, 150)

    assert changed >= 150
    assert found > 30


def test_a_fill_that_the_market_does_not_count_is_doubted() -> None:
    line = feed.make_line("openbook-v2", 4)
    line.forged_logs = True
    for _ in range(120):
        line.step()

    happened = {update.slot: update.traded.prints for update in line.truth.updates}
    kept = feed.believed(line.told)
    assert sum(len(prints) for prints in happened.values()) > 10
    assert len(kept) > 60
    assert not [slot for slot, update in kept.items() if set(update.traded.prints) - set(happened[slot])]
    assert all(len(update.traded.prints) <= len(happened[slot]) for slot, update in kept.items())


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_two_notifications_of_one_slot_that_are_lost_together_do_not_hide_one_another(venue: str) -> None:
    lost, right = (sum(found) for found in zip(*(feed.run_pairs(venue, seed) for seed in range(4)), strict=True))

    assert lost > 30
    assert right > 2 * feed.SLOTS


def test_faults_are_seeded() -> None:
    def told(seed: int) -> list[object]:
        line = feed.make_line("openbook-v1", seed)
        line.faults.switch_on(Fault("drop", share=0.1))
        for _ in range(30):
            line.step()
        return line.told

    assert told(5) == told(5)


def test_a_slot_far_beyond_the_chains_clock_breaks_the_connection_and_leaves_what_is_final() -> None:
    line = feed.make_line("openbook-v2", 1)
    for _ in range(10):
        line.step()
    root, far = line.follow.lineage.root, 10**15
    result = {"slot": far, "parent": far - 1, "root": far - 1}
    text = json.dumps({"method": "slotNotification", "params": {"result": result, "subscription": 0}})

    with pytest.raises(Broken):
        line.follow.hear(text, 1)

    assert line.follow.lineage.root == root


def test_a_clock_that_says_another_century_breaks_the_connection() -> None:
    line = feed.make_line("openbook-v2", 1)
    for _ in range(5):
        line.step()
    before = line.downs

    line.follow._second = 4_102_444_800
    line.step()

    assert line.downs == before + 1


def test_levels_that_nobody_means_are_left_out_of_the_book() -> None:
    assert is_sane(15_000, 1_000)
    assert not is_sane(2**63, 1)
    assert not is_sane(1, 2**62)
