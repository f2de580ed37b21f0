"""One side of a market's book on OpenBook v2: two crit-bit trees of orders, at fixed prices and pegged to an oracle.

Both trees share 1,024 nodes. An order's key holds its price (pegged: its distance from the oracle) above the number
that orders it among its equals. Every inner node says how many highest bits its children share; the next bit parts
them. So the order of keys is that of the tree, and a tree whose every link keeps this rule can be read by sorting. That
is what `decode` does: it walks a tree level by level, checks each link, and never trusts a node that no link leads to.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2.layout import U32, Record, check_account, record, size
from bmv.adapters.openbook.v2.open_orders import MAX_OPEN_ORDERS
from bmv.adapters.openbook.v2.primitives import Fixed, Raw

DISCRIMINATOR = bytes.fromhex("482ce18db2826139")
MAX_NODES = 1024
NODE_SIZE = 88
UNINITIALIZED, INNER, LEAF, FREE, LAST_FREE = range(5)  # A node's tag.
FIXED, ORACLE_PEGGED = 0, 1  # Which tree.
NO_PEG_LIMIT = -1
_WORD = np.uint64(64)  # Bits of each half of a key.

_Table = NDArray[np.void]
_LEAF = np.dtype(
    [
        ("tag", "u1"),
        ("owner_slot", "u1"),
        ("time_in_force", "<u2"),
        ("padding", "V4"),
        ("sequence", "<u8"),  # The key's lower half,
        ("price_data", "<u8"),  # and its upper.
        ("owner", "V32"),
        ("quantity", "<i8"),
        ("timestamp", "<u8"),
        ("peg_limit", "<i8"),
        ("client_order_id", "<u8"),
    ]
)
_INNER = np.dtype(
    [
        ("tag", "u1"),
        ("padding", "V3"),
        ("prefix_len", "<u4"),
        ("sequence", "<u8"),
        ("price_data", "<u8"),
        ("children", "<u4", 2),
        ("child_earliest_expiry", "<u8", 2),
        ("reserved", "V40"),
    ]
)
_FREE = np.dtype([("tag", "u1"), ("padding", "V3"), ("next", "<u4"), ("reserved", "V80")])


@dataclass(frozen=True, slots=True)
class OrderTreeRoot:
    """Where a tree begins, and how many orders it has; without any, the node means nothing."""

    maybe_node: U32
    leaf_count: U32


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before the nodes."""

    roots: Annotated[tuple[OrderTreeRoot, ...], Fixed(Record(OrderTreeRoot), 2)]
    reserved_roots: Annotated[tuple[OrderTreeRoot, ...], Fixed(Record(OrderTreeRoot), 4)]
    reserved: Annotated[bytes, Raw(256)]
    order_tree_type: Side
    padding: Annotated[bytes, Raw(3)]
    bump_index: U32
    free_list_len: U32
    free_list_head: U32
    nodes_reserved: Annotated[bytes, Raw(512)]


@dataclass(frozen=True, slots=True)
class LeafNode:
    """An order that rests.

    Args:
        time_in_force: Seconds after `timestamp` from which it can't be matched; 0: none.
        key: Its id.
        owner: The OpenOrdersAccount.
        quantity: Base lots that are left.
        timestamp: Second when it was placed.
        peg_limit: Price beyond which a pegged order is dropped; -1: none, or the price is fixed.
    """

    owner_slot: int
    time_in_force: int
    key: int
    owner: Pubkey
    quantity: int
    timestamp: int
    peg_limit: int
    client_order_id: int

    @property
    def price_data(self) -> int:
        """The key's upper half: the price, or the distance from the oracle plus 2^63."""
        return self.key >> 64

    @property
    def sequence(self) -> int:
        """The key's lower half: the order's number; of a bid, with all bits turned."""
        return self.key & 0xFFFF_FFFF_FFFF_FFFF

    @property
    def expires(self) -> int | None:
        """Second from which it can't be matched."""
        return self.timestamp + self.time_in_force if self.time_in_force else None


