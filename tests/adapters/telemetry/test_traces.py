"""Traces, sent to a collector that listens on a real port."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from solders.keypair import Keypair

from bmv.adapters.config.masking import mask_text
from bmv.adapters.telemetry.traces import ORDERS_MAX, Traces


class Collector(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Kept)
        self.server.bodies.append(data)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Kept(ThreadingHTTPServer):
    def __init__(self, status: int) -> None:
        self.bodies: list[bytes] = []
        self.status = status
        super().__init__(("127.0.0.1", 0), Collector)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/traces"

    @property
    def spans(self) -> list[Any]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextmanager
def collector(status: int = 200) -> Iterator[Kept]:
    with Kept(status) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_what_is_done_for_an_order_hangs_on_its_decision_at_the_times_that_were_told() -> None:
    with collector() as server:
        with Traces(server.url, mask_text, mode="live", market="SOL/USDC") as traces:
            traces.decision(1_000, 2_000, [7, 8], kind="trade", slot=5)
            traces.decision(3_000, 4_000, [9])
            traces.step("sign", 2_000, 2_500, [7, 8])
            traces.step("land", 2_500, 9_000, [8, 9], slot=7)
            traces.step("send", 1, 2, [99])
        by_name = {(span.name, span.start_time_unix_nano): span for span in server.spans}

    assert sorted(span.name for span in server.spans) == ["decision", "decision", "land", "land", "sign"]
    first, second, sign = by_name["decision", 1_000], by_name["decision", 3_000], by_name["sign", 2_000]
    assert (first.end_time_unix_nano, sign.end_time_unix_nano) == (2_000, 2_500)
    assert (sign.trace_id, sign.parent_span_id) == (first.trace_id, first.span_id)
    lands = [span for span in server.spans if span.name == "land"]
    assert {span.parent_span_id for span in lands} == {first.span_id, second.span_id}
    facts = {fact.key: fact.value for fact in first.attributes}
    assert (facts["bmv.kind"].string_value, facts["bmv.slot"].int_value) == ("trade", 5)
    assert [value.int_value for value in facts["bmv.orders"].array_value.values] == [7, 8]
    body = server.bodies[0]
    assert b"bmv.market" in body
    assert b"SOL/USDC" in body


def test_no_trace_holds_a_secret() -> None:
    key = list(bytes(Keypair.from_seed(bytes(range(32)))))
    with collector() as server, Traces(server.url, mask_text) as traces:
        traces.decision(1, 2, [1], why="https://me:hunter2@rpc.example/?api-key=c4n4ry", raw=key, secret="hunter2")

    assert len(server.spans) == 1
    assert b"hunter2" not in server.bodies[0]
    assert b"c4n4ry" not in server.bodies[0]
    assert b"12, 13, 14" not in server.bodies[0]


def test_a_collector_that_refuses_is_counted_and_holds_up_nobody() -> None:
    with collector(status=400) as server, Traces(server.url, mask_text) as traces:
        for number in range(10):
            traces.decision(1, 2, [number])

    assert traces.lost == 10
    assert len(traces._decisions) == 10


def test_a_collector_that_says_nothing_does_not_hold_up_the_end_of_a_session() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with Traces(f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces", mask_text) as traces:
            traces.decision(1, 2, [1])

        traces.decision(1, 2, [2])  # After its end: nothing.
        traces.step("sign", 1, 2, [1])

    assert list(traces._decisions) == [1]


def test_only_so_many_orders_are_remembered() -> None:
    with collector() as server, Traces(server.url, mask_text) as traces:
        traces.decision(1, 2, range(ORDERS_MAX))
        traces.decision(3, 4, [ORDERS_MAX])

    assert len(traces._decisions) == ORDERS_MAX
    assert min(traces._decisions) == 1


def test_what_opentelemetry_reads_from_the_environment_does_not_turn_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20token")
    with collector() as server, Traces(server.url, mask_text) as traces:
        traces.decision(1, 2, [1])

    assert len(server.spans) == 1
    assert traces.lost == 0
