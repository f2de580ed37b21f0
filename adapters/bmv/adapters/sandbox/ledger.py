"""Blocks, and what every account was at the end of each of them.

LiteSVM knows the newest state only. The ledger keeps, for each block that may still be asked about, what each account
was *before* that block first changed it: enough to read an older state, and to undo a block.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox.jsonrpc import Json
from bmv.adapters.sandbox.runtime import Result, Runtime

LAG_BLOCKS = 32  # How far a lagging node may be behind.
HISTORY_BLOCKS = 1_500  # How many blocks their transactions are remembered for.


@dataclass(frozen=True, slots=True)
class Landed:
    """A transaction in a block.

    Args:
        before: Lamports and token amounts of its accounts, in RPC's JSON, before it.
        after: The same after it.
    """

    signature: str
    slot: int
    transaction: VersionedTransaction
    result: Result
    keys: list[Pubkey]
    before: Json
    after: Json


@dataclass(slots=True)
class Block:
    """One bank of the chain.

    Args:
        slot: Its slot.
        parent: Slot of the block before it.
        height: How many blocks came before it.
        newest_hash: The newest blockhash that its transactions may name: its parent's.
        parent_ns: Time at the end of its parent, which its programs read in seconds.
        end_ns: Time at its own end; 0 while it is open.
        hash: Its own, once it is frozen.
        before: What each account that it changed was before; emptied when nobody may ask any more.
        landed: Its transactions, in order.
    """

    slot: int
    parent: int
    height: int
    newest_hash: Hash
    parent_ns: int
    end_ns: int = 0
    hash: Hash | None = None
    before: dict[Pubkey, Account | None] = field(default_factory=dict)
    landed: list[Landed] = field(default_factory=list)

    def frozen_hash(self) -> Hash:
        """Return the hash of this block: of its parent's, its slot and its transactions."""
        signatures = b"".join(bytes(landed.transaction.signatures[0]) for landed in self.landed)
        return Hash.hash(bytes(self.newest_hash) + self.slot.to_bytes(8, "little") + signatures)


class Ledger:
    """The blocks of one fork, oldest first; the last is open.

    Args:
        runtime: Holds the newest state.
        kept: For how many blocks states are kept.
        history: For how many blocks transactions are kept.
    """

    def __init__(self, runtime: Runtime, first: Block, kept: int, history: int = HISTORY_BLOCKS) -> None:
        self.runtime = runtime
        self.blocks = [first]
        self._kept, self._history = kept, max(kept, history)
        self._changed: defaultdict[Pubkey, list[int]] = defaultdict(list)  # Key -> slots of blocks that changed it.

    @property
    def open(self) -> Block:
        """The block that transactions land in."""
        return self.blocks[-1]

    def at_height(self, height: int) -> Block:
        """Return the block of a height, or the oldest there is."""
        return self.blocks[max(height - self.blocks[0].height, 0)]

    def block_at(self, slot: int) -> Block | None:
        """Return the block of a slot, or None if it was skipped, is too old or is to come."""
        low, high = 0, len(self.blocks)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.blocks[middle].slot < slot else (low, middle)
        found = self.blocks[low] if low < len(self.blocks) else None
        return found if found is not None and found.slot == slot else None

    def account(self, key: Pubkey, slot: int | None = None) -> Account | None:
        """Return an account at the end of the block of `slot`, as it is now where none is given; None: there is none.

        `slot` must not be older than the blocks whose states are kept.
        """
        if slot is not None:
            for later in self._changed.get(key, ()):
                if later > slot:
                    block = self.block_at(later)
                    assert block is not None, f"block {later} is gone, its changes are not"
                    account = block.before[key]
                    return account if account is not None and account.lamports else None
        return self.runtime.account(key)

    def changed_slot(self, key: Pubkey, slot: int) -> int:
        """Return the newest slot up to `slot` that changed an account, or 0 if none that is remembered did."""
        return max((changed for changed in self._changed.get(key, ()) if changed <= slot), default=0)

    def remember(self, key: Pubkey, before: Account | None) -> None:
        """Note what an account was before the open block changed it, unless it did already."""
        if key not in self.open.before:
            self.open.before[key] = before
            self._changed[key].append(self.open.slot)

    def put(self, key: Pubkey, account: Account | None) -> None:
        """Write an account in the open block, seen and undone like any other change of it."""
        self.remember(key, self.runtime.account(key))
        self.runtime.put(key, account)

    @contextmanager
    def wound_back(self, block: Block) -> Iterator[None]:
        """Let the runtime hold for a while what every account was at the end of `block`, whose state must be kept."""
        then: dict[Pubkey, Account | None] = {}
        for later in reversed(self.blocks):
            if later.slot <= block.slot:
                break
            then |= later.before
        now = {key: self.runtime.account(key) for key in then}
        self.runtime.restore(then)
        try:
            yield
        finally:
            self.runtime.restore(now)

    def append(self, block: Block, forget: bool = True) -> None:
        """Open the next block; forget what is too old to be asked about, unless it may still be gone back to."""
        assert block.slot > self.open.slot, f"slot {block.slot} does not follow {self.open.slot}"
        self.blocks.append(block)
        if forget:
            self._forget()

    def undo(self) -> Block:
        """Take the newest block away and restore what it changed; return it."""
        assert len(self.blocks) > 1, "the first block can't be undone"
        block = self.blocks.pop()
        for key, account in block.before.items():
            self.runtime.put(key, account)
            self._changed[key].remove(block.slot)
        return block

    def _forget(self) -> None:
        """Forget the states of blocks beyond what is kept, and the transactions of those beyond the history."""
        if len(self.blocks) > self._kept:
            old = self.blocks[-1 - self._kept]
            for key in old.before:
                self._changed[key] = [slot for slot in self._changed[key] if slot >= old.slot]
            old.before = {}
        if len(self.blocks) > self._history:
            del self.blocks[0]

    def landed_newest_first(self) -> Iterable[Landed]:
        """Yield the transactions that are remembered, the newest first."""
        for block in reversed(self.blocks):
            yield from reversed(block.landed)
