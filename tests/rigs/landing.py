"""How many slots go by from a grid's change to its landing, and to its being final, as more and more sends are lost.

    python -m tests.rigs.landing [CHANGES] [--venue V] [--consensus C] [--speed N]

Lost are sendings that a node takes and that never land, by share. Slots are the chain's own, counted by the chain.
"""

import argparse
import asyncio
from statistics import median, quantiles

from tests.rigs.trader import LIFE_S
from tests.rigs.trading import Stage, stage

from bmv.adapters.openbook.execution.executor import Manners
from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.wiring import Settings
from bmv.data.journal.attempts import attempts_of

LOSSES = (0.0, 0.3, 0.6)


async def measure(play: Stage, changes: int) -> list[int]:
    """Return the slots from each change to the block in which it landed, that block included."""
    slots = []
    for _ in range(changes):
        known = set(attempts_of(play.store.words[play.trader.journal.session]).attempts)
        begun = play.box.chain.slot
        await play.change()
        await play.trader.until(lambda: play.trader.executor.idle, 120)
        told = attempts_of(play.store.words[play.trader.journal.session])
        new = [attempt for signature, attempt in told.attempts.items() if signature not in known and attempt.places]
        slots += [
            play.box.chain.landed[one.signature].slot - begun for one in new if one.signature in play.box.chain.landed
        ]
    return slots


async def run(settings: Settings, changes: int) -> None:
    """Measure each loss on a chain of its own, and print the slots."""
    manners = Manners(life_s=LIFE_S, look_s=0.4 / settings.speed, crank_s=3 / settings.speed)
    for loss in LOSSES:
        async with stage(settings, manners, lags=(0,)) as play:
            for node in play.box.nodes:
                node.view.faults.switch_on(Fault("drop_transaction", loss))
            slots = await measure(play, changes)
        p90 = quantiles(slots, n=10)[-1]
        print(f"{loss:4.0%} lost: {median(slots):g} slots to land (median), {p90:g} (p90), {max(slots)} at most")


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("changes", type=int, nargs="?", default=30)
    parser.add_argument("--venue", default="openbook-v2", choices=("openbook-v1", "openbook-v2"))
    parser.add_argument("--consensus", default="alpenglow", choices=("alpenglow", "tower"))
    parser.add_argument("--speed", type=float, default=2)
    asked = parser.parse_args()
    asyncio.run(run(Settings(venue=asked.venue, consensus=asked.consensus, speed=asked.speed), asked.changes))


if __name__ == "__main__":
    main()
