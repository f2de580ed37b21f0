"""What a session paid to the chain, to the lamport, by the words of its journal: base fees, priority, tips and rent.

A transaction that landed costs all of it; one that failed in a block all but its tip, which is an instruction like the
others; one that never landed nothing. Rent is put into accounts and comes back from them: it is told as it moved.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, pairwise
from math import ceil, floor
from typing import Any, NamedTuple

from bmv.data.journal.attempts import ATTEMPT, ENDS, FATE, UNREADABLE, Attempted, read_attempt, read_fate
from bmv.ports.errors import DataError
from bmv.ports.messages import Event, Kind
from bmv.ports.storage import Note, Word

TERMS = ("base_fees", "priority", "tips", "rent_out", "rent_in")  # Of the profit of a run that paid a chain.
COST = "cost"  # Topic of a note that tells what a transaction cost which is about no order.
RENT = "rent"  # Topic of a note that tells of lamports put into accounts of ours, or got back from them.


class Cost(NamedTuple):
    """What one transaction cost, lamports."""

    base: int = 0
    priority: int = 0
    tip: int = 0

    @property
    def lamports(self) -> int:
        """All of it."""
        return self.base + self.priority + self.tip


def cost_of(attempt: Attempted, state: str) -> Cost:
    """Return what an attempt cost that ended so; of one that is forgotten, the fee that it may have cost.

    >>> attempt = Attempted("a", b"", 0, (), 1, False, (), (), 5_000 + 700 + 1_000, tip=1_000, priority=700)
    >>> cost_of(attempt, "finalized"), cost_of(attempt, "failed").lamports, cost_of(attempt, "expired").lamports
    (Cost(base=5000, priority=700, tip=1000), 5700, 0)
    """
    if state not in ENDS or state == "expired":
        return Cost()
    base = attempt.lamports - attempt.priority - attempt.tip
    return Cost(base, attempt.priority, attempt.tip if state == "finalized" else 0)


def rent_note(ts_ns: int, lamports: int, account: str) -> Note:
    """Return what is kept of rent: positive lamports went into an account of ours, negative came back."""
    return Note(ts_ns, RENT, json.dumps({"lamports": lamports, "account": account}, separators=(",", ":")))


def cost_note(ts_ns: int, cost: Cost) -> Note:
    """Return what is kept of a transaction that is about no order, and of which nothing else is kept."""
    return Note(ts_ns, COST, json.dumps(cost._asdict(), separators=(",", ":")))


def read_cost(note: Note) -> Cost:
    """Return the cost of a note; `DataError` where it tells none."""
    try:
        row = json.loads(note.text)
        return Cost(int(row["base"]), int(row["priority"]), int(row["tip"]))
    except UNREADABLE as error:
        raise DataError(f"no cost of a journal: {note.text[:80]} ({error})") from None


def read_rent(note: Note) -> int:
    """Return the lamports of a note; `DataError` where it tells none."""
    try:
        return int(json.loads(note.text)["lamports"])
    except UNREADABLE as error:
        raise DataError(f"no rent of a journal: {note.text[:80]} ({error})") from None


@dataclass(slots=True)
class ChainCosts:
    """What a session paid to the chain. All lamports.

    Args:
        base, priority, tips: Of transactions that have ended.
        rent_out, rent_in: What went into accounts, and what came back.
        pending: The most that those cost which have no end yet.
        by_order: What each order cost, by its number: a transaction's cost is split evenly over the orders it placed,
            or, where it placed none, cancelled; the first get the odd lamports. With `others` they are the fees.
        others: Of transactions that were about no order: cranks and settlements.
        transactions, orders, fills: How many there were.
        paid: Each payment, when it was told in ns UTC and its lamports; what came back is negative.
    """

    base: int = 0
    priority: int = 0
    tips: int = 0
    rent_out: int = 0
    rent_in: int = 0
    pending: int = 0
    by_order: dict[int, int] = field(default_factory=dict)
    others: int = 0
    transactions: int = 0
    orders: int = 0
    fills: int = 0
    paid: list[tuple[int, int]] = field(default_factory=list)

    @property
    def fees(self) -> int:
        """Base fees, priority and tips."""
        return self.base + self.priority + self.tips

    @property
    def lamports(self) -> int:
        """What left the wallet: fees, and rent that has not come back."""
        return self.fees + self.rent_out - self.rent_in

    def charge(self, cost: Cost, numbers: Sequence[int]) -> None:
        """Count a transaction, and split it over orders."""
        self.base, self.priority, self.tips = self.base + cost.base, self.priority + cost.priority, self.tips + cost.tip
        self.transactions += cost.lamports > 0
        if not numbers:
            self.others += cost.lamports
            return
        each, odd = divmod(cost.lamports, len(numbers))
        for at, number in enumerate(numbers):
            self.by_order[number] = self.by_order.get(number, 0) + each + (at < odd)

    def in_quanta(self, quanta_per_sol: Fraction) -> int:
        """Return all that was paid in quanta of quote, rounded against us, at a rate."""
        return ceil(self.lamports * quanta_per_sol / 10**9)

    def terms(self, quanta_per_sol: Fraction) -> dict[str, int]:
        """Return what each part did to the profit, in quanta: they sum to what all of it did, each within a quantum.

        >>> costs = ChainCosts(base=5_000, priority=3, tips=1_000, rent_out=2, rent_in=1)
        >>> costs.terms(Fraction(10**6)), costs.in_quanta(Fraction(10**6))
        ({'base_fees': -5, 'priority': -1, 'tips': -1, 'rent_out': 0, 'rent_in': 0}, 7)
        """
        lamports = (-self.base, -self.priority, -self.tips, -self.rent_out, self.rent_in)
        sums = [floor(so_far * quanta_per_sol / 10**9) for so_far in (0, *accumulate(lamports))]
        return {name: after - before for name, (before, after) in zip(TERMS, pairwise(sums), strict=True)}

    def to_json(self, quote_per_sol: Fraction | None = None) -> dict[str, Any]:  # Any: JSON.
        """Return it for `summary.json`; in quote, as decimal strings, at the rate that is named with it, if any."""
        page: dict[str, Any] = {
            "base_lamports": self.base,
            "priority_lamports": self.priority,
            "tip_lamports": self.tips,
            "rent_out_lamports": self.rent_out,
            "rent_in_lamports": self.rent_in,
            "pending_lamports": self.pending,
            "lamports": self.lamports,
            "others_lamports": self.others,
            "transactions": self.transactions,
            "lamports_per_order": _share(self.fees, self.orders),
            "lamports_per_fill": _share(self.fees, self.fills),
            "quote_per_sol": None,
            "quote": None,
        }
        if quote_per_sol is not None:
            quote = self.lamports * quote_per_sol / 10**9
            page |= {"quote_per_sol": f"{float(quote_per_sol):.9g}", "quote": f"{float(quote):.9f}"}
        return page


def _share(lamports: int, count: int) -> float | None:
    return round(lamports / count, 3) if count else None


def chain_costs(words: Iterable[Word]) -> ChainCosts:
    """Return what the words of a session tell of costs.

    A transaction counts where its end is told: one that a process left to the next, which has carried it over, there.
    """
    costs, alive = ChainCosts(), dict[str, Attempted]()
    placed = set[int]()
    for word in words:
        if isinstance(word, Event):
            costs.fills += word.kind == Kind.FILLED
        elif not isinstance(word, Note):
            continue
        elif word.topic == ATTEMPT:
            attempt = read_attempt(word)
            alive[attempt.signature] = attempt
            placed |= {number for number, _ in attempt.places}
        elif word.topic == FATE:
            fate = read_fate(word)
            if fate.state in ENDS and (ended := alive.pop(fate.signature, None)) is not None:
                costs.charge(cost_of(ended, fate.state), _orders_of(ended))
                costs.paid.append((word.ts_ns, cost_of(ended, fate.state).lamports))
        elif word.topic == COST:
            costs.charge(read_cost(word), ())
            costs.paid.append((word.ts_ns, read_cost(word).lamports))
        elif word.topic == RENT:
            lamports = read_rent(word)
            costs.rent_out += max(lamports, 0)
            costs.rent_in += max(-lamports, 0)
            costs.paid.append((word.ts_ns, lamports))
    costs.pending = sum(attempt.lamports for attempt in alive.values())
    costs.orders = len(placed)
    return costs


def _orders_of(attempt: Attempted) -> Sequence[int]:
    return [number for number, _ in attempt.places] or list(attempt.cancels)
