"""A market is made: its accounts, zeroed, become what they are named.

Source: openbook-dex/program 3873f285, `dex/src/state.rs: InitializeMarketArgs`, `process_initialize_market`; numbers
are its lines.
"""

from collections.abc import Sequence

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
    IS_REQUEST_QUEUE,
    AccountFlag,
    vault_signer,
)
from bmv.adapters.openbook.v1.codes import DexErrorCode
from bmv.adapters.sandbox.double import Surroundings
from bmv.adapters.sandbox.openbook_v1.failing import Failure, check, fail
from bmv.adapters.sandbox.openbook_v1.loading import Account, check_token_account
from bmv.adapters.sandbox.tokens import MINT_BYTES
from bmv.adapters.sandbox.transfers import mint_of, owner_of

_EVENTS_MIN = 128
_NODES_MIN = 201


def initialize_market(program_id: Pubkey, body: bytes, accounts: Sequence[Account], rent: Surroundings) -> None:
    """Make a market of zeroed accounts and two empty vaults."""
    check(10 <= len(accounts) <= 13, "state", 1659)
    for account in accounts[1:9]:
        check(account.state.lamports >= rent.rent_exempt(len(account.data)), "state", 1684)
    for account in accounts[:5]:
        _check_zeroed(program_id, account)
    market, req_q, event_q, bids, asks, coin_vault, pc_vault, coin_mint, pc_mint = accounts[:9]
    nonce = int.from_bytes(body[18:26], "little")
    try:
        authority = vault_signer(Pubkey.from_bytes(market.key), nonce, program_id)
    except Malformed:
        raise Failure(InstructionErrorFieldless.InvalidSeeds) from None
    _check_vault(coin_vault, coin_mint, bytes(authority))
    _check_vault(pc_vault, pc_mint, bytes(authority))
    _make_queues(req_q, event_q)
    for account, flags in ((bids, IS_BIDS), (asks, IS_ASKS)):
        _wrap(account, flags)
        check((len(account.data) - at.ENVELOPE) // 8 > 1, "state", 3453)
        if (len(account.data) - at.NODES - len(at.TAIL)) // at.NODE_BYTES < _NODES_MIN:
            raise fail(DexErrorCode.SLAB_TOO_SMALL)
    _make_market(accounts, body)


def _check_zeroed(program_id: Pubkey, account: Account) -> None:
    data = account.data
    check(account.state.owner == program_id, "state", 1690)
    check(len(data) % 8 == 4, "state", 1692)
    check(len(data) >= 20, "state", 1693)
    check(not any(data[:5]), "state", 1695)
    check(not any(data[5:13]), "state", 1696)
    check(not any(data[-7:]), "state", 1697)


def _check_vault(vault: Account, mint: Account, authority: bytes) -> None:
    check_token_account(vault)
    check(mint.state.owner == TOKEN_PROGRAM, "state", 1512)
    check(len(mint.data) == MINT_BYTES, "state", 1514)
    check(mint.data[0x2D] == 1, "state", 1517)
    check(owner_of(vault.data) == authority, "state", 1713)
    check(not any(vault.data[0x48:0x4C]), "state", 1717)
    check(not any(vault.data[0x81:0x85]), "state", 1721)
    check(mint_of(vault.data) == mint.key, "state", 1629)


def _wrap(account: Account, flags: int) -> None:
    data = account.borrow()
    data[: at.BODY] = at.HEAD
    data[-len(at.TAIL) :] = at.TAIL
    data[at.BODY : at.BODY + 8] = flags.to_bytes(8, "little")


def _make_queues(req_q: Account, event_q: Account) -> None:
    _wrap(req_q, IS_REQUEST_QUEUE)
    if len(req_q.data) - at.ENVELOPE - at.REQUEST_QUEUE.size < at.REQUEST_BYTES:
        raise fail(DexErrorCode.REQUEST_QUEUE_EMPTY)
    at.REQUEST_QUEUE.write(req_q.data, at.BODY, {"head": 0, "count": 0, "next_seq_num": 0})
    _wrap(event_q, IS_EVENT_QUEUE)
    check((len(event_q.data) - at.ENVELOPE) // 8 > 4, "state", 3435)
    if (len(event_q.data) - at.ENVELOPE - at.EVENT_QUEUE.size) // at.EVENT.size < _EVENTS_MIN:
        raise fail(DexErrorCode.EVENT_QUEUE_TOO_SMALL)
    at.EVENT_QUEUE.write(event_q.data, at.BODY, {"head": 0, "count": 0, "seq_num": 0})


def _make_market(accounts: Sequence[Account], body: bytes) -> None:
    market, req_q, event_q, bids, asks, coin_vault, pc_vault, coin_mint, pc_mint = accounts[:9]
    authorities = accounts[10:]
    flags = IS_MARKET
    if authorities:
        flags |= AccountFlag.PERMISSIONED
    if len(authorities) == 3:
        flags |= AccountFlag.CRANK_AUTHORITY_REQUIRED
    wanted = at.PERMISSIONED_MARKET_BYTES if authorities else at.MARKET_BYTES
    check(len(market.data) == wanted, "state", 3507 if authorities else 3502)
    _wrap(market, flags)
    values = {name: 0 for name, field in at.MARKET.fields.items() if field.size == 8 and name != "account_flags"}
    values |= {
        "coin_lot_size": int.from_bytes(body[0:8], "little"),
        "pc_lot_size": int.from_bytes(body[8:16], "little"),
        "fee_rate_bps": int.from_bytes(body[16:18], "little"),
        "vault_signer_nonce": int.from_bytes(body[18:26], "little"),
        "pc_dust_threshold": int.from_bytes(body[26:34], "little"),
    }
    at.MARKET.write(market.data, at.BODY, values)
    keys = {
        "own_address": market,
        "coin_mint": coin_mint,
        "pc_mint": pc_mint,
        "coin_vault": coin_vault,
        "pc_vault": pc_vault,
        "req_q": req_q,
        "event_q": event_q,
        "bids": bids,
        "asks": asks,
    }
    at.MARKET.write(market.data, at.BODY, {name: account.key for name, account in keys.items()})
    names = ("open_orders_authority", "prune_authority", "consume_events_authority")
    named = {name: account.key for name, account in zip(names, authorities, strict=False)}
    if authorities:
        at.AUTHORITIES.write(market.data, at.BODY + at.MARKET.size, {"prune_authority": bytes(32)} | named)
