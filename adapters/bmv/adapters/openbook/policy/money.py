"""Instructions that move SOL and tokens: a tip, wrapping and unwrapping SOL, accounts of one's own. No others.

While a key is rotated everything may go to the key that follows it, and to no third one.
"""

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import (
    CreateAccountParams,
    CreateAccountWithSeedParams,
    TransferParams,
    create_account,
    create_account_with_seed,
    transfer,
)
from solders.token import ID as TOKEN_PROGRAM

from bmv.adapters.openbook.policy.demand import Demand
from bmv.adapters.openbook.policy.mandate import Ours
from bmv.adapters.openbook.policy.verdict import Code, Forbidden
from bmv.adapters.openbook.v1.layout import OPEN_ORDERS_BYTES
from bmv.adapters.openbook.v2.metas import ASSOCIATED_TOKEN_PROGRAM
from bmv.adapters.solana.tokens import (
    CLOSE_ACCOUNT,
    CREATE_IDEMPOTENT,
    NATIVE_MINT,
    SYNC_NATIVE,
    TRANSFER_TOKENS,
    associated_account,
    close_token_account,
    create_associated_account,
    sync_native,
    transfer_tokens,
)

CREATE, TRANSFER, CREATE_WITH_SEED = 0, 2, 3  # Kinds of the system program.
TRANSFER_BYTES, CREATE_BYTES, WITH_SEED_BYTES = 12, 52, 92  # Of their data; that of the last without its seed.
SEED_AT, SEED_BYTES_MAX = 44, 32
PROGRAMS = (SYSTEM_PROGRAM, TOKEN_PROGRAM, ASSOCIATED_TOKEN_PROGRAM)


