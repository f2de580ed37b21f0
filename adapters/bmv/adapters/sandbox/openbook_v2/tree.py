"""The crit-bit tree of one side's orders, changed in place as the genuine program changes it, node by node."""

from collections.abc import Iterator
from struct import Struct

from bmv.adapters.openbook.v2.bookside import FREE, INNER, LAST_FREE, LEAF, MAX_NODES, NODE_SIZE, NODES_AT
from bmv.adapters.sandbox.openbook_v2.failure import panicked

_U64_MAX = (1 << 64) - 1
_ROOTS_AT = 8
_TYPE_AT = 312
_BUMP_AT, _FREE_LEN_AT, _FREE_HEAD_AT = 316, 320, 324
_U32 = Struct("<I")
_PAIR = Struct("<II")
_LEAF = Struct("<BBH4xQQ32sqQqQ")
_INNER = Struct("<B3xIQQIIQQ40x")
_FREE = Struct("<B3xI80x")


class Leaf:
    """An order's node, as numbers."""

    __slots__ = (
        "client_order_id",
        "key",
        "owner",
        "owner_slot",
        "peg_limit",
        "quantity",
        "time_in_force",
        "timestamp",
    )

    def __init__(
        self,
        owner_slot: int,
        time_in_force: int,
        key: int,
        owner: bytes,
        quantity: int,
        timestamp: int,
        peg_limit: int,
        client_order_id: int,
    ) -> None:
        self.owner_slot, self.time_in_force, self.key, self.owner = owner_slot, time_in_force, key, owner
        self.quantity, self.timestamp, self.peg_limit = quantity, timestamp, peg_limit
        self.client_order_id = client_order_id

    @property
    def expiry(self) -> int:
        """Second from which it can't be matched; 2^64 - 1: never."""
        return self.timestamp + self.time_in_force if self.time_in_force else _U64_MAX

    @property
    def price_data(self) -> int:
        return self.key >> 64

    def pack(self) -> bytes:
        """Return the node's bytes."""
        return _LEAF.pack(
            LEAF,
            self.owner_slot,
            self.time_in_force,
            self.key & _U64_MAX,
            self.key >> 64,
            self.owner,
            self.quantity,
            self.timestamp,
            self.peg_limit,
            self.client_order_id,
        )


