"""What an inspection gives."""

from dataclasses import dataclass
from decimal import Decimal

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Level, Lots, Side
from bmv.ports.errors import BmvError, ConfigError, DataError, Refused

SEVERITY = (Refused, DataError, ConfigError)  # The first of these among the findings is the answer to them all.


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, in one sentence.

    Args:
        error: Whose fault it is: `DataError`: the accounts are not what they should be; `Refused`: nobody should trade
            there; `ConfigError`: the configuration is for another market.
        text: The sentence.
    """

    error: type[BmvError]
    text: str


def worst(findings: tuple[Finding, ...]) -> type[BmvError]:
    """Return the error that stands for all findings."""
    kinds = {finding.error for finding in findings}
    return next(kind for kind in SEVERITY if kind in kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One side of what is traded. None: unknown.

    Args:
        decimals: Native units in one are 10 to this.
        held: What the vault holds, in native units.
        owed: What the market says that it holds, in native units.
        freezer: Who may freeze accounts of this mint, the vault included.
    """

    mint: Pubkey
    decimals: int | None
    vault: Pubkey
    held: int | None
    owed: int
    freezer: Pubkey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One maker's order met by a taker.

    Args:
        taker: What the taker did: `BID` bought.
        unix_timestamp: Second of the chain; None: the venue keeps none.
    """

    taker: Side
    price_lots: int
    size_lots: int
    unix_timestamp: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Events that wait for the crank.

    Args:
        oldest: Second of the chain when the oldest came; None: nothing waits, or the venue keeps no times.
    """

    events: int
    capacity: int
    oldest: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSide:
    """One side of the book.

    Args:
        levels: The best of them.
        orders: How many there are in all.
        pegged: How many of these follow an oracle, and stand at its price.
    """

    levels: tuple[Level, ...]
    orders: int
    pegged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A market at one moment. What could not be read is None, and a finding says why.

    Args:
        slot: Of the bank that all of it was read from.
        unix_timestamp: The chain's time there.
        trades: Newest first.
        trades_note: What `trades` can't show.
        volume: Native quote traded in fills that were settled; None: the venue does not count it.
        notes: What a maker should know, and nothing is refused for.
        findings: What is wrong.
    """

    venue: str
    program: Pubkey
    address: Pubkey
    name: str | None
    slot: int
    unix_timestamp: int | None
    base: Asset
    quote: Asset
    lots: Lots | None
    maker_fee_bps: Decimal
    taker_fee_bps: Decimal
    bids: BookSide | None
    asks: BookSide | None
    trades: tuple[Trade, ...] | None
    trades_note: str
    volume: int | None
    backlog: Backlog | None
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
