"""Prices from elsewhere are kept beside the market, as a market of their own, and a run takes the one that is traded."""

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path

import polars as pl
from tests.servers.exchange import Exchange, binance
from websockets.exceptions import ConnectionClosed

from bmv.adapters.lake.places import market_folder
from bmv.adapters.sandbox.wiring import Settings, make_sandbox

BMV = [sys.executable, "-m", "bmv.adapters.cli"]


async def record(folder: Path) -> dict[str, object]:
    """Record a sandbox and an exchange for some seconds, both in this process; return what was said."""
    async with asyncio.timeout(120), Exchange() as exchange, make_sandbox(Settings(speed=10)) as box:
        config = folder / "my.toml"
        config.write_text(
            configuration(box.node.rpc_url, box.node.websocket_url, str(box.world.market.address), exchange)
        )
        process = await asyncio.create_subprocess_exec(
            *BMV, "record", str(config), "--for", "6s", "--json", cwd=folder, stdout=-1, stderr=-1
        )
        said = 0
        while process.returncode is None and said < 10_000:
            said += 1
            cents = said % 50
            with suppress(ConnectionClosed):  # A machine that is busy; the recorder comes again.
                await exchange.say("binance", binance("SOLUSDC", f"150.{cents:02}", f"150.{cents + 2:02}", said))
            await asyncio.sleep(0.02)
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        told: dict[str, object] = json.loads(out)
        return told


def configuration(rpc: str, websocket: str, address: str, exchange: Exchange) -> str:
    return f"""
version = 1
[market]
symbol = "SOL/USDC"
tick_size = 0.01
lot_size = 0.001
maker_fee_bps = -2
taker_fee_bps = 4
venue = "openbook-v2"
address = "{address}"
[grid.bid]
levels = 1
first_bps = 10
total_size = 1
[grid.ask]
levels = 1
first_bps = 10
total_size = 1
[inventory]
start_base = 1
start_quote = 100
max_position = 10
[storage]
ticks = "ticks"
[live]
endpoints = ["{rpc}"]
websocket = "{websocket}"
[live.prices]
quorum = 1
min_interval_ms = 0
sources = [{{ name = "binance", url = "{exchange.websocket("binance")}" }}]
"""


def test_the_reference_price_is_recorded_beside_the_market(tmp_path: Path) -> None:
    told = asyncio.run(record(tmp_path))

    (day,) = (tmp_path / "ticks" / "reference" / "SOL-USDC").glob("*.parquet")
    rows = pl.read_parquet(day)
    assert int(str(told["rows"])) > 0
    assert len(rows) > 20
    assert set(rows["kind"]) == {2}
    assert rows["bid"].drop_nulls().is_between(15_000, 15_050).all()
    assert (rows["received_ns"] >= rows["ts_ns"]).all()


def test_a_run_reads_the_market_that_is_traded_and_not_the_prices_beside_it(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    for folder in ("openbook-v2/SOL-USDC", "reference/SOL-USDC"):
        (lake / folder).mkdir(parents=True)

    assert market_folder(str(lake), "openbook-v2", "SOL/USDC") == str(lake / "openbook-v2" / "SOL-USDC")
    assert market_folder(str(lake), "sim", "SOL/USDC") == str(lake)
    assert market_folder("s3://bucket/lake", "openbook-v2", "SOL/USDC") == "s3://bucket/lake"
