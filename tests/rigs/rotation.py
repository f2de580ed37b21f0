"""Keys rotated again and again by a real process that is killed with -9: at each of its steps, and at random moments.

    python -m tests.rigs.rotation KILLS [--venue V] [--delegate] [--seed N] [--speed N]

The chain lives in this process; each `bmv wallet rotate` is a process of its own, forked from one that has imported the
code and done nothing else. It is killed as each line of its diary
appears, one line later every time, and then KILLS times at moments that dice choose, and run again until it ends. After
every rotation: no order of the old key rests, it holds nothing, the funds are those of before less the fees that the
chain took, one key is live and the configuration names it, whatever landed stood in the diary before, and one more run
finds nothing to do.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey

HERE = Path(__file__).parents[1]
sys.path[:0] = [str(HERE / "servers")]

from sandboxes import Running, patiently, running  # noqa: E402 it lies beside.
from seats import Sitting  # noqa: E402
from zygote import Zygote  # noqa: E402

from bmv.adapters.openbook.book import Side  # noqa: E402
from bmv.adapters.openbook.seat.funds import held_of  # noqa: E402
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount  # noqa: E402
from bmv.adapters.sandbox import rules  # noqa: E402
from bmv.adapters.sandbox.ledger import Block  # noqa: E402
from bmv.adapters.sandbox.wallets import trader_of  # noqa: E402
from bmv.adapters.sandbox.wiring import Settings, World  # noqa: E402
from bmv.adapters.solana.rpc import Rpc  # noqa: E402
from bmv.adapters.solana.tokens import associated_account, read_token_account  # noqa: E402
from bmv.adapters.solana.wallet.key import LocalKey  # noqa: E402
from bmv.adapters.solana.wallet.keyfile import write_new  # noqa: E402
from bmv.adapters.solana.wallet.sealing import COST_MIN, seal  # noqa: E402
from bmv.adapters.solana.wallet.secret import Secret  # noqa: E402

PASSPHRASE = "rotated in a rig"
BMV = [sys.executable, "-m", "bmv.adapters.cli"]
PATIENCE_S = 120.0
RUNS_MAX = 12  # Of one rotation, before something is wrong.
AGAIN_EVERY = 4  # Rotations: so often one more run is tried.
LADDER = 3  # Orders of each side.


class Remote(Sitting):
    """Somebody at his desk on a chain that goes on meanwhile: what he sends goes by the endpoint."""

    @property
    def mid(self) -> int:
        return patiently(lambda: super(Remote, self).mid)

    def _land(self, instructions: Any) -> None:
        for _ in range(10):
            transaction = self._sign(instructions)
            sent = str(transaction.signatures[0])
            self._ask(lambda rpc, data=bytes(transaction): _send(rpc, data))
            until = time.monotonic() + 2
            while time.monotonic() < until:
                if self._ask(lambda rpc, sent=sent: _landed(rpc, sent)):
                    return
                time.sleep(0.02)
        raise AssertionError("what is sent does not land")


async def _send(rpc: Rpc, data: bytes) -> Any:
    from base64 import b64encode

    return await rpc.call("sendTransaction", b64encode(data).decode(), {"encoding": "base64", "skipPreflight": True})


async def _landed(rpc: Rpc, signature: str) -> bool:
    status = (await rpc.call("getSignatureStatuses", [signature]))["value"][0]
    return status is not None and status["confirmationStatus"] == "finalized"


@dataclass(frozen=True)
class Held:
    """What somebody has on the chain: native base and quote, and lamports with the rent of all his accounts."""

    base: int
    quote: int
    lamports: int


@dataclass
class Witness:
    """Counts what the chain took in fees, of whom, and which transactions they were."""

    it: Running
    fees: dict[Pubkey, int] = field(default_factory=dict)
    signatures: dict[Pubkey, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.it.world.chain.on_freeze.append(self._freeze)

    def _freeze(self, block: Block) -> None:
        for landed in block.landed:
            payer = landed.keys[0]
            self.fees[payer] = self.fees.get(payer, 0) + rules.fee_of(landed.transaction.message)
            self.signatures.setdefault(payer, set()).add(landed.signature)


@dataclass
class Rig:
    """A sandbox, keys that come and go, and who trades with which.

    Args:
        owner: Who deposits and appoints, where delegates are rotated; None: owners are.
    """

    it: Running
    folder: Path
    dice: Random
    witness: Witness
    config: Path
    owner: Keypair | None
    current: Pubkey
    zygote: Zygote
    number: int = 0
    kills: int = 0
    runs: int = 0
    slowest_s: float = 3.0
    wrong: list[str] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.it.world

    def as_user(self, key: Keypair) -> Remote:
        """Return a key's owner at his desk."""
        user = trader_of(key, "user", self.world.base, self.world.quote)
        return Remote(replace(self.world, user=user), self.it.rpc)

    def new_key(self) -> tuple[Keypair, Path]:
        """Make a key, encrypted as `bmv wallet new` does it, but sooner."""
        self.number += 1
        keypair, path = Keypair(), self.folder / f"hot{self.number}.json"
        write_new(path, seal(LocalKey(keypair), Secret(PASSPHRASE.encode()), COST_MIN))
        return keypair, path

    def held(self, wallet: Pubkey, account: Pubkey | None = None) -> Held:
        """Return what a wallet has, and what lies in its account at the venue."""
        tokens = [self.it.account(associated_account(wallet, one.mint)) for one in (self.world.base, self.world.quote)]
        amounts = [0 if one is None else read_token_account(one).amount for one in tokens]
        own = self.it.account(wallet)
        lamports = sum(one.lamports for one in (own, *tokens) if one is not None)
        return Held(amounts[0], amounts[1], lamports)

    def at_venue(self, key: Keypair) -> Held:
        """Return what an owner has at the venue, with the rent of it."""
        at = self.as_user(key)
        spot, desk = at.spot, at.desk()
        if not spot.exists:
            return Held(0, 0, 0)
        funds = held_of(desk, spot.address)
        assert funds.base.unsettled == funds.quote.unsettled == 0, "nobody is to meet these orders"
        rent = desk.rent[spot.address] + (spot.indexer_lamports if spot.indexed else 0)
        return Held(funds.base.free + funds.base.locked, funds.quote.free + funds.quote.locked, rent)

    def arguments(self, new: Path) -> list[str]:
        words = ["wallet", "rotate", str(self.config), "--to", str(new), "--yes", "--json"]
        return [*words, *([] if self.owner is None else ["--owner", str(self.folder / "owner.json")])]

    def run(self, new: Path, kill: Callable[[float], bool] = lambda _: False) -> tuple[int, str, str]:
        """Run the command; it is killed as soon as `kill`, which hears for how many seconds it has worked, says so."""
        self.runs += 1
        begun, lines = time.monotonic(), len(self.diary(self.current))
        working_s = 0.0
        child = self.zygote.start(self.arguments(new))
        ended: list[tuple[int, str, str]] = []
        waiting = threading.Thread(target=lambda: ended.append(self.zygote.end()))
        waiting.start()
        while not ended:
            if not working_s and len(self.diary(self.current)) > lines:
                working_s = time.monotonic()
            if kill(time.monotonic() - working_s if working_s else 0.0):
                with suppress(ProcessLookupError):  # It may have ended by itself in this very moment.
                    os.kill(child, signal.SIGKILL)
                    self.kills += 1
                break
            if time.monotonic() - begun > PATIENCE_S:
                os.kill(child, signal.SIGKILL)
                self.wrong.append("a run does not end")
                break
            time.sleep(0.01)
        waiting.join()
        code, out, err = ended[0]
        if working_s and code == 0:
            self.slowest_s = max(self.slowest_s, time.monotonic() - working_s)
        return code, out, err

    def diary(self, old: Pubkey) -> list[dict[str, str]]:
        path = self.folder / "rotations" / f"{old}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().split("\n")[:-1] if line.endswith("}")]


