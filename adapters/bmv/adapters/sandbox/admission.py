"""What a block lets in: transactions that are well formed and signed, whose blockhash is young, and which are new."""

from collections.abc import Iterable

from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox import rules
from bmv.adapters.sandbox.ledger import Block, Landed
from bmv.adapters.sandbox.rules import AnyMessage, Refused
from bmv.adapters.sandbox.runtime import Runtime

HASH_BLOCKS = 150  # For how many blocks a blockhash may be named.
ADVANCE_NONCE = b"\x04\0\0\0"  # The first instruction of a transaction that names a durable nonce.
NONCE_HASH = slice(40, 72)  # Where in its account the nonce lies.


class Admission:
    """The blockhashes that may be named, and the transactions that landed.

    Args:
        runtime: Holds the accounts of durable nonces.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._last_heights: dict[str, int] = {}  # Blockhash -> the last height at which it may be named.
        self.landed: dict[str, Landed] = {}  # By signature.

    def check(
        self, transaction: VersionedTransaction, block: Block, signed: bool = True, renamed: bool = False
    ) -> None:
        """Refuse a transaction that is malformed, wrongly signed, too old, or there already, in this order.

        Source of the order: agave, `runtime/src/bank/check_transactions.rs`.

        Args:
            transaction: The transaction.
            block: Where it would land.
            signed: Whether to look at its signatures.
            renamed: Whether another blockhash takes the place of the one it names, so that it is young and new.
        """
        rules.check_form(transaction)
        if signed:
            rules.check_signatures(transaction)
        if renamed:
            return
        named = transaction.message.recent_blockhash
        if not self.is_young(named, block) and not self._is_nonce(transaction.message, named):
            raise Refused("BlockhashNotFound")
        landed = self.landed.get(str(transaction.signatures[0]))
        if landed is not None and landed.slot <= block.slot:
            raise Refused("AlreadyProcessed")

    def is_young(self, blockhash: Hash | str, block: Block) -> bool:
        """Say whether a blockhash may be named in a block: it is known there, and not too old."""
        last = self._last_heights.get(str(blockhash), -1)
        return last - HASH_BLOCKS <= block.height <= last

    def _is_nonce(self, message: AnyMessage, named: Hash) -> bool:
        """Say whether a blockhash is the durable nonce that a message advances."""
        key = _nonce_of(message)
        account = None if key is None else self._runtime.account(key)
        if account is None or len(account.data) != rules.NONCE_BYTES:
            return False
        return bytes(account.data)[NONCE_HASH] == bytes(named)

    def begin(self, block: Block) -> None:
        """Note the newest blockhash that a new block's transactions may name."""
        self._last_heights[str(block.newest_hash)] = block.height + HASH_BLOCKS
        while len(self._last_heights) > 2 * HASH_BLOCKS:
            del self._last_heights[next(iter(self._last_heights))]

    def undo(self, block: Block) -> None:
        """Forget a block that has vanished."""
        self._last_heights.pop(str(block.newest_hash), None)
        self.forget(block.landed)

    def note(self, landed: Iterable[Landed]) -> None:
        """Note transactions that have landed."""
        self.landed |= {one.signature: one for one in landed}

    def forget(self, landed: Iterable[Landed]) -> None:
        """Forget transactions that are too old to be asked about."""
        for one in landed:
            self.landed.pop(one.signature, None)


def _nonce_of(message: AnyMessage) -> Pubkey | None:
    """Return the account of the durable nonce that a message advances first of all."""
    first = message.instructions[0] if message.instructions else None
    if first is None or bytes(first.data) != ADVANCE_NONCE or not first.accounts:
        return None
    index = first.accounts[0]
    return message.account_keys[index] if index < len(message.account_keys) else None
