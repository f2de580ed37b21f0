"""What goes over the control socket, without a socket."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmv.live.control.protocol import (
    ANSWER_MAX,
    FIELDS,
    FILLS_MAX,
    REQUEST_MAX,
    TEXT_MAX,
    Lines,
    Request,
    decode_answer,
    decode_request,
    encode_answer,
    encode_error,
    encode_request,
)
from bmv.live.control.steered import StopMode
from bmv.ports.errors import BmvError, ConfigError, DataError, Refused, UsageError

WORDS = st.text(min_size=1, max_size=TEXT_MAX)
REQUESTS = st.one_of(
    st.sampled_from([Request(name) for name in FIELDS if not FIELDS[name]]),
    st.builds(Request, st.just("fills"), limit=st.integers(1, FILLS_MAX)),
    st.builds(Request, st.just("stop"), mode=st.sampled_from(list(StopMode))),
    st.builds(Request, st.just("set"), key=st.text("abc.", min_size=1, max_size=50), value=st.text("0é", min_size=1)),
)


@given(REQUESTS)
def test_a_request_comes_out_as_it_went_in(request: Request) -> None:
    line = encode_request(request)

    assert line.count(b"\n") == 1
    assert decode_request(line[:-1]) == request


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), min_size=1), st.data())
def test_lines_come_out_the_same_however_they_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    reader = Lines(40)

    found = [line for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True) for line in reader.feed(stream[a:b])]

    assert found == lines


@pytest.mark.parametrize("data", [b"x" * 41, b"x" * 41 + b"\n", b"ok\n" + b"x" * 41])
def test_a_line_that_is_too_long_is_refused_and_not_kept(data: bytes) -> None:
    reader = Lines(40)

    with pytest.raises(DataError, match="at most 40 bytes"):
        reader.feed(data)

    assert repr(reader) == "<Lines: 0 bytes of the next line>"


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.sampled_from(["bmv", "request", "limit", "mode"]), inner)
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_whatever_the_bytes_a_request_is_one_or_wrong_use(line: bytes) -> None:
    try:
        request = decode_request(line)
    except UsageError:
        return
    assert request.name in FIELDS


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"request": "status"}, "bmv: expected 1"),
        ({"bmv": 2, "request": "status"}, "bmv: expected 1"),
        ({"bmv": 1}, "request: expected one of"),
        ({"bmv": 1, "request": ["stop"]}, "request: expected one of"),
        ({"bmv": 1, "request": "__class__"}, "request: expected one of"),
        ({"bmv": 1, "request": "stop", "limit": 1}, "'limit' is none of its fields"),
        ({"bmv": 1, "request": "fills", "limit": True}, "limit: expected a whole number"),
        ({"bmv": 1, "request": "fills", "limit": FILLS_MAX + 1}, "limit: expected a whole number"),
        ({"bmv": 1, "request": "stop", "mode": "hard"}, "mode: expected one of cancel, keep, flatten"),
        ({"bmv": 1, "request": "set", "key": "a", "value": 3}, "expected text"),
        ({"bmv": 1, "request": "set", "key": "a", "value": ""}, "expected text"),
        (["status"], "expected an object"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_told_what_would_be_right(table: object, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        decode_request(json.dumps(table).encode())


def test_the_longest_set_that_is_allowed_fits_into_a_line() -> None:
    """Of a text whose every character is escaped, too."""
    request = Request("set", key="k" * 100, value="é" * TEXT_MAX)

    assert len(encode_request(request)) - 1 <= REQUEST_MAX


@pytest.mark.parametrize("kind", [BmvError, UsageError, ConfigError, DataError, Refused])
def test_an_error_reaches_whoever_asked_with_its_kind_and_on_one_line(kind: type[BmvError]) -> None:
    line = encode_error(kind("what\nis wrong"))

    with pytest.raises(kind, match="what is wrong") as caught:
        decode_answer(line[:-1])
    assert caught.value.exit_code == kind.exit_code


def test_no_error_carries_a_secret_over_the_socket() -> None:
    line = encode_error(BmvError("https://me:hunter2-secret@rpc.example/?api-key=0123456789abcdef is down"))

    assert b"hunter2" not in line
    assert b"0123456789abcdef" not in line


@given(st.binary(max_size=200))
def test_whatever_the_bytes_an_answer_is_one_or_an_error_of_ours(line: bytes) -> None:
    try:
        decode_answer(line)
    except BmvError:
        return
    assert json.loads(line)["bmv"] == 1


@pytest.mark.parametrize("line", [b'{"bmv":1,"error":[1],"exit_code":[2]}', b'{"bmv":1}', b'{"bmv":1,"exit_code":99}'])
def test_an_answer_without_sense_is_an_error_of_ours(line: bytes) -> None:
    with pytest.raises(BmvError):
        decode_answer(line)


def test_an_answer_that_is_too_long_is_refused_before_it_is_sent() -> None:
    with pytest.raises(DataError, match="ask for fewer rows"):
        encode_answer("x" * ANSWER_MAX)
