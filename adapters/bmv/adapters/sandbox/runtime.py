"""The virtual machine with a validator's rules around it: one transaction at a time, no blocks yet.

LiteSVM executes; it does not check signatures here (we do, so that simulation can leave it out), nor blockhashes, nor
duplicates (the chain does). Its compute limit is set by us for each transaction, since it knows none of version 1.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import base58
from solders.account import Account
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.compute_budget import ComputeBudget
from solders.litesvm import LiteSVM
from solders.message import MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.rent import Rent
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, InnerInstruction, TransactionMetadata

from bmv.adapters.sandbox import rules
from bmv.adapters.sandbox.elf import returning
from bmv.adapters.sandbox.jsonrpc import Json
from bmv.adapters.sandbox.rules import AnyMessage, Limits, Refused

EMPTY = Account(lamports=0, data=b"", owner=Pubkey.default())
UPGRADEABLE = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
IDLE = Pubkey.find_program_address([b"does nothing for 150 units"], COMPUTE_BUDGET)[0]
LAMPORTS_PER_BYTE = 5_080  # Rent since slot 446,256,000 of mainnet.
FAUCET_LAMPORTS = 10**17


class Result(NamedTuple):
    """What became of a transaction.

    Args:
        error: Why it failed, as RPC writes it in JSON; None if it did not.
        entered: Whether it entered a block: a failed transaction does, and pays, unless it was refused before.
        logs: What the programs said.
        units: Compute units it took.
        fee: Lamports it paid.
        returned: The program that returned data last, and the data.
        inner: Instructions that programs called, for each instruction, in RPC's JSON.
        loaded: Bytes of accounts and programs that it loaded.
    """

    error: Json
    entered: bool
    logs: Sequence[str] = ()
    units: int = 0
    fee: int = 0
    returned: tuple[Pubkey, bytes] | None = None
    inner: Sequence[Json] = ()
    loaded: int = 0


class Runtime:
    """A LiteSVM that obeys a validator's rules.

    Args:
        svm: It.
        signature_lamports: What each signature costs.
    """

    def __init__(self, svm: LiteSVM, signature_lamports: int = rules.SIGNATURE_LAMPORTS) -> None:
        self.svm, self.signature_lamports = svm, signature_lamports
        self._budget = ComputeBudget(simd_0268_active=True)

    def account(self, key: Pubkey) -> Account | None:
        """Return an account as it is now, or None where there is none."""
        account = self.svm.get_account(key)
        return account if account is not None and account.lamports else None

    def put(self, key: Pubkey, account: Account | None) -> None:
        """Write an account, or remove it."""
        self.svm.set_account(key, account or EMPTY)

    def restore(self, accounts: Mapping[Pubkey, Account | None]) -> None:
        """Put these accounts back as they were."""
        for key, account in accounts.items():
            if self.account(key) != account:
                self.put(key, account)

    def keys(self, message: AnyMessage) -> tuple[list[Pubkey], set[Pubkey]]:
        """Return all accounts of a message, those of lookup tables included, and which of them it may write."""
        keys = list(message.account_keys)
        writable = {key for index, key in enumerate(keys) if rules.is_writable(message, index)}
        if isinstance(message, MessageV0):
            tables = [(self._table(table.account_key), table) for table in message.address_table_lookups]
            written = [_entry(rows, i) for rows, table in tables for i in table.writable_indexes]
            read = [_entry(rows, i) for rows, table in tables for i in table.readonly_indexes]
            return keys + written + read, writable | set(written)
        return keys, writable

    def _table(self, key: Pubkey) -> list[Pubkey]:
        account = self.account(key)
        if account is None:
            raise Refused("AddressLookupTableNotFound")
        data = bytes(account.data)[56:]
        return [Pubkey(data[i : i + 32]) for i in range(0, len(data), 32)]

    def run(self, transaction: VersionedTransaction) -> Result:
        """Execute a transaction whose form, signatures and age the chain has checked."""
        message = transaction.message
        try:
            limits = rules.limits_of(message)
            loaded = self._loaded(message)
            payer = self.account(message.account_keys[0])
            rules.check_payer(payer, self.fee_of(message), self.svm.minimum_balance_for_rent_exemption)
        except Refused as refusal:
            return Result(refusal.error, entered=False)
        if loaded > limits.loaded:
            return self.charge_only(message, "MaxLoadedAccountsDataSizeExceeded")._replace(loaded=loaded)
        return self.run_whole(transaction, limits)._replace(loaded=loaded)

    def run_whole(self, transaction: VersionedTransaction, limits: Limits) -> Result:
        """Hand the transaction to LiteSVM in one piece."""
        message = transaction.message
        self.allow(limits.units, limits.heap)
        first = isinstance(message, MessageV1)
        payer, beside = message.account_keys[0], self._beside(message, limits.priority if first else 0)
        before = self._charge(payer, beside)
        result = result_of(self.svm.send_transaction(idling(transaction) if first else transaction))
        if not result.entered:
            self.put(payer, before)
            return result
        logs = idle_logs(result.logs) if first else result.logs
        return result._replace(fee=result.fee + beside, logs=logs)

    def _beside(self, message: AnyMessage, priority: int) -> int:
        """Return what is paid beside what LiteSVM takes, which knows one price of signatures."""
        return (self.signature_lamports - rules.SIGNATURE_LAMPORTS) * rules.signatures_of(message) + priority

    def fee_of(self, message: AnyMessage) -> int:
        """Return the lamports that a message costs."""
        return rules.fee_of(message, self.signature_lamports)

    def allow(self, units: int, heap: int) -> None:
        """Set the compute limit and the heap of what is sent next."""
        self._budget.compute_unit_limit = units
        self._budget.heap_size = heap
        self.svm.with_compute_budget(self._budget)

    def charge_only(self, message: AnyMessage, error: Json) -> Result:
        """Let a transaction that could not be loaded enter its block, and pay."""
        fee = self.fee_of(message)
        self._charge(message.account_keys[0], fee)
        return Result(error, entered=True, fee=fee)

    def _charge(self, payer: Pubkey, lamports: int) -> Account:
        """Take lamports from a payer who has them; return the account as it was."""
        account = self.account(payer)
        assert account is not None, f"{payer} pays, and was not looked at"
        self.put(payer, with_lamports(account, account.lamports - lamports))
        return account

    def _loaded(self, message: AnyMessage) -> int:
        tables = len(message.address_table_lookups) if isinstance(message, MessageV0) else 0
        return rules.loaded_bytes(list(self._sizes(self.keys(message)[0])), tables)

    def _sizes(self, keys: Iterable[Pubkey]) -> Iterable[int]:
        """Yield the bytes of each account that exists, and of what upgradeable programs point to."""
        seen = set(keys)
        for key in keys:
            account = self.account(key)
            if account is None:
                continue
            yield len(account.data)
            if account.owner == UPGRADEABLE and account.executable:
                code = Pubkey(bytes(account.data)[4:36])
                if code not in seen and (body := self.account(code)) is not None:
                    seen.add(code)
                    yield len(body.data)


def make_runtime(
    lamports_per_byte: int = LAMPORTS_PER_BYTE, signature_lamports: int = rules.SIGNATURE_LAMPORTS
) -> Runtime:
    """Return a runtime with the programs that LiteSVM brings; rent and the price of a signature are as given."""
    svm = LiteSVM().with_blockhash_check(False).with_transaction_history(0).with_sigverify(False)
    svm.set_rent(Rent(lamports_per_byte=lamports_per_byte))
    svm.add_program(IDLE, returning(0, units=rules.UNITS_COMPUTE_BUDGET))
    return Runtime(svm, signature_lamports)


def with_lamports(account: Account, lamports: int) -> Account:
    """Return the same account with another balance."""
    return Account(lamports, account.data, account.owner, account.executable, account.rent_epoch)


def _entry(rows: list[Pubkey], index: int) -> Pubkey:
    if index >= len(rows):
        raise Refused("InvalidAddressLookupTableIndex")
    return rows[index]


def result_of(outcome: TransactionMetadata | FailedTransactionMetadata) -> Result:
    """Return LiteSVM's outcome in our words. It reports a fee for whatever would have entered a block."""
    failed = isinstance(outcome, FailedTransactionMetadata)
    meta = outcome.meta() if isinstance(outcome, FailedTransactionMetadata) else outcome
    error = json.loads(outcome.to_json())["err"] if failed else None
    returned = meta.return_data()
    return Result(
        error=error,
        entered=not failed or meta.fee() > 0,
        logs=meta.logs(),
        units=meta.compute_units_consumed(),
        fee=meta.fee(),
        returned=(returned.program_id, bytes(returned.data)) if returned.data else None,
        inner=[[_inner_json(one) for one in group] for group in meta.inner_instructions()],
    )


