"""A chain: blocks one after another, what lands in them, and blocks that vanish again.

The open block is what others call *processed*. It freezes when the next one opens; whoever listens hears of it then. A
block may be undone until it is finalized, never after.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from solders.account import Account
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox import clock
from bmv.adapters.sandbox.admission import Admission
from bmv.adapters.sandbox.balances import balances
from bmv.adapters.sandbox.finality import ALPENGLOW, Consensus
from bmv.adapters.sandbox.jsonrpc import Json
from bmv.adapters.sandbox.ledger import LAG_BLOCKS, Block, Landed, Ledger
from bmv.adapters.sandbox.rules import Refused
from bmv.adapters.sandbox.runtime import FAUCET_LAMPORTS, Result, Runtime

FAUCET = Keypair.from_seed(sha256(b"bmv sandbox faucet").digest())
FIRST_SLOT, FIRST_HEIGHT = 460_000_000, 438_000_000  # Leaders have missed slots: never take one for the other.


class Chain:
    """One chain on this machine, with one leader, who is us.

    Args:
        runtime: Executes.
        consensus: When a block is final.
        slot_ns: Length of a slot in the chain's own time.
        start_ns: Time at which the first block's parent ended, ns UTC.
        first_slot: Slot of the first block.
        name: What tells this chain from every other; its genesis hash is made of it.
    """

    def __init__(
        self,
        runtime: Runtime,
        consensus: Consensus = ALPENGLOW,
        slot_ns: int = clock.SLOT_NS,
        start_ns: int = clock.START_NS,
        first_slot: int = FIRST_SLOT,
        name: bytes = b"bmv sandbox",
    ) -> None:
        self.runtime, self.consensus, self.slot_ns, self.start_ns = runtime, consensus, slot_ns, start_ns
        self.leader_ns: Callable[[int], int] = self.even_ns
        self.before_freeze: list[Callable[[], None]] = []  # What lands last in each block, auctions for instance.
        self.on_freeze: list[Callable[[Block], None]] = []
        self.dark = False  # While it is, nothing lands and nothing becomes final.
        self._safe_height = FIRST_HEIGHT  # Of the block that it will come back to from the dark.
        self.final_height = FIRST_HEIGHT  # Of the newest block that can't vanish; it never goes back.
        first = Block(first_slot, first_slot - 1, FIRST_HEIGHT, Hash.hash(name), start_ns)
        self.first_slot = first_slot
        self.genesis = first.newest_hash
        self.faucet = FAUCET
        self.ledger = Ledger(runtime, first, kept=consensus.finalized + LAG_BLOCKS)
        self.admission = Admission(runtime)
        runtime.put(FAUCET.pubkey(), Account(FAUCET_LAMPORTS, b"", Pubkey.default()))
        self._held: list[tuple[int, VersionedTransaction]] = []  # With the height at which it lands.
        self._begin(first)

    @property
    def slot(self) -> int:
        """Slot of the open block."""
        return self.ledger.open.slot

    @property
    def height(self) -> int:
        """Height of the open block."""
        return self.ledger.open.height

    @property
    def unix_timestamp(self) -> int:
        """What the open block's programs read as the time, whole seconds."""
        return self.ledger.open.parent_ns // clock.SECOND_NS

    @property
    def landed(self) -> Mapping[str, Landed]:
        """The transactions that are remembered, by signature."""
        return self.admission.landed

    @property
    def may_vanish(self) -> int:
        """How many of the newest blocks may vanish, the open one included."""
        return self.height - (self._safe_height if self.dark else self.final_height)

    def even_ns(self, slot: int) -> int:
        """Return what a clock says at the end of `slot` that has ticked evenly since the first."""
        return self.start_ns + (slot - self.first_slot + 1) * self.slot_ns

    def block(self, commitment: str | None, lag: int = 0) -> Block:
        """Return the newest block at a commitment, as seen by a node that is `lag` blocks late."""
        behind = self.consensus.behind(commitment)
        height = self.height - behind
        if self.dark and behind:
            height = self._safe_height
        if behind == self.consensus.finalized:
            height = self.final_height
        return self.ledger.at_height(height - lag)

    def account(self, key: Pubkey, slot: int | None = None) -> Account | None:
        """Return an account at the end of the block of `slot`, as it is now where none is given."""
        return self.ledger.account(key, slot)

    def put(self, key: Pubkey, account: Account | None) -> None:
        """Write an account without a transaction."""
        self.ledger.put(key, account)

    def land(self, transaction: VersionedTransaction) -> Json:
        """Let a transaction into the open block; return why it failed or was refused, None if neither."""
        try:
            self.admission.check(transaction, self.ledger.open)
        except Refused as refusal:
            return refusal.error
        if self.dark:
            return None  # Taken, and never seen again.
        return self._execute(transaction).error

    def hold(self, transaction: VersionedTransaction, blocks: int) -> None:
        """Keep a transaction on its way for so many blocks, and let it land then like any other."""
        self._held.append((self.height + blocks, transaction))

    def _execute(self, transaction: VersionedTransaction) -> Result:
        result, landed, before = self._try(transaction)
        if landed is None:
            return result
        for key, account in before.items():
            if self.runtime.account(key) != account:
                self.ledger.remember(key, account)
        self.ledger.open.landed.append(landed)
        self.admission.note([landed])
        return result

    def _try(self, transaction: VersionedTransaction) -> tuple[Result, Landed | None, dict[Pubkey, Account | None]]:
        """Run a transaction; return what came of it, and what its accounts were before."""
        try:
            keys, writable = self.runtime.keys(transaction.message)
        except Refused as refusal:
            return Result(refusal.error, entered=False), None, {}
        before = {key: self.runtime.account(key) for key in writable}
        owned = balances(keys, self.runtime.account)
        try:
            result = self.runtime.run(transaction)
        except Exception:  # A bug of a double's: no half of a transaction may stay.
            self.runtime.restore(before)
            raise
        if not result.entered:
            return result, None, before
        now = balances(keys, self.runtime.account)
        signature = str(transaction.signatures[0])
        return result, Landed(signature, self.slot, transaction, result, keys, owned, now), before

    def simulate(
        self,
        transaction: VersionedTransaction,
        wanted: Sequence[Pubkey] = (),
        signed: bool = True,
        renamed: bool = False,
        block: Block | None = None,
    ) -> tuple[Result, list[Account | None]]:
        """Return what would become of a transaction, and the wanted accounts after it; change nothing.

        Args:
            transaction: The transaction.
            wanted: Accounts to return.
            signed, renamed: As in `Admission.check`.
            block: At whose end it is tried; the open one if absent.
        """
        block = block or self.ledger.open
        with self.ledger.wound_back(block):
            try:
                self.admission.check(transaction, block, signed, renamed)
            except Refused as refusal:
                return Result(refusal.error, entered=False), [self.runtime.account(key) for key in wanted]
            result, _, before = self._try(transaction)
            after = [self.runtime.account(key) for key in wanted]
            self.runtime.restore(before)
            return result, after

    def land_bundle(self, transactions: Sequence[VersionedTransaction]) -> Json:
        """Let all of a bundle into the open block, in order, or none; return what failed, None if nothing did."""
        before: dict[Pubkey, Account | None] = {}
        done: list[Landed] = []
        for transaction in transactions:
            error = self._land_of_bundle(transaction, before, done)
            if error is not None:
                self.runtime.restore(before)
                return {"TransactionFailure": [str(transaction.signatures[0]), error]}
        for key, account in before.items():
            if self.runtime.account(key) != account:
                self.ledger.remember(key, account)
        self.ledger.open.landed += done
        self.admission.note(done)
        return None

    def _land_of_bundle(
        self, transaction: VersionedTransaction, before: dict[Pubkey, Account | None], done: list[Landed]
    ) -> Json:
        try:
            self.admission.check(transaction, self.ledger.open)
        except Refused as refusal:
            return refusal.error
        if self.dark:
            return "no leader"
        result, landed, own = self._try(transaction)
        for key, account in own.items():
            before.setdefault(key, account)
        if landed is not None:
            done.append(landed)
        return result.error

    def freeze(self) -> None:
        """End the open block: its time and hash are fixed, and whoever listens hears of it."""
        block = self.ledger.open
        if block.hash is not None:
            return
        for last in self.before_freeze:
            last()
        slots = block.slot - block.parent
        block.end_ns = clock.bounded_ns(block.parent_ns, self.leader_ns(block.slot), slots, self.slot_ns)
        block.hash = block.frozen_hash()
        for listener in self.on_freeze:
            listener(block)

    def advance(self, blocks: int = 1, skipped: int = 0) -> None:
        """Freeze the open block and open the next, `blocks` times; leaders skip `skipped` slots before each."""
        for _ in range(blocks):
            self.freeze()
            self._open(self.ledger.open, self.slot + 1 + skipped)

    def _open(self, parent: Block, slot: int) -> None:
        assert parent.hash is not None, f"slot {parent.slot} is not frozen"
        block = Block(slot, parent.slot, parent.height + 1, parent.hash, parent.end_ns)
        oldest = self.ledger.blocks[0]
        self.ledger.append(block, forget=not self.dark)
        if self.ledger.blocks[0] is not oldest:
            self.admission.forget(oldest.landed)
        self._begin(block)
        if not self.dark:
            self.final_height = max(self.final_height, block.height - self.consensus.finalized)

    def _begin(self, block: Block) -> None:
        self.admission.begin(block)
        self.ledger.remember(clock.CLOCK, self.runtime.account(clock.CLOCK))  # Before the slot in it goes on.
        self.runtime.svm.warp_to_slot(block.slot)
        self.runtime.svm.expire_blockhash()  # What durable nonces are made of.
        self.runtime.svm.set_clock(clock.sysvar(block.slot, block.parent_ns, self.start_ns))
        arrived = [transaction for height, transaction in self._held if height <= block.height]
        self._held = [(height, transaction) for height, transaction in self._held if height > block.height]
        for transaction in arrived:
            self.land(transaction)

    def fork(self, blocks: int = 1) -> list[str]:
        """Let the newest blocks vanish, the open one included, and go on with the next slot; return what was lost.

        The open block freezes first: its listeners have heard of it. `ValueError` where a block is finalized already.
        """
        if not 1 <= blocks <= self.may_vanish:
            raise ValueError(f"{blocks} blocks can't vanish: the newest {self.may_vanish} are not finalized")
        self.freeze()
        newest = self.slot
        lost = self._undo(blocks)
        self._open(self.ledger.open, newest + 1)
        return lost

    def _undo(self, blocks: int) -> list[str]:
        lost: list[str] = []
        for _ in range(blocks):
            block = self.ledger.undo()
            self.admission.undo(block)
            lost += [landed.signature for landed in block.landed]
        return lost

    def go_dark(self) -> None:
        """Stand still: slots go by, but nothing lands, is confirmed or becomes final any more."""
        if not self.dark:
            self._safe_height = self.block("confirmed").height
            self.dark = True

    def go_on(self) -> list[str]:
        """Come back after having stood still: all that was not confirmed before has vanished, slot numbers too.

        Returns what was lost. The next slot is the one after the last confirmed block's, a lower number than has been
        seen.
        """
        if not self.dark:
            return []
        self.freeze()
        lost = self._undo(self.height - self._safe_height)
        self.dark = False
        self._open(self.ledger.open, self.slot + 1)
        return lost
