"""What a node tries before it lets a transaction through: at the end of the block it stands at, changing nothing."""

import base64
from typing import Any

import pytest
from scene import SOL, fund, key, paid, signed
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox.admission import HASH_BLOCKS
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.faults import Faults
from bmv.adapters.sandbox.finality import TOWER
from bmv.adapters.sandbox.jsonrpc import INVALID_PARAMS, PREFLIGHT_FAILURE, RpcError
from bmv.adapters.sandbox.rpc import METHODS, call
from bmv.adapters.sandbox.runtime import make_runtime
from bmv.adapters.sandbox.view import View

PAYER, HEIR, THIRD = key(1), key(2), key(3).pubkey()


@pytest.fixture
def chain() -> Chain:
    chain = Chain(make_runtime(), TOWER)
    fund(chain, PAYER)
    return chain


def asked(chain: Chain, method: str, transaction: VersionedTransaction, lag: int = 0, **config: Any) -> Any:
    text = base64.b64encode(bytes(transaction)).decode()
    return call(METHODS, View(chain, Faults(), lag), method, [text, {"encoding": "base64", **config}])


def tried(chain: Chain, transaction: VersionedTransaction, lag: int = 0, **config: Any) -> Any:
    """Return why a simulation fails, None if it does not."""
    return asked(chain, "simulateTransaction", transaction, lag, **config)["value"]["err"]


def refused(chain: Chain, transaction: VersionedTransaction, **config: Any) -> RpcError:
    with pytest.raises(RpcError) as error:
        asked(chain, "sendTransaction", transaction, **config)
    return error.value


def old_hash(chain: Chain) -> Hash:
    """Return a blockhash that a finalized node knows too."""
    return chain.block("finalized").newest_hash


def inherited(chain: Chain) -> VersionedTransaction:
    """Let the heir be paid in the open block; return a payment of his, which needs that."""
    assert chain.land(signed(PAYER, [paid(PAYER, HEIR.pubkey(), 5 * SOL)], old_hash(chain))) is None
    return signed(HEIR, [paid(HEIR, THIRD, SOL)], old_hash(chain))


@pytest.mark.parametrize(("commitment", "blocks"), [("processed", 0), ("confirmed", 1), ("finalized", 31)])
def test_a_simulation_sees_what_is_there_at_its_commitment(chain: Chain, commitment: str, blocks: int) -> None:
    spending = inherited(chain)

    if blocks:
        chain.advance(blocks - 1)
        assert tried(chain, spending, commitment=commitment) == "AccountNotFound"
        chain.advance()
    assert tried(chain, spending, commitment=commitment) is None


def test_a_lagging_node_simulates_on_what_it_has_seen(chain: Chain) -> None:
    spending = inherited(chain)
    chain.advance(4)

    assert tried(chain, spending, lag=5, commitment="processed") == "AccountNotFound"
    assert tried(chain, spending, lag=4, commitment="processed") is None


def test_a_preflight_sees_what_is_there_at_its_commitment(chain: Chain) -> None:
    spending = inherited(chain)

    error = refused(chain, spending, preflightCommitment="confirmed")

    assert (error.code, error.data["err"]) == (PREFLIGHT_FAILURE, "AccountNotFound")
    assert asked(chain, "sendTransaction", spending, preflightCommitment="processed") == str(spending.signatures[0])


def test_looking_back_leaves_no_trace(chain: Chain) -> None:
    spending = inherited(chain)
    chain.advance(3)
    chain.land(signed(PAYER, [paid(PAYER, THIRD, SOL)], chain.ledger.open.newest_hash))

    def all_there_is() -> Any:
        keys = [PAYER.pubkey(), HEIR.pubkey(), THIRD]
        return [chain.account(one) for one in keys], chain.runtime.svm.get_clock(), chain.unix_timestamp

    before = all_there_is()
    tried(chain, spending, commitment="finalized")
    tried(chain, spending, commitment="confirmed")

    assert all_there_is() == before


def test_what_is_tried_in_the_past_reads_the_clock_of_then(chain: Chain) -> None:
    block = chain.block("finalized")

    with chain.ledger.wound_back(block):
        clock = chain.runtime.svm.get_clock()

    assert (clock.slot, clock.unix_timestamp) == (block.slot, block.parent_ns // 10**9)
    assert chain.runtime.svm.get_clock().slot == chain.slot


def test_a_transaction_that_landed_long_ago_is_too_old_before_it_is_a_duplicate(chain: Chain) -> None:
    landing = signed(PAYER, [paid(PAYER, THIRD, SOL)], chain.ledger.open.newest_hash)
    assert chain.land(landing) is None
    assert chain.land(landing) == "AlreadyProcessed"

    chain.advance(HASH_BLOCKS + 1)

    assert chain.land(landing) == "BlockhashNotFound"


def test_one_that_landed_is_tried_again_under_another_blockhash(chain: Chain) -> None:
    landing = signed(PAYER, [paid(PAYER, THIRD, SOL)], chain.ledger.open.newest_hash)
    assert chain.land(landing) is None

    assert tried(chain, landing, commitment="processed") == "AlreadyProcessed"
    assert tried(chain, landing, commitment="processed", replaceRecentBlockhash=True) is None


def test_a_wrong_signature_fails_the_preflight_like_any_other_fault(chain: Chain) -> None:
    good = signed(PAYER, [paid(PAYER, THIRD, SOL)], old_hash(chain))
    forged = VersionedTransaction.populate(good.message, [HEIR.sign_message(b"x")])

    error = refused(chain, forged)

    assert (error.code, error.data["err"], error.data["logs"]) == (PREFLIGHT_FAILURE, "SignatureFailure", [])


def test_a_lookup_table_that_is_not_there_makes_no_transaction(chain: Chain) -> None:
    table = AddressLookupTableAccount(key(9).pubkey(), [THIRD])
    message = MessageV0.try_compile(PAYER.pubkey(), [paid(PAYER, THIRD, SOL)], [table], old_hash(chain))

    error = refused(chain, VersionedTransaction(message, [PAYER]))

    assert error.code == INVALID_PARAMS
    assert error.message == "invalid transaction: Transaction loads an address table account that doesn't exist"


def test_accounts_after_a_simulation_that_failed_are_unknown(chain: Chain) -> None:
    wanting = signed(PAYER, [paid(PAYER, THIRD, 10**6 * SOL)], old_hash(chain))

    shown = asked(chain, "simulateTransaction", wanting, accounts={"addresses": [str(PAYER.pubkey())]})["value"]

    assert shown["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert shown["accounts"] == [None]
