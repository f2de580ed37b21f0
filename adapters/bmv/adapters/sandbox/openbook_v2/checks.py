"""What each account of an instruction must be, and in which order it is looked at: as Anchor derives it.

First every account is read as what its field is, in the order of the fields; then the constraints are held against
each, again in order. An account that the instruction itself makes is looked at in between.
"""

from collections.abc import Callable
from functools import partial

from solders.pubkey import Pubkey

from bmv.adapters.openbook.v2 import bookside, funds, heap, market, open_orders, oracle, orders
from bmv.adapters.openbook.v2.instructions import Known
from bmv.adapters.openbook.v2.metas import (
    ASSOCIATED_TOKEN_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    Meta,
    accounts,
)
from bmv.adapters.sandbox.openbook_v2.failure import caused, occurred
from bmv.adapters.sandbox.openbook_v2.frame import Frame
from bmv.adapters.sandbox.tokens import ACCOUNT_BYTES, MINT_BYTES
from bmv.adapters.sandbox.transfers import mint_of, owner_of

Check = Callable[[Frame, str], None]

_LOADERS = {
    "market": market.DISCRIMINATOR,
    "bids": bookside.DISCRIMINATOR,
    "asks": bookside.DISCRIMINATOR,
    "event_heap": heap.DISCRIMINATOR,
    "open_orders_account": open_orders.DISCRIMINATOR,
    "oracle": oracle.DISCRIMINATOR,
}
_TOKENS = {
    "user_token_account",
    "user_base_account",
    "user_quote_account",
    "market_vault",
    "market_base_vault",
    "market_quote_vault",
    "referrer_account",
    "token_receiver_account",
}
_MINTS = {"base_mint", "quote_mint", "mint"}
_PROGRAMS = {
    "system_program": SYSTEM_PROGRAM,
    "token_program": TOKEN_PROGRAM,
    "associated_token_program": ASSOCIATED_TOKEN_PROGRAM,
}

MADE: dict[type[Known], frozenset[str]] = {  # Accounts that the instruction makes, or fills for the first time.
    funds.CreateMarket: frozenset({"market", "bids", "asks", "event_heap", "market_base_vault", "market_quote_vault"}),
    funds.CreateOpenOrdersIndexer: frozenset({"open_orders_indexer"}),
    funds.CreateOpenOrdersAccount: frozenset({"open_orders_account"}),
    funds.StubOracleCreate: frozenset({"oracle"}),
}


def read_accounts(frame: Frame, kind: type[Known]) -> None:
    """Fail unless each account is what its field is."""
    made = MADE.get(kind, frozenset())
    for place, (name, meta) in enumerate(accounts(kind).items()):
        if place >= len(frame.metas):
            short = "AccountNotEnoughKeys"
            raise occurred(frame.build, short) if name in made else caused(frame.build, short, name)
        if name not in made and not (meta.optional and frame.given(name) is None):
            _read(frame, name, meta)


def _read(frame: Frame, name: str, meta: Meta) -> None:
    if meta.signer:
        if not frame.is_signer(name):
            raise caused(frame.build, "AccountNotSigner", name)
    elif name in _LOADERS:
        _read_own(frame, name, _LOADERS[name])
    elif name == "open_orders_indexer":
        _read_made(frame, name, frame.program)
        _read_own(frame, name, open_orders.INDEXER_DISCRIMINATOR)
    elif name in _TOKENS or name in _MINTS:
        _read_token(frame, name)
    elif name in _PROGRAMS or name == "program":
        _read_program(frame, name, _PROGRAMS.get(name, frame.program))


def _read_own(frame: Frame, name: str, discriminator: bytes) -> None:
    state = frame.state(name)
    if state.owner != frame.program:
        raise caused(frame.build, "AccountOwnedByWrongProgram", name, (state.owner, frame.program))
    if len(state.data) < 8:
        raise caused(frame.build, "AccountDiscriminatorNotFound", name)
    if state.data[:8] != discriminator:
        raise caused(frame.build, "AccountDiscriminatorMismatch", name)


def _read_made(frame: Frame, name: str, owner: Pubkey) -> None:
    state = frame.state(name)
    if state.owner == SYSTEM_PROGRAM and state.lamports == 0:
        raise caused(frame.build, "AccountNotInitialized", name)
    if state.owner != owner:
        raise caused(frame.build, "AccountOwnedByWrongProgram", name, (state.owner, owner))


def _read_token(frame: Frame, name: str) -> None:
    _read_made(frame, name, TOKEN_PROGRAM)
    data = frame.state(name).data
    size, flag = (MINT_BYTES, 45) if name in _MINTS else (ACCOUNT_BYTES, 108)
    if len(data) != size or not data[flag]:
        raise caused(frame.build, "AccountDidNotDeserialize", name)


def _read_program(frame: Frame, name: str, wanted: Pubkey) -> None:
    if frame.key(name) != wanted:
        raise caused(frame.build, "InvalidProgramId", name, (frame.key(name), wanted))
    if not frame.state(name).executable:
        raise caused(frame.build, "InvalidProgramExecutable", name)


