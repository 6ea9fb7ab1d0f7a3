"""When a process is traced."""

import sys

import pytest
from structlog.testing import capture_logs

from moderator.observability.tracing.opening import open_tracing
from moderator.observability.tracing.port import Tracing

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


def opened(**environ: str) -> Tracing | None:
    return open_tracing(environ, topic="chat.events", group_id="moderator", client_id="moderator-0", model="tiny")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_SERVICE_NAME": "chat"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "TRUE"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_without_a_collector_it_is_off_and_says_nothing(environ: dict[str, str]) -> None:
    with capture_logs() as logs:
        assert opened(**environ) is None

    assert logs == []


def test_another_protocol_than_ours_is_a_warning_and_off() -> None:
    with capture_logs() as logs:
        tracing = opened(**ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")

    assert tracing is None
    (line,) = logs
    assert (line["event"], line["log_level"], line["protocol"]) == ("traces_off", "warning", "grpc")


def test_the_protocol_for_traces_wins_over_the_one_for_all() -> None:
    with capture_logs() as logs:
        opened(**ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/json")

    assert [line["protocol"] for line in logs] == ["http/json"]


def test_without_the_extra_it_is_a_warning_and_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "moderator.observability.tracing.otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with capture_logs() as logs:
        tracing = opened(**ENDPOINT)

    assert tracing is None
    assert [line["event"] for line in logs] == ["traces_off"]
    assert "moderator[otel]" in logs[0]["hint"]
