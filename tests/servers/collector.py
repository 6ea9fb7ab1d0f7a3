"""A collector of traces: takes what the exporter posts, and reads it as OTLP's protobuf has it."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

SPAN_KINDS = {1: "internal", 3: "server", 5: "consumer"}


@dataclass(frozen=True)
class SpanEvent:
    name: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Span:
    """One span as it arrived; ids as hex digits."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: list[str]
    attributes: dict[str, Any]
    events: list[SpanEvent]
    resource: dict[str, Any]
    seconds: float


class Collector:
    """`with Collector() as collector:` set `OTEL_EXPORTER_OTLP_ENDPOINT` to its `url`.

    Attributes:
        asked: set when the first request has arrived.
        answers: cleared, it holds every answer back until it is set again, or until the end.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.asked, self.answers = threading.Event(), threading.Event()
        self.answers.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self) -> list[Span]:
        return [span for body in list(self.bodies) for span in _spans(body)]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.asked.set()
                collector.answers.wait()
                collector.bodies.append(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def _spans(body: bytes) -> Iterator[Span]:
    for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for each in (span for of_scope in of_resource.scope_spans for span in of_scope.spans):
            yield Span(
                name=each.name,
                kind=SPAN_KINDS.get(each.kind, str(each.kind)),
                trace_id=each.trace_id.hex(),
                span_id=each.span_id.hex(),
                parent_id=each.parent_span_id.hex(),
                links=[link.span_id.hex() for link in each.links],
                attributes=_attributes(each.attributes),
                events=[SpanEvent(event.name, _attributes(event.attributes)) for event in each.events],
                resource=resource,
                seconds=(each.end_time_unix_nano - each.start_time_unix_nano) / 1e9,
            )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, str(kind))
