"""The market tried: what it is, who used it last, and the last trade that can be found."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import httpx
from solders.pubkey import Pubkey

from bmv.adapters.cli.named_market import address_of, look
from bmv.adapters.config import Config
from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import CutOff, Malformed
from bmv.adapters.openbook.inspection.fit import exact
from bmv.adapters.openbook.inspection.records import Finding, Inspection, Trade
from bmv.adapters.openbook.v2.logs import FillLog, read_lines
from bmv.adapters.openbook.v2.market import PROGRAM_ID as V2_PROGRAM_ID
from bmv.adapters.report.market_text import WORDS
from bmv.adapters.solana.endpoints import READ, Endpoint, Endpoints
from bmv.adapters.solana.errors import EndpointError, Json
from bmv.adapters.solana.rpc import CONFIRMED, Rpc
from bmv.live.doctor.seen import LastTrade, MarketSeen, Touched
from bmv.ports.errors import DataError, Refused

SIGNATURES_MAX = 1_000  # What a node tells at once.
TRANSACTIONS_MAX = 10  # Whose logs are looked through for a trade.


async def try_market(
    client: httpx.AsyncClient, path: Path, config: Config, answering: Sequence[Endpoint]
) -> MarketSeen:
    """Try the market of a configuration through the endpoints that answer; `ConfigError` where it names no market."""
    address = address_of(path, config)
    readers = [endpoint for endpoint in answering if READ in endpoint.roles]
    if not readers:
        return MarketSeen(unknown="no endpoint answers")
    endpoints = Endpoints(readers)
    try:
        _, inspection, findings = await look(path, config, endpoints)
    except (DataError, Refused) as error:
        return MarketSeen(findings=(Finding(type(error), str(error)),))
    except EndpointError as error:
        return MarketSeen(unknown=str(error))
    rpc = Rpc(client, readers[0].url, health=readers[0].health)
    touched = await read_touched(rpc, address)
    last = await _last_trade(rpc, inspection, () if touched is None else touched.signatures)
    return MarketSeen(inspection=inspection, findings=findings, touched=touched, last_trade=last)


async def read_touched(rpc: Rpc, address: Pubkey) -> Touched | None:
    """Return who named an account last, None where the node does not say."""
    options = {"limit": SIGNATURES_MAX, "commitment": CONFIRMED}
    try:
        rows = await rpc.call("getSignaturesForAddress", str(address), options)
        good = [row for row in rows if row["err"] is None]
        second = good[0].get("blockTime") if good else None
        return Touched(len(rows), len(rows) - len(good), second, tuple(str(row["signature"]) for row in good))
    except (EndpointError, KeyError, TypeError, AttributeError):
        return None


async def _last_trade(rpc: Rpc, inspection: Inspection, signatures: Sequence[str]) -> LastTrade | None:
    """Return the newest trade of the market's accounts, on version 2 also of what its last transactions logged."""
    trade = inspection.trades[0] if inspection.trades else None
    if inspection.program == V2_PROGRAM_ID:
        for signature in signatures[:TRANSACTIONS_MAX]:
            logged = [_trade(fill) for fill in await _fills(rpc, signature, inspection.address)]
            if logged:
                trade = max([*logged, *([trade] if trade else [])], key=lambda one: one.unix_timestamp or 0)
                break
    lots = inspection.lots
    if trade is None or lots is None:
        return None
    price, size = exact(lots.price(trade.price_lots)), exact(lots.size(trade.size_lots))
    return LastTrade(price, size, WORDS[trade.taker], trade.unix_timestamp)


async def _fills(rpc: Rpc, signature: str, market: Pubkey) -> list[FillLog]:
    """Return the market's fills that a transaction logged, as far as they can be read."""
    options = {"encoding": "json", "commitment": CONFIRMED, "maxSupportedTransactionVersion": 1}
    found = list[FillLog]()
    with suppress(EndpointError, CutOff, Malformed, KeyError, TypeError):
        lines: Json = (await rpc.call("getTransaction", signature, options))["meta"]["logMessages"]
        found.extend(log for log in read_lines(map(str, lines)) if isinstance(log, FillLog) and log.market == market)
    return found


def _trade(fill: FillLog) -> Trade:
    side = Side(fill.taker_side)
    return Trade(taker=side, price_lots=fill.price, size_lots=fill.quantity, unix_timestamp=fill.timestamp)
