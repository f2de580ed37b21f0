"""The execution port over real connections to a chain: what is asked for, sent, and told."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from solders.hash import Hash
from solders.pubkey import Pubkey
from tests.rigs.trader import LIFE_S, LOTS
from tests.rigs.trading import Sessions, Stage, middle_of, stage
from vault import vault

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.execution.allowance import GROWTHS_MAX
from bmv.adapters.openbook.execution.carrier import Load
from bmv.adapters.openbook.execution.executor import Executor, Manners
from bmv.adapters.openbook.execution.purse import Purse
from bmv.adapters.openbook.execution.reading import Fills
from bmv.adapters.openbook.execution.recovery import read_left
from bmv.adapters.openbook.execution.telling import MARK, STRAY, SURPRISE
from bmv.adapters.openbook.fills.fill import OwnFill
from bmv.adapters.openbook.planning import budget
from bmv.adapters.openbook.planning.plan import Part
from bmv.adapters.openbook.policy.guard import GuardedSigner
from bmv.adapters.openbook.policy.mandate import Moment
from bmv.adapters.openbook.seat.desk import DeskSnapshot
from bmv.adapters.openbook.v2 import funds
from bmv.adapters.openbook.v2.instructions import build
from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.wallets import send
from bmv.adapters.sandbox.wiring import Settings
from bmv.adapters.solana.rpc import Rpc
from bmv.adapters.solana.sending.attempt import Attempt
from bmv.adapters.solana.wallet.remote import Hidden, RemoteKey, open_remote
from bmv.adapters.solana.wallet.secret import Secret
from bmv.data.journal.attempts import Told, attempts_of
from bmv.ports.errors import Refused, StorageError
from bmv.ports.messages import Event, Intent, Kind, Verb
from bmv.ports.storage import Head, Note, Word

SPEED = 20
VENUES = ("openbook-v1", "openbook-v2")
FAR = 14_000  # A bid that nobody meets.
both = pytest.mark.parametrize("venue", VENUES)


def run(
    venue: str,
    play: Callable[[Stage], Awaitable[None]],
    speed: float = SPEED,
    *,
    delegate: bool = False,
    patience_s: float = 120,
    **chain: int,
) -> None:
    async def whole() -> None:
        manners = Manners(life_s=LIFE_S, look_s=0.4 / speed, crank_s=3 / speed)
        settings = Settings(venue, speed=speed, **chain)
        async with asyncio.timeout(patience_s), stage(settings, manners, lags=(0,), delegate=delegate) as on:
            await play(on)

    asyncio.run(whole())


def place(on: Stage, order: int, price: int = FAR, side: int = 1) -> None:
    intent = Intent(Verb.PLACE, 0, order, side, price, LOTS)
    on.trader.grid.open[order], on.trader.grid.left[order] = intent, LOTS
    on.trader.submit([intent])


def cancel(on: Stage, order: int) -> None:
    on.trader.submit([Intent(Verb.CANCEL, 0, order=order)])


async def until(on: Stage, done: Callable[[], bool]) -> None:
    await on.trader.until(lambda: done() or on.running.done(), 60)
    if on.running.done():
        await on.running


async def rest(on: Stage) -> None:
    """Wait until nothing is under way, and what is told is kept."""
    await until(on, lambda: on.trader.executor.idle)
    await on.trader.journal.commit()


def told(on: Stage, order: int) -> list[Kind]:
    words = on.store.words[on.trader.journal.session]
    return [Kind(word.kind) for word in words if isinstance(word, Event) and word.order == order]


def attempts(on: Stage) -> Told:
    return attempts_of(on.store.words[on.trader.journal.session])


def sendings(on: Stage) -> int:
    return sum(method == "sendTransaction" for node in on.box.nodes for method, _ in node.calls)


@both
def test_an_order_is_placed_and_told_then_cancelled_and_told(venue: str) -> None:
    async def play(on: Stage) -> None:
        place(on, 1)
        await rest(on)
        assert told(on, 1) == [Kind.ACCEPTED]
        assert [(order.price_lots, order.size_lots) for order in on.witness.resting()] == [(FAR, LOTS)]

        cancel(on, 1)
        await rest(on)

        assert told(on, 1) == [Kind.ACCEPTED, Kind.CANCELLED]
        assert on.witness.resting() == []
        assert attempts(on).alive == []

    run(venue, play)


@both
def test_an_order_inside_the_spread_is_filled_and_told_to_its_last_lot(venue: str) -> None:
    async def play(on: Stage) -> None:
        place(on, 1, middle_of(on.box))

        await until(on, lambda: 1 not in on.trader.grid.open)
        await rest(on)

        kinds = told(on, 1)
        if kinds == [Kind.REJECTED]:
            return  # The market came to its price before it landed.
        assert (kinds[0], kinds[-1]) == (Kind.ACCEPTED, Kind.FILLED)
        assert on.trader.grid.position == LOTS
        assert on.trader.executor.orders.stray == []

    run(venue, play)


@both
def test_a_cancel_while_its_placement_is_under_way_leaves_nothing_in_the_book(venue: str) -> None:
    async def play(on: Stage) -> None:
        for node in on.box.nodes:
            node.view.faults.switch_on(Fault("late_transaction", blocks=12))
        place(on, 1)
        await until(on, lambda: bool(on.trader.executor.carrier.alive))

        cancel(on, 1)
        await rest(on)

        assert told(on, 1)[-1] in (Kind.CANCELLED, Kind.REJECTED)
        assert on.witness.resting() == []
        assert on.witness.wrong == []

    run(venue, play)


@both
def test_a_spent_budget_refuses_placements_and_never_a_cancel(venue: str) -> None:
    async def play(on: Stage) -> None:
        place(on, 1)
        await rest(on)
        on.trader.executor.house.purse.day_max = 0

        place(on, 2)
        cancel(on, 1)
        await rest(on)

        assert told(on, 2) == [Kind.REJECTED]
        assert told(on, 1) == [Kind.ACCEPTED, Kind.CANCELLED]
        assert on.witness.resting() == []

    run(venue, play)


@both
def test_what_a_killed_process_spent_is_what_left_the_wallet_and_counts_against_the_next_ones_budget(
    venue: str,
) -> None:
    async def play(on: Stage) -> None:
        executor, user = on.trader.executor, on.box.world.user.address
        held = on.box.chain.account(user).lamports
        for order in (1, 2):
            place(on, order)
            await rest(on)
        spent = held - on.box.chain.account(user).lamports
        assert spent > 0
        left = read_left(on.store.words[on.trader.journal.session])
        budget = Purse(day_max=spent + 4_999)
        heir = Executor(replace(executor.house, purse=budget), executor.manners, epoch=2)

        heir.resume(left.orders, left.attempts, left.spending)

        now_ns = on.trader.clock.now_ns()
        assert budget.spent(now_ns) == executor.house.purse.spent(now_ns) == spent
        assert not budget.allows(now_ns, 5_000, held=10**9)

    run(venue, play)


@both
def test_a_chain_on_which_a_signature_costs_more_is_believed_from_the_first_transaction_on(venue: str) -> None:
    async def play(on: Stage) -> None:
        held = on.box.chain.account(on.box.world.user.address).lamports
        place(on, 1)
        await rest(on)

        (kept,) = attempts(on).attempts.values()
        assert kept.lamports == held - on.box.chain.account(on.box.world.user.address).lamports == 7_000
        assert surprises(on) == ["a signature costs 7000 lamports, and 5000 were reckoned with"]

    run(venue, play, signature_lamports=7_000)


def test_what_a_signature_costs_is_asked_once_and_again_after_a_transaction_that_failed() -> None:
    def asked(on: Stage) -> int:
        return sum(method == "getFeeForMessage" for node in on.box.nodes for method, _ in node.calls)

    async def play(on: Stage) -> None:
        executor = on.trader.executor
        place(on, 1)
        await rest(on)
        assert asked(on) == 1

        executor.carrier.tariff._asked_s = float("-inf")
        place(on, 2)
        await rest(on)
        assert asked(on) == 1

        narrow(on)
        place(on, 3)
        await rest(on)
        executor.carrier.tariff._asked_s = float("-inf")
        place(on, 4)
        await rest(on)
        assert (told(on, 3), asked(on)) == ([Kind.REJECTED], 2)

    run("openbook-v2", play)


@both
def test_a_wallet_that_is_nearly_empty_places_nothing_and_cancels(venue: str) -> None:
    async def play(on: Stage) -> None:
        place(on, 1)
        await rest(on)
        on.trader.executor.house.purse.floor = 10**18

        place(on, 2)
        cancel(on, 1)
        await rest(on)

        assert (told(on, 2), told(on, 1)[-1]) == ([Kind.REJECTED], Kind.CANCELLED)

    run(venue, play)


@both
def test_what_the_policy_refuses_is_told_as_rejected_and_never_sent(venue: str) -> None:
    async def play(on: Stage) -> None:
        executor = on.trader.executor
        executor.house = replace(executor.house, band=lambda: (1, 1))

        place(on, 1)
        await rest(on)

        assert told(on, 1) == [Kind.REJECTED]
        assert len(executor.carrier.refusals) == 1
        assert sendings(on) == 0
        assert attempts(on).attempts == {}

    run(venue, play)


@both
def test_what_may_not_be_placed_any_more_is_rejected_and_no_fault_of_ours(venue: str) -> None:
    async def play(on: Stage) -> None:
        executor = on.trader.executor
        executor.house = replace(executor.house, band=lambda: None)

        place(on, 1)
        await rest(on)

        assert told(on, 1) == [Kind.REJECTED]
        assert executor.carrier.refusals == []
        assert attempts(on).attempts == {}

    run(venue, play)


class Failing(Sessions):
    """A store that does as it is told."""

    def __init__(self, kept: Sessions) -> None:
        self.words = kept.words
        self.error: Exception | None = None

    async def append(self, session: str, first: int, words: Sequence[Word]) -> Head:
        if self.error is not None:
            raise self.error
        return await super().append(session, first, words)


@both
def test_what_is_not_known_to_be_kept_is_never_sent_and_has_an_end_in_the_journal_when_that_is_back(venue: str) -> None:
    async def play(on: Stage) -> None:
        on.trader.journal.store = store = Failing(on.store)
        store.error = StorageError("the store can't be reached")
        place(on, 1)
        await until(on, lambda: 1 not in on.trader.grid.open)
        assert sendings(on) == 0

        store.error = None
        place(on, 2)
        await rest(on)

        assert (told(on, 1), told(on, 2)) == ([Kind.REJECTED], [Kind.ACCEPTED])
        assert [order.client_order_id for order in on.witness.resting()] == [on.trader.executor.number(2)]
        assert attempts(on).alive == []
        assert sorted(fate.state for fate in attempts(on).fates.values()) == ["expired", "finalized"]

    run(venue, play)


def test_another_writer_stops_the_executor_before_it_sends() -> None:
    sent = list[int]()

    async def play(on: Stage) -> None:
        on.trader.journal.store = store = Failing(on.store)
        store.error = Refused("session: somebody else writes")
        place(on, 1)
        try:
            await until(on, lambda: False)
        finally:
            sent.append(sendings(on))

    with pytest.raises(Refused, match="somebody else writes"):
        run("openbook-v2", play)

    assert sent == [0]


def narrow(on: Stage, **fields: int) -> None:
    """Let the table of limits be wrong."""
    allowance = on.trader.executor.allowance
    fields = fields or {"base": 1, "place": 10_000, "place_each": 5_000}
    allowance.shape = replace(allowance.shape, **fields)


def surprises(on: Stage) -> list[str]:
    words = on.store.words[on.trader.journal.session]
    return [word.text for word in words if isinstance(word, Note) and word.topic == SURPRISE]


def test_one_that_is_not_the_writer_any_more_learns_it_while_it_only_sends_again_and_stops() -> None:
    sent = list[int]()

    async def play(on: Stage) -> None:
        for node in on.box.nodes:
            node.view.faults.switch_on(Fault("drop_transaction"))
        place(on, 1)
        await until(on, lambda: sendings(on) > 0)
        on.trader.journal.store = store = Failing(on.store)
        store.error = Refused("session: somebody else writes")

        try:
            await until(on, lambda: not attempts(on).alive)
        finally:
            for node in on.box.nodes:
                node.calls.clear()
            await asyncio.sleep(0.5)
            sent.append(sendings(on))

    with pytest.raises(Refused, match="somebody else writes"):
        run("openbook-v2", play, speed=1)

    assert sent == [0]


@both
@pytest.mark.parametrize("version", [0, 1])
def test_what_had_too_few_units_is_simulated_and_the_next_has_enough(venue: str, version: int) -> None:
    async def play(on: Stage) -> None:
        on.trader.executor.version = version
        narrow(on)

        for order in (1, 2):
            place(on, order)
            await rest(on)

        assert (told(on, 1), told(on, 2)) == ([Kind.REJECTED], [Kind.ACCEPTED])
        (words,) = surprises(on)
        assert "units and" in words
        assert "by simulation it takes" in words
        assert on.trader.executor.allowance.growths == 0

    run(venue, play)


def test_what_loaded_more_than_it_might_is_simulated_and_the_next_has_enough() -> None:
    async def play(on: Stage) -> None:
        narrow(on, loaded=10_000)

        for order in (1, 2):
            place(on, order)
            await rest(on)

        (failed,) = [fate for fate in attempts(on).fates.values() if fate.state == "failed"]
        assert failed.more["error"] == "MaxLoadedAccountsDataSizeExceeded"
        assert (told(on, 1), told(on, 2)) == ([Kind.REJECTED], [Kind.ACCEPTED])
        (words,) = surprises(on)
        assert "by simulation it takes" in words

    run("openbook-v2", play)


@both
def test_where_no_node_simulates_limits_grow_until_orders_land_and_no_further_than_twice(venue: str) -> None:
    async def play(on: Stage) -> None:
        for node in on.box.nodes:
            node.view.faults.switch_on(Fault("fail", methods=["simulateTransaction"]))
        narrow(on, base=1, place=10_000, place_each=5_000)

        for order in range(1, 5):
            place(on, order)
            await rest(on)

        assert told(on, 1) == [Kind.REJECTED]
        grown = surprises(on)
        assert 1 <= len(grown) <= GROWTHS_MAX
        assert all("no simulation says" in words for words in grown)
        assert on.trader.executor.allowance.shape.place == 10_000 * 3 ** len(grown) // 2 ** len(grown)

    run(venue, play)


@both
def test_nothing_is_placed_and_cancels_go_while_a_simulation_is_waited_for(venue: str) -> None:
    async def play(on: Stage) -> None:
        place(on, 1)
        await rest(on)
        for node in on.box.nodes:
            node.view.faults.switch_on(Fault("delay", methods=["simulateTransaction"], seconds=1.5))
        whole = on.trader.executor.allowance.shape
        narrow(on)
        place(on, 2)
        await until(on, lambda: on.trader.executor._measuring is not None)
        on.trader.executor.allowance.shape = whole
        sent = len(attempts(on).attempts)

        place(on, 3)
        cancel(on, 1)
        await until(on, lambda: not on.witness.resting())

        assert on.trader.executor._measuring is not None
        assert told(on, 3) == []
        assert len(attempts(on).attempts) == sent + 1
        await rest(on)
        assert told(on, 3) == [Kind.ACCEPTED]

    run(venue, play)


@both
def test_version_1_refused_by_every_endpoint_makes_the_next_version_0_and_never_both_of_one_order(venue: str) -> None:
    async def play(on: Stage) -> None:
        for node in on.box.nodes:
            node.view.faults.switch_on(Fault("refuse_version_1"))

        place(on, 1)
        await until(on, lambda: bool(attempts(on).attempts))
        await rest(on)
        place(on, 2)
        await rest(on)

        first, second = attempts(on).attempts.values()
        assert (first.transaction[0], second.transaction[0] == 0x81) == (0x81, False)
        assert [place[0] for place in first.places] == [on.trader.executor.number(1)]
        assert [place[0] for place in second.places] == [on.trader.executor.number(2)]
        assert attempts(on).fates[first.signature].state == "expired"
        assert (told(on, 1), told(on, 2)) == ([Kind.REJECTED], [Kind.ACCEPTED])

    run(venue, play, speed=40)


def test_bytes_that_one_endpoint_refuses_and_another_takes_are_not_built_anew() -> None:
    async def play(on: Stage) -> None:
        on.box.nodes[1].view.faults.switch_on(Fault("refuse_version_1"))

        place(on, 1)
        await rest(on)

        assert told(on, 1) == [Kind.ACCEPTED]
        assert len(attempts(on).attempts) == 1

    run("openbook-v2", play)


def test_what_is_sent_was_kept_before_and_so_was_what_asked_for_it() -> None:
    async def play(on: Stage) -> None:
        before = list[tuple[bool, int]]()

        class Watching(Failing):
            async def append(self, session: str, first: int, words: Sequence[Word]) -> Head:
                before.append((any(isinstance(word, Intent) for word in words), sendings(on)))
                return await super().append(session, first, words)

        on.trader.journal.store = Watching(on.store)
        place(on, 1)
        await rest(on)

        asked = [sent for intent, sent in before if intent]
        assert asked == [0], "the intent was kept once, and nothing was sent until then"

    run("openbook-v2", play)


class OneMore:
    """Reads fills as another does, and one more that is of no order."""

    def __init__(self, fills: Fills, more: OwnFill) -> None:
        self.fills, self.more = fills, [more]

    @property
    def slot(self) -> int:
        return self.fills.slot

    def mark(self) -> str:
        return self.fills.mark()

    async def read(self, rpc: Rpc, desk: DeskSnapshot) -> Sequence[OwnFill] | None:
        read = await self.fills.read(rpc, desk)
        if read is None or not self.more:
            return read
        return [*read, self.more.pop()]


@both
def test_a_fill_of_no_order_is_kept_once_and_whoever_asks_is_told_that_the_position_is_off(venue: str) -> None:
    fill = OwnFill(5, 6, 0, 7, 8, Side.ASK, 15_000, 30, -2, 0, maker=True, out=True)

    async def play(on: Stage) -> None:
        executor = on.trader.executor
        place(on, 1)
        await rest(on)
        assert executor.trouble == ""
        executor.house = replace(executor.house, fills=OneMore(executor.house.fills, fill))

        await until(on, lambda: bool(executor.orders.stray) and bool(executor.trouble))
        cancel(on, 1)
        await rest(on)

        assert executor.trouble == "1 fills of ours are of no open order: the position is -30 lots off what was told"
        assert told(on, 1) == [Kind.ACCEPTED, Kind.CANCELLED]
        words = on.store.words[on.trader.journal.session]
        (at,) = [at for at, word in enumerate(words) if isinstance(word, Note) and word.topic == STRAY]
        kept = json.loads(words[at].text)
        assert (kept["order_id"], kept["side"], kept["price"], kept["size"]) == (7, Side.ASK, 15_000, 30)
        marks = [later for later in words[at:] if isinstance(later, Note) and later.topic == MARK]
        assert marks, "how far fills were read is kept with it, so that it is not read again"

    run(venue, play)


def test_a_signer_that_is_slow_or_gone_stops_placing_and_is_named_until_it_is_back(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("hvs.token")
    token.chmod(0o600)

    async def play(on: Stage) -> None:
        with vault(on.box.world.user.key, "hvs.token") as service:
            settings = {"api_base_url": service.url, "key_name": "hot", "token": Hidden(file=str(token))}
            address = str(on.box.world.user.address)
            remote = RemoteKey(v=1, backend="vault", pubkey=address, limit_s=20, settings=settings)
            carrier = on.trader.executor.carrier

            def sign_within(limit_s: float) -> None:
                key = remote.model_copy(update={"limit_s": limit_s})
                signer = open_remote(key, lambda file: Secret(file.read_bytes()))
                carrier.guard = GuardedSigner(signer, carrier.guard._policy)

            sign_within(20)
            place(on, 1)
            await until(on, lambda: Kind.ACCEPTED in told(on, 1))
            bad = ((2, "sealed", 20, "HTTP status 503"), (3, "slow", 0.5, "no answer within 0.5 s"))
            for number, mode, limit_s, reason in bad:
                service.mode = mode
                sign_within(limit_s)
                attempts = len(attempts_of(on.store.words[on.trader.journal.session]).attempts)
                place(on, number)
                await until(on, lambda number=number: Kind.REJECTED in told(on, number))
                words = on.store.words[on.trader.journal.session]
                assert f"the key {address} at vault gives no signature" in carrier.trouble
                assert reason in carrier.trouble
                assert len(attempts_of(words).attempts) == attempts, "something was kept to be sent"
            service.mode = "good"
            sign_within(20)
            place(on, 4)
            cancel(on, 1)
            await until(on, lambda: Kind.ACCEPTED in told(on, 4) and Kind.CANCELLED in told(on, 1))
            assert carrier.trouble == ""

    run("openbook-v2", play, patience_s=120)


def test_a_delegate_that_is_deposed_places_nothing_more_and_says_why() -> None:
    async def play(on: Stage) -> None:
        place(on, 1)
        await until(on, lambda: Kind.ACCEPTED in told(on, 1))
        user, seat = on.box.world.user, on.trader.executor.house.seat
        nobody = build(funds.SetDelegate(owner=user.address, open_orders_account=seat.open_orders))
        send(on.box.chain, [user.key], [nobody])
        await until(on, lambda: "has nobody as its delegate" in on.trader.executor.trouble)
        attempts = len(attempts_of(on.store.words[on.trader.journal.session]).attempts)
        place(on, 2)
        await asyncio.sleep(1)
        later = attempts_of(on.store.words[on.trader.journal.session]).attempts
        assert len(later) - attempts <= 1, "it goes on sending"
        assert Kind.ACCEPTED not in told(on, 2)
        assert f"not {seat.signer}, whose key is to sign" in on.trader.executor.trouble

    run("openbook-v2", play, delegate=True, patience_s=120)


def test_an_order_that_ended_since_it_was_planned_is_not_kept_as_one_that_is_cancelled() -> None:
    async def play(on: Stage) -> None:
        place(on, 1)
        await rest(on)
        carrier, number = on.trader.executor.carrier, on.trader.executor.number(1)
        (attempt,) = [Attempt(one.signature, one.transaction, 0) for one in attempts(on).attempts.values()]
        part = cancelling(0, 1)
        moment = Moment(Hash.default(), 0)

        both_open = carrier._attempted(attempt, part, Load([part], [number, number], moment))
        one_ended = carrier._attempted(attempt, part, Load([part], [number, number + 1], moment))

        assert (both_open.cancels, one_ended.cancels) == ((number,), (number,))
        assert carrier._attempted(attempt, part, Load([part], [5, 6], moment)).cancels == ()

    run("openbook-v2", play)


def cancelling(*intents: int) -> Part:
    """Return a part that cancels what intents are about."""
    head = budget.Head(1, Pubkey(bytes([7]) * 32), units=50_000, loaded=200_000, price=0, lamports=0)
    return Part(head, (), 200, {(at, at + 1): 5 for at in intents}, {}, 0, False)
