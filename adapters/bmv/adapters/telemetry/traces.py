"""The way of each decision as a trace of OpenTelemetry: the tick, the decision, and what became of its orders.

A trace begins with the event that was decided upon. What is done for its orders later, signing, sending, landing, hangs
on it by the number of an order. Spans wait in a bounded queue for a thread that sends them, over OTLP and HTTP, to a
collector. What finds no room there is lost; so is what the collector does not take, and that is counted. It needs the
extra `otel`.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bmv.adapters.telemetry.masking import Masker
from bmv.ports.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import Span, Tracer

ORDERS_MAX = 4_096  # Whose decision is remembered; the oldest are forgotten.
SPANS_MAX = 8_192  # That may wait.
EXPORT_S = 5  # For the collector to take what it is sent.
CLOSE_S = 2.0  # For what is left, at the end.


class Traces:
    """Takes steps and sends them, while it is entered.

    Args:
        url: Of the collector, such as `http://127.0.0.1:4318/v1/traces`; what it wants to know of us stands in
            `OTEL_EXPORTER_OTLP_HEADERS`.
        mask: As the log has it.
        facts: Of the session, such as `mode`, `market` and `session`: on every trace.
    """

    def __init__(self, url: str, mask: Callable[[str], str], **facts: str) -> None:
        self.lost = 0  # Spans that the collector did not take.
        self._url, self._facts, self._masker = url, facts, Masker(mask)
        self._decisions: OrderedDict[int, Span] = OrderedDict()
        self._tracer: Tracer | None = None
        self._shutdown: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"<Traces: {len(self._decisions)} orders remembered, {self.lost} spans lost>"

    def __enter__(self) -> Self:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise ConfigError("live.traces_url: needs the extra otel; pip install 'bmv[otel]'") from None

        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # It would tell of each failure; we count them.
        resource = Resource.create(
            {"service.name": "bmv", **{f"bmv.{name}": text for name, text in self._facts.items()}}
        )
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = _counting(OTLPSpanExporter(endpoint=self._url, timeout=EXPORT_S), self._lose)
        provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=SPANS_MAX))
        self._tracer, self._shutdown = provider.get_tracer("bmv"), provider.shutdown
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tracer = None
        closing = threading.Thread(target=self._shutdown, name="bmv-traces-end", daemon=True)
        closing.start()
        closing.join(CLOSE_S)  # A collector that hangs must not hold up the end of a session.

    def decision(
        self, heard_ns: int, decided_ns: int, orders: Sequence[int], **facts: Any
    ) -> None:  # Any: plain values.
        """Begin the trace of a decision.

        Args:
            heard_ns, decided_ns: When the event was heard and its intents went out, ns UTC.
            orders: Numbers of those that it placed or cancelled.
            facts: Of the event: what it was, its slot.
        """
        if self._tracer is None:
            return
        attributes = {**self._plain(facts), "bmv.orders": list(orders)}
        span = self._tracer.start_span("decision", start_time=heard_ns, attributes=attributes)
        span.end(decided_ns)
        for order in orders:
            self._decisions[order] = span
            self._decisions.move_to_end(order)
        while len(self._decisions) > ORDERS_MAX:
            self._decisions.popitem(last=False)

    def step(
        self, name: str, start_ns: int, end_ns: int, orders: Iterable[int], **facts: Any
    ) -> None:  # Any: as above.
        """Add what was done for orders to the trace of each decision that asked for them.

        Args:
            name: `sign`, `send`, `land`, `fail` or `fill`.
            start_ns, end_ns: When, ns UTC.
            orders: Their numbers; those whose decision is forgotten, or was of an earlier process, are left out.
            facts: Of the step: signature, slot, fee.
        """
        if self._tracer is None:
            return
        from opentelemetry.trace import set_span_in_context

        spans = {id(span): span for order in orders if (span := self._decisions.get(order)) is not None}
        for span in spans.values():
            attributes = self._plain(facts)
            self._tracer.start_span(name, set_span_in_context(span), start_time=start_ns, attributes=attributes).end(
                end_ns
            )

    def _plain(self, facts: dict[str, Any]) -> dict[str, Any]:  # Any: as above.
        plain = self._masker(facts)
        return {
            f"bmv.{name}": value if isinstance(value, str | int | float) else str(value)
            for name, value in plain.items()
        }

    def _lose(self, spans: int) -> None:
        self.lost += spans


def _counting(inner: "SpanExporter", lose: Callable[[int], None]) -> "SpanExporter":
    """Return an exporter that counts what it could not send."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Counting(SpanExporter):
        def export(self, spans: "Sequence[ReadableSpan]") -> "SpanExportResult":
            try:
                result = inner.export(spans)
            except Exception:  # Of a collector that answers nonsense.
                result = SpanExportResult.FAILURE
            if result is not SpanExportResult.SUCCESS:
                lose(len(spans))
            return result

        def shutdown(self) -> None:
            inner.shutdown()

    return Counting()
