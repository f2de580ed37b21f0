"""A grid moved again and again on a chain where everything goes wrong, held against what the chain itself did.

    python -m tests.rigs.trading CHANGES [--venue V] [--consensus C] [--version 0|1] [--route R] [--speed N] [--seed N]
        [--no-faults] [--delegate]

A witness inside the chain looks at every block. No order may be doubled, orphaned or placed past its deadline; no more
may rest than was allowed; nothing may land that was not kept before; and at the end what was told is what happened, to
the last unit of money. With `--route` it goes through Jito, a relay, nodes or all of them, and tips: what tip accounts
got is what transactions that landed paid, and what the journal says.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.rigs.roads import BUSY, ROUTES, TIP_MAX, configuration, tip_balances
from tests.rigs.roads import FAULTS as ROUTE_FAULTS
from tests.rigs.settling import check_spending
from tests.rigs.trader import LEVELS, LIFE_S, LOTS, Trader, habits_of, open_trader

from bmv.adapters.config import Config
from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.execution.executor import Manners
from bmv.adapters.openbook.execution.purse import Purse
from bmv.adapters.openbook.v1.accounts import OpenOrders
from bmv.adapters.openbook.v1.instructions import PROGRAM_ID as PROGRAM_V1
from bmv.adapters.openbook.v1.slab import Slab
from bmv.adapters.openbook.v2 import funds
from bmv.adapters.openbook.v2.instructions import build
from bmv.adapters.openbook.v2.market import PROGRAM_ID as PROGRAM_V2
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount
from bmv.adapters.sandbox.auction import TIP_ACCOUNTS as JITO_TIPS
from bmv.adapters.sandbox.auction import tip_of
from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.ledger import Block
from bmv.adapters.sandbox.market_v1 import MarketV1
from bmv.adapters.sandbox.relay import TIP_ACCOUNTS as RELAY_TIPS
from bmv.adapters.sandbox.wallets import fund, seeded_key, send, trader_of
from bmv.adapters.sandbox.wiring import Sandbox, Settings, make_sandbox
from bmv.adapters.solana.endpoints import Endpoint, Endpoints
from bmv.adapters.solana.rpc import Rpc, make_client
from bmv.adapters.solana.sending.courier import Courier
from bmv.adapters.solana.tokens import create_associated_account, read_token_account
from bmv.data.journal.attempts import ATTEMPT, FATE, Told, attempts_of, read_attempt, read_fate
from bmv.data.journal.chain import beginning
from bmv.data.landing.model import World
from bmv.live.journal import SessionJournal
from bmv.live.routes import Roads, open_roads
from bmv.ports.errors import StorageError
from bmv.ports.storage import Head, Note, Word

FAULTS = (
    Fault("drop_transaction", 0.6),
    Fault("late_transaction", 0.2, blocks=150),
    Fault("lose_answer", 0.1),
    Fault("refuse", 0.1),
    Fault("reset", 0.05),
    Fault("fail", 0.05),
    Fault("fork", 0.05),
    Fault("skip", 0.05),
)
TROUBLE_EVERY = 12  # Changes.
TIPPED = (*JITO_TIPS, *RELAY_TIPS)
DEPOSIT_BASE, DEPOSIT_QUOTE = 100 * 10**9, 20_000 * 10**6  # Native; the wallet holds ten times as much.
LAG = 5  # Blocks by which the second endpoint is late.
PATIENCE_S = 600.0  # Longer than any machine takes that others use too: who waits in vain says how it stands.


class Sessions:
    """A store of sessions that remembers, in this process."""

    def __init__(self) -> None:
        self.words: dict[str, list[Word]] = defaultdict(list)

    async def append(self, session: str, first: int, words: Sequence[Word]) -> Head:
        kept = self.words[session]
        assert kept[first : first + len(words)] == list(words)[: len(kept) - first], "another word is kept there"
        kept.extend(list(words)[len(kept) - first :])
        return await self.head(session)

    async def head(self, session: str) -> Head:
        return Head(len(self.words[session]), beginning(session).hash)

    async def read(self, session: str, first: int = 0) -> AsyncIterator[Sequence[Word]]:
        yield self.words[session][first:]

    async def sessions(self) -> Sequence[str]:
        return sorted(name for name, words in self.words.items() if words)


@dataclass
class Witness:
    """Looks at every block as it freezes."""

    box: Sandbox
    open_orders: Pubkey
    wrong: list[str] = field(default_factory=list)
    placed: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))  # Venue's ids by client id.
    most: Counter[Side] = field(default_factory=Counter)
    kept: Callable[[], Collection[str]] | None = None  # Signatures that are kept; None: not looked at.
    signer: Pubkey | None = None  # Whose transactions are ours; None: the user's.
    delegated: bool = False  # Nothing may leave the user's wallets.
    _wallets: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.box.chain.on_freeze.append(self._freeze)

    def _freeze(self, block: Block) -> None:
        own = self.resting()
        for side in Side:
            lots = sum(order.size_lots for order in own if order.side is side)
            self.most[side] = max(self.most[side], lots)
            if lots > LEVELS * LOTS:
                self.wrong.append(f"slot {block.slot}: {lots} lots rest, {LEVELS * LOTS} is the most")
        numbers = Counter(order.client_order_id for order in own if order.client_order_id >= 1 << 32)
        self.wrong += [f"slot {block.slot}: order {n} rests {count} times" for n, count in numbers.items() if count > 1]
        program = PROGRAM_V1 if isinstance(self.box.world.market, MarketV1) else PROGRAM_V2
        for landed in block.landed:
            message = landed.transaction.message
            called = {message.account_keys[one.program_id_index] for one in message.instructions}
            ours = landed.keys[0] == (self.signer or self.box.world.user.address)
            if ours and program not in called and tip_of([landed.transaction], TIPPED):
                self.wrong.append(f"slot {block.slot}: {landed.signature} tips, and has no order")
            if ours and self.kept is not None and landed.signature not in self.kept():
                self.wrong.append(f"slot {block.slot}: {landed.signature} landed and was not kept")

        if self.delegated:
            self._check_wallets(block.slot)

    def _check_wallets(self, slot: int) -> None:
        """Note where an owner's wallets have less than a block before: SOL, base or quote."""
        user, chain = self.box.world.user, self.box.chain
        tokens = (read_token_account(chain.account(key)).amount for key in (user.base, user.quote))
        now = (chain.account(user.address).lamports, *tokens)
        if any(new < old for new, old in zip(now, self._wallets, strict=False)):
            self.wrong.append(f"slot {slot}: the owner's wallets went from {self._wallets} to {now}")
        self._wallets = now

    def resting(self):
        """Return our orders in the book as it is now."""
        market, found = self.box.world.market, []
        for side in Side:
            key = market.state.bids if side is Side.BID else market.state.asks
            data = self.box.chain.account(key).data
            if isinstance(market, MarketV1):
                found += [order for order in Slab.decode(data).orders((self.open_orders,)) if order.own]
            else:
                found += [order for order in market.book(side) if order.owner == self.open_orders]
        return found

    def held(self) -> tuple[int, int]:
        """Return native base and quote of the user, in wallets and at the venue."""
        user, chain = self.box.world.user, self.box.chain
        base, quote = (read_token_account(chain.account(key)).amount for key in (user.base, user.quote))
        data = chain.account(self.open_orders).data
        if isinstance(self.box.world.market, MarketV1):
            account = OpenOrders.decode(data)
            return (
                base + account.native_coin_total,
                quote + account.native_pc_total + account.referrer_rebates_accrued,
            )
        position = OpenOrdersAccount.decode(data).position
        lots = self.box.world.market.lots
        return (
            base + position.base_free_native + position.asks_base_lots * lots.base_lot,
            quote
            + position.quote_free_native
            + position.bids_quote_lots * lots.quote_lot
            + position.locked_maker_fees
            + position.referrer_rebates_available,
        )


