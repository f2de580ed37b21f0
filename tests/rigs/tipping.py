"""Jito silent for a while, and caps on tips: what lands by whom, and when placing stops and goes on.

python -m tests.rigs.tipping silent [--seconds N] [--venue V] [--speed N]
python -m tests.rigs.tipping caps [--venue V] [--speed N]
"""

import argparse
import asyncio
import sys
from collections import defaultdict
from dataclasses import replace
from functools import partial
from statistics import median

from tests.rigs.roads import AFTER_SLOTS, TIP_MAX, configuration, tip_balances
from tests.rigs.trader import LIFE_S, Trader
from tests.rigs.trading import Stage, check_words, stage

from bmv.adapters.openbook.execution.executor import Manners
from bmv.adapters.openbook.execution.purse import HOUR_NS, Purse
from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.wiring import Settings
from bmv.data.journal.attempts import attempts_of
from bmv.ports.messages import Event, Kind, Reason

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


class Late:
    """A clock that can be moved on."""

    def __init__(self, trader: Trader) -> None:
        self._clock, self.more_ns = trader.clock, 0

    def now_ns(self) -> int:
        return self._clock.now_ns() + self.more_ns


async def caps(settings: Settings, changes: int = 12) -> list[str]:
    """Move a grid that would tip three times what an hour may, through a restart and into the next hour."""
    wrong, cap = list[str](), 3 * changes * 1_000
    reasons = list[int]()
    config = partial(configuration, "jito", speed=settings.speed, refill_percentile=50, recentre_percentile=55)
    purse = Purse(tip_hour_max=cap)
    late: list[Late] = []

    def alter(trader: Trader) -> None:
        late.append(Late(trader))
        heard = trader.grid.hear

        def hear(event: Event) -> None:
            if event.kind == Kind.REJECTED:
                reasons.append(event.code)
            heard(event)

        trader.grid.hear = hear  # type: ignore[method-assign]  # A rig listens.
        trader.executor.house = replace(trader.executor.house, now_ns=late[0].now_ns)
        trader.executor.carrier.now_ns = late[0].now_ns

    async with stage(settings, manners_of(settings.speed), lags=(), alter=alter, config=config, purse=purse) as play:
        box, trader = play.box, play.trader
        before = tip_balances(box)
        placed_at_cap = None
        for number in range(4 * changes):
            await place(play)
            if placed_at_cap is None and Reason.FEE_CAP in reasons:
                placed_at_cap = number
                break
        paid = tip_balances(box) - before
        print(f"the cap of {cap} lamports was met after {placed_at_cap} changes, {paid} lamports tipped")
        if placed_at_cap is None:
            return ["the cap was never met"]
        if paid > cap:
            wrong.append(f"{paid} lamports were tipped, and {cap} is the most of an hour")
        rested = len(play.witness.resting())
        trader.submit(trader.grid.nothing(0))
        await trader.until(lambda: trader.executor.idle, DEADLINE_S)
        print(f"{rested} orders rested at the cap, {len(play.witness.resting())} after a cancel")
        if play.witness.resting():
            wrong.append("cancels did not go on at the cap")
        from bmv.adapters.openbook.execution.recovery import read_left

        left = read_left(words_of(play))  # As a process finds it that starts where this one was killed.
        again = Purse(tip_hour_max=cap)
        again.inherit(left.spending, late[0].now_ns())
        if again.tip_room(late[0].now_ns()) != purse.tip_room(late[0].now_ns()):
            wrong.append("whoever starts after a crash counts other tips than we do")
        reasons.clear()
        late[0].more_ns = HOUR_NS + 2 * 60 * 10**9
        await place(play)
        rests = len(play.witness.resting())
        print(f"{rests} orders rest in the next hour, {tip_balances(box) - before} lamports tipped in all")
        if Reason.FEE_CAP in reasons or not rests:
            wrong.append("the next hour did not go on")
        largest = max(attempt.tip for attempt in attempts_of(words_of(play)).attempts.values())
        if largest > TIP_MAX:
            wrong.append(f"a tip of {largest}, and {TIP_MAX} is the most")
        wrong += check_words(words_of(play))
    return wrong


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
