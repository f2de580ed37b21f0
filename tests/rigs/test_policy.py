"""The rig of the signing policy, in short; and that it sees what it is there to see."""

import asyncio
from dataclasses import replace

import pytest
from tests.rigs import policy as rig
from tests.rigs.policy_oracle import Oracle
from tests.rigs.policy_scene import VERSIONS, honest, make_scene

from bmv.adapters.openbook.policy.policy import Policy
from bmv.adapters.openbook.policy.venue_v1 import VenueV1
from bmv.adapters.openbook.policy.verdict import Approved


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("venue", rig.VENUES)
def test_no_mutated_message_is_signed_that_must_not_be(venue: str, version: str) -> None:
    tally = asyncio.run(rig.try_all(venue, version, count=400, seed=7))

    assert tally.wrong == []
    assert tally.signed > 20
    assert len(tally.refused) >= 8


def test_the_oracle_sees_a_policy_that_allows_too_much() -> None:
    scene = make_scene("openbook-v1")
    loose = Policy(
        VenueV1(scene.world.market.state, scene.ours), scene.ours, replace(scene.limits, priority_lamports_max=10**6)
    )  # type: ignore[attr-defined]
    moment = scene.moment
    message = scene.compiled(honest(scene)["settle"], "v1", moment.blockhash, fee=20_000)

    verdict = loose.judge(message, moment)

    assert isinstance(verdict, Approved)
    assert not Oracle(scene).allows(message, bytes(moment.blockhash), moment.now_s, 1, 10**9)