def _is_writable(frame: Frame, name: str) -> None:
    if not frame.is_writable(name):
        raise caused(frame.build, "ConstraintMut", name)


def has_one(frame: Frame, name: str, target: str) -> None:
    """Fail unless the account's field of that name holds the account of that name."""
    view = frame.open_orders().account if name == "open_orders_account" else frame.market()
    held: Pubkey = getattr(view, target)
    if held != frame.key(target):
        raise caused(frame.build, "ConstraintHasOne", name, (held, frame.key(target)))


def _oracle_owner(frame: Frame, name: str) -> None:
    held = Pubkey(bytes(frame.state(name).data[8:40]))
    if held != frame.key("owner"):
        raise caused(frame.build, "ConstraintHasOne", name, (held, frame.key("owner")))


def _may_trade(frame: Frame, name: str) -> None:
    signer = frame.key("signer" if "signer" in frame.names else "owner")
    account = frame.open_orders().account
    if signer not in (account.owner, account.delegate):
        raise caused(frame.build, "NoOwnerOrDelegate", name)


def _same(frame: Frame, name: str, field: str, error: str = "ConstraintRaw") -> None:
    """Fail unless the market's field, which may be none, is what was passed under that name."""
    held: Pubkey | None = getattr(frame.market(), field)
    given = frame.given(field)
    if held != (given if given is not None and any(bytes(given)) else None):
        raise caused(frame.build, error, name)


def _has_vault(frame: Frame, name: str) -> None:
    view = frame.market()
    if frame.key(name) not in (view.market_base_vault, view.market_quote_vault):
        raise caused(frame.build, "ConstraintRaw", name)


def _mint_of(frame: Frame, name: str, vault: str) -> None:
    if mint_of(frame.state(name).data) != mint_of(frame.state(vault).data):
        raise occurred(frame.build, "ConstraintTokenMint")


def _close_admin(frame: Frame, name: str) -> None:
    admin = frame.market().close_market_admin
    if admin is None:
        raise caused(frame.build, "NoCloseMarketAdmin", name)
    if admin != frame.key("close_market_admin"):
        raise caused(frame.build, "InvalidCloseMarketAdmin", name)


def _may_receive(frame: Frame, name: str) -> None:
    """An owner settles to whom he likes, a delegate to the owner only."""
    account, signer = frame.open_orders().account, frame.key("owner")
    holder = Pubkey(owner_of(frame.state(name).data))
    allowed = holder == account.owner if signer == account.delegate else signer == account.owner
    if not allowed:
        raise caused(frame.build, "ConstraintRaw", name)


def _is_owners(frame: Frame, name: str) -> None:
    if owner_of(frame.state(name).data) != bytes(frame.open_orders().account.owner):
        raise caused(frame.build, "ConstraintRaw", name)


def _closes_to_another(frame: Frame, name: str) -> None:
    if frame.key(name) == frame.key("sol_destination"):
        raise caused(frame.build, "ConstraintClose", name)


def _is_indexer(frame: Frame, name: str) -> None:
    """Fail unless the account lies where its own bump and the owner say."""
    bump = bytes(frame.state(name).data[8:9])
    seeds = [b"OpenOrdersIndexer", bytes(frame.key("owner")), bump]
    address = Pubkey.create_program_address(seeds, frame.program)
    if address != frame.key(name):
        raise caused(frame.build, "ConstraintSeeds", name, (frame.key(name), address))


def _one(*targets: str) -> list[Check]:
    return [partial(has_one, target=target) for target in targets]


_W: Check = _is_writable
_ORACLES: list[Check] = [
    partial(_same, field="oracle_a"),
    partial(_same, field="oracle_b"),
    partial(_same, field="open_orders_admin", error="InvalidOpenOrdersAdmin"),
]
_BOOK: dict[str, list[Check]] = {"bids": [_W], "asks": [_W]}
_MINE: dict[str, list[Check]] = {"open_orders_account": [_W, *_one("market"), _may_trade]}
_BASE, _QUOTE = partial(_mint_of, vault="market_base_vault"), partial(_mint_of, vault="market_quote_vault")
_VAULTS: dict[str, list[Check]] = {"market_base_vault": [_W], "market_quote_vault": [_W]}
_PLACING: dict[str, list[Check]] = {
    **_MINE,
    "user_token_account": [_W, partial(_mint_of, vault="market_vault")],
    "market": [_W, *_one("bids", "asks", "event_heap"), *_ORACLES],
    **_BOOK,
    "event_heap": [_W],
    "market_vault": [_W, _has_vault],
}
_PLACING_MANY: dict[str, list[Check]] = {
    **_MINE,
    "user_quote_account": [_W, _QUOTE],
    "user_base_account": [_W, _BASE],
    "market": [_W, *_one("bids", "asks", "event_heap", "market_base_vault", "market_quote_vault"), *_ORACLES],
    **_BOOK,
    "event_heap": [_W],
    **_VAULTS,
}
_CANCELLING: dict[str, list[Check]] = {**_MINE, "market": _one("bids", "asks"), **_BOOK}
_CONSUMING: dict[str, list[Check]] = {
    "market": [
        _W,
        *_one("event_heap"),
        partial(_same, field="consume_events_admin", error="InvalidConsumeEventsAdmin"),
    ],
    "event_heap": [_W],
}
_DEPOSITING: dict[str, list[Check]] = {
    "user_base_account": [_W, _BASE],
    "user_quote_account": [_W, _QUOTE],
    "open_orders_account": [_W, *_one("market")],
    "market": [_W, *_one("market_base_vault", "market_quote_vault")],
    **_VAULTS,
}
_SETTLED = ("market_base_vault", "market_quote_vault", "market_authority")

