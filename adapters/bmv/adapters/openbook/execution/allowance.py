"""How much transactions may use: by the table, until one has too little; then by what a simulation of it says.

The simulation is asked for when a transaction has failed for want of units or bytes, and never on the way of an order.
It is of the same instructions with the widest limits that the chain takes. Where no node simulates them, or they fail
there too, limits grow by half instead, and not for ever: beyond that something else is wrong, and limits that are too
large for the chain would stop cancels as well.
"""

import asyncio
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from solders.hash import Hash
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from bmv.adapters.openbook.planning.budget import OVER, PAGE, STEP, Head, Shape
from bmv.adapters.openbook.planning.plan import Part
from bmv.adapters.openbook.planning.routes import UNITS_MAX
from bmv.adapters.solana.errors import EndpointError, Json
from bmv.adapters.solana.rpc import PROCESSED, Rpc

LOADED_MAX = (
    64 * 1024 * 1024
)  # Bytes that any transaction may load. Source: agave, `program-runtime/src/execution_budget.rs`.
ANSWER_S = 2.0  # For so long placing waits for a simulation.
GROWTH, GROWTHS_MAX = (3, 2), 2
WIDEST = 4  # Times the table: no node may make limits so wide that nothing fits into a transaction.
BYTES = ("loaded", "loaded_each")  # Fields of a shape; the others are compute units.
OPTIONS = {"encoding": "base64", "sigVerify": False, "replaceRecentBlockhash": True, "commitment": PROCESSED}


class Used(NamedTuple):
    """What a transaction took by a simulation: compute units, and bytes that it loaded."""

    units: int
    loaded: int


@dataclass(slots=True)
class Allowance:
    """What the steps of a venue are reckoned to take.

    Args:
        table: As it was measured once.
        shape: As surprises have widened it.
        growths: How often it grew without a measurement.
    """

    table: Shape
    shape: Shape
    growths: int = 0

    def learn(self, head: Head, used: Used | None) -> str:
        """Widen the shape after a transaction had too little, and return what to say; "": it is as it was.

        Args:
            head: Of that transaction, with its limits.
            used: What a simulation says; None: it says nothing.
        """
        if used is not None and (words := self._widen(head, used)):
            return words
        if self.growths == GROWTHS_MAX:
            return ""
        self.growths += 1
        self.shape = self._scaled(GROWTH, GROWTH)
        return f"{head.units} units were too little, and no simulation says how many it takes: limits grow by half"

    def _widen(self, head: Head, used: Used) -> str:
        """Widen by what was used, with the margin of every limit; "": the limits were not too low by that."""
        units, loaded = _over(used.units, head.units, STEP), (1, 1)
        if head.version == 1:
            loaded = _over(used.loaded, head.loaded, PAGE)
        if (units, loaded) == ((1, 1), (1, 1)):
            return ""
        self.shape = self._scaled(units, loaded)
        return (
            f"{head.units} units and {head.loaded} loaded bytes were too little: by simulation it takes {used.units} "
            f"and {used.loaded}, and limits are reckoned by that"
        )

    def _scaled(self, units: tuple[int, int], loaded: tuple[int, int]) -> Shape:
        def wide(name: str) -> int:
            over, under = loaded if name in BYTES else units
            before, most = int(getattr(self.shape, name)), int(getattr(self.table, name)) * WIDEST
            return min(-(-before * over // under), most)

        return replace(self.shape, **{name: wide(name) for name in Shape.__slots__})


def _over(used: int, limit: int, step: int) -> tuple[int, int]:
    """Return by which fraction more was used than a limit was reckoned from; 1 where it is not more.

    A limit is rounded up to whole steps: what it was reckoned from is as little as one step less says.
    """
    if used * OVER[0] <= limit * OVER[1]:
        return 1, 1
    return used * OVER[0], max(limit - step, 1) * OVER[1]


async def simulate(rpc: Rpc, part: Part) -> Used | None:
    """Ask a node what a part takes, in its newest bank; None where it does not say, or it fails there too."""
    widest = replace(part.head, units=UNITS_MAX, loaded=LOADED_MAX)
    message = widest.message(list(part.instructions), Hash.default())
    transaction = bytes(VersionedTransaction.populate(message, [Signature.default()]))
    with suppress(EndpointError, TimeoutError):
        async with asyncio.timeout(ANSWER_S):
            return read_used(await rpc.call("simulateTransaction", b64encode(transaction).decode(), OPTIONS))
    return None


def read_used(answer: Json) -> Used | None:
    """Return what an answer to `simulateTransaction` says; None where it says nothing, or that it would fail.

    >>> read_used({"value": {"err": None, "unitsConsumed": 41_000, "loadedAccountsDataSize": 900_000}})
    Used(units=41000, loaded=900000)
    >>> read_used({"value": {"err": "AccountNotFound", "unitsConsumed": 0}})
    """
    value = answer.get("value") if isinstance(answer, dict) else None
    if not isinstance(value, dict) or value.get("err") is not None:
        return None
    units, loaded = value.get("unitsConsumed"), value.get("loadedAccountsDataSize", 0)
    if type(units) is not int or type(loaded) is not int or not 0 < units <= UNITS_MAX or not 0 <= loaded <= LOADED_MAX:
        return None
    return Used(units, loaded)
