"""The digest tells any two different conversations apart, and never leaves 62 bits."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmv.core.digest import fold, hear, say, text
from bmv.ports.messages import Event, Kind, Verb

INT64 = st.integers(-(2**63), 2**63 - 1)
WORD = st.tuples(*[INT64] * 7)
TRADE = Event(Kind.TRADE, 10, 10, side=1, price=100, size=5)
QUOTE = Event(Kind.QUOTE, 10, 10, bid=99, bid_size=5, ask=101, ask_size=6)
FILL = Event(Kind.FILLED, 12, 10, 7, 1, 100, 5, fee=-3, code=1)
DEPTH = Event(Kind.DEPTH, 10, 10, 0, 1, 99, 4, 99, 4, 101, 6)


@given(st.integers(0, 2**62 - 1), WORD)
def test_the_digest_stays_within_62_bits_whatever_it_hears(digest: int, word: tuple[int, ...]) -> None:
    assert 0 <= fold(digest, *word) < 2**62


@given(WORD, WORD)
def test_the_order_of_words_matters(one: tuple[int, ...], two: tuple[int, ...]) -> None:
    assert (fold(fold(0, *one), *two) == fold(fold(0, *two), *one)) == (one == two)


def test_the_order_of_numbers_in_a_word_matters() -> None:
    digests = {fold(0, *numbers) for numbers in permutations(range(7))}

    assert len(digests) == 5040


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (TRADE, ["kind", "ts_ns", "side", "price", "size"]),
        (QUOTE, ["kind", "ts_ns", "bid", "bid_size", "ask", "ask_size"]),
        (FILL, ["kind", "ts_ns", "venue_ns", "order", "side", "price", "size", "fee", "code"]),
        (DEPTH, ["kind", "ts_ns", "side", "price", "size", "bid", "bid_size", "ask", "ask_size"]),
        (Event(Kind.REFERENCE, 10, price=100), ["price"]),
        (Event(Kind.BALANCE, 10, size=100, fee=5), ["size", "fee"]),
        (Event(Kind.COMMAND, 10, code=1), ["code"]),
    ],
)
def test_every_field_that_a_kind_has_is_in_the_digest(event: Event, fields: list[str]) -> None:
    changed = [event._replace(**{field: getattr(event, field) + 1}) for field in fields if field != "kind"]
    changed += [event._replace(kind=Kind.TIMER)]

    digests = {hear(1, each) for each in (event, *changed)}

    assert len(digests) == 1 + len(changed)


def test_every_field_of_an_intent_is_in_the_digest() -> None:
    intent = (Verb.PLACE.value, 10, 7, 1, 100, 5, 2, 0)
    changed = [tuple(value + (at == field) for at, value in enumerate(intent)) for field in range(len(intent))]

    digests = {say(1, *each) for each in (intent, *changed)}

    assert len(digests) == 9


def test_a_cancel_and_its_absence_of_a_level_differ_from_a_first_level() -> None:
    assert say(1, 2, 10, 7, 1, 100, 5, -1, 0) != say(1, 2, 10, 7, 1, 100, 5, 0, 0)


@pytest.mark.parametrize(("digest", "printed"), [(0, "0" * 16), (2**62 - 1, "3fffffffffffffff")])
def test_a_digest_is_printed_in_16_digits(digest: int, printed: str) -> None:
    assert text(digest) == printed