@dataclass
class Stage:
    """A chain, its witness, and who trades on it."""

    box: Sandbox
    witness: Witness
    store: Sessions
    trader: Trader
    running: "asyncio.Task[None]"
    dice: Random
    roads: Roads | None = None

    async def change(self) -> None:
        """Move the grid."""
        self.trader.submit(self.trader.grid.moved(self.trader.clock.now_ns()))


def user_account(box: Sandbox) -> Pubkey:
    """Open the user's account on the market, and return its address."""
    world = box.world
    signers, instructions = world.market.accounts_of(world.user)
    send(world.chain, [world.user.key, *signers], instructions)
    for _ in range(40):
        world.chain.advance()
    return world.market.account_of(world.user)


def appoint(box: Sandbox, account: Pubkey) -> Keypair:
    """Let the user deposit, and let another key trade with it; return that key."""
    world = box.world
    user, state = world.user, world.market.state
    delegate = seeded_key(box.settings.seed, "delegate")
    made = [create_associated_account(user.address, delegate.pubkey(), one.mint) for one in (world.base, world.quote)]
    named = funds.SetDelegate(owner=user.address, open_orders_account=account, delegate_account=delegate.pubkey())
    put = funds.Deposit(
        base_amount=DEPOSIT_BASE,
        quote_amount=DEPOSIT_QUOTE,
        owner=user.address,
        user_base_account=user.base,
        user_quote_account=user.quote,
        open_orders_account=account,
        market=world.market.address,
        market_base_vault=state.market_base_vault,
        market_quote_vault=state.market_quote_vault,
    )
    send(world.chain, [user.key], [*made, build(named), build(put)])
    fund(world.chain, [trader_of(delegate, "delegate", world.base, world.quote)], 10**9, {})
    world.chain.advance(40)
    return delegate


