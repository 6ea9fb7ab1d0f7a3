"""What probes are answered."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest
from prometheus_client import CollectorRegistry

from moderator.events import Partition
from moderator.observability.health import (
    HealthBoard,
    HealthSnapshot,
    PolicyHealth,
    liveness_failures,
    readiness_failures,
    staleness,
)
from moderator.observability.metrics import Metrics
from moderator.pipeline.observer import MonitoringObserver
from moderator.testing import ManualClock

RUNNING = HealthSnapshot(progressed_at_s=100.0, broker_seen_at_s=100.0, has_begun=True, has_joined=True)


class WithoutPartitions:
    """What a source knows whose group has more members than partitions."""

    assignment: frozenset[Partition] = frozenset()
    lags: Mapping[Partition, int] = MappingProxyType({})
    is_joined = True
    last_answer_s = 100.0


def test_a_stream_that_moves_is_healthy_and_ready() -> None:
    assert liveness_failures(RUNNING, 101.0) == []
    assert readiness_failures(RUNNING, 101.0) == []


def test_a_replica_without_partitions_is_healthy_and_ready() -> None:
    board = HealthBoard(HealthSnapshot(100.0, 100.0))

    observer = MonitoringObserver(WithoutPartitions(), Metrics(CollectorRegistry()), board, ManualClock(100.0))
    observer.loop_iterated(has_in_flight=False)

    assert liveness_failures(board.snapshot, 101.0) == []
    assert readiness_failures(board.snapshot, 101.0) == []


def test_no_progress_for_a_minute_is_unhealthy_and_unready() -> None:
    stuck = replace(RUNNING, broker_seen_at_s=160.0)

    assert liveness_failures(stuck, 160.0) == []
    assert liveness_failures(stuck, 161.0) == ["no progress for 61 s"]
    assert readiness_failures(stuck, 161.0) == ["no progress for 61 s"]


def test_no_broker_for_a_minute_is_unhealthy() -> None:
    cut_off = replace(RUNNING, progressed_at_s=170.0)

    assert liveness_failures(cut_off, 170.0) == ["no answer from Kafka for 70 s"]


def test_a_start_of_any_length_is_healthy_but_not_ready() -> None:
    starting = HealthSnapshot(progressed_at_s=0.0, broker_seen_at_s=0.0)

    assert liveness_failures(starting, 600.0) == []
    assert readiness_failures(starting, 600.0) == [
        "the model is loading, or Kafka is awaited",
        "the consumer group was not joined yet",
    ]


@pytest.mark.parametrize("change", [{"has_begun": False}, {"has_joined": False}, {"is_draining": True}])
def test_not_begun_not_joined_and_draining_are_each_unready(change: dict[str, bool]) -> None:
    assert len(readiness_failures(replace(RUNNING, **change), 101.0)) == 1


def test_stale_policies_are_unready_only_past_the_limit_that_was_set() -> None:
    limited = PolicyHealth(agreed_at_s=100.0, max_stale_s=30.0)

    assert staleness(limited, 130.0) == []
    assert staleness(limited, 131.0) == ["the policy folder differs from the policies that decide for 31 s"]
    assert staleness(PolicyHealth(agreed_at_s=100.0), 1e9) == []
    assert staleness(None, 1e9) == []
