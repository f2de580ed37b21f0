"""A process that trades, killed with -9 at random moments and started again from its journal.

    python -m tests.rigs.kills KILLS [--venue V] [--consensus C] [--seed N] [--speed N] [--route R] [--tips-max N]
        [--no-faults]

The chain, its faults and its witness live in this process; who trades is a real process of its own (see `killed.py`),
with a journal in SQLite. It is killed while it trades and while it recovers. Once in a while it is only stopped, another
is started in its place, and then it goes on: it must find that it is not the one who trades any more. At the end the
book is empty, every order and attempt has an end, and the journals tell what the balances say.
"""

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import sys
import tempfile
import time
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from tests.rigs.killed import FENCED, Orders
from tests.rigs.roads import ROUTES, tip_balances
from tests.rigs.settling import account_of, check_sessions, check_spending, check_tips
from tests.rigs.trader import NAME
from tests.rigs.trading import FAULTS, LAG, Witness, middle_of, user_account

from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.wiring import Sandbox, Settings, make_sandbox
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.data.journal.attempts import ATTEMPT, Attempted, read_attempt
from bmv.data.journal.chain import word
from bmv.live.journal import number_of
from bmv.ports.storage import Note, Word

ROOT = Path(__file__).parents[2]  # From which a module of the tests is found.
RESENT = "sent again by one that was fenced"
FENCE_EVERY = 10  # Kills.
PATIENCE_S = 600.0  # For a child to say something, on a machine that others use too.
DARK_EVERY = 15  # Kills between two times at which the chain stands still and goes back.


@dataclass
class Child:
    """A process that trades, and what it says."""

    process: asyncio.subprocess.Process
    lines: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    wrong: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    listening: "asyncio.Task[None] | None" = None

    async def listen(self) -> None:
        """Take in its lines."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            text = line.decode().strip()
            self.said.append(text)
            if text.startswith("wrong"):
                self.wrong.append(text)
            else:
                await self.lines.put(text)
        await self.lines.put("")  # It is gone.

    async def until(self, text: str, seconds: float = PATIENCE_S) -> bool:
        """Wait until it says something; False: it has not by then, or has ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (line := await self.lines.get()) != text:
                    if not line:
                        await self.lines.put("")
                        return False
                return True
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is there."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)  # `send_signal` may take the exit code away from who waits for it.

    async def end(self) -> int:
        """Wait until it has ended, and return how."""
        code = await self.process.wait()
        if self.listening is not None:
            await self.listening
        return code


@dataclass
class Kept:
    """Attempts that are in the journal, by signature, read as somebody else than who writes."""

    path: Path
    known: dict[str, Attempted] = field(default_factory=dict)
    _last: tuple[str, int] = ("", -1)  # A session has no word more when the next one begins.

    def __contains__(self, signature: object) -> bool:
        if signature not in self.known:
            self._read()
        return signature in self.known

    def _read(self) -> None:
        query = "select session, seq, body from journal where (session, seq) > (?, ?) order by session, seq"
        with suppress(sqlite3.OperationalError), closing(connected(self.path)) as file:
            for session, seq, body in file.execute(query, self._last):
                self._last, each = (session, seq), word(body)
                if isinstance(each, Note) and each.topic == ATTEMPT:
                    attempt = read_attempt(each)
                    self.known.setdefault(attempt.signature, attempt)

    @property
    def newest(self) -> int:
        """Number of the newest session."""
        self._read()
        return number_of(self._last[0], NAME) or 0


def is_locked(path: Path) -> bool:
    """Whether somebody is in the middle of writing to a file of SQLite."""
    with closing(sqlite3.connect(path, timeout=0.1, isolation_level=None)) as file:
        try:
            file.execute("begin immediate")
        except sqlite3.OperationalError:
            return True
        file.execute("rollback")
        return False


