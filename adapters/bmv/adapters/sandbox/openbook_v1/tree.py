"""The crit-bit tree of a side of the book, changed in place so that every node lies where the program would have it.

Where a node lies is decided by who came and went before: insertion puts the old node of a place at another, removal
moves a sibling up, and freed places are taken again last in, first out. Source: openbook-dex/program 3873f285,
`dex/src/critbit.rs`, whose order of steps is kept.
"""

from collections.abc import Callable

from bmv.adapters.openbook.v1 import layout as at
from bmv.adapters.openbook.v1.layout import Record
from bmv.adapters.openbook.v1.slab import FREE, INNER, LAST_FREE, LEAF

_HALF = 2**127


class Leaf(bytes):
    """The 72 bytes of an order in the tree."""

    @classmethod
    def make(
        cls, key: int, owner: bytes, owner_slot: int, quantity: int, fee_tier: int, client_order_id: int
    ) -> "Leaf":
        """Return the leaf of an order."""
        return cls(
            LEAF.to_bytes(4, "little")
            + bytes((owner_slot, fee_tier, 0, 0))
            + key.to_bytes(16, "little")
            + owner
            + quantity.to_bytes(8, "little")
            + client_order_id.to_bytes(8, "little")
        )

    @property
    def key(self) -> int:
        return int.from_bytes(self[8:24], "little")

    @property
    def price(self) -> int:
        return int.from_bytes(self[16:24], "little")

    @property
    def owner(self) -> bytes:
        return self[24:56]

    @property
    def owner_slot(self) -> int:
        return self[4]

    @property
    def fee_tier(self) -> int:
        return self[5]

    @property
    def quantity(self) -> int:
        return int.from_bytes(self[56:64], "little")

    @property
    def client_order_id(self) -> int:
        return int.from_bytes(self[64:72], "little")


class Tree:
    """A side of the book within its account's bytes."""

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.header = Record(at.SLAB, data, at.BODY)
        self.capacity = (len(data) - at.NODES - len(at.TAIL)) // at.NODE_BYTES

    # Nodes.

    def tag(self, node: int) -> int:
        return self._word(node, 0)

    def leaf(self, node: int) -> Leaf:
        return Leaf(self._get(node))

    def set_quantity(self, node: int, quantity: int) -> None:
        start = at.NODES + node * at.NODE_BYTES + 56
        self.data[start : start + 8] = quantity.to_bytes(8, "little")

    def child(self, node: int, bit: int) -> int:
        return self._word(node, 24 + 4 * bit)

    def _word(self, node: int, offset: int) -> int:
        start = at.NODES + node * at.NODE_BYTES + offset
        return int.from_bytes(self.data[start : start + 4], "little")

    def _key(self, node: int) -> int:
        start = at.NODES + node * at.NODE_BYTES + 8
        return int.from_bytes(self.data[start : start + 16], "little")

    def _get(self, node: int) -> bytes:
        start = at.NODES + node * at.NODE_BYTES
        return bytes(self.data[start : start + at.NODE_BYTES])

    def _set(self, node: int, content: bytes) -> None:
        start = at.NODES + node * at.NODE_BYTES
        self.data[start : start + at.NODE_BYTES] = content

    # Places.

    def _allocate(self, content: bytes) -> int | None:
        header = self.header
        if not header["free_list_len"]:
            node = header["bump_index"]
            if node == self.capacity:
                return None
            header["bump_index"] = node + 1
        else:
            node = header["free_list_head"]
            header["free_list_head"] = self._word(node, 4)
            header["free_list_len"] -= 1
        self._set(node, content)
        return node

    def _free(self, node: int) -> bytes:
        content = self._get(node)
        header = self.header
        tag = FREE if header["free_list_len"] else LAST_FREE
        self._set(node, tag.to_bytes(4, "little") + header["free_list_head"].to_bytes(4, "little") + bytes(64))
        header["free_list_len"] += 1
        header["free_list_head"] = node
        return content

    # The tree.

    def best(self, *, largest: bool) -> int | None:
        """Return the node of the smallest or the largest key."""
        if not self.header["leaf_count"]:
            return None
        node = self.header["root_node"]
        while self.tag(node) == INNER:
            node = self.child(node, int(largest))
        return node

    def insert(self, leaf: Leaf) -> bool:
        """Put an order in; False: there is no place."""
        header, key = self.header, leaf.key
        if not header["leaf_count"]:
            node = self._allocate(leaf)
            if node is None:
                return False
            header["root_node"], header["leaf_count"] = node, 1
            return True
        node = header["root_node"]
        while True:
            is_inner, node_key = self.tag(node) == INNER, self._key(node)
            if node_key == key and not is_inner:
                self._set(node, leaf)
                return True
            shared = 128 - (node_key ^ key).bit_length()
            if not is_inner or shared < self._word(node, 4):
                return self._split(node, leaf, shared)
            node = self.child(node, self._bit(key, self._word(node, 4)))

    def _split(self, node: int, leaf: Leaf, shared: int) -> bool:
        """Put an inner node in place of `node`, with the leaf and what was there as its children."""
        old = self._get(node)
        new_leaf = self._allocate(leaf)
        if new_leaf is None:
            return False
        moved = self._allocate(old)
        if moved is None:
            self._free(new_leaf)
            return False
        children = (moved, new_leaf) if self._bit(leaf.key, shared) else (new_leaf, moved)
        inner = INNER.to_bytes(4, "little") + shared.to_bytes(4, "little") + leaf.key.to_bytes(16, "little")
        self._set(node, inner + b"".join(child.to_bytes(4, "little") for child in children) + bytes(40))
        self.header["leaf_count"] += 1
        return True

    @staticmethod
    def _bit(key: int, prefix: int) -> int:
        return int(key & (_HALF >> prefix) != 0)

    def remove(self, key: int) -> Leaf | None:
        """Take the order of `key` out."""
        header = self.header
        if not header["leaf_count"]:
            return None
        parent, node, bit = -1, header["root_node"], 0
        while self.tag(node) == INNER:
            bit = self._bit(key, self._word(node, 4))
            parent, node = node, self.child(node, bit)
        if self._key(node) != key:
            return None
        if parent < 0:
            header["root_node"] = header["leaf_count"] = 0
            return Leaf(self._free(node))
        self._set(parent, self._free(self.child(parent, 1 - bit)))
        header["leaf_count"] -= 1
        return Leaf(self._free(node))

    def find(self, wanted: Callable[[Leaf], bool], limit: int) -> tuple[list[int], int]:
        """Return the keys of the orders that are `wanted`, and what is left of a limit on the nodes looked at."""
        keys: list[int] = []
        ahead = [self.header["root_node"]] if self.header["leaf_count"] else []
        while ahead and limit:
            limit -= 1
            node = ahead.pop()
            if self.tag(node) == INNER:
                ahead += [self.child(node, 0), self.child(node, 1)]
            elif wanted(leaf := self.leaf(node)):
                keys.append(leaf.key)
        return keys, limit
