"""One URL, several nodes behind it: what they say together is no more than what one of them knows."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import cast

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned

from bmv.adapters.solana.errors import MIN_CONTEXT_SLOT, Json, Lagging, NodeError
from bmv.adapters.solana.health import Health
from bmv.adapters.solana.rpc import Rpc
from bmv.adapters.solana.sending.attempt import Fate, State, make_attempt
from bmv.adapters.solana.sending.track import Track
from bmv.adapters.solana.sending.watch import look_at

LAST = 1_000  # The last height at which the attempt is valid.
FINAL_SLOT = 2_100
KEY = Keypair()
MESSAGE = to_bytes_versioned(MessageV0.try_compile(KEY.pubkey(), [], [], Hash.default()))
ATTEMPT = make_attempt(MESSAGE, bytes(KEY.sign_message(MESSAGE)), LAST)
OLDER = {"signature": "older", "slot": FINAL_SLOT - 2_000, "err": None}
OURS = {"signature": ATTEMPT.signature, "slot": FINAL_SLOT - 4, "err": None}


@dataclass
class Member:
    """A node of a pool.

    Args:
        height: Of its newest final block.
        final_slot: Its slot.
        slot: Of its newest bank.
        landed: Whether the attempt is in that bank.
        history: Signatures of the payer, the newest first; None: it keeps none.
    """

    height: int
    final_slot: int
    slot: int
    landed: bool
    history: list[dict[str, Json]] | None

    def answer(self, method: str, params: tuple[Json, ...]) -> Json:
        if method == "getEpochInfo":
            return {"blockHeight": self.height, "absoluteSlot": self.final_slot}
        if method == "getFirstAvailableBlock":
            return 0
        if method == "getSignatureStatuses":
            status = {"slot": OURS["slot"], "confirmationStatus": "finalized", "err": None}
            return {"context": {"slot": self.slot}, "value": [status if self.landed else None]}
        assert method == "getSignaturesForAddress", method
        if self.history is None:
            raise NodeError("pool", -32011, "Transaction history is not available from this node")
        if params[1]["minContextSlot"] > self.final_slot:
            raise Lagging("pool", MIN_CONTEXT_SLOT, "Minimum context slot has not been reached")
        return self.history


@dataclass
class Pool:
    """Lets the members answer in a given order, the last of them from then on."""

    order: Iterator[Member]
    endpoint: str = "pool"
    health: Health = field(default_factory=Health)
    asked: list[str] = field(default_factory=list)

    async def call(self, method: str, *params: Json) -> Json:
        self.asked.append(method)
        return next(self.order).answer(method, params)


def state_by(members: Iterator[Member]) -> State:
    """Return the state of an attempt that was sent after one look."""
    track = Track(ATTEMPT, Fate(State.SENT, sent=1))
    look, (status,) = asyncio.run(look_at(cast(Rpc, Pool(members)), [track]))
    track.hear(look, status)
    return track.fate.state


AHEAD = Member(LAST + 1, FINAL_SLOT, FINAL_SLOT + 1, landed=True, history=[OURS, OLDER])
ASTRAY = Member(LAST - 20, FINAL_SLOT - 22, FINAL_SLOT + 3, landed=False, history=[OLDER])


@pytest.mark.parametrize("order", list(product([AHEAD, ASTRAY], repeat=5)))
def test_a_node_that_is_ahead_and_one_on_a_branch_that_vanishes_never_say_together_that_it_expired(
    order: tuple[Member, ...],
) -> None:
    assert state_by(iter(order)) in (State.SENT, State.FINALIZED)


def forever(member: Member) -> Iterator[Member]:
    while True:
        yield member


NEVER = Member(LAST + 1, FINAL_SLOT, FINAL_SLOT, landed=False, history=[OLDER])


@pytest.mark.parametrize(
    "history",
    [
        [OLDER],
        None,  # The height is asked once more.
        [],  # It says nothing of the time in which the attempt may have landed.
        [{"signature": "newer", "slot": FINAL_SLOT - 1, "err": None}],
    ],
)
def test_what_never_landed_expires_whatever_history_the_node_keeps(history: list[dict[str, Json]] | None) -> None:
    member = Member(LAST + 1, FINAL_SLOT, FINAL_SLOT, landed=False, history=history)

    assert state_by(forever(member)) is State.EXPIRED


def test_without_a_history_a_node_that_lags_is_found_by_the_height_that_it_tells_after_the_statuses() -> None:
    ahead = Member(LAST + 1, FINAL_SLOT, FINAL_SLOT + 1, landed=True, history=None)
    astray = Member(LAST - 20, FINAL_SLOT - 22, FINAL_SLOT + 3, landed=False, history=None)

    assert state_by(iter([ahead, astray, astray, astray, astray])) is State.SENT


def test_nothing_more_is_asked_of_what_is_not_over() -> None:
    young = Member(LAST, FINAL_SLOT, FINAL_SLOT, landed=False, history=[OLDER])
    pool = Pool(forever(young))

    asyncio.run(look_at(cast(Rpc, pool), [Track(ATTEMPT, Fate(State.SENT, sent=1))]))

    assert pool.asked == ["getEpochInfo", "getSignatureStatuses"]