class Trees:
    """Both trees of a side; `tree` is 0 for fixed prices, 1 for those pegged to the oracle.

    Args:
        data: The account's bytes, changed in place.
    """

    __slots__ = ("data",)

    def __init__(self, data: bytearray) -> None:
        self.data = data

    @property
    def is_bids(self) -> bool:
        return self.data[_TYPE_AT] == 0

    def root(self, tree: int) -> int | None:
        """Return the number of a tree's topmost node."""
        node, count = _PAIR.unpack_from(self.data, _ROOTS_AT + 8 * tree)
        return node if count else None

    def is_full(self) -> bool:
        """Whether no order is sure to find its two nodes."""
        return self._get(_FREE_LEN_AT) <= 1 and self._get(_BUMP_AT) >= MAX_NODES - 1

    def leaf(self, node: int) -> Leaf:
        """Read an order's node."""
        _, slot, seconds, low, high, owner, *rest = _LEAF.unpack_from(self.data, _at(node))
        return Leaf(slot, seconds, high << 64 | low, owner, *rest)

    def walk(self, tree: int) -> Iterator[tuple[int, Leaf]]:
        """Yield the orders of a tree with the numbers of their nodes, best first."""
        root = self.root(tree)
        stack = [] if root is None else [root]
        first, second = (1, 0) if self.is_bids else (0, 1)
        while stack:
            node = stack.pop()
            if self._tag(node) == LEAF:
                yield node, self.leaf(node)
            else:
                children = self._children(node)
                stack += (children[second], children[first])

    def worst(self, tree: int) -> tuple[int, Leaf] | None:
        """Return the last order of a tree."""
        node = self.root(tree)
        if node is None:
            return None
        while self._tag(node) == INNER:
            node = self._children(node)[0 if self.is_bids else 1]
        return node, self.leaf(node)

    def set_quantity(self, node: int, quantity: int) -> None:
        """Write what is left of an order."""
        self.data[_at(node) + 56 : _at(node) + 64] = quantity.to_bytes(8, "little")

    def remove_one_expired(self, tree: int, now: int) -> Leaf | None:
        """Remove the order that expired first, if it did before second `now`."""
        node = self.root(tree)
        if node is None:
            return None
        while self._tag(node) == INNER:
            left, right = self._expiries(node)
            node = self._children(node)[left > right]
        leaf = self.leaf(node)
        return self.remove_by_key(tree, leaf.key) if leaf.expiry < now else None

    def remove_by_key(self, tree: int, key: int) -> Leaf | None:
        """Remove an order; None: it is not in the tree."""
        node = self.root(tree)
        if node is None:
            return None
        path: list[tuple[int, int]] = []
        while self._tag(node) == INNER:
            bit = self._side_of(node, key)
            path.append((node, bit))
            node = self._children(node)[bit]
        leaf = self.leaf(node)
        if leaf.key != key:
            return None
        if path:
            self._unlink(tree, path, node, leaf)
        else:
            _PAIR.pack_into(self.data, _ROOTS_AT + 8 * tree, 0, 0)
            self._free(node)
        return leaf

    def _unlink(self, tree: int, path: list[tuple[int, int]], node: int, leaf: Leaf) -> None:
        """Put a leaf's sibling in its parent's place."""
        parent, bit = path.pop()
        sibling = self._children(parent)[1 - bit]
        expiry = self._earliest(sibling)
        moved = bytes(self.data[_at(sibling) : _at(sibling) + NODE_SIZE])
        self._free(sibling)
        self.data[_at(parent) : _at(parent) + NODE_SIZE] = moved
        self._count(tree, -1)
        self._free(node)
        self._pass_up(path, leaf.expiry, expiry)

    def insert(self, tree: int, leaf: Leaf) -> None:
        """Add an order."""
        node = self.root(tree)
        if node is None:
            _PAIR.pack_into(self.data, _ROOTS_AT + 8 * tree, self._place(leaf.pack()), 1)
            return
        path: list[tuple[int, int]] = []
        while True:
            shared = 128 - (self._key(node) ^ leaf.key).bit_length()
            if self._tag(node) == LEAF or shared < self._prefix(node):
                break
            bit = self._side_of(node, leaf.key)
            path.append((node, bit))
            node = self._children(node)[bit]
        self._split(tree, path, node, leaf, shared)

    def _split(self, tree: int, path: list[tuple[int, int]], node: int, leaf: Leaf, shared: int) -> None:
        """Put an inner node in a node's place, with that node and the leaf below it."""
        assert shared < 128, "two orders never have the same key: the market counts them"
        before = self._earliest(node)
        moved = bytes(self.data[_at(node) : _at(node) + NODE_SIZE])
        new = self._place(leaf.pack())
        old = self._place(moved)
        right = leaf.key >> (127 - shared) & 1
        children = (old, new) if right else (new, old)
        expiries = (before, leaf.expiry) if right else (leaf.expiry, before)
        low, high = leaf.key & _U64_MAX, leaf.key >> 64
        _INNER.pack_into(self.data, _at(node), INNER, shared, low, high, *children, *expiries)
        if leaf.expiry < before:
            self._pass_up(path, before, leaf.expiry)
        self._count(tree, 1)

    def _pass_up(self, path: list[tuple[int, int]], outdated: int, new: int) -> None:
        """Tell the nodes above that the earliest expiry below them has changed."""
        for node, bit in reversed(path):
            expiries = list(self._expiries(node))
            if expiries[bit] != outdated:
                return
            outdated = min(expiries)
            expiries[bit] = new
            self.data[_at(node) + 32 : _at(node) + 48] = b"".join(e.to_bytes(8, "little") for e in expiries)
            new = min(expiries)

    def _place(self, raw: bytes) -> int:
        """Put a node's bytes where there is room; return its number."""
        left = self._get(_FREE_LEN_AT)
        if left == 0:
            node = self._get(_BUMP_AT)
            if node >= MAX_NODES:
                raise panicked("the book has no room")  # Never reached: `is_full` was asked before.
            self._set(_BUMP_AT, node + 1)
        else:
            node = self._get(_FREE_HEAD_AT)
            self._set(_FREE_HEAD_AT, _U32.unpack_from(self.data, _at(node) + 4)[0])
            self._set(_FREE_LEN_AT, left - 1)
        self.data[_at(node) : _at(node) + NODE_SIZE] = raw
        return node

    def _free(self, node: int) -> None:
        left = self._get(_FREE_LEN_AT)
        _FREE.pack_into(self.data, _at(node), FREE if left else LAST_FREE, self._get(_FREE_HEAD_AT))
        self._set(_FREE_LEN_AT, left + 1)
        self._set(_FREE_HEAD_AT, node)

    def _count(self, tree: int, by: int) -> None:
        at = _ROOTS_AT + 8 * tree + 4
        self._set(at, self._get(at) + by)

    def _get(self, at: int) -> int:
        return int(_U32.unpack_from(self.data, at)[0])

    def _set(self, at: int, value: int) -> None:
        _U32.pack_into(self.data, at, value)

    def _tag(self, node: int) -> int:
        return self.data[_at(node)]

    def _prefix(self, node: int) -> int:
        return self._get(_at(node) + 4)

    def _key(self, node: int) -> int:
        return int.from_bytes(self.data[_at(node) + 8 : _at(node) + 24], "little")

    def _children(self, node: int) -> tuple[int, int]:
        left, right = _PAIR.unpack_from(self.data, _at(node) + 24)
        return left, right

    def _expiries(self, node: int) -> tuple[int, int]:
        at = _at(node) + 32
        return int.from_bytes(self.data[at : at + 8], "little"), int.from_bytes(self.data[at + 8 : at + 16], "little")

    def _earliest(self, node: int) -> int:
        return self.leaf(node).expiry if self._tag(node) == LEAF else min(self._expiries(node))

    def _side_of(self, node: int, key: int) -> int:
        return key >> (127 - self._prefix(node)) & 1


def _at(node: int) -> int:
    return NODES_AT + node * NODE_SIZE
