"""Jito silent for a while, and caps on tips: what lands by whom, and when placing stops and goes on, whatever is killed.

python -m tests.rigs.tipping silent [--seconds N] [--venue V] [--speed N]
python -m tests.rigs.tipping caps [--venue V] [--speed N]
"""

import argparse
import asyncio
import sys
from collections import defaultdict
from contextlib import suppress
from functools import partial
from statistics import median

from tests.rigs.kills import Child, Play, playing, sessions_of
from tests.rigs.roads import AFTER_SLOTS, TIP_MAX, configuration, tip_balances
from tests.rigs.settling import check_sessions, check_tips
from tests.rigs.trader import LIFE_S
from tests.rigs.trading import Stage, check_words, stage

from bmv.adapters.openbook.execution.executor import Manners
from bmv.adapters.openbook.execution.purse import HOUR_NS
from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.wiring import Settings
from bmv.data.journal.attempts import attempts_of

SLOTS_MAX = 3  # In the median, that a cancel takes while Jito is silent.
DEADLINE_S = 60


def manners_of(speed: float) -> Manners:
    return Manners(life_s=LIFE_S, look_s=0.4 / speed, crank_s=3 / speed, version=0)


async def silent(settings: Settings, seconds: float) -> list[str]:
    """Place and cancel with Jito silent for so many seconds of the chain, and return what is wrong."""
    wrong, slots = list[str](), defaultdict[str, list[int]](list)
    config = partial(configuration, "jito", speed=settings.speed, after_s=30.0)
    async with stage(settings, manners_of(settings.speed), lags=(), config=config) as play:
        box, trader = play.box, play.trader
        box.node.view.faults.switch_on(Fault("jito_silent", seconds=600.0))
        end_slot = box.chain.slot + int(seconds * 1000 / settings.slot_ms)
        while box.chain.slot < end_slot:
            await place(play)
            for purpose, batch in (("cancel", trader.grid.nothing(0)),):
                began, known = box.chain.slot, set(attempts_of(words_of(play)).attempts)
                trader.submit(batch)
                await trader.until(lambda: trader.executor.idle, DEADLINE_S)
                told = attempts_of(words_of(play))
                cancels = {name for name, each in told.attempts.items() if name not in known and each.cancels}
                landed = [box.chain.landed[name].slot for name in cancels if name in box.chain.landed]
                slots[purpose] += [max(landed) - began] if landed else []
        told, words = attempts_of(words_of(play)), words_of(play)
        for name, attempt in told.attempts.items():
            if attempt.places and name in box.chain.landed and attempt.slot:
                slots["place"].append(box.chain.landed[name].slot - attempt.slot)
        sent = defaultdict[str, set[str]](set)
        ways = defaultdict[str, set[str]](set)
        for method, params in box.node.calls:
            if method == "sendTransaction":
                name = _signature(params[0])
                sent[name].add(params[0])
                ways[name].add("rpc" if "skipPreflight" in params[1] else "jito")
    several = [name for name, texts in sent.items() if len(texts) > 1]
    wrong += [f"{name} was sent in other bytes" for name in several] + check_words(words)
    both = sum(len(each) == 2 for each in ways.values())
    print(f"{len(slots['cancel'])} cancels, slots {sorted(slots['cancel'])}; placements {sorted(slots['place'])}")
    print(f"{len(sent)} transactions, {both} handed to Jito and to a node, each in one string of bytes")
    if not slots["cancel"] or median(slots["cancel"]) > SLOTS_MAX:
        wrong.append(f"cancels took {sorted(slots['cancel'])} slots, and {SLOTS_MAX} is the most in the median")
    if any(taken < AFTER_SLOTS for taken in slots["place"]) or not slots["place"]:
        wrong.append(f"placements took {sorted(slots['place'])} slots, and Jito has {AFTER_SLOTS} to itself")
    return wrong if both else [*wrong, "nothing went both ways: the bytes were not compared"]


async def place(play: Stage) -> None:
    """Move the grid until it rests."""
    await play.change()
    await play.trader.until(lambda: play.trader.executor.idle, DEADLINE_S)


def words_of(play: Stage) -> list:
    return play.store.words[play.trader.journal.session]


def _signature(text: str) -> str:
    from base64 import b64decode

    from solders.transaction import VersionedTransaction

    return str(VersionedTransaction.from_bytes(b64decode(text)).signatures[0])


