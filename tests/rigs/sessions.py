"""Sessions of `bmv live`, the real process, ended in every way that a process may end, and begun again.

    python -m tests.rigs.sessions KILLS [--venue V] [--consensus C] [--store sqlite|postgres] [--seed N] [--speed N]
        [--minutes N] [--scene NAME=COUNT]…

The chain, its faults and its witness live in this process. Who trades is `bmv live CONFIG --yes --json`. It is killed
with -9, told to end with a transaction in flight, started twice, stopped while another takes over, cut off from the
chain, robbed of its database, given another time; its breaker trips, an operator pauses it. Whatever happens: what
rests on the chain the journal knows, what landed was kept before, never is more risked than the configuration allows,
nothing is placed on stale data. At the end a last session clears all, the journals tell what the balances say to the
last unit, and every session comes out the same when it is heard again.
"""

import argparse
import asyncio
import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import httpx
from solders.pubkey import Pubkey
from tests.rigs.kills import connected, is_locked
from tests.rigs.settling import account_of, check_sessions, check_spending
from tests.rigs.trading import Witness, user_account
from tests.servers.postgres import Cluster

from bmv.adapters.config import compile, load
from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.execution.recovery import read_left
from bmv.adapters.postgres.migrate import migrate
from bmv.adapters.sandbox.ledger import Block
from bmv.adapters.sandbox.wiring import USER_BASE, USER_QUOTE, Sandbox, Settings, make_sandbox
from bmv.data.journal.attempts import ATTEMPT, ENDS, FATE, Attempted, read_attempt, read_fate
from bmv.data.journal.chain import word
from bmv.live.control.client import ask
from bmv.live.control.place import Place, session_name
from bmv.live.control.protocol import Request
from bmv.live.decider import decider_of_text
from bmv.live.notes import GUARD, OPENING, Holding, read_holding, read_opening, read_said
from bmv.live.replay import replay
from bmv.live.stores import open_sessions
from bmv.ports.errors import BmvError
from bmv.ports.messages import Event, Intent, Kind, Verb
from bmv.ports.storage import Note, Word

REACH_LOTS, OPEN_MAX, STALE_S = 1_200, 6, 4  # Of the configuration below: the witness holds the chain against them.
CONFIG = """
version = 1
[market]
symbol = "SOL/USDC"
tick_size = "0.01"
lot_size = "0.001"
maker_fee_bps = -2
taker_fee_bps = 4
venue = "{venue}"
address = "{market}"
[pivot]
window_s = 30
history_s = 600
[grid.bid]
levels = 3
first_bps = 2
step_bps = 3
total_size = "0.4"
[grid.ask]
levels = 3
first_bps = 2
step_bps = 3
total_size = "0.4"
[inventory]
start_base = "{base}"
start_quote = "{quote}"
max_position = "1.2"
[requote]
threshold_bps = 2
min_interval_ms = 200
fill_delay_s = 0.2
[risk]
max_open_orders = 6
stale_after_s = 4
[risk.breaker]
daily_pct = 90
[live]
endpoints = ["{rpc}"]
websocket = "{websocket}"
wallet = "{wallet}"
order_life_s = 30
[storage]
journal = "{journal}"
"""
UP, HALTED = "market data are up", "the breaker is at halt"
START_S, WAIT_S = 240.0, 90.0  # For a process to trade; for anything else.
REFUSED = 5
CLOCKS = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")
GRAVE = ("reconcile", "stray", "policy", "another")  # Guards that have no reason to act in any scene.


