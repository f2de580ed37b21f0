"""While a key is rotated everything may go to the key that follows, and to no third one; at all other times to none."""

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from tests.rigs.policy_scene import Scene, compiled, make_scene

from bmv.adapters.openbook.policy.policy import Policy
from bmv.adapters.openbook.policy.verdict import Approved
from bmv.adapters.openbook.seat.rights import make_policy, make_seat
from bmv.adapters.solana.tokens import (
    associated_account,
    close_token_account,
    create_associated_account,
    transfer_tokens,
)

HEIR, THIEF = Pubkey(bytes([5]) * 32), Pubkey(bytes([6]) * 32)
VENUES = ["openbook-v1", "openbook-v2"]


def policy_of(scene: Scene, successor: Pubkey | None) -> Policy:
    """Return the policy of the scene's user, as `wallet rotate` has it made."""
    market, user = scene.world.market, scene.world.user
    program = scene.policy._venue.program
    seat = make_seat(market.address, market.state, program, user.address, scene.ours.open_orders)
    return make_policy(seat, market.state, scene.limits, successor=successor)


def moves(scene: Scene, to: Pubkey) -> dict[str, Instruction]:
    """Return what takes everything to somebody."""
    user, mints = scene.world.user, (scene.world.base.mint, scene.world.quote.mint)
    return {
        "SOL": transfer(TransferParams(from_pubkey=user.address, to_pubkey=to, lamports=10**9)),
        "account": create_associated_account(user.address, to, mints[0]),
        "base": transfer_tokens(user.base, associated_account(to, mints[0]), user.address, 5),
        "quote": transfer_tokens(user.quote, associated_account(to, mints[1]), user.address, 5),
    }


def allowed(scene: Scene, policy: Policy, instruction: Instruction) -> bool:
    moment = scene.moment
    message = compiled([instruction], "v0", scene.world.user.address, moment.blockhash, 0)
    return isinstance(policy.judge(message, moment), Approved)


@pytest.mark.parametrize("venue", VENUES)
def test_everything_may_go_to_the_successor_and_only_while_there_is_one(venue: str) -> None:
    scene = make_scene(venue)
    rotating, trading = policy_of(scene, HEIR), policy_of(scene, None)

    assert {name: allowed(scene, rotating, one) for name, one in moves(scene, HEIR).items()} == dict.fromkeys(
        ("SOL", "account", "base", "quote"), True
    )
    assert not any(allowed(scene, rotating, one) for one in moves(scene, THIEF).values())
    assert not any(allowed(scene, trading, one) for one in moves(scene, HEIR).values())


@pytest.mark.parametrize("venue", VENUES)
def test_a_transfer_that_is_bent_a_little_is_refused(venue: str) -> None:
    scene = make_scene(venue)
    policy, user = policy_of(scene, HEIR), scene.world.user
    mints = (scene.world.base.mint, scene.world.quote.mint)
    good = moves(scene, HEIR)["base"]
    source, target, authority = good.accounts
    bent = [
        transfer_tokens(user.base, associated_account(HEIR, mints[1]), user.address, 5),  # Of another mint.
        transfer_tokens(associated_account(HEIR, mints[0]), user.base, user.address, 5),
        transfer_tokens(user.base, HEIR, user.address, 5),  # A wallet, and no token account.
        transfer_tokens(user.base, associated_account(HEIR, mints[0]), HEIR, 5),
        Instruction(good.program_id, bytes(good.data) + b"\0", good.accounts),
        Instruction(good.program_id, b"\x04" + bytes(good.data)[1:], good.accounts),  # An approval.
        Instruction(good.program_id, bytes(good.data), [source, target, authority, AccountMeta(THIEF, False, False)]),
        close_token_account(associated_account(HEIR, mints[0]), user.address),
    ]

    assert allowed(scene, policy, good)
    assert [one for one in bent if allowed(scene, policy, one)] == []
