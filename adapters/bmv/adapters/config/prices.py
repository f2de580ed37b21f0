"""From `[live.prices]` to what the adapter of prices takes, and what may be wrong with it."""

from collections.abc import Iterator
from fractions import Fraction

from bmv.adapters.config.compile import BPS, NS_PER_MS, to_ns
from bmv.adapters.config.schema import Config, PriceLeg, PriceSource
from bmv.adapters.prices.quote import Pair
from bmv.adapters.prices.settings import Leg, Rules, Settings, Source, problems
from bmv.adapters.prices.venues import VENUES

KEYS = "live.prices"


def price_settings(config: Config) -> Settings:
    """Return what `[live.prices]` asks for, in which :func:`price_problems` found nothing wrong."""
    p = config.live.prices
    rules = Rules(
        pair=_wanted(config),
        quorum=p.quorum,
        max_spread=_share(p.max_spread_bps),
        max_deviation=_share(p.max_deviation_bps),
        max_veto=_share(p.max_veto_bps),
        max_jump=_share(p.max_jump_bps),
        jump_growth_per_s=_share(p.jump_growth_bps),
    )
    files = {"coingecko": p.coingecko_key_file, "pyth": p.pyth_key_file}
    return Settings(
        rules=rules,
        sources=tuple(_source(source, rules.pair, p.max_age_s) for source in p.sources),
        tick_size=config.market.tick_size,
        lot_size=config.market.lot_size,
        min_interval_ns=to_ns(p.min_interval_ms, NS_PER_MS),
        key_files={name: file for name, file in files.items() if file},
    )


def price_problems(config: Config) -> Iterator[str]:
    """Yield what is wrong with the sources of prices, one line a problem; nothing where there are none."""
    p, symbol = config.live.prices, config.market.symbol
    if not p.sources:
        return
    market = _pair(symbol)
    if p.pair is None and market is None:
        yield f'{KEYS}.pair: missing; market.symbol = "{symbol}" does not say what is priced in what, as SOL/USDC does'
        return
    wanted = _wanted(config)
    if market is not None and wanted.quote != market.quote:
        yield (
            f'{KEYS}.pair = "{wanted}": the market is in {market.quote}, and prices in {wanted.quote} are others; take'
            f" it out, and give each source its own pair with a leg or par_bps"
        )
        return
    for problem in problems(price_settings(config)):
        yield f"{KEYS}.{problem}"


def _wanted(config: Config) -> Pair:
    return Pair.read(config.live.prices.pair or config.market.symbol)


def _pair(text: str) -> Pair | None:
    try:
        return Pair.read(text)
    except ValueError:
        return None


def _source(source: PriceSource, wanted: Pair, max_age_s: float) -> Source:
    usual_s = VENUES[source.name].max_age_s or max_age_s
    return Source(
        venue=source.name,
        pair=Pair.read(source.pair) if source.pair else wanted,
        max_age_ns=to_ns(source.max_age_s or usual_s),
        leg=_leg(source.leg) if source.leg else None,
        par=_share(source.par_bps or 0.0),
        poll_ns=to_ns(source.poll_s),
        url=source.url or "",
        symbol=source.symbol or "",
    )


def _leg(leg: PriceLeg) -> Leg:
    return Leg(leg.name, Pair.read(leg.pair), to_ns(leg.max_age_s), leg.url or "", leg.symbol or "")


def _share(bps: float) -> Fraction:
    return Fraction(str(bps)) / BPS
