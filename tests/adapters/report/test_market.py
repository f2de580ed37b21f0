"""A market's book on the terminal and as JSON."""

from dataclasses import replace
from decimal import Decimal

import pytest
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Level, Lots
from bmv.adapters.openbook.inspection.records import Asset, BookSide, Inspection
from bmv.adapters.report.market import market_json, say_market
from bmv.adapters.solana.programs import Deployment

KEY = Pubkey(bytes(range(32)))
COIN = Asset(mint=KEY, decimals=9, vault=KEY, held=1, owed=1, freezer=None)
MARKET = Inspection(
    venue="openbook-v2",
    program=KEY,
    address=KEY,
    name="SOL-USDC",
    slot=1,
    unix_timestamp=1,
    base=COIN,
    quote=replace(COIN, decimals=6),
    lots=Lots(10**6, 10, 9, 6),
    maker_fee_bps=Decimal(-2),
    taker_fee_bps=Decimal(4),
    bids=BookSide(levels=(Level(15_000, 5, 3),), orders=3, pegged=2),
    asks=BookSide(levels=(Level(15_010, 5, 1),), orders=1),
    trades=(),
    trades_note="",
    volume=None,
    backlog=None,
    notes=(),
    findings=(),
)
UNKNOWN = Deployment(unknown="nobody said")


def test_the_page_says_how_many_orders_stand_at_the_oracle_s_price(capsys: pytest.CaptureFixture[str]) -> None:
    say_market(MARKET, UNKNOWN)

    assert "3 bids (2 at the oracle's price), 1 asks, spread 0.1" in capsys.readouterr().out


def test_the_json_says_how_many_orders_are_pegged() -> None:
    page = market_json(MARKET, UNKNOWN, ())

    assert (page["bids"]["pegged"], page["asks"]["pegged"]) == (2, 0)
