"""Everything that goes wrong in a simulation, one by one: the kinds of the failure catalogue, by their numbers there.

Each does its harm for a while, undoes what can be undone, and is counted when it has truly struck.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from solders.account import Account
from tests.simulation.live.network import Weather
from tests.simulation.live.overseer import Overseer
from tests.simulation.live.town import SLOT_MS, Instance, Town, Watched

from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.runtime import with_lamports
from bmv.adapters.solana.clock import LAST_RESTART, SYSVARS
from bmv.live.control.protocol import Request
from bmv.ports.messages import Command

LIFE_BLOCKS = 170  # After which no blockhash of before is valid any more.


@dataclass(frozen=True)
class Play:
    """What a fault may lay hands on.

    Args:
        dice: Say whom it strikes, and for how long.
    """

    town: Town
    overseer: Overseer
    dice: Random
    past: asyncio.Lock = field(default_factory=asyncio.Lock)  # Held by what undoes blocks, or must not be undone.

    def pick(self) -> Watched:
        """Return one of the nodes."""
        return self.dice.choice(self.town.nodes)

    async def last(self, least_s: float = 2.0, most_s: float = 8.0) -> None:
        """Let it last for a while."""
        await asyncio.sleep(self.dice.uniform(least_s, most_s))

    async def trading(self, patience_s: float = 30.0) -> Instance | None:
        """Return the newest process once it trades; None: it does not, for long."""
        end_s = self.town.loop.time() + patience_s
        while self.town.loop.time() < end_s:
            newest = self.town.newest
            if newest.lives and not newest.process.stopped and self.town.kept.placed:
                return newest
            await asyncio.sleep(0.1)
        return None


Strike = Callable[[Play], Awaitable[None]]


class Kind(NamedTuple):
    """A kind of fault.

    Args:
        number: In the catalogue.
        strike: Does it, and returns when it is over.
    """

    number: str
    strike: Strike


KINDS: dict[str, Kind] = {}  # By the name under which each is counted.


def kind(number: str) -> Callable[[Strike], Strike]:
    """Note a kind of fault, by the name of the function."""

    def noted(strike: Strike) -> Strike:
        KINDS[strike.__name__] = Kind(number, strike)
        return strike

    return noted


def by_node(number: str, fault: str, share: float, *, both: bool = False, most_s: float = 8.0, **more: object) -> None:
    """Note a kind that the sandbox's nodes know how to do."""

    async def strike(play: Play) -> None:
        nodes = play.town.nodes if both else [play.pick()]
        for node in nodes:
            node.view.faults.switch_on(Fault(fault, share, **more))  # type: ignore[arg-type]  # Fields of it.
        try:
            await play.last(most_s=most_s)
        finally:
            for node in nodes:
                node.view.faults.switch_off([fault])

    KINDS[fault] = Kind(number, strike)


# What is seen of the market and of the chain.

by_node("F01", "silence", 1.0)
by_node("F03", "drop", 0.1, both=True)
by_node("F03", "double", 0.5, both=True)
by_node("F03", "reorder", 0.3, both=True)


@kind("F02")
async def cut(play: Play) -> None:
    """Websockets break off."""
    for _ in range(3):
        node = play.pick()
        play.town.fired["cut"] += len(node._connections)
        node.cut()
        await play.last(0.5, 3)


@kind("F03")
async def fork(play: Play) -> None:
    """Blocks vanish after they were processed, several at once."""
    chain, end_s = play.town.chain, play.town.loop.time() + play.dice.uniform(4, 8)
    while play.town.loop.time() < end_s:
        await asyncio.sleep(SLOT_MS / 1000)
        if chain.may_vanish and not play.past.locked() and play.dice.random() < 0.4:
            chain.fork(play.dice.randint(1, chain.may_vanish))
            play.town.fired["fork"] += 1


@kind("F03")
async def skip(play: Play) -> None:
    """Leaders miss their slots."""
    faults = play.town.nodes[0].view.faults
    faults.switch_on(Fault("skip", 0.4))
    try:
        await play.last()
    finally:
        faults.switch_off(["skip"])


@kind("F04")
async def lag(play: Play) -> None:
    """A node falls behind, and answers with the past."""
    node = play.pick()
    node.view.lag = play.dice.randint(5, 30)
    play.town.fired["lag"] += 1
    try:
        await play.last(3, 12)
    finally:
        node.view.lag = 0


@kind("F05")
async def garble(play: Play) -> None:
    """A node answers with what is none of its answers."""
    node = play.pick()
    node.garbles = 0.5
    try:
        await play.last()
    finally:
        node.garbles = 0.0


@kind("F10")
async def halt(play: Play) -> None:
    """The chain stands still, and what was not confirmed has vanished when it goes on."""
    async with play.past:
        play.town.fired["halt"] += 1
        play.town.chain.go_dark()
        try:
            await play.last(4, 10)
        finally:
            play.town.chain.go_on()


