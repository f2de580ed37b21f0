"""Both sides of a book while an order is placed: what comes first at an oracle's price, and what may be dropped."""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2.bookside import FIXED, NO_PEG_LIMIT, ORACLE_PEGGED
from bmv.adapters.openbook.v2.codes import is_better
from bmv.adapters.sandbox.openbook_v2.tree import Leaf, Trees

_I64_MIN, _I64_MAX = -(1 << 63), (1 << 63) - 1


class State(Enum):
    """Whether an order can be matched."""

    VALID = "valid"
    INVALID = "invalid"  # Expired or beyond its limit: whoever meets it may drop it.
    SKIPPED = "skipped"  # Its price can't be traded as the oracle stands.


class Standing(NamedTuple):
    """An order of a side, with the price it has now."""

    tree: int
    node: int
    leaf: Leaf
    price: int
    state: State


def _pegged(side: Side, node: int, leaf: Leaf, oracle: int, now: int) -> Standing:
    price = min(max(oracle + leaf.price_data - (1 << 63), _I64_MIN), _I64_MAX)
    if not 1 <= price < _I64_MAX:
        return Standing(ORACLE_PEGGED, node, leaf, max(price, 1), _expired(leaf, now, State.SKIPPED))
    beyond = leaf.peg_limit != NO_PEG_LIMIT and is_better(side, price, leaf.peg_limit)
    return Standing(ORACLE_PEGGED, node, leaf, price, _expired(leaf, now, State.INVALID if beyond else State.VALID))


def _is_skipped(leaf: Leaf, oracle: int) -> bool:
    return not 1 <= oracle + leaf.price_data - (1 << 63) < _I64_MAX


def _fixed(node: int, leaf: Leaf, now: int) -> Standing:
    return Standing(FIXED, node, leaf, leaf.price_data, _expired(leaf, now, State.VALID))


def _expired(leaf: Leaf, now: int, otherwise: State) -> State:
    return State.INVALID if now >= leaf.expiry else otherwise


class _Pair(NamedTuple):
    """The foremost, or the hindmost, order of each tree."""

    fixed: Standing | None
    pegged: Standing | None

    def first(self, side: Side) -> Standing | None:
        """Return the one that is matched before the other."""
        if self.fixed is None or self.pegged is None:
            return self.fixed or self.pegged
        key = self.pegged.price << 64 | self.pegged.leaf.key & 0xFFFF_FFFF_FFFF_FFFF
        is_fixed = self.fixed.leaf.key > key if side is Side.BID else self.fixed.leaf.key < key
        return self.fixed if is_fixed else self.pegged

    def last(self, side: Side) -> Standing | None:
        """Return the one that is matched after the other."""
        if self.fixed is None or self.pegged is None:
            return self.fixed or self.pegged
        return self.pegged if self.first(side) is self.fixed else self.fixed


class _Cursor:
    """Orders of one tree, one after the other."""

    def __init__(self, orders: Iterator[tuple[int, Leaf]]) -> None:
        self._orders = orders
        self.peek = next(orders, None)

    def step(self) -> tuple[int, Leaf] | None:
        """Go to the next order; return the one left behind."""
        left, self.peek = self.peek, next(self._orders, None) if self.peek else None
        return left


class BookHalf:
    """One side of the book.

    Args:
        trees: Its account.
    """

    def __init__(self, trees: Trees) -> None:
        self.trees = trees
        self.side = Side.BID if trees.is_bids else Side.ASK

    def walk(self, now: int, oracle: int | None) -> Iterator[Standing]:
        """Yield the orders in the order of matching, those that can't be matched any more too.

        The book must not change meanwhile.

        Args:
            now: Second of the clock.
            oracle: Its price in lots; None: none, and no pegged order is seen.
        """
        fixed, pegged = _Cursor(self.trees.walk(FIXED)), _Cursor(self.trees.walk(ORACLE_PEGGED))
        while True:
            pair = _Pair(
                None if fixed.peek is None else _fixed(*fixed.peek, now),
                None if oracle is None else self._next_pegged(pegged, oracle, now),
            )
            first = pair.first(self.side)
            if first is None:
                return
            (fixed if first.tree == FIXED else pegged).step()
            yield first

    def _next_pegged(self, pegged: "_Cursor", oracle: int, now: int) -> Standing | None:
        """Step over the orders whose price can't be traded, and return the one after them.

        The program steps with a call that hands back the order it leaves: it stands one order further afterwards than
        it looks. So the order after the one returned is never seen, or, if one at a fixed price comes first, this one.
        """
        found = pegged.peek
        while found is not None and _is_skipped(found[1], oracle):
            found = pegged.step()
        return None if found is None else _pegged(self.side, *found, oracle, now)

    def best_price(self, now: int, oracle: int | None) -> int | None:
        """Return the price of the first order that can be matched."""
        return next((order.price for order in self.walk(now, oracle) if order.state is State.VALID), None)

    def remove_one_expired(self, tree: int, now: int) -> Leaf | None:
        """Remove the order of a tree that expired first, or else of the other tree."""
        return self.trees.remove_one_expired(tree, now) or self.trees.remove_one_expired(1 - tree, now)

    def remove_worst(self, now: int, oracle: int | None) -> tuple[Leaf, int] | None:
        """Remove the last order; return it and the price it had."""
        worst = _Pair(self._worst(FIXED, now, oracle), self._worst(ORACLE_PEGGED, now, oracle)).last(self.side)
        if worst is None:
            return None
        self.trees.remove_by_key(worst.tree, worst.leaf.key)
        return worst.leaf, worst.price

    def _worst(self, tree: int, now: int, oracle: int | None) -> Standing | None:
        found = self.trees.worst(tree)
        if found is None or (tree == ORACLE_PEGGED and oracle is None):
            return None
        return _fixed(*found, now) if tree == FIXED else _pegged(self.side, *found, oracle or 0, now)


class Book:
    """Both sides."""

    def __init__(self, bids: bytearray, asks: bytearray) -> None:
        self.halves = {Side.BID: BookHalf(Trees(bids)), Side.ASK: BookHalf(Trees(asks))}

    def __getitem__(self, side: Side) -> BookHalf:
        return self.halves[side]
