"""What each venue says is read as it is meant: shapes after the venues' public documentation."""

import json
from decimal import Decimal

import pytest
from exchange import binance, coinbase, coingecko, kraken, pyth
from price_messages import CASES, SOL_FEED, SOL_USD, SOL_USDT, Case

from bmv.adapters.prices.quote import Farewell, MessageError, Pair, Quote
from bmv.adapters.prices.venues import VENUES

S = 1_000_000_000
NOON_S = 1_795_953_600  # 29 November 2026, 12:00 UTC.


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.venue)
def test_a_quote_is_read_exactly(case: Case) -> None:
    assert case.decode(case.message) == case.quote
    assert case.decode(case.message.encode()) == case.quote


@pytest.mark.parametrize(
    ("venue", "message"),
    [
        ("binance", '{"result":null,"id":1}'),
        ("coinbase", '{"type":"subscriptions","channels":[{"name":"ticker","product_ids":["SOL-USD"]}]}'),
        ("coinbase", '{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"SOL-USD","time":"2026-11-29T12:00:00Z"}'),
        ("kraken", '{"channel":"heartbeat"}'),
        ("kraken", '{"channel":"status","type":"update","data":[{"system":"online","api_version":"v2","version":"2.0.0"}]}'),
        ("kraken", '{"method":"subscribe","result":{"channel":"ticker","symbol":"SOL/USD"},"success":true,"time_in":"x"}'),
        ("kraken", '{"method":"pong","req_id":1}'),
    ],
)  # fmt: skip
def test_what_says_nothing_of_prices_is_passed_over(venue: str, message: str) -> None:
    assert case_of(venue).decode(message) is None


def test_a_server_that_is_about_to_shut_down_is_heard() -> None:
    assert isinstance(case_of("binance").decode('{"e":"serverShutdown","E":1770123456789}'), Farewell)


def test_a_quote_of_a_combined_stream_is_unwrapped() -> None:
    inner = binance("SOLUSDT", "150.10", "150.11", 7)

    heard = case_of("binance").decode(f'{{"stream":"solusdt@bookTicker","data":{inner}}}')

    assert isinstance(heard, Quote)
    assert heard.bid == Decimal("150.10")


@pytest.mark.parametrize(
    ("venue", "message", "told"),
    [
        ("binance", '{"code":2,"msg":"Invalid request: unknown variant","id":1}', "it refuses: Invalid request"),
        ("coinbase", '{"type":"error","message":"Failed to subscribe","reason":"SOL-XYZ is not a valid product"}', "not a valid product"),
        ("kraken", '{"error":"Currency pair not supported SOL/XYZ","method":"subscribe","success":false}', "not supported"),
        ("coingecko", '{"status":{"error_code":429,"error_message":"You\'ve exceeded the Rate Limit"}}', "exceeded the Rate"),
        ("coingecko", '{"error":"Could not find coin"}', "Could not find coin"),
    ],
)  # fmt: skip
def test_a_refusal_is_an_error_in_the_words_of_the_venue(venue: str, message: str, told: str) -> None:
    with pytest.raises(MessageError, match=told):
        case_of(venue).decode(message)


@pytest.mark.parametrize(
    ("venue", "message"),
    [
        ("binance", binance("SOLUSDC", "150.1", "150.2", 7)),
        ("binance", binance("solusdt", "150.1", "150.2", 7)),
        ("coinbase", coinbase("SOL-EUR", "150.1", "150.2", 7, "2026-11-29T12:00:00Z")),
        ("kraken", kraken("SOL/EUR", "150.1", "150.2", None)),
        ("coingecko", coingecko("solana-2", "150.1", NOON_S)),
        ("coingecko", '{"solana":{"eur":150.1,"last_updated_at":1795953600}}'),
        ("pyth", pyth("ff" * 32, "15010000000", "1", NOON_S)),
    ],
)
def test_a_price_of_another_pair_or_in_another_unit_is_an_error(venue: str, message: str) -> None:
    with pytest.raises(MessageError):
        case_of(venue).decode(message)


WRONG_PRICES = [
    '"-1"', '"1e3"', '" 1"', '"1_000"', '"١٥٠"', '"0x10"', '"NaN"', '"Infinity"', '""', '"."', '"1."', '".5"', '"+1"',
    "-1", "NaN", "Infinity", "1e400", "1e-400", "null", "true", "[]", "{}", '"1,5"', "1000000000000000000",
    "0.0000000000000000001", "9" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_PRICES, ids=lambda wrong: wrong[:12])
