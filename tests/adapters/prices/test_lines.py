"""Lines to venues: their addresses, their keys, how long they wait; and which of two quotes is the newer."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmv.adapters.prices.board import Board
from bmv.adapters.prices.keys import read_keys
from bmv.adapters.prices.line import LONGEST_WAIT_S, lines, wait_ns
from bmv.adapters.prices.quote import Pair, Quote
from bmv.adapters.prices.settings import Leg, Rules, Settings, Source
from bmv.ports.errors import ConfigError

S = 1_000_000_000
USD = Pair("SOL", "USD")


def settings(*sources: Source, **more: Any) -> Settings:
    return Settings(Rules(USD), sources, Decimal("0.01"), Decimal("0.001"), **more)


def test_a_leg_that_several_sources_share_is_one_line() -> None:
    leg = Leg("kraken", Pair("USDT", "USD"))
    both = settings(*(Source("binance", Pair("SOL", unit), S, leg) for unit in ("USDT", "USDC")))

    assert [line.name for line in lines(both, {})] == ["binance SOL/USDT", "kraken USDT/USD", "binance SOL/USDC"]


def test_one_line_has_one_address() -> None:
    legs = (Leg("kraken", Pair("USDT", "USD"), url=f"ws://{host}") for host in ("a", "b"))
    both = settings(*(Source("binance", Pair("SOL", f"USD{at}"), S, leg) for at, leg in enumerate(legs)))

    with pytest.raises(ConfigError, match="kraken USDT/USD is named with two addresses"):
        lines(both, {})


@pytest.mark.parametrize(
    "url",
    ["https://ws.kraken.com", "wss://", "kraken", "wss://host:0", "wss://host:99999999", "wss://[::1", "wss://secret@"],
)
def test_an_address_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="expected wss://") as refused:
        lines(settings(Source("kraken", USD, S, url=url)), {})

    assert "secret" not in str(refused.value)


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    (line,) = lines(settings(Source("kraken", USD, S, url="wss://me:pw@[::1]:9/secret?key=secret")), {})

    assert line.shown == "wss://[::1]:9"
    assert line.is_here
    assert "secret" not in repr(line)


def test_a_key_goes_over_no_line_that_others_can_read() -> None:
    def one(url: str) -> Settings:
        return settings(Source("pyth", USD, S, url=url))

    with pytest.raises(ConfigError, match="a key goes out over https:// only"):
        lines(one("http://pyth.example.com"), {"pyth": "secret"})
    assert lines(one("http://pyth.example.com"), {})
    assert lines(one("http://127.0.0.1:8000"), {"pyth": "secret"})


@pytest.mark.parametrize(
    ("url", "header"), [("", "x-cg-demo-api-key"), ("https://pro-api.coingecko.com/api/v3", "x-cg-pro-api-key")]
)
def test_a_paid_key_has_a_header_of_its_own(url: str, header: str) -> None:
    (line,) = lines(settings(Source("coingecko", USD, S, url=url)), {"coingecko": "secret"})

    assert line.headers == {header: "secret"}


def test_a_key_comes_from_the_environment_or_from_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-file\n")
    file.chmod(0o600)
    wanted = settings(Source("pyth", USD, S), key_files={"pyth": str(file)})

    assert read_keys(wanted, {}) == {"pyth": "from-file"}
    assert read_keys(wanted, {"BMV_PYTH_KEY": "from-environment"}) == {"pyth": "from-environment"}
    assert read_keys(settings(Source("kraken", USD, S)), {"BMV_PYTH_KEY": "unused"}) == {}


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        ("secret", 0o644, "others may read it; say chmod 600"),
        ("", 0o600, "expected a key, found none"),
        ("two words", 0o600, "expected a key"),
    ],
)
def test_a_file_that_is_no_key_of_ones_own_is_refused_and_not_shown(
    content: str, mode: int, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    file.chmod(mode)

    with pytest.raises(ConfigError, match=told) as refused:
        read_keys(settings(Source("pyth", USD, S), key_files={"pyth": str(file)}), {})
    assert not content or content not in str(refused.value)


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"live.prices.pyth_key_file = .*nowhere: can't be read: No such file"):
        read_keys(settings(Source("pyth", USD, S), key_files={"pyth": str(tmp_path / "nowhere")}), {})


@given(st.integers(0, 10_000), st.integers(0, 1000))
def test_a_wait_is_anything_up_to_a_limit_that_doubles_and_ends(attempt: int, seed: int) -> None:
    waited_s = Fraction(wait_ns(attempt, Random(seed)), S)

    assert 0 <= waited_s <= min(LONGEST_WAIT_S, 2 ** min(attempt, 16))


def test_two_clients_do_not_wait_alike() -> None:
    assert len({wait_ns(6, Random(seed)) for seed in range(50)}) == 50


def quote(mid: int, *, sequence: int | None = None, venue_ns: int | None = None) -> Quote:
    return Quote("-", USD, Decimal(mid), Decimal(mid), venue_ns, sequence)


def test_a_quote_that_repeats_or_precedes_the_one_before_is_not_taken() -> None:
    board = Board()

    assert board.put("numbered", quote(1, sequence=7), 100)
    assert not board.put("numbered", quote(2, sequence=7), 200)
    assert not board.put("numbered", quote(3, sequence=6), 300)
    assert board.put("numbered", quote(4, sequence=8), 400)
    assert board.put("timed", quote(1, venue_ns=50), 100)
    assert not board.put("timed", quote(2, venue_ns=49), 200)
    assert board.readings["numbered"].received_ns == 400
    assert board.readings["timed"].quote.bid == 1


def test_a_venue_may_number_anew_on_a_new_line_but_not_repeat_itself() -> None:
    board = Board()
    board.put("kraken", quote(1, sequence=7), 100)
    board.begin("kraken")

    assert not board.put("kraken", quote(1, sequence=7), 200)
    assert board.put("kraken", quote(2, sequence=1), 300)
    assert not board.put("kraken", quote(3, sequence=1), 400)
