"""Real accounts of mainnet, where they lie beside the tree; they are others' and no part of the project."""

from pathlib import Path

import pytest

from bmv.adapters.openbook.v1.accounts import Market, OpenOrders
from bmv.adapters.openbook.v1.events import EventQueue
from bmv.adapters.openbook.v1.slab import Slab

FOLDER = Path(__file__).parents[5] / "shared" / "openbook" / "accounts"

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="no real accounts beside the tree")


def load(name: str) -> bytes:
    (path,) = FOLDER.glob(f"v1_*{name}.bin")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("8BnEgH*", Market),
        ("sol_usdc_dex_market", Market),
        ("market_bids", Slab),
        ("market_asks", Slab),
        ("open-orders-new", OpenOrders),
        ("GetOpenOrders*", OpenOrders),
        ("QueueFirst*", EventQueue),
        ("QueueSecond*", EventQueue),
    ],
)
def test_a_real_account_comes_back_to_its_bytes(name: str, kind: type) -> None:
    assert kind.decode(load(name)).encode() == load(name)


def test_the_sol_usdc_market_of_openbook_is_what_it_calls_itself() -> None:
    market = Market.decode(load("8BnEgH*"))

    assert str(market.own_address) == "8BnEgHoWFysVcuFFX7QztDmzuH8r5ZFvyP3sYwn1XTh6"
    assert str(market.coin_mint) == "So11111111111111111111111111111111111111112"
    assert str(market.pc_mint) == "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    assert not market.disabled
    assert (market.coin_lot_size, market.pc_lot_size) == (1_000_000, 1)
    assert float(market.lots(9, 6).tick) == 0.001


def test_the_real_books_do_not_cross() -> None:
    bids, asks = Slab.decode(load("market_bids")), Slab.decode(load("market_asks"))

    assert len(bids.nodes) == len(asks.nodes) == 909
    assert (bids.leaf_count, asks.leaf_count) == (22, 23)
    assert (bids.levels(1)[0].price_lots, asks.levels(1)[0].price_lots) == (13_988, 13_989)


def test_a_real_queue_keeps_what_the_crank_took() -> None:
    queue = EventQueue.decode(load("QueueFirst*"))

    events, lost = queue.since(queue.seq_num - queue.capacity - 7)
    assert queue.capacity == 2_978
    assert (len(events), lost) == (2_978, 7)
    assert queue.count == 1
