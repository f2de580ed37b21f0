"""What is wanted of prices from elsewhere, in plain values: which sources, and how far each is believed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from bmv.adapters.prices.quote import Pair
from bmv.adapters.prices.venue import Venue
from bmv.adapters.prices.venues import VENUES

BPS = 10_000
NS_PER_S = 1_000_000_000
LEG_MAX_AGE_NS = 300 * NS_PER_S  # The best prices of a stablecoin may stand for minutes.


@dataclass(frozen=True, slots=True)
class Leg:
    """The price by which another is turned into the wanted unit, such as USDT/USD for one that is in USDT.

    Args:
        venue: Name of a venue that sets prices.
        pair: From one of the two units to the other, either way round.
        max_age_ns: An older price does not count.
        url: Where the venue is; its own address if empty. May hold a secret.
        symbol: What the venue calls the pair; its custom if empty.
    """

    venue: str
    pair: Pair
    max_age_ns: int = LEG_MAX_AGE_NS
    url: str = field(default="", repr=False)
    symbol: str = ""

    @property
    def name(self) -> str:
        return f"{self.venue} {self.pair}"


@dataclass(frozen=True, slots=True)
class Source:
    """One place that a price comes from, and how it is turned into the wanted unit.

    Args:
        venue: Its name.
        pair: What it prices.
        max_age_ns: An older price does not count.
        leg: Turns its price into the wanted unit.
        par: The share by which its unit may differ from the wanted one while both are taken for the same, in place of
            a leg; 0: they are the same.
        poll_ns: How often it is asked, where it does not tell by itself; 0: as often as is the custom of the venue.
        url: Where the venue is; its own address if empty. May hold a secret.
        symbol: What the venue calls the pair; its custom if empty.
    """

    venue: str
    pair: Pair
    max_age_ns: int
    leg: Leg | None = None
    par: Fraction = Fraction(0)
    poll_ns: int = 0
    url: str = field(default="", repr=False)
    symbol: str = ""

    @property
    def name(self) -> str:
        return f"{self.venue} {self.pair}"

    @property
    def sets_prices(self) -> bool:
        return VENUES[self.venue].sets_prices


@dataclass(frozen=True, slots=True)
class Rules:
    """When a price is believed. Shares are of the price.

    Args:
        pair: What is wanted: the price of its base in its quote.
        quorum: Least sources that must agree.
        max_spread: A quote with a wider spread does not count.
        max_deviation: A source farther than this from the middle of the sources does not count.
        max_veto: There is no price if it is farther than this from a source that may veto.
        max_jump: There is no price that is farther than this from the last, if that was just now,
        jump_growth_per_s: and than so much more for every second since.
    """

    pair: Pair
    quorum: int = 1
    max_spread: Fraction = Fraction(50, BPS)
    max_deviation: Fraction = Fraction(50, BPS)
    max_veto: Fraction = Fraction(300, BPS)
    max_jump: Fraction = Fraction(200, BPS)
    jump_growth_per_s: Fraction = Fraction(10, BPS)


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it.

    Args:
        rules: When a price is believed.
        sources: At least one of them sets prices.
        tick_size: Steps in which prices are handed on, in the quote of the pair.
        lot_size: Of the market that is recorded; its rows have no sizes.
        min_interval_ns: Shortest time between two prices; that there is none any more is said at once.
        key_files: Name of a venue -> file that holds its key, unless the environment does.
    """

    rules: Rules
    sources: tuple[Source, ...]
    tick_size: Decimal
    lot_size: Decimal
    min_interval_ns: int = 0
    key_files: dict[str, str] = field(default_factory=dict)


def problems(settings: Settings) -> Iterator[str]:
    """Yield what is wrong with settings that are each well formed, one line a problem, their name first."""
    wanted, sources = settings.rules.pair, settings.sources
    for source in sources:
        for problem in _source_problems(source, wanted):
            yield f"sources: {source.name}: {problem}"
    names = [source.name for source in sources]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"sources: {name}: named twice"
    n_setting = sum(source.sets_prices for source in sources)
    if sources and not n_setting:
        yield f"sources: {' and '.join(names)} may only veto: expected a source beside that sets prices, {_setters()}"
    elif sources and settings.rules.quorum > n_setting:
        yield f"quorum = {settings.rules.quorum}: expected at most {n_setting}, the sources that set prices"


def _source_problems(source: Source, wanted: Pair) -> Iterator[str]:
    yield from _venue_problems(VENUES[source.venue], source.pair, source.symbol)
    if source.pair.base != wanted.base:
        yield f"is no price of {wanted.base}; expected a pair such as {wanted}"
    if source.leg is not None:
        yield from _leg_problems(source, source.leg, wanted)
    elif source.pair.quote != wanted.quote and not source.par:
        yield (
            f"is in {source.pair.quote}, and {wanted.quote} is wanted: give a leg such as"
            f' {{name = "kraken", pair = "{source.pair.quote}/{wanted.quote}"}},'
            f" or par_bps, how far {source.pair.quote} may be from {wanted.quote}"
        )
    if source.par and (source.leg is not None or source.pair.quote == wanted.quote):
        yield "par_bps is for a unit that nothing turns into the wanted one; take it out"


def _leg_problems(source: Source, leg: Leg, wanted: Pair) -> Iterator[str]:
    units = {source.pair.quote, wanted.quote}
    if len(units) == 1:
        yield f"is in {wanted.quote} as it is wanted; take the leg out"
    elif set(leg.pair) != units:
        yield f"the leg {leg.pair} does not lead from {source.pair.quote} to {wanted.quote}"
    if not VENUES[leg.venue].sets_prices:
        yield f"the leg is of {leg.venue}, which may only veto; expected one of {_setters()}"
    for problem in _venue_problems(VENUES[leg.venue], leg.pair, leg.symbol):
        yield f"the leg {leg.name}: {problem}"


def _venue_problems(venue: Venue, pair: Pair, symbol: str) -> Iterator[str]:
    if symbol:
        return
    if objection := venue.objection(pair):
        yield objection
    elif venue.symbol(pair) is None:
        yield f"what {venue.name} calls it is not known here; say it as symbol"


def _setters() -> str:
    return ", ".join(venue.name for venue in VENUES.values() if venue.sets_prices)