HOURS = TIMES = 3  # Of a run: in its first it would like to tip so many times what an hour may.
KILLED = 3  # Processes of an hour; the last of them meets the cap.
CAP = 24_000  # Lamports an hour.


async def caps(settings: Settings, cap: int = CAP, hours: int = HOURS, killed: int = KILLED) -> list[str]:
    """Move a grid that would tip three times what an hour may, killed again and again, over three hours.

    Each hour is that of the traders' clocks, which are put on. In the first, when the cap is met, they go on to ask for
    as many changes again, twice.

    Args:
        cap: Lamports that may be tipped in an hour.
        hours: How many there are.
        killed: Processes of each that are killed before or when the cap is met.
    """
    async with playing(settings, version=0) as play:
        play.route, play.tips_max, play.says = "jito", cap, True
        before, wrong, asked = tip_balances(play.box), list[str](), 0
        for hour in range(hours):
            play.late_s = hour * (HOUR_NS // 10**9 + 120)
            moved = await one_hour(play, killed, least=0 if hour else None)
            asked, paid = asked or moved, tip_balances(play.box) - before
            print(f"hour {hour + 1}: {moved} changes asked for, {paid} lamports tipped so far", flush=True)
            if not cap * hour < paid <= cap * (hour + 1):
                wrong.append(f"{paid} lamports were tipped by hour {hour + 1}, and {cap} is the most of one")
            if play.wrong or wrong:
                break
        await play.finish()
        play.box.pace.paused = True
        wrong += play.wrong + play.witness.wrong
        if play.witness.resting():
            wrong.append("orders rest at the end")
        sessions = await sessions_of(play.journal)
        wrong += check_sessions(sessions) + check_tips(sessions, tip_balances(play.box) - before, hours * cap)
        largest = max(one.tip for words in sessions.values() for one in attempts_of(words).attempts.values())
        if largest > TIP_MAX:
            wrong.append(f"a tip of {largest}, and {TIP_MAX} is the most")
        print(f"{len(play.children)} processes, {len(sessions)} sessions, killed {dict(play.counts)}")
        return wrong


async def one_hour(play: Play, killed: int, least: int | None) -> int:
    """Let processes trade, each killed, until the cap has refused what they ask for; return how much they asked for.

    Args:
        least: Changes that are asked for at least when the cap is met; None: three times as many as met it.
    """
    changes = 0
    for number in range(killed - 1):
        child = await play.start()
        if await play.expect(child, "trades") and await play.expect(child, "moved"):
            changes += 1
            await asyncio.sleep(play.dice.uniform(0, 0.3))  # In the middle of the next.
            play.counts[f"while it trades, {number + 1}"] += 1
        await play.kill(child)
    child = await play.start()
    if await play.expect(child, "trades"):
        changes += await until_refused(child)
        wanted = TIMES * changes if least is None else changes + least
        while changes < wanted and await child.until("refused"):
            changes += 1
        await until_clear(play)
    await play.kill(child)
    child = await play.start()  # What was killed at the cap counts as much as what was killed before it.
    if await play.expect(child, "trades") and not await child.until("refused"):
        play.wrong.append("whoever started after the last kill of an hour was not refused")
    await play.kill(child)
    return changes


async def until_refused(child: Child) -> int:
    """Return after how many changes orders were refused."""
    moved = 0
    while (line := await child.lines.get()) != "refused":
        if not line:
            await child.lines.put("")
            break
        moved += line == "moved"
    return moved


async def until_clear(play: Play) -> None:
    """Wait until nothing rests: each change cancels what rests, and at the cap nothing takes its place."""
    with suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE_S):
            while play.witness.resting():
                await asyncio.sleep(0.05)
    if play.witness.resting():
        play.wrong.append("cancels did not go on at the cap")


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("silent", "caps"))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--venue", default="openbook-v2", choices=("openbook-v1", "openbook-v2"))
    parser.add_argument("--speed", type=float, default=1)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    settings = Settings(venue=asked.venue, seed=asked.seed, speed=asked.speed)
    run = silent(settings, asked.seconds) if asked.what == "silent" else caps(settings)
    wrong = asyncio.run(run)
    print("\n".join(wrong) or "nothing is wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
