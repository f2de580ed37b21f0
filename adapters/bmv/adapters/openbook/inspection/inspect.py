"""Which version a market is of, and the look at it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.inspection import v1, v2
from bmv.adapters.openbook.inspection.reading import Reading
from bmv.adapters.openbook.inspection.records import Asset, Finding, Inspection
from bmv.adapters.openbook.v1.accounts import Market as MarketV1
from bmv.adapters.openbook.v1.instructions import DEVNET_PROGRAM_ID, PROGRAM_ID
from bmv.adapters.openbook.v2.market import PROGRAM_ID as V2_PROGRAM_ID
from bmv.adapters.openbook.v2.market import Market as MarketV2
from bmv.adapters.solana.accounts import Snapshot
from bmv.adapters.solana.clock import CLOCK
from bmv.ports.errors import DataError

V1_PROGRAMS = (PROGRAM_ID, DEVNET_PROGRAM_ID)
DEPTH = 10  # Levels and trades.


class Identity(NamedTuple):
    """A market whose own account was read: its program, and what the account says."""

    address: Pubkey
    program: Pubkey
    market: MarketV1 | MarketV2


def identify(address: Pubkey, account: Account | None) -> Identity:
    """Return which market an account is; `DataError` where it is none of OpenBook, `Refused` where it is closed."""
    if account is None:
        raise DataError(f"market {address}: there is no such account on this chain")
    if account.owner not in (*V1_PROGRAMS, V2_PROGRAM_ID):
        raise DataError(
            f"market {address}: belongs to program {account.owner}, which is neither OpenBook v1 ({PROGRAM_ID}) nor v2 "
            f"({V2_PROGRAM_ID})"
        )
    room = v2 if account.owner == V2_PROGRAM_ID else v1
    try:
        return Identity(address, account.owner, room.decode(account.data, address))
    except Malformed as error:
        raise DataError(f"market {address}: {error}") from error


def keys(identity: Identity) -> list[Pubkey]:
    """Return the accounts that a look at a market needs, its own first."""
    market = identity.market
    own = v1.keys(market) if isinstance(market, MarketV1) else v2.keys(market)
    return [identity.address, identity.program, CLOCK, *own]


def inspect(identity: Identity, snapshot: Snapshot, depth: int = DEPTH) -> Inspection:
    """Check a market, as the snapshot has it, and return what it is with every finding.

    Args:
        identity: Of the market's account in the snapshot.
        snapshot: What `keys` names, all of one bank.
        depth: Levels and trades that are shown.
    """
    reading = Reading(snapshot, identity.program)
    market = identity.market
    if isinstance(market, MarketV1):
        inspection = v1.inspect(reading, identity.address, market, depth)
    else:
        inspection = v2.inspect(reading, identity.address, market, depth)
    findings, notes = list(reading.findings), [*inspection.notes, *_freezers(inspection)]
    if crossing := _crossing(inspection):
        if _is_pegged(inspection):
            notes.append(f"{crossing}: pegged orders may cross until somebody takes")
        else:
            findings.append(Finding(DataError, crossing))
    return replace(inspection, notes=tuple(notes), findings=tuple(findings))


def _crossing(inspection: Inspection) -> str | None:
    """Return how a book is crossed; both programs match an order that arrives with whatever it crosses."""
    bids, asks = inspection.bids, inspection.asks
    if not (bids and asks and bids.levels and asks.levels):
        return None
    bid, ask = bids.levels[0].price_lots, asks.levels[0].price_lots
    return f"book: is crossed, the best bid at {bid} lots and the best ask at {ask}" if bid >= ask else None


def _is_pegged(inspection: Inspection) -> bool:
    return any(side.pegged for side in (inspection.bids, inspection.asks) if side)


def _freezers(inspection: Inspection) -> Iterator[str]:
    sides: tuple[tuple[str, Asset], ...] = (("base", inspection.base), ("quote", inspection.quote))
    for what, asset in sides:
        if asset.freezer is not None:
            yield f"{what}: {asset.freezer} may freeze any account of this mint, the vault included"
