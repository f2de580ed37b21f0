"""`bmv chain cancel-all`: until the finalized chain shows no order of ours, and none can appear any more.

What a process that died had sent may still land, as long as its blockhash is good: 150 blocks. So a book that is clear
is watched until every blockhash that was there when we began is over.
"""

import asyncio
from typing import NamedTuple

from bmv.adapters.openbook.planning.seat import Terms
from bmv.adapters.openbook.seat.desk import plan
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import CONFIRMED, FINALIZED, Rpc
from bmv.adapters.solana.sending.attempt import State
from bmv.live.chain.hands import Hands, TooPoor
from bmv.live.chain.seated import Seated
from bmv.ports.messages import Intent, Verb

PAUSE_S = 0.3
NEWER_BLOCKS = 10  # A blockhash may have been used that is so much newer than the one we are given.


class Final(NamedTuple):
    """How far the finalized chain is."""

    height: int
    slot: int


async def clear(hands: Hands, watch: bool) -> None:
    """Cancel until nothing rests by the finalized chain; ends by being cancelled where that does not come about.

    Args:
        watch: Whether to wait until nothing that was sent before can land any more.
    """
    seated = hands.seated
    await seated.readers.catch_up()
    horizon = (await hands.blockhash()).last_height + NEWER_BLOCKS if watch else 0
    clean, crank = False, False
    while True:
        final = await read_final(seated)
        seated.readers.reached(final.slot)
        last, newest = await seated.desk(FINALIZED), await seated.desk(CONFIRMED)
        address = seated.seat.open_orders
        if newest.own(address).resting:
            clean = False
            try:
                crank = await _cancel(hands, crank)
            except TooPoor as error:  # Somebody may send it some.
                hands.say_once(str(error))
        elif not last.own(address).resting:
            if final.height > horizon:
                hands.say(f"slot {last.slot}: the finalized chain shows no order of ours")
                return
            if not clean:
                clean = True
                hands.say(
                    f"slot {last.slot}: no order of ours is left; watching {horizon - final.height} more blocks, in "
                    "which what was sent before may still land"
                )
        await asyncio.sleep(PAUSE_S)


async def _cancel(hands: Hands, crank: bool) -> bool:
    """Cancel all that rests; return whether to crank first the next time: every other time that cancels failed.

    Parts go out together: each is harmless alone, and every one that lands takes some orders out.
    """
    seated = hands.seated
    desk = await seated.desk(CONFIRMED)
    terms = Terms(now=desk.unix_timestamp, crank=crank)
    batch = [Intent(Verb.CANCEL_ALL, 0)]
    parts = plan(batch, desk, seated.seat, terms, hands.frame(desk)).parts
    if len(parts) > 1:  # They share what the wallet has for fees.
        parts = plan(batch, desk, seated.seat, terms, hands.frame(desk, len(parts))).parts
    hands.say(f"slot {desk.slot}: {_orders(len(desk.own(seated.seat.open_orders).resting))} of ours rest")
    jobs = [hands.carry(f"cancel of {_orders(len(part.cancels))}", part, desk, urgent=True) for part in parts]
    outcomes = await asyncio.gather(*jobs)
    return not crank and any(outcome.fate.state is State.FAILED for outcome in outcomes)


def _orders(count: int) -> str:
    return "1 order" if count == 1 else f"{count} orders"


async def read_final(seated: Seated) -> Final:
    """Say how far the finalized chain is."""
    least = seated.readers.least_slot

    async def read(rpc: Rpc) -> Final:
        info = await rpc.call("getEpochInfo", {"commitment": FINALIZED, "minContextSlot": least})
        try:
            return Final(int(info["blockHeight"]), int(info["absoluteSlot"]))
        except (KeyError, TypeError, ValueError):
            raise EndpointError(f"{rpc.endpoint}: answers getEpochInfo with what can't be used") from None

    return await seated.readers.ask(read)
