"""Where bundles are let into blocks: the model's auctions, held as each block ends, and what they do to the chain."""

from collections.abc import Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox import rules
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.jsonrpc import Json
from bmv.data.landing.accounts import JITO_LEAST_TIP, JITO_TIP_ACCOUNTS
from bmv.data.landing.model import Bid, Engine, Verdict, World
from bmv.data.landing.tips import per_unit

BUNDLES_KEPT = 1_000
TRANSFER, TRANSFER_BYTES = 2, 12  # A kind of the system program, and the bytes of its data.
ASTRAY_BLOCKS = 3  # Transactions of a bundle that was pulled apart come along within so many blocks.
TIP_ACCOUNTS = tuple(map(Pubkey.from_string, JITO_TIP_ACCOUNTS))
PENDING = "pending"


@dataclass(slots=True)
class Bundle:
    """A bundle that was taken.

    Args:
        transactions: Its transactions, in order.
        apart: Whether it is to be pulled apart, should it win.
        failure: Why it did not land; `PENDING`: it is not decided; None: it landed.
    """

    transactions: Sequence[VersionedTransaction]
    apart: bool = False
    failure: Json = PENDING

    @property
    def signatures(self) -> tuple[str, ...]:
        """Of its transactions."""
        return tuple(str(one.signatures[0]) for one in self.transactions)


class Auction:
    """Keeps the bundles of one chain, and holds an auction as each of its blocks ends.

    Args:
        chain: The chain.
        world: What landing is like.
        contested: Accounts that the rivals of that world want.
    """

    def __init__(self, chain: Chain, world: World | None = None, contested: frozenset[Pubkey] = frozenset()) -> None:
        self.world = world or World()
        self._chain, self._contested = chain, contested
        self._engine = Engine(self.world)
        self.bundles: dict[str, Bundle] = {}  # By number, newest last.
        chain.before_freeze.append(self._hold)

    def take(self, number: str, bundle: Bundle, late: int = 0, dropped: bool = False) -> None:
        """Take a bundle, which takes part `late` slots from now; one that waits already is not taken twice."""
        known = self.bundles.get(number)
        if known is not None and known.failure == PENDING:
            return
        self.bundles[number] = bundle
        while len(self.bundles) > BUNDLES_KEPT:
            del self.bundles[next(iter(self.bundles))]
        if dropped or tip_of(bundle.transactions) < JITO_LEAST_TIP:
            bundle.failure = "dropped"
        else:
            self._engine.take(self._bid(number, bundle, late))

    def _bid(self, number: str, bundle: Bundle, late: int) -> Bid:
        units = sum(rules.limits_of(one.message).units for one in bundle.transactions)
        micro = per_unit(tip_of(bundle.transactions), max(units, 1))
        locks = frozenset(key for one in bundle.transactions for key in written(one) if key not in TIP_ACCOUNTS)
        contested = bool(locks & self._contested)
        return Bid(number, micro, locks, self._chain.slot + late, contested)

    def _hold(self) -> None:
        if not len(self._engine):
            return
        for bid, verdict in self._engine.auction(self._chain.slot):
            bundle = self.bundles.get(bid.number)
            if bundle is None:
                continue  # Forgotten, for very many have come since.
            if verdict is Verdict.APART or (verdict is Verdict.WON and bundle.apart):
                self._scatter(bundle)
            elif verdict is Verdict.WON:
                bundle.failure = self._chain.land_bundle(bundle.transactions)
            else:
                bundle.failure = verdict.value

    def _scatter(self, bundle: Bundle) -> None:
        """Let transactions go their own ways: each may land, in whatever order, and fail there too."""
        bundle.failure = Verdict.APART.value
        for at, transaction in enumerate(reversed(bundle.transactions)):
            self._chain.hold(transaction, 1 + at % ASTRAY_BLOCKS)


def tip_of(transactions: Sequence[VersionedTransaction], accounts: Sequence[Pubkey] = TIP_ACCOUNTS) -> int:
    """Return the lamports that transactions themselves, not programs that they call, pay to these accounts."""
    lamports = 0
    for one in transactions:
        keys = one.message.account_keys
        for each in one.message.instructions:
            data, named = bytes(each.data), bytes(each.accounts)
            is_transfer = len(data) == TRANSFER_BYTES and int.from_bytes(data[:4], "little") == TRANSFER
            ours = is_transfer and len(named) == 2 and keys[each.program_id_index] == rules.SYSTEM
            if ours and named[1] < len(keys) and keys[named[1]] in accounts:
                lamports += int.from_bytes(data[4:], "little")
    return lamports


def written(transaction: VersionedTransaction) -> list[Pubkey]:
    """Return the accounts that a transaction names itself, not by a lookup table, and may write to."""
    message = transaction.message
    return [key for index, key in enumerate(message.account_keys) if rules.is_writable(message, index)]
