"""One side of a book: a crit-bit tree in an array of nodes, each of which moves about when others come and go."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Level, RestingOrder, Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1 import layout as at
from bmv.adapters.openbook.v1.accounts import IS_ASKS, IS_BIDS, AccountFlag

INNER, LEAF = 1, 2  # Tags of the nodes that are part of the tree,
FREE, LAST_FREE = 3, 4  # and of those that are not.

NODE = np.dtype(  # A node read as a leaf; an inner one's children lie in the first 8 bytes of `owner`.
    {
        "names": ["tag", "owner_slot", "key_low", "key_high", "children", "owner", "quantity", "client_order_id"],
        "formats": ["<u4", "u1", "<u8", "<u8", ("<u4", 2), "V32", "<u8", "<u8"],
        "offsets": [0, 4, 8, 16, 24, 24, 56, 64],
        "itemsize": at.NODE_BYTES,
    }
)

Nodes = np.ndarray[tuple[int], np.dtype[np.void]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slab:
    """One side of a book.

    Args:
        bump_index: Nodes ever used.
        free_list_len: Nodes among them that are free again.
        nodes: Every node, of shape `(capacity,)` and dtype `NODE`.
        leaves: The orders, best price first and in the order in which they would trade: rows of `nodes`.
        slop: What is left behind the last whole node.
    """

    account_flags: AccountFlag
    bump_index: int
    free_list_len: int
    free_list_head: int
    root_node: int
    leaf_count: int
    nodes: Nodes
    leaves: Nodes
    slop: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a side of a book; one whose tree is not a tree, or not sorted, is refused."""
        at.check_envelope(data, at.NODES + at.NODE_BYTES + len(at.TAIL), "slab")
        values = at.SLAB.read(data, at.BODY)
        if values["account_flags"] not in (IS_BIDS, IS_ASKS):
            raise Malformed(
                f"slab: flags {values['account_flags']}, not {int(IS_BIDS)} (bids) or {int(IS_ASKS)} (asks)"
            )
        flags = values["account_flags"] = AccountFlag(values["account_flags"])
        capacity = (len(data) - at.NODES - len(at.TAIL)) // at.NODE_BYTES
        nodes = np.frombuffer(data, NODE, capacity, at.NODES)
        _check_counts(values, capacity)
        leaves = _walk(nodes, values["root_node"], values["leaf_count"])
        _check_leaves(leaves)
        slop = bytes(data[at.NODES + capacity * at.NODE_BYTES : -len(at.TAIL)])
        return cls(**values, nodes=nodes, leaves=leaves[::-1] if flags == IS_BIDS else leaves, slop=slop)

    def encode(self) -> bytes:
        """Return the account's bytes."""
        header = bytearray(at.NODES)
        header[: at.BODY] = at.HEAD
        at.SLAB.write(header, at.BODY, {name: getattr(self, name) for name in at.SLAB.fields})
        return bytes(header) + self.nodes.tobytes() + self.slop + at.TAIL

    @property
    def side(self) -> Side:
        return Side.BID if self.account_flags == IS_BIDS else Side.ASK

    @property
    def capacity(self) -> int:
        """Orders that fit."""
        return (len(self.nodes) + 1) // 2

    def orders(self, own: Collection[Pubkey] = ()) -> list[RestingOrder]:
        """Return the orders (level 3), best first; those of the accounts in `own` are marked."""
        mine = {bytes(key) for key in own}
        side = self.side
        rows: list[Any] = self.leaves.tolist()  # Any: a row holds numbers and bytes.
        return [
            RestingOrder(high << 64 | low, side, high, size, Pubkey.from_bytes(owner), slot, client_id, owner in mine)
            for _, slot, low, high, _, owner, size, client_id in rows
        ]

    def levels(self, depth: int | None = None, own: Collection[Pubkey] = ()) -> list[Level]:
        """Return the `depth` best levels (level 2), all unless given; `own_lots` counts the accounts in `own`."""
        prices: list[int] = self.leaves["key_high"].tolist()
        sizes: list[int] = self.leaves["quantity"].tolist()
        mine = {bytes(key) for key in own}
        owners: list[bytes] = self.leaves["owner"].tolist() if mine else []
        levels: list[Level] = []
        start = 0
        while start < len(prices) and (depth is None or len(levels) < depth):
            end = start + 1
            while end < len(prices) and prices[end] == prices[start]:
                end += 1
            own_lots = sum(
                size for size, owner in zip(sizes[start:end], owners[start:end], strict=False) if owner in mine
            )
            levels.append(Level(prices[start], sum(sizes[start:end]), end - start, own_lots))
            start = end
        return levels


def _check_counts(header: dict[str, Any], capacity: int) -> None:
    bump, free, leaf_count = header["bump_index"], header["free_list_len"], header["leaf_count"]
    inner = max(leaf_count - 1, 0)
    if bump > capacity or free > bump or leaf_count + inner + free != bump:
        raise Malformed(
            f"slab: {leaf_count} orders, {free} free nodes and {bump} nodes used of {capacity} don't fit together"
        )


def _walk(nodes: Nodes, root: int, leaf_count: int) -> Nodes:
    """Return the leaves by ascending key.

    A tree of n leaves has n − 1 inner nodes; whoever meets more goes in circles.
    """
    if not leaf_count:
        return nodes[:0]
    tags: list[int] = nodes["tag"].tolist()
    left: list[int]
    right: list[int]
    left, right = nodes["children"].T.tolist()
    order: list[int] = []
    ahead = [root]
    inner = 0
    try:
        while ahead:
            node = ahead.pop()
            tag = tags[node]
            if tag == LEAF:
                order.append(node)
            elif tag == INNER and inner < leaf_count:
                inner += 1
                ahead.append(right[node])
                ahead.append(left[node])
            else:
                raise Malformed(f"slab: node {node} has tag {tag}, or the tree goes in circles")
    except IndexError:
        raise Malformed(f"slab: a node has a child beyond the last of {len(tags)} nodes") from None
    if len(order) != leaf_count:
        raise Malformed(f"slab: {len(order)} orders in the tree, {leaf_count} in the header")
    return nodes[order]


def _check_leaves(leaves: Nodes) -> None:
    """Refuse orders of no price or size, of a slot beyond 127, or not sorted by key."""
    high, low = leaves["key_high"], leaves["key_low"]
    if not (high.all() and leaves["quantity"].all()):
        raise Malformed("slab: an order without price or size")
    if (leaves["owner_slot"] >= at.SLOTS).any():
        raise Malformed("slab: an order of a slot beyond 127")
    rising = (high[1:] > high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] > low[:-1]))
    if not rising.all():
        raise Malformed("slab: the orders are not sorted by price and age")
