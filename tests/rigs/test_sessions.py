"""The rig of sessions, in short."""

import asyncio

import pytest
from tests.rigs.sessions import check_stale, play_all, scenes_of

from bmv.adapters.sandbox.wiring import Settings
from bmv.ports.messages import Event, Intent, Kind, Verb

S = 10**9
NONE = dict.fromkeys(scenes_of(0, "sqlite", {}), 0)


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_a_session_that_is_killed_and_the_one_after_it_leave_no_order_and_no_money_untold(venue: str) -> None:
    settings = Settings(venue=venue, seed=2, speed=2)

    assert asyncio.run(play_all(settings, 1, counts={**NONE, "kill_one": 1})) == []


def test_the_rig_sees_an_order_that_was_asked_for_on_stale_data() -> None:
    row = Event(Kind.QUOTE, S, bid=1, bid_size=1, ask=2, ask_size=1)
    words = [row, Event(Kind.TIMER, 6 * S), Intent(Verb.PLACE, 6 * S, 7, 1, 1, 1)]

    assert check_stale(words) == ["order 7 was asked for 5.0 s after the last row"]
    assert check_stale([row, *words[2:]]) == []
