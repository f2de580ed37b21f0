"""A relay: somebody with a staked connection who sends on what pays a tip to an account of his own."""

from hashlib import sha256

from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.sandbox.auction import TIP_ACCOUNTS as JITO_ACCOUNTS
from bmv.adapters.sandbox.auction import tip_of
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND, Json, RpcError
from bmv.adapters.sandbox.params import check_arguments
from bmv.adapters.sandbox.rpc_transactions import read_transaction
from bmv.adapters.sandbox.rules import LARGE_BYTES, SYSTEM
from bmv.adapters.sandbox.view import View
from bmv.data.landing.dice import draw

LEAST_TIP = 5_000  # As the cheapest service of one provider asks; that of its dearest is 1,000,000.
TIP_ACCOUNTS = tuple(Pubkey(sha256(f"bmv sandbox relay {at}".encode()).digest()) for at in range(4))


def found_accounts(chain: Chain) -> None:
    """Give each account that takes tips what it needs to exist: a tip is too little for that."""
    for key in (*JITO_ACCOUNTS, *TIP_ACCOUNTS):
        chain.put(key, Account(chain.runtime.svm.minimum_balance_for_rent_exemption(0), b"", SYSTEM))


class Relay:
    """The methods of a relay in front of one node."""

    def __init__(self, view: View) -> None:
        self._view, self._taken = view, 0

    def call(self, method: str, params: list[Json]) -> Json:
        """Call a method by name; there is one."""
        if method != "sendTransaction":
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        check_arguments(Relay.send_transaction, params)
        return self.send_transaction(*params)

    def send_transaction(self, text: str, config: Json = None) -> Json:
        """Take a transaction that pays the least tip at least, and send it on the normal way: it may land and fail."""
        transaction = read_transaction(self._view, text, config, limit=LARGE_BYTES)
        tip = tip_of([transaction], TIP_ACCOUNTS)
        if tip < LEAST_TIP:
            raise RpcError(INVALID_PARAMS, f"a tip of {LEAST_TIP} lamports is required, found {tip}")
        self._taken += 1
        world = self._view.auction.world
        lost = draw(world.seed, "relay", self._taken) < world.relay_dropped
        if not lost and not self._view.faults.strike("relay_drop"):
            self._view.chain.land(transaction)
        return str(transaction.signatures[0])
