"""Print what a scrape of `moderator run` gives, every series with a value: `promtool check metrics` reads it."""

import sys
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, generate_latest

from moderator.events import DeadLetter
from moderator.observability.build import versions
from moderator.observability.health import HealthBoard, HealthSnapshot
from moderator.observability.metrics import Metrics
from tests.builders import an_encoded_decision


class SomeUsage:
    """What a scorer has counted on a CUDA device."""

    def __init__(self) -> None:
        self.texts = 3
        self.tokens = 90
        self.busy_s = 1.5
        self.packs_halved = 1
        self.pack_tokens = 512

    def memory_bytes(self) -> Mapping[str, int]:
        return {"allocated": 16_000, "reserved": 20_000, "total": 80_000}


def some_metrics() -> Metrics:
    """All metrics, each labelled one with at least one series."""
    metrics = Metrics(CollectorRegistry())
    metrics.show_process()
    metrics.show_state_dir()
    metrics.show_readiness(HealthBoard(HealthSnapshot(0.0, 0.0)), float)
    metrics.show_device(SomeUsage())
    metrics.show_rules([("safety/unsafe", "live")], [("safety", "absent")])
    metrics.show_drift({"safety": (0.5,) * 9})
    metrics.build_info.labels(**versions()).set(1)
    metrics.policy_snapshot.labels("sha256:4c91").set(1)
    metrics.policy_refused.labels("safety").set(1)
    metrics.rule_budget_ratio.labels("safety/unsafe").set(0.01)
    metrics.model.labels("tiny", "sha256:fea9", "float32").set(1)
    metrics.publish_failures.labels("KafkaTimeoutError").inc()
    for cache in ("score", "verdict"):
        metrics.cache_up.labels(cache).set(1)
    for gauge in (metrics.lag_events, metrics.lag_seconds):
        gauge.labels("0").set(7)
    for counter in (metrics.events_lost, metrics.log_truncated):
        counter.labels("0").inc(0)
    metrics.count_outcomes([an_encoded_decision(), DeadLetter("bad_json", "x")])
    return metrics


if __name__ == "__main__":
    sys.stdout.buffer.write(generate_latest(some_metrics().registry))
