"""Traces by OpenTelemetry's SDK, sent to a collector in the background. Never text, user or tenant."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

import orjson
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from moderator.events import DeadLetter, DecidedSpan, EncodedDecision, Record
from moderator.observability.logging import get_logger
from moderator.observability.tracing import names
from moderator.observability.tracing.traceparent import Parent, replaced, sampled_parent

log = get_logger(__name__)

_CLOSE_S: Final = 1.0
_MOST_LINKS: Final = 128
_NS: Final = 1_000_000_000
_NOT_COMMITTED: Final = "not_committed"
"""The partition was taken from us before the commit; its next owner decides the events once more."""

Place = tuple[int, int]
Item = tuple[Record, EncodedDecision | DeadLetter]


@dataclass(slots=True)
class _Window:
    """A window on its way: its span, those of its traced events by place, and how many are not committed."""

    process: Span
    events: dict[Place, Span]
    uncommitted: int


class OtelTracing:
    """`Tracing` by the SDK; see `open_tracing`."""

    def __init__(self, environ: Mapping[str, str], *, topic: str, group_id: str, client_id: str, model: str) -> None:
        self._provider = TracerProvider(resource=_resource(environ, client_id))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("moderator", version("moderator"))
        self._topic = topic
        self._of_window = {
            names.SYSTEM: "kafka",
            names.OPERATION_NAME: "process",
            names.OPERATION_TYPE: "process",
            names.DESTINATION: topic,
            names.CONSUMER_GROUP: group_id,
            names.CLIENT_ID: client_id,
        }
        self._model = model
        self._windows: deque[_Window] = deque()

    def window_began(self, polled: Iterable[tuple[Record, float]]) -> None:
        """Start the window's span, and one for each event whose sender's span is sampled."""
        polled = list(polled)
        parents = [(record, at_s, sampled_parent(record.headers)) for record, at_s in polled if record.headers]
        traced = [(record, at_s, _context(parent)) for record, at_s, parent in parents if parent is not None]
        links = [Link(context) for _, _, context in traced[:_MOST_LINKS]]
        process = self._start_window(len(polled), links) if polled else INVALID_SPAN  # only a position moves
        events = {
            (record.partition, record.offset): self._start_event(record, at_s, context)
            for record, at_s, context in traced
        }
        recorded = {place: span for place, span in events.items() if span.is_recording()}
        self._windows.append(_Window(process, recorded, len(polled)))

    def window_decided(self, spans: list[DecidedSpan]) -> list[DecidedSpan]:
        """Describe what became of each traced event, and put its span in the place of its sender's."""
        events = self._windows[0].events
        if not events:
            return spans
        return [span.with_items([_decided(item, events) for item in span.items]) for span in spans]

    def committed(self, spans: Sequence[DecidedSpan]) -> None:
        """End the spans of these events."""
        window = self._windows[0]
        for span in spans:
            window.uncommitted -= len(span.items)
            for record, _ in span.items if window.events else ():
                if (event := window.events.pop((record.partition, record.offset), None)) is not None:
                    event.end()

    def window_ended(self) -> None:
        """End the window's span, and those of events that others own now."""
        window = self._windows.popleft()
        if window.uncommitted:
            _fail(window, _NOT_COMMITTED)
        window.process.end()

    def stopped(self, error: BaseException) -> None:
        """End all spans with the error's type."""
        while self._windows:
            window = self._windows.popleft()
            _fail(window, type(error).__name__)
            window.process.end()

    def close(self) -> None:
        """Send what is left; a collector that does not answer is not waited for."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)

    def _start_window(self, message_count: int, links: Sequence[Link]) -> Span:
        attributes: dict[str, str | int] = {**self._of_window, names.MESSAGE_COUNT: message_count}
        return self._tracer.start_span(f"process {self._topic}", Context(), SpanKind.CONSUMER, attributes, links)

    def _start_event(self, record: Record, polled_at_s: float, parent: SpanContext) -> Span:
        ago_ns = int((time.monotonic() - polled_at_s) * _NS)
        return self._tracer.start_span(
            names.MODERATE,
            set_span_in_context(NonRecordingSpan(parent), Context()),
            SpanKind.INTERNAL,
            {
                names.PARTITION: str(record.partition),
                names.OFFSET: record.offset,
                names.REQUEST_MODEL: self._model,
            },
            start_time=time.time_ns() - ago_ns,
        )


def _resource(environ: Mapping[str, str], client_id: str) -> Resource:
    """Name the service, unless the operator has."""
    ours = {names.SERVICE_VERSION: version("moderator"), names.SERVICE_INSTANCE: client_id}
    given = environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    is_named = environ.get("OTEL_SERVICE_NAME") or f"{names.SERVICE_NAME}=" in given
    return Resource.create(ours if is_named else {names.SERVICE_NAME: "moderator", **ours})


def _context(parent: Parent) -> SpanContext:
    return SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _decided(item: Item, events: Mapping[Place, Span]) -> Item:
    record, made = item
    span = events.get((record.partition, record.offset))
    if span is None:
        return item
    if isinstance(made, DeadLetter):  # it keeps all headers as they were
        span.set_attribute(names.ERROR_TYPE, made.reason)
        span.set_status(StatusCode.ERROR)
        return item
    try:
        _describe(span, orjson.loads(made.value))
    except Exception as error:  # noqa: BLE001 - a fault of ours in a trace must not stop the stream
        log.warning("trace_incomplete", error=type(error).__name__)
    ours = span.get_span_context()
    return record._replace(headers=replaced(record.headers, ours.trace_id, ours.span_id)), made


def _describe(span: Span, decision: Mapping[str, Any]) -> None:
    """Copy from the published record what a trace may hold."""
    matched = [rule for rule in decision["rules"] if rule["outcome"] == "matched"]
    attributes = {
        names.CONVERSATION: decision["event"]["conversation_id"],
        names.DECISION_ID: decision["decision_id"],
        names.VERDICT: decision["verdict"],
        names.STATUS: decision["status"],
        names.SEVERITY: decision["severity"],
        names.REASONS: decision["reasons"],
        names.RULES: [rule["rule"] for rule in matched],
        names.SNAPSHOT: decision["policy"]["snapshot"],
        names.FINGERPRINT: decision["model"]["fingerprint"],
        names.CACHED: decision["cached"],
    }
    span.set_attributes({name: value for name, value in attributes.items() if value is not None})
    failed = {
        condition["signal"]
        for rule in matched
        if rule["counted"]
        for condition in rule["conditions"]
        if condition.get("holds") and "signal" in condition
    }
    for signal, score in decision["scores"]["signals"].items():
        label = "fail" if signal in failed else "pass"
        given = {names.EVALUATION_NAME: signal, names.LABEL: label}
        span.add_event(names.EVALUATION, given if score is None else {**given, names.SCORE: score})


def _fail(window: _Window, error_type: str) -> None:
    for span in (window.process, *window.events.values()):
        span.set_attribute(names.ERROR_TYPE, error_type)
        span.set_status(StatusCode.ERROR)
    for span in window.events.values():
        span.end()
    window.events.clear()
