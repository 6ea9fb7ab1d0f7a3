"""What probes and Prometheus read."""

from dataclasses import replace

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from moderator.http.probes import add_probes
from moderator.observability.health import HealthBoard, HealthSnapshot, PolicyHealth
from moderator.observability.metrics import Metrics
from moderator.testing import ManualClock
from tests.servers.in_process import client_of


class Probed:
    def __init__(self) -> None:
        self.clock = ManualClock()
        now_s = self.clock.monotonic_s()
        self.metrics = Metrics(CollectorRegistry())
        self.board = HealthBoard(HealthSnapshot(now_s, now_s, phase="running", joined_at_s=now_s))
        app = FastAPI()
        add_probes(app, self.board, self.metrics.registry, self.clock.monotonic_s)
        self.client = client_of(app)


@pytest.fixture
def probed() -> Probed:
    return Probed()


def test_a_stream_that_moves_is_healthy_and_ready(probed: Probed) -> None:
    healthz, readyz = probed.client.get("/healthz"), probed.client.get("/readyz")

    assert (healthz.status_code, healthz.json()) == (200, {"status": "healthy", "reasons": [], "codes": []})
    assert (readyz.status_code, readyz.json()) == (200, {"status": "ready", "reasons": [], "codes": []})


def test_a_stream_that_reports_nothing_for_a_minute_is_unhealthy(probed: Probed) -> None:
    probed.clock.advance(61)

    healthz = probed.client.get("/healthz")

    assert healthz.status_code == 503
    assert healthz.json() == {
        "status": "not healthy",
        "reasons": ["the loop has not turned for 61 s"],
        "codes": ["stuck"],
    }


def test_a_replica_that_only_waits_for_kafka_is_healthy_for_ever_and_not_ready(probed: Probed) -> None:
    probed.clock.advance(75)
    now_s = probed.clock.monotonic_s()
    probed.board.snapshot = replace(probed.board.snapshot, turned_at_s=now_s, joined_at_s=now_s)

    healthz, readyz = probed.client.get("/healthz"), probed.client.get("/readyz")

    assert healthz.status_code == 200
    assert readyz.status_code == 503
    assert readyz.json() == {
        "status": "not ready",
        "reasons": ["no answer from Kafka for 75 s"],
        "codes": ["kafka_away"],
    }


def test_a_draining_replica_is_healthy_but_not_ready(probed: Probed) -> None:
    probed.board.snapshot = replace(probed.board.snapshot, is_draining=True)

    healthz, readyz = probed.client.get("/healthz"), probed.client.get("/readyz")

    assert healthz.status_code == 200
    assert readyz.status_code == 503
    assert readyz.json() == {"status": "not ready", "reasons": ["draining"], "codes": ["draining"]}


def test_a_replica_on_policies_replaced_long_ago_is_healthy_but_not_ready(probed: Probed) -> None:
    probed.board.policies = PolicyHealth(agreed_at_s=probed.clock.monotonic_s() - 61, max_stale_s=60)

    healthz, readyz = probed.client.get("/healthz"), probed.client.get("/readyz")

    assert healthz.status_code == 200
    assert (readyz.status_code, readyz.json()["reasons"]) == (
        503,
        ["the policy folder differs from the policies that decide for 61 s"],
    )


def test_metrics_are_in_prometheus_text_format(probed: Probed) -> None:
    probed.metrics.events.inc(7)

    answer = probed.client.get("/metrics")

    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families["moderator_events"].samples[0].value == 7
    assert answer.headers["content-type"].startswith("text/plain")


def test_metrics_come_as_openmetrics_to_who_asks_for_them(probed: Probed) -> None:
    answer = probed.client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_a_replica_without_a_stream_is_ready_without_kafka(probed: Probed) -> None:
    probed.clock.advance(75)
    now_s = probed.clock.monotonic_s()
    probed.board.snapshot = HealthSnapshot(now_s, 0.0, phase="serving")

    readyz = probed.client.get("/readyz")

    assert (readyz.status_code, readyz.json()["status"]) == (200, "ready")