def connected(path: Path) -> sqlite3.Connection:
    """Open a file of SQLite to read it only."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


@dataclass
class Play:
    """A chain, its witness, and the children that trade there one after the other."""

    box: Sandbox
    account: Pubkey
    witness: Witness
    folder: Path
    dice: Random
    version: int
    kept: Kept
    longest_s: float = 2.0
    route: str = ""
    tips_max: int = 0
    late_s: int = 0  # How far the clocks of children are ahead.
    says: bool = False  # Whether they say what became of each change.
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=lambda: Counter({RESENT: 0}))
    children: list[Child] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        """Where the journal is."""
        return self.folder / "journal.sqlite"

    def lamports(self) -> int:
        """Return what the user's wallet holds."""
        return self.box.chain.account(self.box.world.user.address).lamports

    async def start(self, last: bool = False) -> Child:
        """Start a process that trades, or that clears all and settles."""
        world, number = self.box.world, len(self.children)
        orders = Orders(
            urls=[(node.rpc_url, node.websocket_url) for node in self.box.nodes],
            market=str(world.market.address),
            account=str(self.account),
            key=str(self.folder / "id.json"),
            journal=str(self.journal),
            middle=str(self.folder / "middle"),
            seed=self.dice.randrange(2**32),
            speed=self.box.settings.speed,
            version=self.version,
            last=last,
            route=self.route,
            tips_max=self.tips_max,
            late_s=self.late_s,
            says=self.says,
        )
        path = self.folder / f"orders-{number}.json"
        path.write_text(json.dumps(orders._asdict()))
        with (self.folder / f"errors-{number}").open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.rigs.kills", "--child", str(path),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=errors, cwd=ROOT,
            )  # fmt: skip
        child = Child(process)
        child.listening = asyncio.create_task(child.listen())
        self.children.append(child)
        return child

    def errors(self, child: Child) -> str:
        """Return what a child wrote to its standard error, the end of it."""
        return (self.folder / f"errors-{self.children.index(child)}").read_text()[-6000:]

    async def expect(self, child: Child, text: str) -> bool:
        """Wait until a child says something; what it does instead is wrong."""
        if await child.until(text):
            return True
        self.wrong.append(f"child {self.children.index(child)} never said {text!r}: {child.said} {self.errors(child)}")
        return False

    async def kill(self, child: Child) -> None:
        """Kill a child; that it has ended before is wrong."""
        child.signal(signal.SIGKILL)
        if (code := await child.end()) != -signal.SIGKILL:
            self.wrong.append(f"child {self.children.index(child)} ended by itself with {code}: {self.errors(child)}")
        self.wrong += child.wrong

    async def one_kill(self) -> None:
        """Start a child and kill it, while it trades or while it takes over."""
        child = await self.start()
        if not await self.expect(child, "begins"):
            pass
        elif self.dice.random() < 0.3:
            trades = await child.until("trades", self.dice.random() ** 2 * 4)
            self.counts["while it trades" if trades else "while it takes over"] += 1
        elif await self.expect(child, "trades"):
            await asyncio.sleep(self.dice.uniform(0.05, self.longest_s))
            self.counts["while it trades"] += 1
        await self.kill(child)

    async def stop(self, child: Child) -> None:
        """Stop a child where it does not hold the lock of the file: for that another would wait in vain, and end."""
        child.signal(signal.SIGSTOP)
        while is_locked(self.journal):
            self.counts["stopped while it wrote"] += 1
            child.signal(signal.SIGCONT)
            await asyncio.sleep(0.02)
            child.signal(signal.SIGSTOP)

    async def one_fence(self) -> None:
        """Stop a child, let another take over, and let the first go on: it must end, and have written nothing."""
        first = await self.start()
        if not await self.expect(first, "trades"):
            await self.kill(first)
            return
        await asyncio.sleep(self.dice.uniform(0.05, self.longest_s / 2))
        await self.stop(first)
        epoch, second = self.kept.newest, await self.start()
        if await self.expect(second, "trades"):
            for node in self.box.nodes:
                node.calls.clear()
            first.signal(signal.SIGCONT)
            await self.expect(first, "fenced")
            self.counts["fenced"] += 1
        else:
            first.signal(signal.SIGKILL)
        if (code := await first.end()) != FENCED:
            self.wrong.append(f"a child that was fenced ended with {code}: {self.errors(first)}")
        self._look_at_sent(epoch)
        self.wrong += first.wrong
        await asyncio.sleep(self.dice.uniform(0.05, self.longest_s / 2))
        await self.kill(second)

    def _look_at_sent(self, epoch: int) -> None:
        """Count what a child has sent again that was fenced; what was not kept before is wrong.

        Of an earlier writer's bytes another sends cancels only: placements of that epoch came from the fenced one.
        """
        calls = [call for node in self.box.nodes for call in node.calls]
        for params in [params for method, params in calls if method == "sendTransaction"]:
            signature = str(VersionedTransaction.from_bytes(b64decode(params[0])).signatures[0])
            if signature not in self.kept:
                self.wrong.append(f"{signature} was sent beside a child that was fenced, and was not kept")
            elif self.kept.known[signature].epoch == epoch and not self.kept.known[signature].urgent:
                self.counts[RESENT] += 1

    async def finish(self) -> None:
        """Let a last child clear all."""
        child = await self.start(last=True)
        if await self.expect(child, "done"):
            if code := await child.end():
                self.wrong.append(f"the last child ended with {code}: {self.errors(child)}")
        else:
            await self.kill(child)
        self.wrong += child.wrong

    async def tell_middle(self) -> None:
        """Say again and again where the market is."""
        path, draft = self.folder / "middle", self.folder / "middle.draft"
        while True:
            draft.write_text(str(middle_of(self.box)))
            draft.replace(path)
            await asyncio.sleep(0.1)

    async def go_dark(self) -> None:
        """Let the chain stand still for a while, and go back."""
        self.box.chain.go_dark()
        await asyncio.sleep(40 * self.box.settings.slot_ms / 1000 / self.box.settings.speed)
        self.box.chain.go_on()


