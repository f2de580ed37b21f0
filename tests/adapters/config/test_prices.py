"""`[live.prices]`: units are said and never assumed, and what can't become a price is refused at the door."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from bmv.adapters.config import Config, load
from bmv.adapters.config.dump import dump, flat, inline
from bmv.adapters.config.prices import price_settings
from bmv.adapters.prices.quote import Pair
from bmv.adapters.prices.settings import Leg, Settings, Source
from bmv.ports.errors import ConfigError

S = 1_000_000_000
LEG = '{name = "kraken", pair = "USDC/USD"}'
FULL = f"""[
  "binance",
  {{name = "coinbase", pair = "SOL/USD", leg = {LEG}}},
  {{name = "kraken", pair = "SOL/USD", par_bps = 20, max_age_s = 2.5}},
  {{name = "coingecko", pair = "SOL/USD", par_bps = 50}},
  {{name = "pyth", pair = "SOL/USD", par_bps = 50, poll_s = 2, url = "http://127.0.0.1:9"}},
]"""


def config_of(good: Path, sources: str, *sets: str) -> Config:
    return load(good, [f"live.prices.sources={sources}", *sets], {})


def settings_of(good: Path, sources: str, *sets: str) -> Settings:
    return price_settings(config_of(good, sources, *sets))


def test_sources_are_names_or_tables_and_say_their_units(good: Path) -> None:
    settings = settings_of(good, FULL, "live.prices.quorum=2", "live.prices.max_deviation_bps=12.5")

    leg = Leg("kraken", Pair("USDC", "USD"))
    assert settings.sources == (
        Source("binance", Pair("SOL", "USDC"), 10 * S),
        Source("coinbase", Pair("SOL", "USD"), 10 * S, leg),
        Source("kraken", Pair("SOL", "USD"), 2_500_000_000, par=Fraction(20, 10_000)),
        Source("coingecko", Pair("SOL", "USD"), 180 * S, par=Fraction(50, 10_000)),
        Source("pyth", Pair("SOL", "USD"), 30 * S, par=Fraction(50, 10_000), poll_ns=2 * S, url="http://127.0.0.1:9"),
    )
    assert settings.rules.pair == Pair("SOL", "USDC")
    assert settings.rules.max_deviation == Fraction(1, 800)
    assert (settings.tick_size, settings.min_interval_ns) == (Decimal("0.01"), S // 10)


def test_what_is_written_out_again_is_the_same(good: Path, tmp_path: Path) -> None:
    config = config_of(good, FULL)
    again = tmp_path / "again.toml"
    again.write_text(dump(config))

    assert load(again, (), {}) == config


def test_what_a_source_does_not_say_is_not_shown(good: Path) -> None:
    shown = inline(flat(config_of(good, '["binance"]'))["live.prices.sources"])

    assert shown == '[{ name = "binance" }]'


def test_keys_of_before_mean_what_they_meant(good: Path) -> None:
    settings = settings_of(good, '["binance"]', "live.prices.quorum=1", "live.prices.max_age_s=3")

    assert settings.sources == (Source("binance", Pair("SOL", "USDC"), 3 * S),)


BAD = [
    ('["bitstamp"]', "live.prices.sources[0].name = \"bitstamp\""),
    ('["binance", 3]', "live.prices.sources[1]"),
    ('[{name = "binance", pare = "SOL/USDT"}]', "live.prices.sources[0].pare: unknown key"),
    ('[{name = "binance", pair = "SOL-USDT"}]', "in the form BASE/QUOTE"),
    ('[{name = "binance", pair = "SOL/USDT"}]', "binance SOL/USDT: is in USDT, and USDC is wanted: give a leg such as"),
    ('[{name = "binance", pair = "BTC/USDC"}]', "is no price of SOL"),
    ('[{name = "binance", pair = "SOL/USD", par_bps = 5}]', "it has no dollars"),
    ('["coinbase"]', "its book in USDC is that in dollars; say SOL/USD"),
    ('["binance", "coingecko"]', "coingecko SOL/USDC: it prices in USD"),
    ('["binance", {name = "pyth", pair = "SOL/EUR", par_bps = 5}]', "what pyth calls it is not known here; say it as symbol"),
    ('[{name = "coingecko", pair = "SOL/USD", par_bps = 5}]', "coingecko SOL/USD may only veto"),
    ('["binance", "binance"]', "binance SOL/USDC: named twice"),
    (f'[{{name = "binance", leg = {LEG}}}]', "is in USDC as it is wanted; take the leg out"),
    ('[{name = "kraken", pair = "SOL/EUR", leg = ' + LEG + "}]", "the leg USDC/USD does not lead from EUR to USDC"),
    ('[{name = "kraken", pair = "SOL/USD", par_bps = 5, leg = ' + LEG + "}]", "par_bps is for a unit that nothing turns"),
    ('[{name = "kraken", pair = "SOL/USD", leg = {name = "pyth", pair = "USDC/USD"}}]', "expected one of binance, coinbase, kraken"),
    ('[{name = "kraken", pair = "SOL/USD", leg = {name = "binance", pair = "USDC/USD"}}]', "the leg binance USDC/USD: it has no dollars"),
    ('[{name = "kraken", pair = "SOL/USDC", url = "wss://me:pw@host"}]', "holds a password"),
]  # fmt: skip


@pytest.mark.parametrize(("sources", "told"), BAD)
def test_sources_that_can_not_make_a_price_are_refused_with_what_would_be_right(
    good: Path, sources: str, told: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        config_of(good, sources)

    assert told in str(refused.value)


def test_more_must_not_agree_than_there_are(good: Path) -> None:
    with pytest.raises(ConfigError, match=r"live.prices.quorum = 2: expected at most 1, the sources that set prices"):
        config_of(good, '["binance", {name = "coingecko", pair = "SOL/USD", par_bps = 5}]', "live.prices.quorum=2")


def test_a_market_whose_name_says_no_units_needs_a_pair(good: Path) -> None:
    with pytest.raises(ConfigError, match=r'live.prices.pair: missing; market.symbol = "WSOL-USDC"'):
        config_of(good, '["binance"]', "market.symbol=WSOL-USDC")

    named = settings_of(good, '["binance"]', "market.symbol=WSOL-USDC", "live.prices.pair=SOL/USDC")
    assert named.rules.pair == Pair("SOL", "USDC")


def test_the_reference_is_in_the_unit_of_its_market(good: Path) -> None:
    with pytest.raises(ConfigError, match="the market is in USDC, and prices in USDT are others"):
        config_of(good, '["binance"]', "live.prices.pair=SOL/USDT")


def test_a_market_without_sources_is_asked_nothing(good: Path) -> None:
    assert load(good, ["market.symbol=anything"], {}).live.prices.sources == []
