"""From a decision to signed bytes, beside the bare signature: a grid of 10 + 10 that is moved, in one transaction."""

import asyncio

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from solders.message import to_bytes_versioned
from tests.rigs.planned import CANCEL_ALL, Stage, place, staged

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.policy.guard import GuardedSigner
from bmv.adapters.openbook.policy.mandate import Limits, Moment
from bmv.adapters.openbook.policy.verdict import Approved
from bmv.adapters.openbook.seat.rights import make_policy
from bmv.adapters.solana.sending.attempt import make_attempt
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.ports.messages import Intent

LIMITS = Limits(order_lots_max=100, order_quote_lots_max=10**9, total_quote_lots_max=10**11, order_life_s_max=70)
VENUES = ("openbook-v1", "openbook-v2")


def grid(first: int, middle: int) -> list[Intent]:
    bids = [place(first + at, Side.BID, middle - 5 - at, 3) for at in range(10)]
    return [CANCEL_ALL, *bids, *(place(first + 10 + at, Side.ASK, middle + 5 + at, 3) for at in range(10))]


@pytest.fixture(params=VENUES)
def stage(request: pytest.FixtureRequest) -> Stage:
    made = staged(request.param)
    made.do(grid(1, 15_000)[1:])
    return made


def message_of(stage: Stage) -> bytes:
    terms = stage.terms(until=stage.world.chain.unix_timestamp + 60)
    (part,) = stage.plan(grid(101, 15_010), terms=terms).parts
    return bytes(to_bytes_versioned(part.message(stage.world.chain.ledger.open.newest_hash)))


def test_the_bare_signature(benchmark: BenchmarkFixture, stage: Stage) -> None:
    message = message_of(stage)

    benchmark(stage.user.key.sign_message, message)


def test_a_message_is_judged_and_signed(benchmark: BenchmarkFixture, stage: Stage) -> None:
    message = message_of(stage)
    guard = GuardedSigner(LocalKey(stage.user.key), make_policy(stage.seat, stage.state, LIMITS))
    chain = stage.world.chain
    moment = Moment(chain.ledger.open.newest_hash, chain.unix_timestamp, 1, 10**6)

    with asyncio.Runner() as runner:

        def signed() -> int:
            verdict = guard.judge(message, moment)
            assert isinstance(verdict, Approved), verdict
            return len(make_attempt(message, runner.run(guard.sign(verdict)), 1).transaction)

        assert benchmark(signed) > len(message)


def test_a_batch_is_planned(benchmark: BenchmarkFixture, stage: Stage) -> None:
    assert benchmark(message_of, stage)
