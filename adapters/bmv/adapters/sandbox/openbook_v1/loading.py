"""The accounts of an instruction, checked in the program's order, and as what it takes them for.

Source: openbook-dex/program 3873f285, `dex/src/state.rs`; numbers are its lines.
"""

from dataclasses import dataclass
from functools import lru_cache

from solders.pubkey import Pubkey
from solders.token import ID as TOKEN_PROGRAM
from solders.transaction_status import InstructionErrorFieldless

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1 import layout as at
from bmv.adapters.openbook.v1.accounts import (
    IS_ASKS,
    IS_BIDS,
    IS_EVENT_QUEUE,
    IS_MARKET,
    IS_OPEN_ORDERS,
    IS_REQUEST_QUEUE,
    AccountFlag,
    vault_signer,
)
from bmv.adapters.openbook.v1.codes import DexErrorCode
from bmv.adapters.openbook.v1.layout import Record
from bmv.adapters.sandbox.double import AccountState, Surroundings
from bmv.adapters.sandbox.openbook_v1 import fees
from bmv.adapters.sandbox.openbook_v1.failing import Failure, Panic, check, fail
from bmv.adapters.sandbox.openbook_v1.orders import Orders
from bmv.adapters.sandbox.openbook_v1.queue import Ring
from bmv.adapters.sandbox.openbook_v1.tree import Tree
from bmv.adapters.sandbox.tokens import ACCOUNT_BYTES
from bmv.adapters.sandbox.transfers import mint_of, owner_of

_KNOWN = sum(AccountFlag)
_MARKETS = {
    IS_MARKET,
    IS_MARKET | AccountFlag.PERMISSIONED,
    IS_MARKET | AccountFlag.PERMISSIONED | AccountFlag.CRANK_AUTHORITY_REQUIRED,
}
_WRONG_SIZE = ("from_bytes_mut>SizeMismatch", "src/internal.rs:32:3")
_UNKNOWN_FLAGS = "called `Result::unwrap()` on an `Err` value: FromBitsError"


@dataclass(slots=True)
class Account:
    """An account as an instruction names it; the state is shared where it names one twice."""

    key: bytes
    signer: bool
    writable: bool
    state: AccountState
    borrowed: list[bool]

    @property
    def data(self) -> bytearray:
        return self.state.data

    def borrow(self) -> bytearray:
        """Return the bytes to write to; what the program already holds is not lent twice."""
        if self.borrowed:
            raise Failure(InstructionErrorFieldless.AccountBorrowFailed)
        self.borrowed.append(True)
        return self.state.data

    def release(self) -> None:
        self.borrowed.clear()


