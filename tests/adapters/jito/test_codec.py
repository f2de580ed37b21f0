"""What a block engine says, by bodies that were seen, and what is made of it."""

import json

import pytest

from bmv.adapters.jito import codec
from bmv.adapters.jito.codec import Hint, Said, read_answer, read_hints, read_tip_accounts
from bmv.adapters.jito.floor import read_floor
from bmv.adapters.jito.regions import Regions
from bmv.data.landing.accounts import JITO_TIP_ACCOUNTS

FLOOR = {
    "landed_tips_25th_percentile": 6.0e-06,
    "landed_tips_50th_percentile": 1e-05,
    "landed_tips_75th_percentile": 3.6122e-05,
    "landed_tips_95th_percentile": 0.001423,
    "landed_tips_99th_percentile": 0.01005,
    "ema_landed_tips_50th_percentile": 9.836e-06,
}


def refused(code: int, words: str, identity: int | None = None) -> bytes:
    return json.dumps(
        {"jsonrpc": "2.0", "error": {"code": code, "message": words, "data": None}, "id": identity}
    ).encode()


LIMIT = "Rate limit exceeded. Limit: 1 per second for txn requests. Back-off triggered: Retry after 1606ms"
CONGESTED = "Network congested. Endpoint is globally rate limited."
NO_TIP = "Bundles must write lock at least one tip account to be eligible for the auction."
PROCESSED = "bundle contains an already processed transaction"


@pytest.mark.parametrize(
    ("status", "headers", "body", "said", "wait_s"),
    [
        (429, {}, refused(-32097, CONGESTED), Said.BUSY, None),
        (429, {}, refused(-32097, LIMIT), Said.BUSY, 1.606),
        (200, {}, refused(-32097, LIMIT), Said.BUSY, 1.606),
        (429, {"retry-after": "2"}, b"", Said.BUSY, 2.0),
        (429, {}, b"<html>slow down</html>", Said.BUSY, None),
        (400, {}, refused(-32602, NO_TIP), Said.REFUSED, None),
        (400, {}, refused(-32602, PROCESSED), Said.KNOWN, None),
        (400, {}, refused(-32602, "transaction #0 could not be decoded"), Said.REFUSED, None),
        (500, {}, refused(-32603, "Internal error"), Said.UNKNOWN, None),
        (400, {}, refused(-32602, "Retry after 99999999999999999999ms"), Said.REFUSED, None),
        (502, {}, b"bad gateway", Said.UNKNOWN, None),
        (200, {}, b"", Said.UNKNOWN, None),
        (200, {}, b"[1, 2]", Said.UNKNOWN, None),
        (200, {}, b'{"jsonrpc": "2.0", "id": 1}', Said.UNKNOWN, None),
        (200, {}, b"[" * 5_000, Said.UNKNOWN, None),
    ],
)
def test_a_body_that_was_seen_means_what_it_meant(
    status: int, headers: dict[str, str], body: bytes, said: Said, wait_s: float | None
) -> None:
    answer = read_answer(status, headers, body)

    assert (answer.said, answer.wait_s) == (said, wait_s)


def test_what_was_taken_has_the_number_of_its_bundle() -> None:
    single = read_answer(200, {"x-bundle-id": "a" * 64}, b'{"jsonrpc": "2.0", "result": "sig", "id": 1}')
    several = read_answer(200, {}, json.dumps({"result": "b" * 64}).encode())

    assert (single.said, single.bundle, several.bundle) == (Said.TAKEN, "a" * 64, "b" * 64)


def test_everything_is_sent_in_base64_and_one_transaction_for_bundles_only() -> None:
    call = codec.send_transaction(b"\x01\x02")

    assert json.loads(call.body(7)) == {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "sendTransaction",
        "params": ["AQI=", {"encoding": "base64"}],
    }
    assert call.path == "/api/v1/transactions?bundleOnly=true"
    assert codec.send_bundle([b"\x01"]).params == [["AQ=="], {"encoding": "base64"}]


