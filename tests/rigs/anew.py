"""A planted bug that two rigs have to find: orders that are under way are signed once more, in other bytes."""

import asyncio

from solders.message import to_bytes_versioned

from bmv.adapters.openbook.execution.carrier import Carrier, Load
from bmv.adapters.openbook.planning.plan import Part
from bmv.adapters.openbook.policy.verdict import Approved
from bmv.adapters.solana.sending.attempt import Attempt, make_attempt
from bmv.data.journal.attempts import Attempted


async def carry_anew(carrier: Carrier, attempt: Attempt, part: Part, load: Load, wait_s: float) -> None:
    """Keep and send what an attempt carries with the next blockhash, which is asked for every `wait_s` seconds."""
    while (young := await carrier.courier.blockhash()).last_height == attempt.last_height:
        await asyncio.sleep(wait_s)
    message = to_bytes_versioned(part.message(young.hash))
    approved = carrier.guard.judge(message, load.moment._replace(blockhash=young.hash))
    if not isinstance(approved, Approved):
        return
    other = make_attempt(message, await carrier.guard.sign(approved), young.last_height)
    places = tuple((load.named[at], client_id) for at, client_id in part.places.items())
    cost = carrier.tariff.cost(part)
    note = Attempted(other.signature, other.transaction, other.last_height, (), carrier.epoch, False, places, (), cost)
    carrier.ledger.note(note.note(carrier.now_ns()))
    await carrier.ledger.commit()
    await carrier.courier.carry(other)
