"""A real market of mainnet looked at, where its accounts lie beside the tree; they are others' and no part of the project.

SOL/USDC, its book of March 2021, its event queue of later that year; only mints, vaults and clock are made up.
"""

from pathlib import Path

import pytest
from solders.account import Account
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN_PROGRAM
from solders.token.state import Mint

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.inspection.inspect import identify, inspect, keys
from bmv.adapters.openbook.inspection.records import Inspection
from bmv.adapters.openbook.v1.accounts import Market
from bmv.adapters.openbook.v1.instructions import PROGRAM_ID
from bmv.adapters.sandbox.transfers import empty_account
from bmv.adapters.solana.accounts import Snapshot
from bmv.adapters.solana.clock import CLOCK, SYSVARS

FOLDER = Path(__file__).parents[4] / "shared" / "openbook" / "accounts"
ADDRESS = Pubkey.from_string("9wFFyRfZBsuAha4YcuxcXLKwMxJR43S7fPfQLusDBzvT")
NOW = 1_630_000_000

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="no real accounts beside the tree")


def load(name: str) -> Account:
    (path,) = FOLDER.glob(f"v1_*{name}.bin")
    return Account(10**9, path.read_bytes(), PROGRAM_ID, False)


def mint(decimals: int) -> Account:
    return Account(10**9, bytes(Mint(None, 10**18, decimals, True, None)), TOKEN_PROGRAM, False)


def vault(market: Market, of: Pubkey, amount: int) -> Account:
    state = empty_account(of, market.vault_signer(PROGRAM_ID), amount, 10**9)
    return Account(state.lamports, bytes(state.data), state.owner, False)


@pytest.fixture
def inspection() -> Inspection:
    market = Market.decode(load("sol_usdc_dex_market").data)
    owed = market.pc_deposits_total + market.pc_fees_accrued + market.referrer_rebates_accrued
    accounts = {
        ADDRESS: load("sol_usdc_dex_market"),
        CLOCK: Account(1, bytes(32) + NOW.to_bytes(8, "little"), SYSVARS, False),
        market.coin_mint: mint(9),
        market.pc_mint: mint(6),
        market.coin_vault: vault(market, market.coin_mint, market.coin_deposits_total),
        market.pc_vault: vault(market, market.pc_mint, owed),
        market.bids: load("market_bids"),
        market.asks: load("market_asks"),
        market.event_q: load("QueueSecond*"),
    }
    identity = identify(ADDRESS, accounts[ADDRESS])
    return inspect(identity, Snapshot(70_000_000, {key: accounts.get(key) for key in keys(identity)}))


def test_a_real_market_gives_no_finding(inspection: Inspection) -> None:
    assert inspection.findings == ()


def test_a_real_book_has_its_orders_and_prices(inspection: Inspection) -> None:
    assert inspection.bids is not None
    assert inspection.asks is not None
    assert inspection.lots is not None
    assert (inspection.bids.orders, inspection.asks.orders) == (22, 23)
    best = [inspection.lots.price(side.levels[0].price_lots) for side in (inspection.bids, inspection.asks)]
    assert [float(price) for price in best] == [13.988, 13.989]


def test_real_trades_are_told_by_the_ring(inspection: Inspection) -> None:
    assert inspection.trades is not None
    assert inspection.backlog is not None
    assert (inspection.backlog.events, inspection.backlog.capacity) == (1, 2_978)
    assert len(inspection.trades) == 10
    assert {trade.taker for trade in inspection.trades} <= set(Side)
    assert all(60_000 < trade.price_lots < 80_000 and trade.size_lots > 0 for trade in inspection.trades)
