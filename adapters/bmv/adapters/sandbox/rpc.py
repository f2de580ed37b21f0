"""The RPC methods by name, and how a call finds its own."""

from collections.abc import Callable, Mapping

from bmv.adapters.sandbox import rpc_accounts as accounts
from bmv.adapters.sandbox import rpc_chain as chain
from bmv.adapters.sandbox import rpc_transactions as transactions
from bmv.adapters.sandbox.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND, Json, RpcError
from bmv.adapters.sandbox.params import check_arguments
from bmv.adapters.sandbox.view import View

METHODS: dict[str, Callable[..., Json]] = {
    "getAccountInfo": accounts.get_account_info,
    "getAgGenesisCert": chain.get_ag_genesis_cert,
    "getBalance": accounts.get_balance,
    "getBlock": chain.get_block,
    "getBlockHeight": chain.get_block_height,
    "getBlockTime": chain.get_block_time,
    "getBlocks": chain.get_blocks,
    "getEpochInfo": chain.get_epoch_info,
    "getFeeForMessage": chain.get_fee_for_message,
    "getFirstAvailableBlock": chain.get_first_available_block,
    "getGenesisHash": chain.get_genesis_hash,
    "getHealth": chain.get_health,
    "getIdentity": chain.get_identity,
    "getLatestBlockhash": chain.get_latest_blockhash,
    "getMinimumBalanceForRentExemption": chain.get_minimum_balance_for_rent_exemption,
    "getMultipleAccounts": accounts.get_multiple_accounts,
    "getProgramAccounts": accounts.get_program_accounts,
    "getRecentPerformanceSamples": chain.get_recent_performance_samples,
    "getRecentPrioritizationFees": chain.get_recent_prioritization_fees,
    "getSignatureStatuses": transactions.get_signature_statuses,
    "getSignaturesForAddress": transactions.get_signatures_for_address,
    "getSlot": chain.get_slot,
    "getSlotLeader": chain.get_slot_leader,
    "getTokenAccountBalance": accounts.get_token_account_balance,
    "getTokenAccountsByOwner": accounts.get_token_accounts_by_owner,
    "getTokenSupply": accounts.get_token_supply,
    "getTransaction": transactions.get_transaction,
    "getTransactionCount": chain.get_transaction_count,
    "getVersion": chain.get_version,
    "isBlockhashValid": chain.is_blockhash_valid,
    "requestAirdrop": transactions.request_airdrop,
    "sendTransaction": transactions.send_transaction,
    "simulateTransaction": transactions.simulate_transaction,
}


def call(methods: Mapping[str, Callable[..., Json]], view: View, method: str, params: Json) -> Json:
    """Call a method by name with the parameters a client sent; `RpcError` where either is wrong."""
    function = methods.get(method)
    if function is None:
        raise RpcError(METHOD_NOT_FOUND, "Method not found")
    if not isinstance(params, list | None):
        raise RpcError(INVALID_PARAMS, "Invalid params: expected a list")
    arguments = params or []
    check_arguments(function, arguments)
    return function(view, *arguments)