class Money:
    """What an owner's money may be used for beside trading.

    Args:
        mints: Of base and quote.
        makes_accounts_of: The program for which an open-orders account may be made: version 1's; None: none is.
    """

    def __init__(self, ours: Ours, mints: tuple[Pubkey, Pubkey], makes_accounts_of: Pubkey | None) -> None:
        self._ours, self._program = ours, makes_accounts_of
        self._mints = dict(zip((ours.base, ours.quote), mints, strict=True))
        self._wrapped = {account for account, mint in self._mints.items() if mint == NATIVE_MINT}
        self._made = {account: (ours.owner, mint) for account, mint in self._mints.items()}
        self._heirs = dict[Pubkey, Pubkey]()  # Token accounts of the successor, by ours.
        for holder in (*ours.delegates, *(() if ours.successor is None else (ours.successor,))):
            self._made |= {associated_account(holder, mint): (holder, mint) for mint in mints}
        if ours.successor is not None:
            heir = ours.successor
            self._heirs = {account: associated_account(heir, mint) for account, mint in self._mints.items()}

    def check(self, instruction: Instruction) -> Demand:
        """Return what an instruction of one of `PROGRAMS` demands, or refuse it."""
        if instruction.program_id == SYSTEM_PROGRAM:
            return self._check_system(instruction)
        if instruction.program_id == TOKEN_PROGRAM:
            return self._check_token(instruction)
        return self._check_associated(instruction)

    def _check_system(self, instruction: Instruction) -> Demand:
        """Read the amount where it has to stand, and compare the rest with an instruction of our own writing.

        solders has readers of these, and they panic where an account lacks.
        """
        data = bytes(instruction.data)
        kind, size = int.from_bytes(data[:4], "little"), len(data)
        if len(instruction.accounts) == 2:
            if kind == TRANSFER and size == TRANSFER_BYTES:
                return self._transfer(instruction, instruction.accounts[1].pubkey, _u64(data, 4))
            if kind == CREATE and size == CREATE_BYTES:
                return self._create(instruction, _u64(data, 4))
            if kind == CREATE_WITH_SEED and 0 <= size - WITH_SEED_BYTES <= SEED_BYTES_MAX:
                end = SEED_AT + size - WITH_SEED_BYTES
                return self._create_with_seed(instruction, data[SEED_AT:end], _u64(data, end))
        raise Forbidden(Code.INSTRUCTION, f"instruction {kind} of the system program, which no maker needs so")

    def _transfer(self, instruction: Instruction, to: Pubkey, lamports: int) -> Demand:
        ours = transfer(TransferParams(from_pubkey=self._ours.owner, to_pubkey=to, lamports=lamports))
        accounts = _same(instruction, ours)
        if to in self._wrapped:
            return Demand(accounts, [], wrapped=lamports)
        if to == self._ours.successor:
            return Demand(accounts, [])
        if to in self._ours.tips:
            return Demand(accounts, [], tip=lamports)
        raise Forbidden(Code.ACCOUNT, f"{lamports} lamports to {to}, which is no account for tips or of wrapped SOL")

    def _create(self, instruction: Instruction, lamports: int) -> Demand:
        ours = create_account(
            CreateAccountParams(
                from_pubkey=self._ours.owner,
                to_pubkey=self._ours.open_orders,
                lamports=lamports,
                space=OPEN_ORDERS_BYTES,
                owner=self._makes(),
            )
        )
        return Demand(_same(instruction, ours), [], rent=lamports)

    def _create_with_seed(self, instruction: Instruction, seed: bytes, lamports: int) -> Demand:
        owner, text = self._ours.owner, seed.decode("ascii", errors="replace")
        if not text.isascii() or Pubkey.create_with_seed(owner, text, self._makes()) != self._ours.open_orders:
            raise Forbidden(Code.ACCOUNT, f"seed {text!r}, which is not that of one's open-orders account")
        ours = create_account_with_seed(
            CreateAccountWithSeedParams(
                from_pubkey=owner,
                to_pubkey=self._ours.open_orders,
                base=owner,
                seed=text,
                lamports=lamports,
                space=OPEN_ORDERS_BYTES,
                owner=self._makes(),
            )
        )
        return Demand(_same(instruction, ours), [], rent=lamports)

    def _makes(self) -> Pubkey:
        if self._program is None:
            raise Forbidden(Code.INSTRUCTION, "an account is made, and on version 2 the program makes them")
        return self._program

    def _check_token(self, instruction: Instruction) -> Demand:
        data, owner = bytes(instruction.data), self._ours.owner
        account = instruction.accounts[0].pubkey if instruction.accounts else owner
        if data == SYNC_NATIVE and account in self._wrapped:
            return Demand(_same(instruction, sync_native(account)), [])
        if data == CLOSE_ACCOUNT and account in self._mints:
            return Demand(_same(instruction, close_token_account(account, owner)), [])
        if data[:1] == TRANSFER_TOKENS and account in self._heirs:
            moved = transfer_tokens(account, self._heirs[account], owner, _u64(data, 1))
            return Demand(_same(instruction, moved), [])
        text = f"instruction {data[:1].hex() or 'of no bytes'} of SPL Token on {account}"
        raise Forbidden(Code.INSTRUCTION, f"{text}, and only one's own accounts are closed, and wrapped SOL synced")

    def _check_associated(self, instruction: Instruction) -> Demand:
        account = instruction.accounts[1].pubkey if len(instruction.accounts) > 1 else None
        made = self._made.get(account) if account is not None else None
        if bytes(instruction.data) != CREATE_IDEMPOTENT or made is None:
            raise Forbidden(Code.INSTRUCTION, "only one's own token accounts are made, and idempotently")
        return Demand(_same(instruction, create_associated_account(self._ours.owner, *made)), [])


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _same(found: Instruction, ours: Instruction) -> list[AccountMeta]:
    """Return the accounts of our own writing of an instruction, or refuse one that differs in a byte or an account."""
    if bytes(found.data) != bytes(ours.data):
        raise Forbidden(Code.INSTRUCTION, "an instruction in other bytes than it is written with")
    named, wanted = [meta.pubkey for meta in found.accounts], [meta.pubkey for meta in ours.accounts]
    if named != wanted:
        raise Forbidden(Code.ACCOUNT, f"accounts {_list(named)}, and {_list(wanted)} are allowed")
    return ours.accounts


def _list(keys: list[Pubkey]) -> str:
    return ", ".join(map(str, keys)) or "none"