@dataclass
class Trader:
    """A process of `bmv live`, and what it says."""

    number: int
    process: asyncio.subprocess.Process
    place: Place
    lines: list[str] = field(default_factory=list)
    listening: "asyncio.Task[None] | None" = None

    async def listen(self) -> None:
        """Take in its lines."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    @property
    def text(self) -> str:
        """The last that it said."""
        return "\n".join(self.lines[-25:])

    @property
    def page(self) -> dict[str, Any]:  # Any: it is JSON.
        """What it ended with."""
        found = [line for line in self.lines if line.startswith("{")]
        return dict(json.loads(found[-1])) if found else {}

    def has_said(self, text: str) -> bool:
        """Whether it has said something."""
        return any(text in line for line in self.lines)

    async def until(self, text: str, seconds: float) -> bool:
        """Wait until it says something; False: it has not by then, or has ended."""
        await until(lambda: self.has_said(text) or not self.lives, seconds)
        return self.has_said(text)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is there."""
        if self.lives:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    async def end(self, seconds: float = WAIT_S) -> int | None:
        """Wait until it has ended, and return how; None: it has not."""
        try:
            async with asyncio.timeout(seconds):
                code = await self.process.wait()
        except TimeoutError:
            return None
        if self.listening is not None:
            await self.listening
        return code

    async def ask(self, request: str) -> Any:  # Any: as the control socket has it.
        """Ask it something, as an operator does."""
        return await asyncio.to_thread(ask, self.place, Request(request), 20.0)