class Market(Record):
    """A market within its account's bytes."""

    def __init__(self, account: Account, program_id: Pubkey, *, allow_disabled: bool) -> None:
        data = account.data
        check(len(data) >= at.BODY + 8, "state", 120)
        flags = int.from_bytes(data[at.BODY : at.BODY + 8], "little")
        if flags & ~_KNOWN:
            raise fail(DexErrorCode.INVALID_MARKET_FLAGS)
        self.permissioned = bool(flags & AccountFlag.PERMISSIONED)
        check(account.state.owner == program_id, "state", 236 if self.permissioned else 425)
        check_padding(account.borrow())
        wanted = at.PERMISSIONED_MARKET_BYTES if self.permissioned else at.MARKET_BYTES
        if len(data) != wanted:
            raise Panic(*_WRONG_SIZE)
        kinds = _MARKETS | {kind | AccountFlag.DISABLED for kind in _MARKETS} if allow_disabled else _MARKETS
        if flags not in kinds or bool(flags & AccountFlag.PERMISSIONED) != self.permissioned:
            raise fail(DexErrorCode.INVALID_MARKET_FLAGS)
        super().__init__(at.MARKET, data, at.BODY)
        self.account = account
        self.flags = flags
        self.program_id = program_id
        self.address = self.key("own_address")

    def authority(self, name: str) -> bytes | None:
        """Return the authority of a permissioned market; None: anybody."""
        if not self.permissioned:
            return None
        if name == "consume_events_authority" and not self.flags & AccountFlag.CRANK_AUTHORITY_REQUIRED:
            return None
        return Record(at.AUTHORITIES, self.buffer, at.BODY + at.MARKET.size).key(name)

    def fee_tier(self, owner: Account, discount: Account | None) -> int:
        if discount is not None:
            check(owner_of(discount.data) == owner.key, "state", 553)
        return fees.fee_tier(self.address)

    def _named(self, account: Account, name: str, code: DexErrorCode) -> bytearray:
        if account.key != self.key(name):
            raise fail(code)
        data = account.borrow()
        check_padding(data)
        return data

    def bids(self, account: Account) -> Tree:
        data = self._named(account, "bids", DexErrorCode.WRONG_BIDS_ACCOUNT)
        _check_kind(data, IS_BIDS, 464, "src/state.rs:463:63")
        return Tree(data)

    def asks(self, account: Account) -> Tree:
        data = self._named(account, "asks", DexErrorCode.WRONG_ASKS_ACCOUNT)
        _check_kind(data, IS_ASKS, 473, "src/state.rs:472:63")
        return Tree(data)

    def request_queue(self, account: Account) -> Record:
        data = self._named(account, "req_q", DexErrorCode.WRONG_REQUEST_QUEUE_ACCOUNT)
        _check_kind(data, IS_REQUEST_QUEUE, 483, "src/state.rs:482:63")
        return Record(at.REQUEST_QUEUE, data, at.BODY)

    def event_queue(self, account: Account) -> Ring:
        data = self._named(account, "event_q", DexErrorCode.WRONG_EVENT_QUEUE_ACCOUNT)
        _check_kind(data, IS_EVENT_QUEUE, 496, "src/state.rs:495:63")
        return Ring(data)

    def vault(self, account: Account, what: str) -> None:
        """Check a vault; `what` is `coin` or `pc`."""
        check_token_account(account)
        if account.key != self.key(f"{what}_vault"):
            raise fail(DexErrorCode.WRONG_COIN_VAULT if what == "coin" else DexErrorCode.WRONG_PC_VAULT)

    def wallet(self, account: Account, what: str) -> None:
        """Check a wallet of `coin` or `pc`."""
        check_token_account(account)
        if mint_of(account.data) != self.key(f"{what}_mint"):
            raise fail(DexErrorCode.WRONG_COIN_MINT if what == "coin" else DexErrorCode.WRONG_PC_MINT)

    def vault_signer(self) -> bytes:
        try:
            return _vault_signer(self.address, self["vault_signer_nonce"], self.program_id)
        except Malformed:
            raise Failure(InstructionErrorFieldless.InvalidSeeds) from None

    def open_orders(
        self,
        account: Account,
        owner: Account | None,
        rent: Surroundings | None = None,
        authority: Account | None = None,
    ) -> Orders:
        """Take an account for a trader's; one of zeros becomes `owner`'s where `rent` is known."""
        check(account.state.owner == self.program_id, "state", 166)
        if account.borrowed:
            raise Panic("already mutably borrowed: BorrowError", "src/account_info.rs:88:19")
        data = account.borrow()
        check(len(data) >= at.ENVELOPE, "state", 357)
        data[: at.BODY] = at.HEAD
        data[-len(at.TAIL) :] = at.TAIL
        if (len(data) - at.ENVELOPE) % 8 or len(data) != at.OPEN_ORDERS_BYTES:
            raise Panic(*_WRONG_SIZE)
        orders = Orders(data)
        if not orders["account_flags"]:
            self._initialize(orders, account, owner, rent, authority)
        flags = orders["account_flags"]
        if flags & ~_KNOWN:
            raise fail(DexErrorCode.INVALID_MARKET_FLAGS)
        if (
            flags != IS_OPEN_ORDERS
            or orders.key("market") != self.address
            or (owner is not None and orders.key("owner") != owner.key)
        ):
            raise fail(DexErrorCode.WRONG_ORDERS_ACCOUNT)
        return orders

    def _initialize(
        self,
        orders: Orders,
        account: Account,
        owner: Account | None,
        rent: Surroundings | None,
        authority: Account | None,
    ) -> None:
        given = None if authority is None else authority.key
        if given != self.authority("open_orders_authority"):
            raise fail(DexErrorCode.INVALID_OPEN_ORDERS_AUTHORITY)
        if rent is None:
            raise fail(DexErrorCode.RENT_NOT_PROVIDED)
        if owner is None:
            raise fail(DexErrorCode.OWNER_ACCOUNT_NOT_PROVIDED)
        if account.state.lamports < rent.rent_exempt(len(account.data)):
            raise fail(DexErrorCode.ORDERS_NOT_RENT_EXEMPT)
        orders.initialize(self.address, owner.key)


@lru_cache(maxsize=64)
def _vault_signer(market: bytes, nonce: int, program_id: Pubkey) -> bytes:
    return bytes(vault_signer(Pubkey.from_bytes(market), nonce, program_id))


def check_padding(data: bytearray) -> None:
    """Refuse an account that is not wrapped as those of the program are."""
    check(len(data) >= at.ENVELOPE, "state", 365)
    check(data[: at.BODY] == at.HEAD, "state", 367)
    check(data[-len(at.TAIL) :] == at.TAIL, "state", 368)
    check((len(data) - at.ENVELOPE) % 8 == 0, "state", 369)


def _check_kind(data: bytearray, kind: int, line: int, where: str) -> None:
    flags = int.from_bytes(data[at.BODY : at.BODY + 8], "little")
    if flags & ~_KNOWN:
        raise Panic(_UNKNOWN_FLAGS, where)
    check(flags == kind, "state", line)


def check_token_account(account: Account) -> None:
    """Refuse what is no initialised account of SPL Token."""
    check(account.state.owner == TOKEN_PROGRAM, "state", 1522)
    check(len(account.data) == ACCOUNT_BYTES, "state", 1524)
    check(account.data[0x6C] == 1, "state", 1527)


def check_signer(account: Account) -> Account:
    """Refuse an account that did not sign."""
    check(account.signer, "state", 1562)
    return account


def check_token_program(account: Account) -> None:
    check(account.key == bytes(TOKEN_PROGRAM), "state", 1507)