def rotate(rig: Rig, keys: dict[Pubkey, Keypair], kills: list[Callable[[Pubkey], Callable[[float], bool]]]) -> int:
    """Let orders rest, rotate, be killed at some moments, and look at it; return how many lines the diary has."""
    old = rig.current
    new_key, path = rig.new_key()
    new = new_key.pubkey()
    keys[new] = new_key
    trades = rig.owner or keys[old]
    at = rig.as_user(trades)
    at.rest(at.ladder(LADDER))
    old_account = at.spot.address
    payers = {old, new, trades.pubkey()}
    before = _sum(*(rig.held(key) for key in payers), rig.at_venue(trades))
    fees = sum(rig.witness.fees.get(key, 0) for key in payers)
    landed = set().union(*(rig.witness.signatures.get(key, set()) for key in payers))

    ended = 1
    for kill in [make(old) for make in kills] + [lambda _: False] * RUNS_MAX:
        code, _, err = rig.run(path, kill)
        if code == 0:
            ended = 0
            break
        if code != -signal.SIGKILL:
            rig.wrong.append(f"a run ended with {code}: {err[-400:]}")
            break
    if ended:
        rig.wrong.append(f"rotation to {new} is not done")
        return 0
    _settle_down(rig)
    rig.current = new
    rig.wrong += check(rig, keys, old, old_account, new, path)
    live = rig.owner or new_key
    after = _sum(*(rig.held(key) for key in payers), rig.at_venue(live))
    paid = sum(rig.witness.fees.get(key, 0) for key in payers) - fees
    if (after.base, after.quote, after.lamports) != (before.base, before.quote, before.lamports - paid):
        rig.wrong.append(f"{before} became {after}, and the fees were {paid}")
    sent = {row["signature"] for row in rig.diary(old) if row["kind"] == "sent"}
    ours = set().union(*(rig.witness.signatures.get(key, set()) for key in payers)) - landed
    if ours - sent:
        rig.wrong.append(f"{len(ours - sent)} transactions landed that no diary knew of")
    return len(rig.diary(old))