def test_more_bytes_than_the_engine_takes_are_never_given_to_it() -> None:
    codec.send_transaction(bytes(1_232))

    with pytest.raises(AssertionError):
        codec.send_transaction(bytes(1_233))


@pytest.mark.parametrize(
    ("result", "hint"),
    [
        (None, Hint.NOTHING),
        ({"value": None}, Hint.NOTHING),
        ({"value": []}, Hint.NOTHING),
        ({"value": [None]}, Hint.NOTHING),
        ({"value": [{"bundle_id": "a", "status": "Invalid", "landed_slot": None}]}, Hint.NOTHING),
        ({"value": [{"bundle_id": "a", "status": "Pending"}]}, Hint.PENDING),
        ({"value": [{"bundle_id": "a", "status": "Failed"}]}, Hint.FAILED),
        ({"value": [{"bundle_id": "a", "status": "Landed", "landed_slot": 7}]}, Hint.LANDED),
        ({"value": [{"bundle_id": "a", "confirmation_status": "confirmed"}]}, Hint.LANDED),
        ({"value": [{"bundle_id": "a", "confirmationStatus": "processed"}]}, Hint.LANDED),
        ({"value": [{"bundle_id": "b", "status": "Landed"}]}, Hint.NOTHING),
    ],
)
def test_a_status_is_a_hint_and_what_is_not_known_is_nothing(result: object, hint: Hint) -> None:
    assert read_hints(result, ["a"]) == {"a": hint}


def test_of_the_accounts_that_an_endpoint_names_only_those_that_are_known_are_paid() -> None:
    same, nothing = read_tip_accounts(list(reversed(JITO_TIP_ACCOUNTS)))
    fewer, changed = read_tip_accounts([*JITO_TIP_ACCOUNTS[1:], "somebody"])

    assert (same, nothing) == (JITO_TIP_ACCOUNTS, None)
    assert fewer == JITO_TIP_ACCOUNTS[1:]
    assert changed is not None
    assert changed.new == ("somebody",)
    assert changed.gone == (JITO_TIP_ACCOUNTS[0],)


@pytest.mark.parametrize("time", ["2024-09-01T12:58:00Z", "2026-10-24T12:27:34+00:00"])
def test_a_floor_is_read_with_either_form_of_time_and_rounded_to_lamports(time: str) -> None:
    told = read_floor([{"time": time, **FLOOR}])

    assert told is not None
    assert told.floor.lamports == (6_000, 10_000, 36_122, 1_423_000, 10_050_000)


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        [{"time": "2024-09-01T12:58:00Z"}],
        [{"time": "soon", **FLOOR}],
        [{"time": "2024-09-01T12:58:00Z", **FLOOR, "landed_tips_99th_percentile": float("nan")}],
        [{"time": "2024-09-01T12:58:00Z", **FLOOR, "landed_tips_99th_percentile": 1e-9}],
        [{"time": "2024-09-01T12:58:00Z", **FLOOR, "landed_tips_95th_percentile": True}],
        [{"time": "2024-09-01T12:58:00Z", **FLOOR}] * 2,
    ],
)
def test_a_floor_that_is_none_is_not_paid_by(row: object) -> None:
    assert read_floor(row) is None


def test_the_quickest_region_is_sent_to_and_one_that_fails_is_left_alone_for_a_while() -> None:
    regions = Regions(["ny", "tokyo"])
    ny, tokyo = regions.each["ny"], regions.each["tokyo"]
    ny.note_answer(0.050)
    assert regions.choose(0.0) is tokyo, "it was never measured"
    tokyo.note_answer(0.150)

    assert regions.choose(0.0) is ny
    ny.note_failure(10.0)
    assert regions.choose(10.5) is tokyo
    tokyo.note_limit(10.5, 1.6)
    assert regions.choose(10.6) is None
    assert regions.choose(11.1) is ny