@dataclass(frozen=True, slots=True, eq=False)
class BookSide:
    """The account of one side, 90,952 bytes.

    Args:
        nodes: The bytes of all 1,024 nodes.
        leaves: For each tree, the numbers of its leaves, best order first.
    """

    head: Head
    nodes: bytes
    leaves: tuple[NDArray[np.intp], NDArray[np.intp]]

    @classmethod
    def decode(cls, data: bytes) -> "BookSide":
        """Read an account's bytes; trees and a list of free nodes that do not hold together are refused."""
        check_account("BookSide", DISCRIMINATOR, BOOK_SIDE_SIZE, data)
        head = record(Head).read(data, 8)[0]
        if head.bump_index > MAX_NODES or head.free_list_len > head.bump_index:
            raise Malformed(f"{head.free_list_len} nodes free of {head.bump_index} of {MAX_NODES}")
        nodes = bytes(data[NODES_AT:])
        seen = np.zeros(MAX_NODES, np.bool_)
        leaves = tuple(_walk(head, nodes, tree, seen) for tree in (FIXED, ORACLE_PEGGED))
        _check_free(head, nodes, seen)
        return cls(head, nodes, (leaves[0], leaves[1]))

    def encode(self) -> bytes:
        """Return the account's bytes."""
        return DISCRIMINATOR + record(Head).write(self.head) + self.nodes

    @property
    def side(self) -> Side:
        """Whether these are bids or asks."""
        return self.head.order_tree_type

    def rows(self, tree: int) -> NDArray[np.void]:
        """Return the orders of one tree as `orders` does, each a row of the fields that a leaf has in the account."""
        return np.frombuffer(self.nodes, _LEAF)[self.leaves[tree]]

    def orders(self, tree: int) -> list[LeafNode]:
        """Return the orders of one tree, best first; expired ones and those beyond their limit too.

        Args:
            tree: 0: fixed prices; 1: pegged to the oracle, best distance first.
        """
        rows = self.rows(tree)
        keys = zip(rows["price_data"].tolist(), rows["sequence"].tolist(), strict=True)
        columns = ("quantity", "timestamp", "peg_limit", "client_order_id")
        return [
            LeafNode(slot, seconds, price << 64 | sequence, Pubkey(owner), *rest)
            for slot, seconds, (price, sequence), owner, rest in zip(
                rows["owner_slot"].tolist(),
                rows["time_in_force"].tolist(),
                keys,
                rows["owner"].tolist(),
                zip(*(rows[column].tolist() for column in columns), strict=True),
                strict=True,
            )
        ]


NODES_AT = 8 + size(Head)
BOOK_SIDE_SIZE = NODES_AT + MAX_NODES * NODE_SIZE