def _sum(*all_of: Held) -> Held:
    return Held(*(sum(getattr(one, name) for one in all_of) for name in ("base", "quote", "lamports")))


def _settle_down(rig: Rig) -> None:
    """Wait until whatever a killed process has sent can't land any more."""
    chain = rig.world.chain
    until = chain.height + 160
    while chain.height < until:
        time.sleep(0.02)


def check(
    rig: Rig, keys: dict[Pubkey, Keypair], old: Pubkey, old_account: Pubkey, new: Pubkey, path: Path
) -> list[str]:
    """Return what is wrong after a rotation, money apart."""
    wrong = []
    live = rig.as_user(rig.owner or keys[new])
    left = rig.held(old)
    if (left.base, left.quote, left.lamports) != (0, 0, 0):
        wrong.append(f"the old key still holds {left}")
    if rig.owner is None:
        account = rig.it.account(old_account)
        if account is not None and account.lamports:
            wrong.append("the old key's account is still there")
        others = [key for key, pair in keys.items() if key != new and rig.as_user(pair).spot.exists]
        if others:
            wrong.append(f"{len(others)} other keys are live")
    else:
        state = rig.it.account(old_account)
        assert state is not None
        if OpenOrdersAccount.decode(state.data).delegate != new:
            wrong.append("the new key is no delegate")
    if not live.spot.exists:
        wrong.append("the new key has no account")
    books = [patiently(lambda side=side: rig.world.market.book(side)) for side in Side]
    if live.resting() or any(order.owner == old_account for book in books for order in book):
        wrong.append("orders of the old key rest")
    if f'wallet = "{path}"' not in rig.config.read_text():
        wrong.append("the configuration does not name the new key")
    diary = rig.diary(old)
    if diary[-1]["kind"] != "done":
        wrong.append("the diary has no end")
    sent = {key: len(found) for key, found in rig.witness.signatures.items()}
    again = rig.number % AGAIN_EVERY == 1
    code, out, err = rig.run(path) if again else (0, '{"attempts": []}', "")
    if code or json.loads(out)["attempts"]:
        wrong.append(f"one more run ends with {code}: {out}{err}")
    if any(len(found) != sent.get(key, 0) for key, found in rig.witness.signatures.items() if key in (old, new)):
        wrong.append("one more run sends something")
    return wrong


def at_moment(rig: Rig) -> Callable[[Pubkey], Callable[[float], bool]]:
    """Return what kills at a random moment of a run."""
    when = rig.dice.uniform(0.0, rig.slowest_s)
    return lambda old: lambda worked_s: worked_s > when