@asynccontextmanager
async def playing(settings: Settings, version: int) -> AsyncIterator[Play]:
    """Open a chain and a folder; no child is left at the end."""
    box = make_sandbox(settings)
    account = user_account(box)
    with tempfile.TemporaryDirectory(prefix="bmv-kills-") as name:
        folder = Path(name)
        key = folder / "id.json"
        key.touch(0o600)
        key.write_text(json.dumps(list(bytes(box.world.user.key))))
        async with box:
            await box.add_node(LAG)
            witness = Witness(box, account)
            kept = Kept(folder / "journal.sqlite")
            witness.kept = lambda: kept
            play = Play(box, account, witness, folder, Random(settings.seed), version, kept)
            telling = asyncio.create_task(play.tell_middle())
            try:
                yield play
            finally:
                telling.cancel()
                for child in play.children:
                    child.signal(signal.SIGKILL)
                    await child.end()


async def sessions_of(path: Path) -> dict[int, list[Word]]:
    """Return the words of every session, by its number; each chain of them is whole."""
    store = SqliteSessions(path)
    try:
        found = {}
        for name in await store.sessions():
            await store.verify(name)
            number = number_of(name, NAME)
            assert number is not None, name
            async with aclosing(store.read(name)) as pages:
                found[number] = [each async for page in pages for each in page]
        return found
    finally:
        await store.close()


async def kill_often(
    settings: Settings,
    kills: int,
    faults: Sequence[Fault],
    version: int = 1,
    longest_s: float = 2.0,
    route: str = "",
    tips_max: int = 0,
) -> list[str]:
    """Kill a child so many times, let a last one clear all, and return what is wrong."""
    async with playing(settings, version) as play:
        play.longest_s, play.route, play.tips_max = longest_s, route, tips_max
        tipped = tip_balances(play.box)
        held, lamports, started_s = play.witness.held(), play.lamports(), time.monotonic()
        for node in play.box.nodes:
            node.view.faults.switch_on(*faults)
        for number in range(kills):
            if faults and number % DARK_EVERY == DARK_EVERY - 1:
                dark = asyncio.create_task(play.go_dark())
                await play.one_kill()
                await dark
            elif number % FENCE_EVERY == 2:
                await play.one_fence()
            else:
                await play.one_kill()
            if number % 10 == 9:
                print(f"  {number + 1} kills, {time.monotonic() - started_s:.0f} s, {dict(play.counts)}", flush=True)
            if play.wrong or play.witness.wrong:
                break
        for node in play.box.nodes:
            node.view.faults.switch_off()
        await play.finish()
        play.box.pace.paused = True
        wrong = play.wrong + play.witness.wrong
        if rest := play.witness.resting():
            wrong.append(f"{len(rest)} orders rest at the end")
        sessions = await sessions_of(play.journal)
        if not sessions:
            return wrong
        wrong += check_sessions(sessions)
        wrong += check_spending(sessions, lamports - play.lamports())
        wrong += check_tips(sessions, tip_balances(play.box) - tipped, tips_max)
        wrong += account_of(sessions).check(play.box.world.market.lots, held, play.witness.held())
        print(f"{len(play.children)} processes, {len(sessions)} sessions; killed {dict(play.counts)}")
        print(f"{account_of(sessions)}; most rested {dict(play.witness.most)}; {len(wrong)} things wrong")
        if wrong and (folder := os.environ.get("BMV_KEEP")):
            Path(folder).write_bytes(play.journal.read_bytes())
        return wrong


def main() -> None:
    """Run, or be a child."""
    if sys.argv[1:2] == ["--child"]:
        from tests.rigs.killed import child

        sys.exit(asyncio.run(child(Orders(**json.loads(Path(sys.argv[2]).read_text())))))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", type=int)
    parser.add_argument("--venue", default="openbook-v2", choices=("openbook-v1", "openbook-v2"))
    parser.add_argument("--consensus", default="alpenglow", choices=("alpenglow", "tower"))
    parser.add_argument("--version", type=int, default=1, choices=(0, 1))
    parser.add_argument("--speed", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--route", default="", choices=("", *ROUTES), help="By which route, as in the rig of trading.")
    parser.add_argument("--tips-max", type=int, default=0, help="Lamports that may be tipped in an hour; 0: any.")
    parser.add_argument("--no-faults", action="store_true")
    asked = parser.parse_args()
    settings = Settings(venue=asked.venue, seed=asked.seed, consensus=asked.consensus, speed=asked.speed)
    faults = () if asked.no_faults else FAULTS
    wrong = asyncio.run(
        kill_often(settings, asked.kills, faults, asked.version, route=asked.route, tips_max=asked.tips_max)
    )
    print("\n".join(wrong) or "nothing is wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