def _walk(head: Head, nodes: bytes, tree: int, seen: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the numbers of a tree's leaves, best order first, after marking its nodes in `seen`."""
    count = head.roots[tree].leaf_count
    if count == 0:
        return np.empty(0, np.intp)
    if count > MAX_NODES:
        raise Malformed(f"{count} orders in {MAX_NODES} nodes")
    leaves, parents = _follow(head, nodes, head.roots[tree].maybe_node)
    visited = np.concatenate((leaves, parents))
    if seen[visited].any() or np.bincount(visited).max() > 1:
        raise Malformed("two links of the trees lead to the same node")
    seen[visited] = True
    if leaves.size != count:
        raise Malformed(f"a tree of {count} orders has {leaves.size}")
    if parents.size:
        _check_links(nodes, parents)
    return _sort(np.frombuffer(nodes, _LEAF), leaves, head.order_tree_type, tree)


def _follow(head: Head, nodes: bytes, root: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the leaves and the inner nodes that links lead to; no more than there are nodes, so that it ends."""
    tags = np.frombuffer(nodes, _LEAF)["tag"]
    children = np.frombuffer(nodes, _INNER)["children"].astype(np.intp)
    level = np.array([root], np.intp)
    leaves, parents, left = [], [], head.bump_index
    while level.size:
        left -= level.size
        if left < 0 or level.max() >= head.bump_index:
            raise Malformed(
                f"links of the tree lead to node {level.max()}, or in circles: {head.bump_index} are in use"
            )
        kinds = tags[level]
        inner = level[kinds == INNER]
        leaves.append(level[kinds == LEAF])
        parents.append(inner)
        if leaves[-1].size + inner.size != level.size:
            raise Malformed("a link of the tree leads to a node that is neither inner nor a leaf")
        level = children[inner].ravel()
    return np.concatenate(leaves), np.concatenate(parents)


def _check_links(nodes: bytes, parents: NDArray[np.intp]) -> None:
    """Check that both children share their parent's bits, and that the next bit parts them."""
    table = np.frombuffer(nodes, _INNER)
    above = table[parents]
    if above["prefix_len"].max() > 127:
        raise Malformed(f"a node's children share {above['prefix_len'].max()} bits of 128")
    shared = above["prefix_len"].astype(np.uint64).repeat(2)
    rows = table[above["children"].ravel()]
    if ((rows["tag"] == INNER) & (rows["prefix_len"] <= shared)).any():
        raise Malformed("a node shares no more bits than its parent")
    high = above["price_data"].repeat(2) ^ rows["price_data"]
    low = above["sequence"].repeat(2) ^ rows["sequence"]
    over = np.maximum(shared, _WORD) - _WORD  # Shared bits of the lower word.
    if (_leading(high, shared) | _leading(low, over)).any():
        raise Malformed("a node does not share its parent's bits")
    words = np.where(shared < _WORD, rows["price_data"], rows["sequence"])
    bits = words >> (_WORD - np.uint64(1) - shared % _WORD) & np.uint64(1)
    if bits[::2].any() or not bits[1::2].all():
        raise Malformed("a node's children stand on the wrong sides")


def _leading(words: NDArray[np.uint64], bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the highest `bits` of each word, moved down; all of them for 64 and more."""
    shift = _WORD - np.minimum(bits, _WORD)
    return np.where(shift == _WORD, np.uint64(0), words >> np.minimum(shift, _WORD - np.uint64(1)))


def _sort(table: _Table, leaves: NDArray[np.intp], side: Side, tree: int) -> NDArray[np.intp]:
    rows = table[leaves]
    _check_leaves(rows, tree)
    ascending = np.lexsort((rows["sequence"], rows["price_data"]))
    return leaves[ascending if side is Side.ASK else ascending[::-1]]


def _check_leaves(rows: _Table, tree: int) -> None:
    if rows["quantity"].min() < 1:
        raise Malformed(f"an order of {rows['quantity'].min()} lots rests")
    if rows["owner_slot"].max() >= MAX_OPEN_ORDERS:
        raise Malformed(f"an order stands in slot {rows['owner_slot'].max()} of {MAX_OPEN_ORDERS}")
    if int(rows["timestamp"].max()) > (1 << 64) - (1 << 16) - 1:
        raise Malformed("an order was placed at the end of time")
    if tree == FIXED and (rows["price_data"].min() < 1 or rows["price_data"].max() > (1 << 63) - 1):
        raise Malformed("an order's price is no positive i64")


def _check_free(head: Head, nodes: bytes, seen: NDArray[np.bool_]) -> None:
    table = np.frombuffer(nodes, _FREE)
    tags, following = table["tag"].tolist(), table["next"].tolist()
    node = head.free_list_head
    for left in range(head.free_list_len, 0, -1):
        if node >= head.bump_index or seen[node]:
            raise Malformed(f"the list of free nodes leads to node {node}, which is in use or none")
        if tags[node] != (FREE if left > 1 else LAST_FREE):
            raise Malformed(f"node {node} of the list of free nodes has tag {tags[node]}")
        seen[node] = True
        node = following[node]
    if np.count_nonzero(seen) != head.bump_index:
        raise Malformed(f"{head.bump_index} nodes were ever used, and {np.count_nonzero(seen)} are accounted for")