def play(settings: Settings, kills: int, delegate: bool, steps: bool = True) -> list[str]:
    """Rotate with all kills, and return what is wrong. Nobody else trades: it would take the machine's time."""
    folder = Path(tempfile.mkdtemp(prefix="bmv-rotation-"))
    wallets = folder / "wallets"
    wallets.mkdir(mode=0o700)
    env = {"BMV_WALLETS": str(wallets), "BMV_WALLET_PASSPHRASE": PASSPHRASE}
    with (
        Zygote(["bmv.live.rotation.command", "bmv.live.rotation.steps"], folder, env) as zygote,
        running(settings, folder / "sandbox", lambda world: Sitting(world).set_up(), asleep=True) as it,
    ):
        rig = _open(it, wallets, Random(settings.seed), delegate, zygote)
        keys = {it.world.user.address: it.world.user.key} if rig.owner is None else {}
        if rig.owner is not None:
            _appoint_first(rig, keys)
        lines = rotate(rig, keys, [])
        print(f"a rotation alone: {lines} lines, {rig.slowest_s:.1f} s at most, wrong: {rig.wrong}", flush=True)
        for number in range(1, lines + 1 if steps else 1):
            rotate(rig, keys, [lambda old, n=number: lambda _: len(rig.diary(old)) >= n])
            print(f"  killed at line {number}: {rig.runs} runs, {rig.kills} kills, wrong: {rig.wrong}", flush=True)
            if rig.wrong:
                return rig.wrong
        random = 0
        while random < kills and not rig.wrong:
            some = min(rig.dice.choice((1, 2, 3, 4)), kills - random)
            before = rig.kills
            rotate(rig, keys, [at_moment(rig) for _ in range(some)])
            random += rig.kills - before
            print(f"  {random} random kills, {rig.runs} runs, {len(keys)} keys, wrong: {rig.wrong}", flush=True)
        print(f"{rig.number} rotations, {rig.kills} kills, {rig.runs} runs")
        return rig.wrong


def _open(it: Running, wallets: Path, dice: Random, delegate: bool, zygote: Zygote) -> Rig:
    user = it.world.user
    owner = user.key if delegate else None
    if delegate:
        write_new(wallets / "owner.json", seal(LocalKey(user.key), Secret(PASSPHRASE.encode()), COST_MIN))
    return Rig(it, wallets, dice, Witness(it), Path(it.config), owner, user.address, zygote)


def _appoint_first(rig: Rig, keys: dict[Pubkey, Keypair]) -> None:
    """Let the owner set a first delegate up, with SOL for its fees."""
    import httpx

    key, path = rig.new_key()
    keys[key.pubkey()] = key
    rig.current = key.pubkey()
    asked = {"jsonrpc": "2.0", "id": 1, "method": "requestAirdrop", "params": [str(key.pubkey()), 10**9]}
    assert "result" in httpx.post(rig.it.rpc, json=asked).json()
    text = rig.config.read_text()
    env = {**os.environ, "BMV_WALLETS": str(rig.folder), "BMV_WALLET_PASSPHRASE": PASSPHRASE}
    sets = ["--set", f"live.delegate={key.pubkey()}", "--set", "live.deposit_base=20", "--set", "live.deposit_quote=99"]
    subprocess.run([*BMV, "chain", "setup", str(rig.config), "--yes", *sets], check=True, env=env, capture_output=True)
    lines = [
        f'wallet = "{path}"\nowner = "{rig.world.user.address}"\ndelegate = "{key.pubkey()}"'
        if line.startswith("wallet = ")
        else line
        for line in text.splitlines()
    ]
    rig.config.write_text("\n".join(lines) + "\n")


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", type=int)
    parser.add_argument("--venue", default="openbook-v2", choices=("openbook-v1", "openbook-v2"))
    parser.add_argument("--delegate", action="store_true", help="rotate delegates, by their owner's key")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=20)
    asked = parser.parse_args()
    begun = time.monotonic()
    wrong = play(Settings(venue=asked.venue, seed=asked.seed, speed=asked.speed), asked.kills, asked.delegate)
    print("\n".join(wrong) or "nothing is wrong", f"({time.monotonic() - begun:.0f} s)")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