@pytest.mark.parametrize("case", [case for case in CASES if case.venue != "pyth"], ids=lambda case: case.venue)
def test_what_is_no_price_is_an_error(case: Case, wrong: str) -> None:
    bid = case.written[0]
    assert bid in case.message

    with pytest.raises(MessageError):
        case.decode(case.message.replace(bid, wrong))


def test_a_price_that_is_written_twice_is_an_error() -> None:
    with pytest.raises(MessageError, match="twice"):
        case_of("binance").decode('{"u":1,"s":"SOLUSDT","b":"1","b":"2","a":"2"}')


@pytest.mark.parametrize(
    "message", ["", "[", "null", "3", '"text"', "[]", "{}", "\x00", b"\xff\xfe", "[" * 100_000, b"\xef\xbb\xbf{}"]
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.venue)
def test_what_is_no_message_is_an_error(case: Case, message: str | bytes) -> None:
    with pytest.raises(MessageError):
        case.decode(message)


def test_a_side_on_which_nobody_stands_is_told_as_it_is() -> None:
    heard = case_of("binance").decode(binance("SOLUSDT", "0.00000000", "150.11", 7))

    assert isinstance(heard, Quote)
    assert heard.bid == 0


def test_a_number_keeps_every_digit() -> None:
    heard = case_of("kraken").decode(kraken("SOL/USD", "123456789.123456789", "123456789.123456790", None))

    assert isinstance(heard, Quote)
    assert (str(heard.bid), str(heard.ask)) == ("123456789.123456789", "123456789.123456790")


def test_the_band_of_a_price_becomes_bid_and_ask() -> None:
    heard = case_of("pyth").decode(pyth(SOL_FEED, "15010000000", "5000000", NOON_S))

    assert heard == Quote("pyth", SOL_USD, Decimal("150.05"), Decimal("150.15"), NOON_S * S)


@pytest.mark.parametrize(
    ("price", "conf", "expo"), [("-1", "1", -8), ("1", "2", -8), ("1", "1", 3), ("1", "1", -99), ("x", "1", -8)]
)
def test_a_band_that_makes_no_sense_is_an_error(price: str, conf: str, expo: int) -> None:
    with pytest.raises(MessageError):
        case_of("pyth").decode(pyth(SOL_FEED, price, conf, NOON_S, expo))


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-29",
        "2026-13-01T00:00:00Z",
        "2026-11-29T12:00:00+01:00",
        "1969-01-01T00:00:00Z",
        "9999-01-01T00:00:00Z",
        "",
    ],
)
def test_what_is_no_time_is_an_error(time: str) -> None:
    with pytest.raises(MessageError):
        case_of("coinbase").decode(coinbase("SOL-USD", "150", "151", 1, time))


def test_each_venue_is_asked_in_its_own_words() -> None:
    pairs = {"binance": SOL_USDT}
    asked = {}
    for name, venue in VENUES.items():
        symbol = venue.symbol(pairs.get(name, SOL_USD))
        assert symbol is not None
        asked[name] = (venue.endpoint(venue.url, symbol), *map(json.loads, venue.greeting(symbol)))

    assert asked["binance"] == ("wss://stream.binance.com:9443/ws/solusdt@bookTicker",)
    assert asked["coinbase"][1]["channels"] == ["ticker", "heartbeat"]
    assert asked["kraken"][1]["params"] == {"channel": "ticker", "symbol": ["SOL/USD"], "event_trigger": "bbo"}
    assert asked["coingecko"][0].startswith("https://api.coingecko.com/api/v3/simple/price?ids=solana&")
    assert asked["pyth"][0].endswith(f"/v2/updates/price/latest?ids%5B%5D=0x{SOL_FEED}&parsed=true")


def test_a_feed_may_be_named_with_its_prefix_and_nothing_else_gets_into_an_address() -> None:
    pyth_venue, gecko = VENUES["pyth"], VENUES["coingecko"]

    assert pyth_venue.endpoint("https://h", f"0x{SOL_FEED}") == pyth_venue.endpoint("https://h", SOL_FEED)
    assert gecko.endpoint("https://h", "solana&vs_currencies=eur").count("&vs_currencies=") == 1


def case_of(venue: str) -> Case:
    return next(case for case in CASES if case.venue == venue)


def test_a_pair_is_named_in_full() -> None:
    for wrong in ("SOL", "SOL-USD", "sol/usd", "SOL/USD/EUR", "SOL/", ""):
        with pytest.raises(ValueError, match="expected a pair such as"):
            Pair.read(wrong)
