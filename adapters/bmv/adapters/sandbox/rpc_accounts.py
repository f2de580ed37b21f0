"""RPC methods that read accounts."""

from collections.abc import Iterable

from solders.account import Account
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN

from bmv.adapters.sandbox.balances import amount, decimals
from bmv.adapters.sandbox.encodings import account_json, check_encoding, matches, public_key, refuse_large
from bmv.adapters.sandbox.jsonrpc import INVALID_PARAMS, Json, RpcError
from bmv.adapters.sandbox.tokens import ACCOUNT_BYTES, MINT_BYTES
from bmv.adapters.sandbox.view import View

ACCOUNTS_MAX = 100
FILTERS_MAX = 4


def get_balance(view: View, key: str, config: Json = None) -> Json:
    """Return an account's lamports, 0 where there is none."""
    address = public_key(key)

    def lamports(slot: int) -> int:
        account = view.chain.account(address, slot)
        return 0 if account is None else account.lamports

    return view.answer(config, lamports)


def get_account_info(view: View, key: str, config: Json = None) -> Json:
    """Return an account, null where there is none."""
    address, config = public_key(key), config or {}
    return view.answer(config, lambda slot: _shown(view.chain.account(address, slot), config))


def get_multiple_accounts(view: View, keys: list[str], config: Json = None) -> Json:
    """Return up to 100 accounts of one block, null for each that there is none of."""
    if len(keys) > ACCOUNTS_MAX:
        raise RpcError(INVALID_PARAMS, f"Too many inputs provided; max {ACCOUNTS_MAX}")
    addresses = [public_key(key) for key in keys]
    config = {**(config or {})}
    config["encoding"] = config.get("encoding") or "base64"
    return view.answer(config, lambda slot: [_shown(view.chain.account(key, slot), config) for key in addresses])


def _shown(account: Account | None, config: Json) -> Json:
    check_encoding(config.get("encoding"))
    refuse_large(account, config.get("encoding"), config.get("dataSlice"))
    return account_json(account, config.get("encoding"), config.get("dataSlice"))


def get_program_accounts(view: View, program: str, config: Json = None) -> Json:
    """Return the accounts of a program that pass the filters."""
    owner, config = public_key(program), config or {}
    filters = config.get("filters") or []
    if len(filters) > FILTERS_MAX:
        raise RpcError(INVALID_PARAMS, f"Too many filters provided; max {FILTERS_MAX}")
    slot = view.slot(config)
    rows = [
        {"pubkey": str(key), "account": _shown(account, config)}
        for key, account in owned_accounts(view, owner, slot)
        if matches(account, filters)
    ]
    return view.answer(config, rows) if config.get("withContext") else rows


def owned_accounts(view: View, owner: Pubkey, slot: int) -> Iterable[tuple[Pubkey, Account]]:
    """Yield the accounts that a program owned at the end of a slot's block, ordered by address.

    Those that have ceased to be its own since then are among what later blocks remember.
    """
    chain = view.chain
    keys = {key for key, _ in chain.runtime.svm.get_program_accounts(owner)}
    keys |= {key for block in chain.ledger.blocks if block.slot > slot for key in block.before}
    for key in sorted(keys, key=bytes):
        account = chain.account(key, slot)
        if account is not None and account.owner == owner:
            yield key, account


def get_token_account_balance(view: View, key: str, config: Json = None) -> Json:
    """Return what a token account holds."""
    address = public_key(key)

    def held(slot: int) -> Json:
        account = view.chain.account(address, slot)
        if account is None or account.owner != TOKEN or len(account.data) != ACCOUNT_BYTES:
            raise RpcError(INVALID_PARAMS, "Invalid param: could not find account")
        data = bytes(account.data)
        places = decimals(view.chain.account(Pubkey(data[:32]), slot))
        return amount(int.from_bytes(data[64:72], "little"), places)

    return view.answer(config, held)


def get_token_supply(view: View, key: str, config: Json = None) -> Json:
    """Return how much of a token there is."""
    address = public_key(key)

    def supply(slot: int) -> Json:
        mint = view.chain.account(address, slot)
        if mint is None or mint.owner != TOKEN or len(mint.data) != MINT_BYTES:
            raise RpcError(INVALID_PARAMS, "Invalid param: could not find mint")
        return amount(int.from_bytes(bytes(mint.data)[36:44], "little"), decimals(mint))

    return view.answer(config, supply)


def get_token_accounts_by_owner(view: View, key: str, which: dict[str, Json], config: Json = None) -> Json:
    """Return the token accounts of a wallet: of one mint, or of a token program."""
    owner, config = public_key(key), config or {}
    mint = public_key(which["mint"]) if "mint" in which else None
    program = public_key(which["programId"]) if "programId" in which else TOKEN
    slot = view.slot(config)
    rows = []
    for address, account in owned_accounts(view, program, slot):
        data = bytes(account.data)
        if len(data) == ACCOUNT_BYTES and data[32:64] == bytes(owner) and (mint is None or data[:32] == bytes(mint)):
            rows.append({"pubkey": str(address), "account": _shown(account, config)})
    return view.answer(config, rows)
