"""What quotes at one moment come to: the median of those that can be believed, or no price and why."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmv.adapters.prices.consensus import Answer, Good, NoPrice, Reading, ReferencePrice, Why, combine
from bmv.adapters.prices.quote import Pair, Quote
from bmv.adapters.prices.settings import BPS, Leg, Rules, Source

S = 1_000_000_000
NOW = 1_764_400_000 * S
USD = Pair("SOL", "USD")
AGE = 10 * S
RULES = Rules(USD, quorum=2)
THREE = [Source(venue, USD, AGE) for venue in ("binance", "coinbase", "kraken")]


def quote(bid: object, ask: object = None, venue_ns: int | None = None) -> Quote:
    return Quote("-", USD, Decimal(str(bid)), Decimal(str(bid if ask is None else ask)), venue_ns)


def read(*mids: object, age_ns: int = 0) -> dict[str, Reading]:
    """The readings of the first sources, all of one age; None: nothing was heard."""
    named = zip(THREE, mids, strict=False)
    return {source.name: Reading(quote(mid), NOW - age_ns) for source, mid in named if mid is not None}


def judge(
    readings: dict[str, Reading], rules: Rules = RULES, sources: list[Source] = THREE, last: Good | None = None
) -> Answer:
    return combine(rules, sources, readings, NOW, last)


def mid_of(answer: Answer) -> Fraction:
    assert isinstance(answer.price, ReferencePrice), answer.price
    return answer.price.mid


def why(answer: Answer) -> Why:
    assert isinstance(answer.price, NoPrice), answer.price
    return answer.price.why


def test_the_price_is_the_median() -> None:
    answer = judge(read("150.00", "150.20", "150.10"))

    assert mid_of(answer) == Fraction("150.1")
    assert isinstance(answer.price, ReferencePrice)
    assert answer.price.sources == ("binance SOL/USD", "coinbase SOL/USD", "kraken SOL/USD")
    assert answer.price.dispersion == Fraction("0.2") / Fraction("150.1")


@pytest.mark.parametrize("bad", ["300", "1.50", "15010", "149.0", "0.000001", "999999999999999999"])
def test_one_of_three_that_is_elsewhere_is_left_out(bad: str) -> None:
    answer = judge(read("150.00", bad, "150.10"))

    assert mid_of(answer) == Fraction("150.05")
    assert answer.verdicts["coinbase SOL/USD"] == "too far from the others"


def test_of_two_that_do_not_agree_neither_is_believed() -> None:
    for quorum in (1, 2):
        answer = judge(read("150", "152"), Rules(USD, quorum=quorum))

        assert why(answer) == Why.QUORUM
        assert "0 of at least" in str(answer.price)


def test_a_single_source_is_a_price_only_where_one_is_enough() -> None:
    assert why(judge(read("150"))) == Why.QUORUM
    assert mid_of(judge(read("150"), Rules(USD, quorum=1))) == 150


def test_there_is_no_price_before_anything_is_heard_even_if_none_is_asked_for() -> None:
    assert why(judge({}, Rules(USD, quorum=0))) == Why.QUORUM


@pytest.mark.parametrize(
    ("bid", "ask", "verdict"),
    [
        ("0", "150", "no market"),
        ("150", "0", "no market"),
        ("150.01", "150", "no market"),
        ("149", "151", "spread 133.3 bps: too wide"),
        ("0.0000001", "150", "too wide"),
    ],
)
def test_a_quote_that_is_no_market_does_not_count(bid: str, ask: str, verdict: str) -> None:
    readings = read("150", "150.1") | {THREE[2].name: Reading(quote(bid, ask), NOW)}

    answer = judge(readings)

    assert mid_of(answer) == Fraction("150.05")
    assert verdict in answer.verdicts[THREE[2].name]


def test_each_source_has_its_own_limit_of_age() -> None:
    sources = [Source("binance", USD, 5 * S), Source("kraken", USD, 60 * S)]
    readings = {source.name: Reading(quote(150), NOW - 10 * S) for source in sources}

    answer = judge(readings, Rules(USD), sources)

    assert answer.verdicts == {"binance SOL/USD": "too old: received 10.0 s ago", "kraken SOL/USD": "used"}
    assert answer.until_ns == NOW + 50 * S
    assert isinstance(answer.price, ReferencePrice)
    assert answer.price.oldest_age_ns == 10 * S


def test_a_quote_is_too_old_at_its_limit_and_not_a_nanosecond_before() -> None:
    assert isinstance(judge(read(150, 150, age_ns=AGE - 1)).price, ReferencePrice)
    assert why(judge(read(150, 150, age_ns=AGE))) == Why.QUORUM


@pytest.mark.parametrize(
    ("venue_ns", "verdict"), [(NOW - AGE, "too old: of the venue's time"), (NOW + AGE, "a clock is wrong")]
)
def test_a_source_that_is_frozen_or_ahead_by_its_own_clock_does_not_count(venue_ns: int, verdict: str) -> None:
    readings = read("150", "150.1") | {THREE[2].name: Reading(quote(150, 150, venue_ns), NOW)}

    assert verdict in judge(readings).verdicts[THREE[2].name]


USDT = Source("binance", Pair("SOL", "USDT"), AGE, Leg("kraken", Pair("USDT", "USD")))
RATE = "kraken USDT/USD"


def test_a_leg_turns_a_price_into_the_wanted_unit() -> None:
    readings = {USDT.name: Reading(quote(150, 151), NOW), RATE: Reading(quote("0.99", "0.995"), NOW - 7 * S)}

    answer = judge(readings, Rules(USD, max_spread=Fraction(100, BPS)), [USDT])

    assert isinstance(answer.price, ReferencePrice)
    assert (answer.price.bid, answer.price.ask) == (150 * Fraction("0.99"), 151 * Fraction("0.995"))
    assert answer.price.oldest_age_ns == 7 * S


def test_a_leg_leads_either_way_round() -> None:
    wanted = Rules(Pair("SOL", "USDC"))
    source = Source("coinbase", USD, AGE, Leg("kraken", Pair("USDC", "USD")))
    readings = {source.name: Reading(quote(150), NOW), "kraken USDC/USD": Reading(quote("0.748", "0.75"), NOW)}

    price = judge(readings, wanted, [source]).price

    assert isinstance(price, ReferencePrice)
    assert (price.bid, price.ask) == (200, 150 / Fraction("0.748"))


@pytest.mark.parametrize(
    ("rate", "verdict"),
    [
        (None, "its leg kraken USDT/USD: nothing heard"),
        (Reading(quote("1"), NOW - 300 * S), "its leg kraken USDT/USD: too old"),
        (Reading(quote("0.5", "1"), NOW), "its leg kraken USDT/USD: spread"),
    ],
)
def test_a_price_whose_leg_does_not_count_does_not_count(rate: Reading | None, verdict: str) -> None:
    readings = {USDT.name: Reading(quote(150), NOW)} | ({} if rate is None else {RATE: rate})

    assert verdict in judge(readings, Rules(USD), [USDT]).verdicts[USDT.name]


def test_a_unit_that_is_taken_for_another_is_allowed_as_much_as_was_said_and_no_more() -> None:
    others = [Source("coinbase", USD, AGE), Source("kraken", USD, AGE)]
    par = Source("binance", Pair("SOL", "USDT"), AGE, par=Fraction(30, BPS))
    readings = {source.name: Reading(quote(mid), NOW) for source, mid in zip(others, ("150", "150"), strict=True)}

    within = judge(readings | {par.name: Reading(quote("151.1"), NOW)}, RULES, [*others, par])
    beyond = judge(readings | {par.name: Reading(quote("151.3"), NOW)}, RULES, [*others, par])

    assert within.verdicts[par.name] == "used"
    assert beyond.verdicts[par.name] == "too far from the others"


GECKO = Source("coingecko", USD, 180 * S)


def test_a_source_with_a_veto_never_moves_the_price() -> None:
    readings = read("150", "150.1") | {GECKO.name: Reading(quote("151"), NOW)}

    answer = judge(readings, sources=[*THREE, GECKO])

    assert mid_of(answer) == Fraction("150.05")
    assert answer.verdicts[GECKO.name] == "agrees"


def test_a_source_with_a_veto_that_is_far_away_leaves_no_price() -> None:
    readings = read("150", "150.1") | {GECKO.name: Reading(quote("140"), NOW)}

    answer = judge(readings, sources=[*THREE, GECKO])

    assert why(answer) == Why.VETO
    assert answer.verdicts[GECKO.name] == "does not agree"


def test_a_source_with_a_veto_makes_no_price_of_its_own() -> None:
    assert why(judge({GECKO.name: Reading(quote("150"), NOW)}, Rules(USD), [*THREE, GECKO])) == Why.QUORUM


def test_a_veto_that_is_too_old_counts_for_nothing() -> None:
    readings = read("150", "150.1") | {GECKO.name: Reading(quote("10"), NOW - 180 * S)}

    assert mid_of(judge(readings, sources=[*THREE, GECKO])) == Fraction("150.05")


@pytest.mark.parametrize(
    ("mid", "elapsed_s", "jumps"),
    [("153", 0, False), ("153.01", 0, True), ("157.5", 30, False), ("157.6", 30, True), ("146.9", 0, True)],
)
def test_a_price_may_jump_the_farther_the_longer_ago_the_last_one_is(mid: str, elapsed_s: int, jumps: bool) -> None:
    answer = judge(read(mid, mid), last=Good(Fraction(150), NOW - elapsed_s * S))

    assert (why(answer) == Why.JUMP) if jumps else mid_of(answer) == Fraction(mid)


def sources_of(n: int) -> list[Source]:
    """So many sources that set prices."""
    return [Source("kraken", Pair("SOL", f"USD{at}"), AGE) for at in range(n)]


def all_say(quotes: list[tuple[Decimal, Decimal]], rules: Rules) -> Answer:
    """The answer where each source said one of these bids and asks just now."""
    sources = sources_of(len(quotes))
    named = zip(sources, quotes, strict=True)
    return combine(rules, sources, {s.name: Reading(Quote("-", s.pair, *both), NOW) for s, both in named}, NOW, None)


ANY = st.integers(1, 10**15).map(lambda n: Decimal(n) / 10**6)
RIGHT = st.integers(150_000, 150_700).map(lambda n: Decimal(n) / 1000)  # Within 50 bps of one another.


@given(st.data(), st.lists(RIGHT, min_size=2, max_size=4))
def test_while_most_are_right_the_price_lies_among_what_they_say_whatever_the_others_do(
    data: st.DataObject, right: list[Decimal]
) -> None:
    wrong = data.draw(st.lists(ANY, max_size=len(right) - 1))
    mids = data.draw(st.permutations(right + wrong))

    answer = all_say([(mid, mid) for mid in mids], Rules(USD))

    assert min(right) <= mid_of(answer) <= max(right)


@given(RIGHT, ANY)
def test_of_two_the_price_is_close_to_the_right_one_or_there_is_none(right: Decimal, wrong: Decimal) -> None:
    price = all_say([(right, right), (wrong, wrong)], Rules(USD)).price

    if isinstance(price, ReferencePrice):
        assert abs(price.mid - Fraction(right)) <= Rules(USD).max_deviation * Fraction(right)
    else:
        assert abs(wrong - right) > right / 201


@given(st.lists(st.tuples(ANY, ANY), max_size=6), st.integers(1, 3))
def test_bid_mid_and_ask_of_a_price_are_in_order_and_it_has_its_quorum(
    quotes: list[tuple[Decimal, Decimal]], quorum: int
) -> None:
    price = all_say(quotes, Rules(USD, quorum)).price

    if isinstance(price, ReferencePrice):
        assert 0 < price.bid <= price.mid <= price.ask
        assert len(price.sources) >= quorum
        assert price.dispersion <= 3 * Rules(USD).max_deviation