async def until(done: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds, and say whether it came about."""
    end_s = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end_s:
            return False
        await asyncio.sleep(0.01)
    return True


@dataclass
class Kept:
    """What is kept, read as somebody else than who writes, without waiting for him.

    Args:
        journal: A file of SQLite, or a database.
    """

    journal: str | Path
    words: dict[str, list[Word]] = field(default_factory=dict)
    attempts: dict[str, Attempted] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    silent: list[str] = field(default_factory=list)  # Signatures asked for while the database was away.

    def __contains__(self, signature: object) -> bool:
        if signature not in self.attempts and not self.read():
            self.silent.append(str(signature))
            return True
        return signature in self.attempts

    @property
    def newest(self) -> str:
        """The newest session."""
        return max(self.words, default="")

    @property
    def in_flight(self) -> list[str]:
        """Attempts of the newest session whose end is not kept."""
        made = (each for each in self.words.get(self.newest, ()) if isinstance(each, Note) and each.topic == ATTEMPT)
        return [one for note in made if (one := read_attempt(note).signature) not in self.ended]

    @property
    def placed(self) -> int:
        """Orders that the newest session has asked for."""
        words = self.words.get(self.newest, ())
        return sum(isinstance(each, Intent) and each.verb == Verb.PLACE for each in words)

    @property
    def kept_in(self) -> int:
        """Orders of the newest session that its guard did not let out."""
        notes = (each for each in self.words.get(self.newest, ()) if isinstance(each, Note) and each.topic == GUARD)
        return sum("order" in read_said(note) for note in notes)

    def read(self) -> bool:
        """Read what is new, and say whether that could be done."""
        last = self.newest
        try:
            rows = self._rows(last, len(self.words.get(last, ())))
        except (OSError, sqlite3.OperationalError, subprocess.SubprocessError):
            return False
        for session, body in rows:
            each = word(body)
            self.words.setdefault(session, []).append(each)
            if isinstance(each, Note) and each.topic == ATTEMPT:
                attempt = read_attempt(each)
                self.attempts.setdefault(attempt.signature, attempt)
            elif isinstance(each, Note) and each.topic == FATE and (fate := read_fate(each)).state in ENDS:
                self.ended.add(fate.signature)
        return True

    def _rows(self, session: str, seq: int) -> list[tuple[str, str]]:
        where = f"where session > '{session}' or (session = '{session}' and seq >= {seq}) order by session, seq"
        if isinstance(self.journal, Path):
            if not self.journal.exists():
                return []
            with closing(connected(self.journal)) as file:
                return list(file.execute(f"select session, body from journal {where}"))
        words = ["psql", self.journal, "-qAt", "--csv", "-c", f"select session, body from bmv.journal {where}"]
        page = subprocess.run(words, capture_output=True, text=True, check=True, timeout=20).stdout
        return [(name, body) for name, body in csv.reader(io.StringIO(page))]

    def numbered(self) -> dict[int, Sequence[Word]]:
        """Return the words of every session by its epoch."""
        return {int(name.rpartition("/")[2]): words for name, words in self.words.items()}


@dataclass
class Limits(Witness):
    """Looks at every block: what landed was kept, and no more is risked than the configuration allows."""

    target: int = 0  # Lots.

    def _freeze(self, block: Block) -> None:
        super()._freeze(block)
        own, base_lot = self.resting(), self.box.world.market.lots.base_lot
        position = self.held()[0] // base_lot
        bids, asks = (sum(order.size_lots for order in own if order.side is side) for side in (Side.BID, Side.ASK))
        if position + bids > self.target + REACH_LOTS or position - asks < self.target - REACH_LOTS:
            self.wrong.append(f"slot {block.slot}: {position} lots held, {bids} bid and {asks} offered")
        if len(own) > OPEN_MAX:
            self.wrong.append(f"slot {block.slot}: {len(own)} orders rest, {OPEN_MAX} is the most")


@dataclass
class Play:
    """A chain, its witness, and the processes that trade there one after the other."""

    box: Sandbox
    witness: Limits
    folder: Path
    dice: Random
    kept: Kept
    cluster: Cluster | None
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    traders: list[Trader] = field(default_factory=list)

    @property
    def config(self) -> Path:
        """Where the configuration is."""
        return self.folder / "bmv.toml"

    def lamports(self) -> int:
        """Return what the user's wallet holds."""
        return self.box.chain.account(self.box.world.user.address).lamports

    # Processes.

    async def start(self, *words: str, at: str = "here", **environment: str) -> Trader:
        """Start a process that trades.

        Args:
            words: More of the command line.
            at: Of which machine it takes itself to be: each has a folder of its own for sockets.
        """
        number, folder = len(self.traders), self.folder / at
        folder.mkdir(mode=0o700, exist_ok=True)
        run = str(self.folder / f"run-{number}")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bmv.adapters.cli", "live", str(self.config), "--yes", "--json", "--no-report",
            "--out", run, *words,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            cwd=self.folder, env={**os.environ, "BMV_RUNTIME_DIR": str(folder), **environment}, limit=1 << 20,
        )  # fmt: skip
        place = Place(folder, session_name(self.config, load(self.config), "live"))
        trader = Trader(number, process, place)
        trader.listening = asyncio.create_task(trader.listen())
        self.traders.append(trader)
        return trader

    async def up(self, *words: str, at: str = "here", **environment: str) -> Trader | None:
        """Start a process, and return it once it hears the market; None: it never did, which is wrong."""
        trader = await self.start(*words, at=at, **environment)
        if await trader.until(UP, START_S):
            self.kept.read()
            return trader
        self.blame(trader, "never traded")
        await self.kill(trader, expected=False)
        return None

    def blame(self, trader: Trader, what: str) -> None:
        """Say what is wrong with a process."""
        self.wrong.append(f"process {trader.number} {what}: {trader.process.returncode}\n{trader.text}")

    async def kill(self, trader: Trader, expected: bool = True) -> None:
        """Kill a process, and hold what it leaves against the chain; that it has ended before is wrong."""
        trader.signal(signal.SIGKILL)
        if await trader.end() != -signal.SIGKILL and expected:
            self.blame(trader, "ended by itself")
        self.compare()

    def compare(self) -> None:
        """See that the journal knows every order that rests."""
        resting = {order.client_order_id for order in self.witness.resting()}
        if not self.kept.read():
            self.counts["left uncompared, the database being away"] += 1
            return
        if not self.kept.words:
            return
        left = read_left(self.kept.words[self.kept.newest])
        if strange := resting - {order.client_id for order in left.orders}:
            self.wrong.append(f"orders {sorted(strange)} rest, and session {self.kept.newest} knows nothing of them")
        self.counts["left orders behind"] += bool(resting)
        self.counts["left transactions behind"] += bool(left.attempts)

    async def quotes(self, trader: Trader) -> bool:
        """Wait until a process asks for an order, and say whether it did."""

        def has_placed() -> bool:
            self.kept.read()
            return self.kept.placed > 0 or not trader.lives

        return await until(has_placed, WAIT_S) and trader.lives

    # Scenes.

    async def kill_one(self) -> None:
        """Kill a process, while it begins or while it trades."""
        if self.dice.random() < 0.3:
            trader = await self.start()
            what = await trader.until("session ", self.dice.uniform(3, 20))
            await asyncio.sleep(self.dice.uniform(0, 0.6) if what else 0)
            self.counts["killed while it recovered" if what else "killed while it began"] += 1
        elif (found := await self.up()) is not None:
            trader = found
            await asyncio.sleep(self.dice.uniform(0.05, 3))
            self.counts["killed while it traded"] += 1
        else:
            return
        await self.kill(trader)

    async def term(self) -> None:
        """Tell a process to end while a transaction of it is in flight."""
        if (trader := await self.up()) is None:
            return

        def flies() -> bool:
            self.kept.read()
            return bool(self.kept.in_flight) or not trader.lives

        if not await until(flies, WAIT_S) or not trader.lives:
            self.blame(trader, "never sent anything")
        trader.signal(self.dice.choice((signal.SIGTERM, signal.SIGINT)))
        code = await trader.end(150)
        if code != 0 or not trader.page.get("receipt", {}).get("cleared"):
            self.blame(trader, f"was told to end, and ended with {code}")
        if resting := self.witness.resting():
            self.wrong.append(f"process {trader.number} ended, and {len(resting)} orders rest")
        self.counts["told to end in flight"] += 1
        await self.kill(trader, expected=False)

    async def double(self) -> None:
        """Start a second process beside one that trades: on the same machine, or on another."""
        if (first := await self.up()) is None:
            return
        same = self.counts["started twice"] % 2 == 0
        session = self.kept.newest
        second = await self.start(at="here" if same else "there")
        if same:
            if await second.end(START_S) != REFUSED:
                self.blame(second, "was started beside another, and not refused")
            self.kept.read()
            if not first.lives or self.kept.newest != session:
                self.blame(first, "was disturbed by a second that was refused")
        elif not await second.until(UP, START_S):
            self.blame(second, "did not take over")
        elif await first.end() != REFUSED:
            self.blame(first, "was replaced, and not fenced")
        self.counts["started twice"] += 1
        for trader in (first, second):
            await self.kill(trader, expected=trader.lives)

    async def fence(self) -> None:
        """Stop a process, let another take over, and let the first go on: it must end, and have sent nothing."""
        if (first := await self.up()) is None:
            return
        await asyncio.sleep(self.dice.uniform(0.05, 2))
        first.signal(signal.SIGSTOP)
        while isinstance(self.kept.journal, Path) and is_locked(self.kept.journal):
            first.signal(signal.SIGCONT)
            await asyncio.sleep(0.02)
            first.signal(signal.SIGSTOP)
        second = await self.up(at="there")
        first.signal(signal.SIGCONT)
        if second is None:
            await self.kill(first, expected=False)
            return
        if await first.end() != REFUSED:
            self.blame(first, "went on, and was not fenced")
        self.counts["fenced"] += 1
        await asyncio.sleep(self.dice.uniform(0.05, 2))
        await self.kill(first, expected=False)
        await self.kill(second)

    async def hole(self) -> None:
        """Let a process hear nothing and be answered late for a while."""
        if (trader := await self.up()) is None:
            return
        await self.quotes(trader)
        async with httpx.AsyncClient(base_url=self.box.control.url) as control:
            for fault in ({"kind": "silence"}, {"kind": "delay", "seconds": 3.0}):
                (await control.post("/faults", json=fault)).raise_for_status()
            await asyncio.sleep(self.dice.uniform(STALE_S, STALE_S + 6))
            (await control.post("/faults/off", json={"kinds": ["silence", "delay"]})).raise_for_status()
            (await control.post("/cut", json={})).raise_for_status()
        await asyncio.sleep(self.dice.uniform(0.5, 5))
        self.counts["cut off"] += 1
        await self.kill(trader)

    async def breaker(self) -> None:
        """Let the breaker trip, kill the process, and see that the next is halted until it is armed again."""
        trader = await self.start("--set", "risk.breaker.halt_pct=0.0001")
        if not await trader.until(HALTED, START_S):
            self.blame(trader, "never halted")
        await self.kill(trader)
        if (after := await self.up()) is None:
            return
        await asyncio.sleep(self.dice.uniform(0.5, 2))
        self.kept.read()
        if (status := await after.ask("status"))["breaker"] != "halt" or self.kept.placed:
            self.blame(after, f"is not halted, though the one before was: {status}")
        await after.ask("rearm")
        if not await self.quotes(after):
            self.blame(after, "was armed again, and does not quote")
        self.counts["halted over a kill"] += 1
        await self.kill(after)

    async def pause(self) -> None:
        """Pause a process, kill it, and see that the next is paused until it is told to go on."""
        if (trader := await self.up()) is None:
            return
        await trader.ask("pause")
        await self.kill(trader)
        if (after := await self.up()) is None:
            return
        await asyncio.sleep(self.dice.uniform(0.5, 2))
        self.kept.read()
        if (status := await after.ask("status"))["state"] != "paused" or self.kept.placed:
            self.blame(after, f"is not paused, though the one before was: {status}")
        await after.ask("resume")
        if not await self.quotes(after):
            self.blame(after, "was told to go on, and does not quote")
        self.counts["paused over a kill"] += 1
        await self.kill(after)

    async def clock(self) -> None:
        """Set the wall clock by an hour while a process trades, kill it, and start another at that time."""
        library = next((path for path in CLOCKS if Path(path).exists()), None)
        if library is None:
            self.counts["clock not stepped, for libfaketime is not there"] += 1
            return
        file = self.folder / "time"
        file.write_text("+0")
        faked = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        if (trader := await self.up(**faked)) is None:
            return
        await self.quotes(trader)
        file.write_text(self.dice.choice(("+3600", "-3600")))
        if not await trader.until("guard clock", WAIT_S):
            self.blame(trader, "did not see that its clock was set")
        await asyncio.sleep(1)
        self.kept.read()
        before = self.kept.placed - self.kept.kept_in
        await asyncio.sleep(3)
        self.kept.read()
        if self.kept.placed - self.kept.kept_in > before:
            self.blame(trader, "places orders though its clock was set")
        await self.kill(trader)
        if (after := await self.up(**faked)) is not None:
            if not await self.quotes(after):
                self.blame(after, "was started by another time, and does not quote")
            await self.kill(after)
        self.counts["clock stepped by an hour"] += 1

    async def database(self) -> None:
        """Kill the database beneath a process, and start it again."""
        if self.cluster is None or (trader := await self.up()) is None:
            return
        await asyncio.sleep(self.dice.uniform(0.05, 3))
        await asyncio.to_thread(self.cluster.stop, "immediate")
        await asyncio.sleep(self.dice.uniform(0, 4))
        await asyncio.to_thread(self.cluster.start)
        ended = await until(lambda: not trader.lives, self.dice.uniform(1, 6))
        self.counts[f"lost its database and {'ended' if ended else 'went on'}"] += 1
        if ended and await trader.end() == 0:
            self.blame(trader, "lost its database, and ended as if nothing was")
        await self.kill(trader, expected=not ended)

    async def finish(self) -> None:
        """Let a last process trade a little, and end with nothing of ours left."""
        trader = await self.start("--for", "4s")
        if await trader.end(START_S) != 0:
            self.blame(trader, "is the last, and did not end well")
            await self.kill(trader, expected=False)

    # What must hold.

    def check(self, held: tuple[int, int], lamports: int) -> list[str]:
        """Return what is wrong with what all of them left."""
        wrong = self.wrong + self.witness.wrong
        if rest := self.witness.resting():
            wrong.append(f"{len(rest)} orders rest at the end")
        if not self.kept.read() or not self.kept.words:
            return [*wrong, "nothing is kept"]
        sessions = self.kept.numbered()
        wrong += check_sessions(sessions)
        wrong += check_spending(sessions, lamports - self.lamports())
        wrong += account_of(sessions).check(self.box.world.market.lots, held, self.witness.held())
        wrong += [f"{one} landed and was not kept" for one in self.kept.silent if one not in self.kept.attempts]
        wrong += self._check_holding(sessions[max(sessions)])
        for epoch, words in sessions.items():
            wrong += [f"session {epoch}: {each}" for each in (*check_stale(words), *check_guards(words))]
        return wrong + self._check_replays(sessions)

    def _check_holding(self, words: Sequence[Word]) -> list[str]:
        """Return where the last word on what is held is not what the chain says."""
        market, lots = compile.market(load(self.config)), self.box.world.market.lots
        base, quote = self.witness.held()
        found = Holding(base // lots.base_lot, int(Fraction(quote, 10**lots.quote_decimals) / market.quantum))
        said = read_holding(words, market.half)
        return [] if said == found else [f"the last session says that {said} is held, and the chain {found}"]

    def _check_replays(self, sessions: Mapping[int, Sequence[Word]]) -> list[str]:
        """Return which sessions come out otherwise when they are heard again."""
        wrong = list[str]()
        for epoch, words in sessions.items():
            if not any(isinstance(each, Note) and each.topic == OPENING for each in words):
                self.counts["died before its opening"] += 1
                continue
            opening = read_opening(words)
            decider = decider_of_text(opening.config, opening.strategy)
            heard = replay(decider.engine(opening.standing), words, decider.change)
            self.counts["sessions heard again"] += 1
            self.counts["decisions heard again"] += heard.decisions
            if not heard.equal:
                wrong.append(f"session {epoch}: word {heard.first_difference} comes out otherwise")
        return wrong


def check_stale(words: Iterable[Word]) -> list[str]:
    """Return which orders were asked for, or sent, though nothing of the market had been heard for too long."""
    wrong, now_ns, heard_ns = list[str](), 0, 0
    for each in words:
        if isinstance(each, Event):
            now_ns = each.ts_ns
            heard_ns = now_ns if each.kind <= Kind.DEPTH else heard_ns
        elif isinstance(each, Intent) and each.verb == Verb.PLACE and now_ns - heard_ns >= STALE_S * 10**9:
            wrong.append(f"order {each.order} was asked for {(now_ns - heard_ns) / 1e9:.1f} s after the last row")
        elif isinstance(each, Note) and each.topic == ATTEMPT and heard_ns and read_attempt(each).places:
            late_s = (each.ts_ns - heard_ns) / 1e9
            if late_s > STALE_S + 1:
                wrong.append(f"{read_attempt(each).signature} places orders {late_s:.1f} s after the last row")
    return wrong


def check_guards(words: Iterable[Word]) -> list[str]:
    """Return which guards acted that have no reason to."""
    said = (read_said(each) for each in words if isinstance(each, Note) and each.topic == GUARD)
    return [f"guard {one['code']}: {one['why']}" for one in said if one.get("begins") and one.get("code") in GRAVE]


@asynccontextmanager
async def playing(settings: Settings, store: str) -> AsyncIterator[Play]:
    """Open a chain, a journal and a folder; no process is left at the end."""
    box = make_sandbox(settings)
    account = user_account(box)
    cluster = await asyncio.to_thread(Cluster().make) if store == "postgres" else None
    try:
        with tempfile.TemporaryDirectory(prefix="bmv-sessions-") as name:
            async with box:
                play = await _set_up(box, account, Path(name), cluster)
                try:
                    yield play
                finally:
                    for trader in play.traders:
                        trader.signal(signal.SIGKILL)
                        await trader.end()
    finally:
        if cluster is not None:
            await asyncio.to_thread(cluster.close)


async def _set_up(box: Sandbox, account: Pubkey, folder: Path, cluster: Cluster | None) -> Play:
    """Write what a process needs, and return what it plays in."""
    key = folder / "id.json"
    key.touch(0o600)
    key.write_text(json.dumps(list(bytes(box.world.user.key))))
    if cluster is not None:
        await migrate(cluster.dsn)
    journal = "sqlite:journal.sqlite" if cluster is None else cluster.dsn
    text = CONFIG.format(
        venue=box.settings.venue, market=box.world.market.address, base=USER_BASE, quote=USER_QUOTE, wallet=key,
        rpc=box.node.rpc_url, websocket=box.node.websocket_url, journal=journal,
    )  # fmt: skip
    (folder / "bmv.toml").write_text(text)
    witness = Limits(box, account)
    witness.target = witness.held()[0] // box.world.market.lots.base_lot
    kept = Kept(folder / "journal.sqlite" if cluster is None else cluster.dsn)
    witness.kept = lambda: kept
    return Play(box, witness, folder, Random(box.settings.seed), kept, cluster)


def scenes_of(kills: int, store: str, counts: Mapping[str, int]) -> dict[str, int]:
    """Return how often each scene is played beside so many kills."""
    plain = {
        "kill_one": kills,
        "term": max(1, kills // 6),
        "double": max(1, kills // 12),
        "fence": max(1, kills // 12),
        "hole": max(1, kills // 20),
        "breaker": 1,
        "pause": 1,
        "clock": 1,
        "database": kills if store == "postgres" else 0,
    }
    if strange := set(counts) - set(plain):
        raise SystemExit(f"--scene: {', '.join(sorted(strange))}: expected {', '.join(plain)}")
    return {**plain, **counts}


async def play_all(
    settings: Settings,
    kills: int,
    store: str = "sqlite",
    counts: Mapping[str, int] | None = None,
    minutes: float = 1e9,
    keep: Path | None = None,
) -> list[str]:
    """Play all scenes in a random order, let a last session clear all, and return what is wrong."""
    async with playing(settings, store) as play:
        held, lamports, began_s = play.witness.held(), play.lamports(), time.monotonic()
        scenes = [name for name, count in scenes_of(kills, store, counts or {}).items() for _ in range(count)]
        play.dice.shuffle(scenes)
        played = Counter[str]()
        for number, name in enumerate(scenes, 1):
            await getattr(play, name)()
            played[name] += 1
            spent_s = time.monotonic() - began_s
            print(f"  {number}/{len(scenes)} {name}, {spent_s:.0f} s", flush=True)
            if play.wrong or play.witness.wrong or spent_s > 60 * minutes:
                break
        await play.finish()
        play.box.pace.paused = True
        wrong = [*play.check(held, lamports), *await _verified(play)]
        print(f"played {dict(played)} of {dict(Counter(scenes))}; {len(play.traders)} processes")
        print(f"{len(play.kept.words)} sessions: {dict(sorted(play.counts.items()))}")
        print(f"{account_of(play.kept.numbered())}; most rested {dict(play.witness.most)}; {len(wrong)} things wrong")
        if wrong and keep and isinstance(play.kept.journal, Path):
            keep.write_bytes(play.kept.journal.read_bytes())
        return wrong


async def _verified(play: Play) -> list[str]:
    """Return which session's chain of words is not whole."""
    wrong, place = list[str](), load(play.config).storage.journal
    assert place is not None, "the configuration above names one"
    async with open_sessions(place, play.folder) as store:
        for name in await store.sessions():
            try:
                await store.verify(name)
            except BmvError as error:
                wrong.append(str(error))
    return wrong


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", type=int)
    parser.add_argument("--venue", default="openbook-v2", choices=("openbook-v1", "openbook-v2"))
    parser.add_argument("--consensus", default="alpenglow", choices=("alpenglow", "tower"))
    parser.add_argument("--store", default="sqlite", choices=("sqlite", "postgres"))
    parser.add_argument("--speed", type=float, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9, help="After so many no more scene is begun.")
    parser.add_argument("--scene", action="append", default=[], metavar="NAME=COUNT", help="How often one is played.")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="Where a journal of SQLite goes if a thing is wrong.")
    asked = parser.parse_args()
    counts = {name: int(count) for name, _, count in (each.partition("=") for each in asked.scene)}
    settings = Settings(venue=asked.venue, seed=asked.seed, consensus=asked.consensus, speed=asked.speed)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Else processes and a database would be left behind.
    wrong = asyncio.run(play_all(settings, asked.kills, asked.store, counts, asked.minutes, asked.keep))
    print("\n".join(wrong) or "nothing is wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
