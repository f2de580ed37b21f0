"""Numbers and names as people read them."""

import pytest
from synthetic import CONFIG, nothing, summary_of

from bmv.adapters.report.sheet import Row, in_words, side_by_side
from bmv.data.runs.statistics.stats import statistics
from bmv.data.runs.wording import currencies

PLAIN = ("base", "quote")


@pytest.mark.parametrize(
    ("symbol", "told"),
    [
        ("SOL/USDC", ("SOL", "USDC")),
        ("BTC-USDC", ("BTC", "USDC")),
        ("BTC-USDC-PERP", ("BTC", "USDC")),
        ("standx_BTC-USD-PERP", ("BTC", "USD")),
        ("kraken_XBT/EUR", ("XBT", "EUR")),
        ("my_venue_1000PEPE-USDT", ("1000PEPE", "USDT")),
        ("binance_usdm_BTCUSDT", PLAIN),
        ("us_AIG", PLAIN),
        ("AIG", PLAIN),
        ("BTCUSDT", PLAIN),
        ("BTC_USDT", PLAIN),
        ("SOL-PERP", PLAIN),
        ("BTC-27JUN25", PLAIN),
        ("BTC/USDT:USDT", PLAIN),
        ("binance:BTC/USDT", PLAIN),
        ("/USDC", PLAIN),
        ("SOL/", PLAIN),
        ("", PLAIN),
    ],
)
def test_a_symbol_tells_its_currencies_only_where_there_is_no_doubt(symbol: str, told: tuple[str, str]) -> None:
    assert currencies(symbol) == told


def test_profit_is_never_shown_in_a_part_of_the_name_of_a_venue_or_in_the_base() -> None:
    outcome = nothing()
    summary = summary_of(outcome, statistics(outcome, CONFIG), symbol="standx_BTC-USD-PERP")

    assert in_words(Row("net", 1.5, "quote"), summary["symbol"]) == "+1.5000 USD"
    assert in_words(Row("net", 1.5, "quote"), "us_AIG") == "+1.5000 quote"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (Row("", 0.008738, "share"), "0.87 %"),
        (Row("", 0.226, "share"), "22.6 %"),
        (Row("", 0.0, "share"), "0.0 %"),
        (Row("", 350.7821, "amount"), "350.78 USDC"),
        (Row("", 3_168_851.48, "amount"), "3,168,851 USDC"),
        (Row("", 1.23456, "amount"), "1.2346 USDC"),
        (Row("", 85.43841, "base"), "85.438 SOL"),
        (Row("", 0.79412, "number"), "0.794"),
    ],
)
def test_a_figure_has_no_more_digits_than_mean_something(row: Row, told: str) -> None:
    assert in_words(row, "SOL/USDC") == told


@pytest.mark.parametrize(
    ("part", "told"), [(0.25, "25.0 %"), (1.0, "100.0 %"), (4.659, "more than all"), (-4.659, "nothing")]
)
def test_a_part_of_a_whole_is_never_told_as_more_than_all_of_it_in_percent(part: float, told: str) -> None:
    assert in_words(Row("Given back by 5 s", part, "part")) == told


def test_amounts_of_base_that_stand_together_have_the_same_decimals() -> None:
    rows = [Row("", value, "base") for value in (0.07977, -0.5, 0.0, 12.3456, None)]

    told = [in_words(row, "SOL/USDC") for row in side_by_side(rows)]

    assert told == ["0.080 SOL", "−0.500 SOL", "0.000 SOL", "12.346 SOL", "–"]