@kind("F10")
async def frozen(play: Play) -> None:
    """No slot goes by."""
    play.town.fired["frozen"] += 1
    play.town.pace.paused = True
    try:
        await play.last(4, 8)
    finally:
        play.town.pace.paused = False


@kind("F10")
async def restart(play: Play) -> None:
    """The cluster restarts: a sysvar says so."""
    town = play.town
    data = town.chain.slot.to_bytes(8, "little")
    town.chain.put(LAST_RESTART, Account(10**6, data, SYSVARS))
    town.fired["restart"] += 1
    await play.last(4, 8)


@kind("F11")
async def crank_stalled(play: Play) -> None:
    """Nobody cranks: fills lie in the event queue only."""
    crowd = play.town.crowd
    crowd.slots_cranked = 0
    play.town.fired["crank_stalled"] += 1
    try:
        await play.last(5, 12)
    finally:
        crowd.slots_cranked = 1


@kind("F47")
async def price_run(play: Play) -> None:
    """The price runs one way, and everybody trades against us."""
    crowd = play.town.crowd
    crowd.drift, crowd.takes = play.dice.choice((-2.0, 2.0)), 0.9
    play.town.fired["price_run"] += 1
    try:
        await play.last(5, 12)
    finally:
        crowd.drift, crowd.takes = 0.0, 0.35


# Sending.

by_node("F14", "drop_transaction", 0.7, both=True)
by_node("F15", "lose_answer", 0.4, both=True)
by_node("F20", "late_transaction", 0.6, both=True, blocks=20)
by_node("F21", "refuse", 0.5, both=True, methods=["sendTransaction"], seconds=1.0)
by_node("F21", "fail", 0.4, both=True)
by_node("F28", "reset", 0.3, both=True)
by_node("F29", "delay", 0.5, both=True, seconds=2.5)
by_node("F22", "refuse_version_1", 1.0, most_s=6.0)


@kind("F16")
async def lie(play: Play) -> None:
    """Nodes say of transactions that landed that they know nothing of them."""
    for node in play.town.nodes:
        node.lies = 0.7
    try:
        await play.last(4, 12)
    finally:
        for node in play.town.nodes:
            node.lies = 0.0


@kind("F25")
async def nothing_lands(play: Play) -> None:
    """Nothing that is sent lands, until blockhashes are over."""
    town = play.town
    for node in town.nodes:
        node.view.faults.switch_on(Fault("drop_transaction"))
    town.fired["nothing_lands"] += 1
    pace, began = town.pace, town.chain.height
    pace._slot_s /= 8  # Else it would take a minute.
    try:
        while town.chain.height < began + LIFE_BLOCKS:
            await asyncio.sleep(0.2)
    finally:
        pace._slot_s *= 8
        for node in town.nodes:
            node.view.faults.switch_off(["drop_transaction"])


@kind("F24")
async def poor(play: Play) -> None:
    """The wallet has next to no SOL left, for a while."""
    town = play.town
    address, taken = town.world.user.address, town.lamports() - 5 * 10**7
    if taken <= 0:
        return

    def put(lamports: int) -> None:
        account = town.chain.account(address)
        assert account is not None
        town.chain.put(address, with_lamports(account, account.lamports + lamports))
        play.overseer.taken -= lamports

    async with play.past:
        put(-taken)
        town.fired["poor"] += 1
        try:
            await play.last(12, 16)
        finally:
            put(taken)
            await asyncio.sleep(town.final_s + 1)  # Until that can't be undone any more.


# The network.


def ports_of(nodes: Iterable[Watched]) -> list[int]:
    """Return the ports of nodes, of HTTP and of websockets."""
    return [int(url.rpartition(":")[2]) for node in nodes for url in (node.rpc_url, node.websocket_url)]


@kind("F28")
async def black_hole(play: Play) -> None:
    """Nothing gets through to a node any more, and nothing is refused."""
    ports = ports_of([play.pick()])
    for port in ports:
        play.town.network.blacken(port)
    play.town.fired["black_hole"] += 1
    try:
        await play.last(4, 10)
    finally:
        for port in ports:
            play.town.network.heal(port)


@kind("F02")
async def break_links(play: Play) -> None:
    """Every connection to a node is reset."""
    for _ in range(2):
        play.town.fired["break_links"] += sum(map(play.town.network.cut, ports_of([play.pick()])))
        await play.last(0.5, 3)


@kind("F29")
async def slow_link(play: Play) -> None:
    """The way to the nodes takes long."""
    ways = [play.town.network.at(port) for port in ports_of(play.town.nodes)]
    for weather in ways:
        weather.least_s, weather.more_s = 0.2, 0.8
    play.town.fired["slow_link"] += 1
    try:
        await play.last(4, 10)
    finally:
        for weather in ways:
            weather.least_s, weather.more_s = Weather.least_s, Weather.more_s


# The store.