def _inner_json(called: InnerInstruction) -> Json:
    """Return an instruction that a program called, as RPC writes it."""
    one = called.instruction()
    return {
        "programIdIndex": one.program_id_index,
        "accounts": list(one.accounts),
        "data": base58.b58encode(bytes(one.data)).decode(),
        "stackHeight": called.stack_height(),
    }


def idling(transaction: VersionedTransaction) -> VersionedTransaction:
    """Return a version 1 transaction whose ComputeBudget instructions do nothing, for as many units as they cost.

    LiteSVM would obey them. Order and indices stay; a program that reads the sysvar of instructions sees the stand-in.
    """
    message = transaction.message
    assert isinstance(message, MessageV1)
    if COMPUTE_BUDGET not in message.account_keys:
        return transaction
    keys = [IDLE if key == COMPUTE_BUDGET else key for key in message.account_keys]
    changed = MessageV1(message.header, message.config, message.lifetime_specifier, keys, message.instructions)
    return VersionedTransaction.populate(changed, transaction.signatures)


def idle_logs(logs: Sequence[str]) -> list[str]:
    """Return the logs as the built-in program leaves them: under its own name, and without a count of units."""
    name = str(IDLE)
    told = [line for line in logs if not line.startswith(f"Program {name} consumed")]
    return [line.replace(name, str(COMPUTE_BUDGET)) for line in told]
