"""Whether this process is traced, by the variables that all of OpenTelemetry's SDKs obey."""

from collections.abc import Mapping
from typing import Final

from moderator.observability.logging import get_logger
from moderator.observability.tracing.port import Tracing

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HTTP_PROTOBUF: Final = "http/protobuf"

log = get_logger(__name__)


def open_tracing(
    environ: Mapping[str, str], *, topic: str, group_id: str, client_id: str, model: str
) -> Tracing | None:
    """Start tracing where a collector is named; None, after a warning, where that cannot be done.

    Args:
        environ: this process's environment variables.
        topic: the events topic.
        group_id: the consumer group.
        client_id: what this replica is called, by Kafka's brokers and here.
        model: the name of the model that scores.
    """
    if not any(environ.get(name) for name in ENDPOINTS) or _is_switched_off(environ):
        return None
    protocol = next((environ[name] for name in PROTOCOLS if environ.get(name)), HTTP_PROTOBUF)
    if protocol != HTTP_PROTOBUF:
        log.warning("traces_off", protocol=protocol, hint=f"only `{HTTP_PROTOBUF}` is supported; set {PROTOCOLS[1]}")
        return None
    try:
        from moderator.observability.tracing.otel import OtelTracing  # noqa: PLC0415 - an extra, and not free
    except ImportError:
        log.warning("traces_off", hint="traces need an extra: install `moderator[otel]`")
        return None
    return OtelTracing(environ, topic=topic, group_id=group_id, client_id=client_id, model=model)


def _is_switched_off(environ: Mapping[str, str]) -> bool:
    return environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
