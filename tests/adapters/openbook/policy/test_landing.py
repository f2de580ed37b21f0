"""Honest messages of every kind are signed, and the signed transactions land on the sandbox."""

import asyncio

import pytest
from tests.rigs.policy_scene import VERSIONS, honest, make_scene, signed

from bmv.adapters.openbook.policy.verdict import Approved


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_whatever_a_maker_needs_is_signed_and_lands(venue: str, version: str) -> None:
    scene = make_scene(venue)
    chain, messages = scene.world.chain, honest(scene)
    assert scene.others, "no events of others wait, and a crank would prove nothing"

    for name, instructions in messages.items():
        verdict = scene.guard.judge(scene.compiled(instructions, version, scene.moment.blockhash), scene.moment)
        assert isinstance(verdict, Approved), f"{name}: {verdict}"
        transaction = signed(verdict.message, asyncio.run(scene.guard.sign(verdict)))
        assert chain.land(transaction) is None, name
        chain.advance()

    assert len(messages) >= 14