@kind("F26")
async def store_down(play: Play) -> None:
    """The store can't be reached, for moments and for longer."""
    disk = play.town.disk
    for _ in range(play.dice.randint(1, 6)):
        disk.down = True
        try:
            await play.last(0.05, 2)
        finally:
            disk.down = False
        await play.last(0.05, 1)


@kind("F30")
async def store_full(play: Play) -> None:
    """The disk is full."""
    play.town.disk.full = True
    try:
        await play.last(2, 5)
    finally:
        play.town.disk.full = False


@kind("F27")
async def commit_unknown(play: Play) -> None:
    """What is kept is answered with an error."""
    play.town.disk.unknown = 0.5
    try:
        await play.last(2, 8)
    finally:
        play.town.disk.unknown = 0.0


@kind("F29")
async def store_slow(play: Play) -> None:
    """The store takes its time."""
    play.town.disk.slow_s = 2.0
    try:
        await play.last(2, 8)
    finally:
        play.town.disk.slow_s = 0.0


# Processes and their time.


@kind("F32")
async def kill(play: Play) -> None:
    """A process is killed while it trades."""
    for _ in range(2):
        if (victim := await play.trading()) is None:
            return
        await asyncio.sleep(play.dice.uniform(0, 3))
        if victim.lives:
            play.town.kill(victim)
            play.town.fired["kill"] += 1
            play.overseer.killed()


@kind("F33")
async def kill_recovering(play: Play) -> None:
    """A process is killed, and the one that comes after it again and again, while it begins."""
    if (victim := await play.trading()) is None:
        return
    play.town.kill(victim)
    for _ in range(play.dice.randint(1, 3)):
        before = play.town.newest
        if before.lives:  # Somebody else began it meanwhile, and nothing begins beside one that trades.
            return
        while play.town.newest is before:
            await asyncio.sleep(0.05)
        victim = play.town.newest
        await asyncio.sleep(play.dice.uniform(0, 4))
        if victim.lives:
            play.town.kill(victim)
            play.town.fired["kill_recovering"] += 1
            play.overseer.killed()


@kind("F34")
async def twice(play: Play) -> None:
    """A second process takes over while the first trades."""
    if (first := await play.trading()) is None:
        return
    second = play.town.start()
    play.town.fired["twice"] += 1
    async with asyncio.timeout(60):
        while first.lives and second.lives:  # Which may die before it has taken over.
            await asyncio.sleep(0.1)


@kind("F34")
async def sleeps(play: Play) -> None:
    """A process is stopped, another takes over, and the first goes on."""
    if (first := await play.trading()) is None:
        return
    town = play.town
    town.loop.stop_process(first.process)
    second = town.start()
    await play.last(4, 12)
    first.on_s = town.loop.time()
    town.loop.go_on(first.process)
    town.fired["sleeps"] += 1
    await play.last(1, 3)
    if first.lives and not second.lives:
        return
    await play.last(4, 5)


@kind("F35")
async def term(play: Play) -> None:
    """A process is told to end, with something in flight."""
    if (victim := await play.trading()) is None or victim.session is None:
        return
    end_s = play.town.loop.time() + 10
    while not play.town.kept.flying and play.town.loop.time() < end_s:
        play.town.kept.read()
        await asyncio.sleep(0.05)
    victim.session.ask_stop(why="SIGTERM")
    play.town.fired["term"] += 1
    async with asyncio.timeout(200):
        await victim.gone.wait()


@kind("F36")
async def stall(play: Play) -> None:
    """A process does not run for some seconds: its loop is blocked, or its machine asleep."""
    if (victim := await play.trading()) is None:
        return
    play.town.loop.stop_process(victim.process)
    play.town.fired["stall"] += 1
    await play.last(2, 10)
    victim.on_s = play.town.loop.time()
    play.town.loop.go_on(victim.process)


@kind("F37")
async def clock_step(play: Play) -> None:
    """The clock of a machine is set by an hour, and back."""
    if (victim := await play.trading()) is None:
        return
    victim.process.wall_ns = play.dice.choice((-1, 1)) * 3_600 * 10**9
    play.town.fired["clock_step"] += 1
    await play.last(3, 8)
    victim.process.wall_ns = 0


@kind("F49")
async def halted(play: Play) -> None:
    """The breaker halts, the process is killed, and only an operator arms the next again."""
    if (victim := await play.trading()) is None or victim.session is None:
        return
    victim.session.command(Command.HALT, "test")
    await asyncio.sleep(play.dice.uniform(0.2, 2))
    play.town.kill(victim)
    play.town.fired["halted"] += 1
    await play.last(8, 14)


@kind("F49")
async def paused(play: Play) -> None:
    """An operator pauses, and the process is killed."""
    if (victim := await play.trading()) is None:
        return
    if await play.town.ask(victim, Request("pause")) is None or not victim.lives:
        return
    play.town.kill(victim)
    play.town.fired["paused"] += 1
    await play.last(8, 14)