Alter = Callable[[Trader], None]  # Puts another part in place of one of a trader's, before he works.


@asynccontextmanager
async def stage(
    settings: Settings,
    manners: Manners,
    lags: Sequence[int] = (LAG,),
    alter: Alter = lambda trader: None,
    sends_by: type[Courier] = Courier,
    slots_cranked: int = 1,
    config: Callable[[Sandbox], Config] | None = None,
    purse: Purse | None = None,
    delegate: bool = False,
) -> AsyncIterator[Stage]:
    """Open a chain, which somebody else cranks every so many slots, and somebody who trades on it.

    Args:
        delegate: Whether the user's key is put away, and another trades from what he deposited.
    """
    box = make_sandbox(settings)
    box.world.flow.slots_cranked = slots_cranked
    account = user_account(box)
    key = appoint(box, account) if delegate else box.world.user.key
    async with box, make_client() as client:
        nodes = [box.node, *[await box.add_node(lag) for lag in lags]]
        endpoints = Endpoints([Endpoint(node.rpc_url, node.websocket_url) for node in nodes])
        rpc = Rpc(client, box.node.rpc_url)
        witness, store, dice = Witness(box, account), Sessions(), Random(settings.seed)
        witness.signer, witness.delegated = key.pubkey(), delegate
        habits, roads = habits_of(settings.speed), None
        async with AsyncExitStack() as opened:
            if config is None:
                courier = sends_by(endpoints, rpc, habits)
            else:
                routes = open_roads(config(box), client, {}, habits, time.monotonic)
                roads = await opened.enter_async_context(routes)
                courier = sends_by(endpoints, rpc, habits, ways=roads.ways)
            await opened.enter_async_context(courier.open())
            address, user = box.world.market.address, box.world.user.address
            trader = await open_trader(
                rpc, courier, address, account, key, store, dice, manners, roads, purse, owner=user
            )
            trader.grid.middle = lambda: middle_of(box)
            words = store.words[trader.journal.session]
            witness.kept = lambda: attempts_of(words).attempts
            alter(trader)
            running = asyncio.create_task(trader.executor.run())
            running.add_done_callback(lambda task: None if task.cancelled() else print("ended:", task.exception()))
            try:
                yield Stage(box, witness, store, trader, running, dice, roads)
            finally:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running


def middle_of(box: Sandbox) -> int:
    """Return the middle of the market as it is now, in ticks."""
    bids, asks = (box.world.market.book(side) for side in Side)
    if not bids or not asks:
        return 15_000
    return (bids[0].price_lots + asks[0].price_lots) // 2


async def trouble(play: Stage, number: int) -> None:
    """Make something large go wrong for a while, another thing each time."""
    box, chain = play.box, play.box.chain
    slot_s = play.box.settings.slot_ms / 1000 / play.box.settings.speed
    if play.roads is not None and number % 2:  # A region of Jito's is down, or all of them are silent.
        box.node.view.faults.switch_on(Fault("region_down", methods=["ny"]), Fault("jito_silent", 0.3, seconds=0.5))
        await asyncio.sleep(20 * slot_s)
        box.node.view.faults.switch_off(["region_down", "jito_silent"])
    match number % 4:
        case 0:  # Nothing lands until blockhashes are over.
            box.node.view.faults.switch_on(lost := Fault("drop_transaction"))
            box.nodes[-1].view.faults.switch_on(lost)
            await asyncio.sleep(170 * slot_s)
            for node in box.nodes:
                node.view.faults.switch_off(["drop_transaction"])
                node.view.faults.switch_on(FAULTS[0])
        case 1:  # The chain stands still, and goes back.
            chain.go_dark()
            await asyncio.sleep(40 * slot_s)
            chain.go_on()
        case 2:  # One endpoint does not know version 1 any more.
            box.nodes[-1].view.faults.switch_on(Fault("refuse_version_1"))
        case _:  # Every endpoint has enough of what we send.
            for node in box.nodes:
                node.view.faults.switch_on(Fault("refuse", count=40, methods=["sendTransaction"], seconds=0.2))


