"""Metrics, health and readiness over real connections."""

import socket
import urllib.error
import urllib.request
from contextlib import suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bmv.adapters.telemetry.exposition import CONNECTIONS_MAX, Exposition
from bmv.adapters.telemetry.meters import Meters
from bmv.adapters.telemetry.pulse import Pulse
from bmv.ports.errors import ConfigError


class Hand:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def get(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def read(meters: Meters) -> dict[str, float]:
    """Return every sample by its name and its labels, as Prometheus would read it."""
    return {
        f"{sample.name}{sorted(sample.labels.values()) or ''}": sample.value
        for family in text_string_to_metric_families(meters.text().decode())
        for sample in family.samples
    }


def test_everything_that_is_counted_comes_out_as_prometheus_reads_it() -> None:
    meters = Meters("live", "SOL/USDC", "live/sim/1")
    meters.event("trade")
    meters.event("trade")
    meters.intents(["place", "place", "cancel"])
    meters.refusal("POSITION")
    meters.fill("bid", "maker")
    meters.attempt("landed", slots=3)
    meters.fee("tip", 1_000)
    meters.trip("STALE")
    meters.orders(2, 1)
    meters.pnl(net=1.5, fees=-0.25)
    meters.position.set(3)
    meters.event_to_intent.observe(0.0004)

    found = read(meters)

    assert found["bmv_events_total['trade']"] == 2
    assert (found["bmv_intents_total['place']"], found["bmv_intents_total['cancel']"]) == (2, 1)
    assert found["bmv_refusals_total['POSITION']"] == found["bmv_guard_trips_total['STALE']"] == 1
    assert found["bmv_fills_total['bid', 'maker']"] == 1
    assert found["bmv_attempts_total['landed']"] == found["bmv_slots_to_land_count"] == 1
    assert (
        found[
            "bmv_slots_to_land_bucket['2']"
            if "bmv_slots_to_land_bucket['2']" in found
            else "bmv_slots_to_land_bucket['2.0']"
        ]
        == 0
    )
    assert found["bmv_chain_fees_lamports_total['tip']"] == 1_000
    assert (found["bmv_orders_open['bid']"], found["bmv_orders_open['ask']"]) == (2, 1)
    assert (found["bmv_pnl_quote['net']"], found["bmv_pnl_quote['fees']"]) == (1.5, -0.25)
    assert found["bmv_position_base"] == 3
    assert found["bmv_event_to_intent_seconds_sum"] == 0.0004
    assert found["bmv_session_info['SOL/USDC', 'live', 'live/sim/1']"] == 1


def test_two_sessions_in_one_process_count_apart() -> None:
    one, two = (Meters("paper", name, name) for name in ("A", "B"))
    one.event("trade")

    assert read(one)["bmv_events_total['trade']"] == 1
    assert "bmv_events_total['trade']" not in read(two)


def test_alive_and_ready_are_told_apart() -> None:
    hand = Hand()
    pulse = Pulse(limit_s=10, clock=hand)
    with Exposition(0, Meters("live", "A", "1").text, pulse) as web:
        assert get(web.port, "/health")[0] == 200
        assert get(web.port, "/ready") == (503, b'{"ready": false, "why": "it is starting"}\n')

        pulse.say("")
        assert get(web.port, "/ready") == (200, b'{"ready": true, "why": ""}\n')

        hand.now = 11
        assert get(web.port, "/health") == (503, b'{"alive": false, "silent_s": 11.0}\n')
        assert get(web.port, "/ready") == (503, b'{"ready": false, "why": "its loop has not turned for 11 s"}\n')

        pulse.beat()
        assert get(web.port, "/ready")[0] == 200
        code, text = get(web.port, "/metrics")
        assert code == 200
        assert b"bmv_session_info" in text
        assert get(web.port, "/metrics/x")[0] == get(web.port, "/")[0] == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "localhost:80:80", "", "127.0.0.1@evil"]
)
def test_a_page_whose_host_was_made_to_lead_here_is_turned_away(host: str) -> None:
    with Exposition(0, Meters("live", "A", "1").text, Pulse()) as web:
        assert get(web.port, "/metrics", Host=host) == (403, b"expected Host: localhost\n")
        for good in ("localhost", f"127.0.0.1:{web.port}", f"[::1]:{web.port}", "LOCALHOST:1"):
            assert get(web.port, "/health", Host=good)[0] == 200


@pytest.mark.parametrize(
    "data", [b"POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x00\xff\n\n", b"GET /" + b"x" * 100_000]
)
def test_what_is_no_get_is_refused_and_the_next_is_answered(data: bytes) -> None:
    with Exposition(0, Meters("live", "A", "1").text, Pulse()) as web:
        with socket.create_connection(("127.0.0.1", web.port), timeout=20) as one:
            with suppress(OSError):  # It may have been refused by then.
                one.sendall(data)
                one.shutdown(socket.SHUT_WR)
            assert b" 200 " not in one.recv(100)
        assert get(web.port, "/health")[0] == 200


def test_those_who_send_nothing_take_their_share_of_threads_and_no_more() -> None:
    with Exposition(0, Meters("live", "A", "1").text, Pulse()) as web:
        crowd = [socket.create_connection(("127.0.0.1", web.port), timeout=20) for _ in range(3 * CONNECTIONS_MAX)]
        closed = [one for one in crowd if one.recv(1) == b""]  # At once, or when their time is over.
        assert len(closed) == len(crowd)
        for one in crowd:
            one.close()
        assert get(web.port, "/health")[0] == 200


def test_it_listens_on_this_machine_alone_and_not_after_its_end() -> None:
    with Exposition(0, Meters("live", "A", "1").text, Pulse()) as web:
        assert web._server is not None
        assert web._server.server_address[0] == "127.0.0.1"
        with pytest.raises(ConfigError, match=f"live.metrics_port: {web.port} can't be listened on"):
            Exposition(web.port, bytes, Pulse()).__enter__()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", web.port))