CONSTRAINTS: dict[type[Known], dict[str, list[Check]]] = {
    orders.PlaceOrder: _PLACING,
    orders.PlaceOrderPegged: _PLACING,
    orders.EditOrder: _PLACING,
    orders.EditOrderPegged: _PLACING,
    orders.PlaceOrders: _PLACING_MANY,
    orders.CancelAllAndPlaceOrders: _PLACING_MANY,
    orders.CancelOrder: _CANCELLING,
    orders.CancelOrderByClientOrderId: _CANCELLING,
    orders.CancelAllOrders: _CANCELLING,
    orders.ConsumeEvents: _CONSUMING,
    orders.ConsumeGivenEvents: _CONSUMING,
    orders.PlaceTakeOrder: {
        "signer": [_W],
        "penalty_payer": [_W],
        "market": [_W, *_one("bids", "asks", "event_heap", *_SETTLED), *_ORACLES],
        **_BOOK,
        **_VAULTS,
        "event_heap": [_W],
        "user_base_account": [_W, _BASE],
        "user_quote_account": [_W, _QUOTE],
    },
    funds.Deposit: _DEPOSITING,
    funds.Refill: _DEPOSITING,
    funds.SettleFunds: {
        "owner": [],  # Writable in v1.7: added below.
        "penalty_payer": [_W],
        **_MINE,
        "market": [_W, *_one(*_SETTLED)],
        **_VAULTS,
        "user_base_account": [_W, _may_receive, _BASE],
        "user_quote_account": [_W, _may_receive, _QUOTE],
        "referrer_account": [_W, _QUOTE],
    },
    funds.SettleFundsExpired: {
        "owner": [_W],
        "penalty_payer": [_W],
        "open_orders_account": [_W, *_one("market")],
        "market": [_W, *_one(*_SETTLED), _close_admin],
        **_VAULTS,
        "user_base_account": [_W, _is_owners, _BASE],
        "user_quote_account": [_W, _is_owners, _QUOTE],
        "referrer_account": [_W, _QUOTE],
    },
    funds.SweepFees: {
        "market": [_W, *_one("market_quote_vault", "collect_fee_admin", "market_authority")],
        "market_quote_vault": [_W],
        "token_receiver_account": [_W, _QUOTE],
    },
    funds.SetDelegate: {"owner": [_W], "open_orders_account": [_W, *_one("owner")]},
    funds.SetMarketExpired: {"market": [_W, _close_admin]},
    funds.PruneOrders: {
        "open_orders_account": [_W, *_one("market")],
        "market": [*_one("bids", "asks"), _close_admin],
        **_BOOK,
    },
    funds.StubOracleSet: {"oracle": [_W, _oracle_owner]},
    funds.StubOracleClose: {"oracle": [_W, _oracle_owner, _closes_to_another], "sol_destination": [_W]},
    funds.CloseMarket: {
        "market": [_W, *_one("bids", "asks", "event_heap"), _close_admin, _closes_to_another],
        "bids": [_W, _closes_to_another],
        "asks": [_W, _closes_to_another],
        "event_heap": [_W, _closes_to_another],
        "sol_destination": [_W],
    },
    funds.CloseOpenOrdersIndexer: {
        "open_orders_indexer": [_is_indexer, _W, _closes_to_another],
        "sol_destination": [_W],
    },
    funds.CloseOpenOrdersAccount: {  # The indexer is shortened first: see `lifecycle`.
        "open_orders_account": [_W, *_one("owner"), _closes_to_another],
        "sol_destination": [_W],
    },
    funds.CreateOpenOrdersAccount: {"payer": [_W]},
    funds.CreateOpenOrdersIndexer: {"payer": [_W]},
    funds.CreateMarket: {"payer": [_W]},
    funds.StubOracleCreate: {"payer": [_W]},
}


def check_constraints(frame: Frame, kind: type[Known]) -> None:
    """Fail unless each account keeps to what the instruction asks of it."""
    for name, meta in accounts(kind).items():
        if meta.optional and frame.given(name) is None:
            continue
        if kind is funds.SettleFunds and name == "owner" and frame.build in meta.writable_in:
            _is_writable(frame, name)
        for check in CONSTRAINTS[kind].get(name, ()):
            check(frame, name)