async def keep_all(journal: SessionJournal) -> None:
    """Keep every word, though the store may be away for a while."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await journal.commit()
            except StorageError:
                await asyncio.sleep(0.05)


async def trade(
    settings: Settings,
    manners: Manners,
    changes: int,
    faults: Sequence[Fault],
    alter: Alter = lambda trader: None,
    sends_by: type[Courier] = Courier,
    slots_cranked: int = 1,
    config: Callable[[Sandbox], Config] | None = None,
    delegate: bool = False,
) -> list[str]:
    """Move a grid so many times, clear it, settle, and return what is wrong."""
    staged = stage(
        settings,
        manners,
        alter=alter,
        sends_by=sends_by,
        slots_cranked=slots_cranked,
        config=config,
        delegate=delegate,
    )
    async with staged as play:
        box, trader, grid, witness = play.box, play.trader, play.trader.grid, play.witness
        troubles, tipped = list[asyncio.Task[None]](), tip_balances(box)
        payer = trader.executor.house.seat.signer
        held, lamports = witness.held(), box.chain.account(payer).lamports
        for node in box.nodes:
            node.view.faults.switch_on(*faults)
        for number in range(changes):
            if faults and number % TROUBLE_EVERY == TROUBLE_EVERY - 1:
                troubles.append(asyncio.create_task(trouble(play, number // TROUBLE_EVERY)))
            await play.change()
            if play.dice.random() < 0.7:
                await trader.until(lambda: trader.executor.idle or play.running.done(), PATIENCE_S)
            else:
                await asyncio.sleep(play.dice.random() * 2 / settings.speed)
            if play.running.done():
                break
            if number % 25 == 24:
                print(f"  {number + 1} changes, {dict(grid.told)}", flush=True)
        await asyncio.gather(*troubles)
        if play.running.done():
            await play.running  # What it ended by.
        for node in box.nodes:
            node.view.faults.switch_off()
        trader.submit(grid.nothing(trader.clock.now_ns()))
        await trader.until(lambda: trader.executor.idle, PATIENCE_S)
        trader.executor.settle()
        await trader.until(lambda: trader.executor.idle, PATIENCE_S)
        await keep_all(trader.journal)
        box.pace.paused = True
        wrong = list(witness.wrong)
        if rest := witness.resting():
            wrong.append(f"{len(rest)} orders rest at the end")
        if grid.open:
            wrong.append(f"{len(grid.open)} orders have no end that was told")
        if trader.executor.orders.stray:
            wrong.append(f"fills of no order: {trader.executor.orders.stray}")
        if trader.executor.carrier.refusals:
            wrong.append(f"the policy refused {trader.executor.carrier.refusals[:2]}")
        words = play.store.words[trader.journal.session]
        wrong += check_words(words)
        wrong += check_fates(box, words)
        wrong += check_money(box, grid, held, witness.held())
        told = attempts_of(words)
        wrong += check_tips(told, tip_balances(box) - tipped)
        ends = Counter(fate.state for fate in told.fates.values())
        print(f"{len(told.attempts)} attempts: {dict(ends)}; told {dict(grid.told)}; most rested {dict(witness.most)}")
        spent = lamports - box.chain.account(payer).lamports
        wrong += check_spending({1: words}, spent)
        print(f"{spent} lamports of fees; refused {len(trader.executor.carrier.refusals)}")
        return wrong


def check_money(box: Sandbox, grid, before: tuple[int, int], after: tuple[int, int]) -> list[str]:
    """Return where what was told is not what the balances say."""
    lots = box.world.market.lots
    base, quote = after[0] - before[0], after[1] - before[1]
    wrong = []
    if base != grid.position * lots.base_lot:
        wrong.append(f"base changed by {base}, and fills say {grid.position * lots.base_lot}")
    if quote != grid.money * lots.quote_lot - grid.fees:
        wrong.append(f"quote changed by {quote}, and fills and fees say {grid.money * lots.quote_lot - grid.fees}")
    return wrong


def check_tips(told: Told, paid: int) -> list[str]:
    """Return where tips are not those of transactions that landed well, or are above what one may tip."""
    landed = {name for name, fate in told.fates.items() if fate.state == "finalized"}
    tips = {name: attempt.tip for name, attempt in told.attempts.items()}
    said = sum(tip for name, tip in tips.items() if name in landed)
    by = Counter(told.attempts[name].tip_route or "none" for name in landed)
    print(
        f"tips: {paid} lamports were paid, {said} the journal says, of {dict(by)}; the largest was {max(tips.values(), default=0)}"
    )
    wrong = [f"{name} tips {tip}, and {TIP_MAX} is the most" for name, tip in tips.items() if tip > TIP_MAX]
    return wrong + ([] if said == paid else [f"{paid} lamports of tips were paid, and the journal says {said}"])


def check_words(words: Sequence[Word]) -> list[str]:
    """Return where a journal tells of two attempts of one intent that lived at once, or of one without an end."""
    wrong, alive, placed, failed = [], {}, {}, set()
    for word in words:
        if not isinstance(word, Note):
            continue
        if word.topic == ATTEMPT:
            attempt = read_attempt(word)
            for number, _ in attempt.places:
                if number in placed:
                    wrong.append(f"order {number} was placed by {placed[number]} and by {attempt.signature}")
                placed[number] = attempt.signature
            others = [other for signature, other in alive.items() if signature not in failed]
            twice = [set(other.cancels) & set(attempt.cancels) for other in others]
            wrong += [f"orders {sorted(both)[:3]} were cancelled by two attempts at once" for both in twice if both]
            alive[attempt.signature] = attempt
        elif word.topic == FATE:
            fate = read_fate(word)
            if fate.failed:
                failed.add(fate.signature)
            if fate.state in ("finalized", "failed", "expired"):
                alive.pop(fate.signature, None)
    return wrong + [f"attempt {signature} has no end" for signature in alive]


def check_fates(box: Sandbox, words: Sequence[Word]) -> list[str]:
    """Return where the journal tells of an attempt an end that is not what the chain shows; it forgets old blocks."""
    wrong, oldest = [], box.chain.ledger.blocks[0].slot
    for signature, fate in attempts_of(words).fates.items():
        landed = box.chain.landed.get(signature)
        if fate.state == "expired" and landed is not None:
            wrong.append(f"{signature} is told expired, and landed in slot {landed.slot}")
        if landed is None and fate.more.get("slot", oldest) <= oldest:
            continue
        if fate.state in ("finalized", "failed") and (landed is None or landed.slot != fate.more["slot"]):
            where = "nowhere" if landed is None else f"in slot {landed.slot}"
            wrong.append(f"{signature} is told {fate.state} in slot {fate.more['slot']}, and landed {where}")
    return wrong


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("changes", type=int)
    parser.add_argument("--venue", default="openbook-v2", choices=("openbook-v1", "openbook-v2"))
    parser.add_argument("--consensus", default="alpenglow", choices=("alpenglow", "tower"))
    parser.add_argument("--version", type=int, default=1, choices=(0, 1))
    parser.add_argument("--speed", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--route", choices=ROUTES, help="By which route; to the nodes without any if absent.")
    parser.add_argument("--no-faults", action="store_true")
    parser.add_argument("--delegate", action="store_true", help="let a delegate's key trade from a deposit")
    asked = parser.parse_args()
    landing = World() if asked.no_faults or not asked.route else replace(BUSY, seed=asked.seed)
    settings = Settings(
        venue=asked.venue, seed=asked.seed, consensus=asked.consensus, speed=asked.speed, landing=landing
    )
    manners = Manners(life_s=LIFE_S, look_s=0.4 / asked.speed, crank_s=3 / asked.speed, version=asked.version)
    faults = FAULTS + (ROUTE_FAULTS if asked.route else ())
    config = partial(configuration, asked.route, speed=asked.speed) if asked.route else None
    wrong = asyncio.run(
        trade(
            settings, manners, asked.changes, () if asked.no_faults else faults, config=config, delegate=asked.delegate
        )
    )
    print("\n".join(wrong) or "nothing is wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
